//! What a router does to a node's outside address, and what follows for two of them.

use std::net::SocketAddr;

use crate::digest::Address;
use crate::wire::Mapping;

/// Which side of a meeting this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dials, and opens its router by that.
    Dialer,
    /// Opens its router, and waits to be dialed.
    Waiter,
}

/// What a master's two views of a node say. `own` are the addresses at which the node's machine is, or at which
/// a router lets others in; `there` is where its datagram to the second port came from.
pub fn mapping_of(own: &[SocketAddr], here: SocketAddr, there: Option<SocketAddr>) -> Mapping {
    let same = |it: &SocketAddr| (it.ip().to_canonical(), it.port()) == canonical(here);
    match there {
        _ if own.iter().any(same) => Mapping::Open,
        None => Mapping::Unknown,
        Some(there) if canonical(there) == canonical(here) => Mapping::Steady,
        Some(_) => Mapping::Varying,
    }
}

/// Who of two dials: the side with the harder router, because where it comes from only shows when it speaks.
/// Of equals the lower address. Odd attempts swap that.
pub fn role_of(own: (Mapping, Address), other: (Mapping, Address), attempt: u8) -> Role {
    let is_harder = match own.0.cmp(&other.0) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => own.1 < other.1,
    };
    match is_harder ^ (attempt % 2 == 1) {
        true => Role::Dialer,
        false => Role::Waiter,
    }
}

/// What punches may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// They open most such routers.
    Good,
    /// They help only if the other router lets in whoever comes from a host that it knows, from any port.
    Doubtful,
    /// They cannot help: neither side can be told where the other will come from.
    None,
}

/// What punches may come to between two such routers.
pub fn prospect_of(one: Mapping, other: Mapping) -> Prospect {
    let varies = |mapping| mapping == Mapping::Varying;
    let is_open = |mapping| mapping == Mapping::Open;
    match (varies(one), varies(other)) {
        (true, true) => Prospect::None,
        (true, false) if !is_open(other) => Prospect::Doubtful,
        (false, true) if !is_open(one) => Prospect::Doubtful,
        _ => Prospect::Good,
    }
}

fn canonical(at: SocketAddr) -> (std::net::IpAddr, u16) {
    (at.ip().to_canonical(), at.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use Mapping::{Open, Steady, Unknown, Varying};

    const ALL: [Mapping; 4] = [Open, Steady, Unknown, Varying];

    #[test]
    fn two_views_tell_what_a_router_does() {
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let (inside, outside) = (at("10.0.0.2:7922"), at("198.51.100.7:7922"));
        let other = at("198.51.100.7:40000");
        for (own, here, there, expected) in [
            (inside, outside, Some(outside), Steady),
            (inside, outside, Some(other), Varying),
            (inside, outside, None, Unknown),
            (outside, outside, None, Open),
            (outside, outside, Some(other), Open),
            (outside, at("[::ffff:198.51.100.7]:7922"), None, Open),
            (
                inside,
                outside,
                Some(at("[::ffff:198.51.100.7]:7922")),
                Steady,
            ),
        ] {
            assert_eq!(
                mapping_of(&[own], here, there),
                expected,
                "{here} {there:?}"
            );
        }
    }

    #[test]
    fn exactly_one_side_dials_and_it_is_the_harder_one() {
        let (low, high) = (
            Address::new(Digest::from_bytes([1; 32])),
            Address::new(Digest::from_bytes([2; 32])),
        );
        for (one, other) in ALL
            .into_iter()
            .flat_map(|one| ALL.map(|other| (one, other)))
        {
            for attempt in 0..4 {
                let ours = role_of((one, low), (other, high), attempt);
                let theirs = role_of((other, high), (one, low), attempt);
                assert_ne!(ours, theirs, "{one:?} {other:?} {attempt}");
                let first = role_of((one, low), (other, high), attempt % 2);
                assert_eq!(ours, first);
            }
            let expected = if one >= other {
                Role::Dialer
            } else {
                Role::Waiter
            };
            assert_eq!(role_of((one, low), (other, high), 0), expected);
        }
    }

    #[test]
    fn two_routers_that_vary_have_no_prospect_and_one_has_a_doubtful_one() {
        for (one, other) in ALL
            .into_iter()
            .flat_map(|one| ALL.map(|other| (one, other)))
        {
            let expected = match (one, other) {
                (Varying, Varying) => Prospect::None,
                (Varying, Steady | Unknown) | (Steady | Unknown, Varying) => Prospect::Doubtful,
                (Open | Steady | Unknown | Varying, _) => Prospect::Good,
            };
            assert_eq!(prospect_of(one, other), expected, "{one:?} {other:?}");
        }
    }
}
