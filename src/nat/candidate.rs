//! Where a node may be met: which of the places that a stranger names may be sent anything at all.
//!
//! Whoever names a place may mean somebody else's machine. So nothing below port 1024, nothing that is not
//! one host, and nothing private unless the two of us are in one network, or the place is our own machine
//! and so is the master.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::host::Host;
use crate::limits::{HINT_PORT_MIN, MEET_CANDIDATES_MAX};

/// How near those are who name a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Near {
    /// Anywhere.
    Far,
    /// In our network: behind the same outside address, or in the same IPv6 /64.
    Network,
    /// On our machine.
    Machine,
}

/// Why a place is not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Below it are other people's services, and 0 is no port.
    #[error("port {found} is below {HINT_PORT_MIN}")]
    Port {
        /// The port that was named.
        found: u16,
    },
    /// It is no host: unspecified, multicast, broadcast, or reserved (RFC 6890).
    #[error("{0} is no host")]
    NoHost(IpAddr),
    /// It is this machine, for whoever dials it.
    #[error("{0} is everybody's own machine")]
    Loopback(IpAddr),
    /// It is in a private network (RFC 1918, RFC 4193, RFC 6598), and ours may be another.
    #[error("{0} is private")]
    Private(IpAddr),
    /// It means nothing without naming an interface (RFC 3927, RFC 4291 section 2.5.6).
    #[error("{0} is local to a link")]
    LinkLocal(IpAddr),
}

/// What an IP address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Global,
    Private,
    LinkLocal,
    Loopback,
    NoHost,
}

/// Whether anything may be sent to a place that somebody so near has named.
pub fn may_try(at: SocketAddr, near: Near) -> Result<(), Misplaced> {
    let (ip, found) = (at.ip().to_canonical(), at.port());
    match kind_of(ip) {
        Kind::NoHost => Err(Misplaced::NoHost(ip)),
        Kind::LinkLocal => Err(Misplaced::LinkLocal(ip)),
        Kind::Loopback if near < Near::Machine => Err(Misplaced::Loopback(ip)),
        Kind::Private if near < Near::Network => Err(Misplaced::Private(ip)),
        _ if found < HINT_PORT_MIN => Err(Misplaced::Port { found }),
        Kind::Global | Kind::Private | Kind::Loopback => Ok(()),
    }
}

/// How near somebody is who speaks from `theirs`, as the master at `via` sees us both. Where that is we know
/// ourselves; what it sees is its word, and no reason to send anything to a machine or a private network that the
/// master is not in.
pub fn is_near(ours: SocketAddr, theirs: SocketAddr, via: IpAddr) -> Near {
    let (ours, theirs) = (ours.ip().to_canonical(), theirs.ip().to_canonical());
    match (kind_of(ours), kind_of(theirs), kind_of(via)) {
        (Kind::Loopback, Kind::Loopback, Kind::Loopback) => Near::Machine,
        // one master without address translation between: all of us are in one private network
        (Kind::Private, Kind::Private, Kind::Private | Kind::Loopback) => Near::Network,
        // the same outside address
        (Kind::Global, Kind::Global, _) if Host::of(ours) == Host::of(theirs) => Near::Network,
        _ => Near::Far,
    }
}

/// What to tell others: first where the master sees us, then what we know ourselves, each once.
pub fn candidates(observed: SocketAddr, own: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut all = vec![canonical(observed)];
    for at in own.iter().copied().map(canonical) {
        let is_host = !matches!(kind_of(at.ip()), Kind::NoHost | Kind::LinkLocal);
        if is_host && !all.contains(&at) && all.len() < MEET_CANDIDATES_MAX {
            all.push(at);
        }
    }
    all
}

fn canonical(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip().to_canonical(), at.port())
}

fn kind_of(ip: IpAddr) -> Kind {
    match ip.to_canonical() {
        IpAddr::V4(v4) => kind_of_v4(v4),
        IpAddr::V6(v6) => kind_of_v6(v6),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> Kind {
    match ip.octets() {
        [0, ..] | [224..=255, ..] => Kind::NoHost,
        [127, ..] => Kind::Loopback,
        [169, 254, ..] => Kind::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        _ => Kind::Global,
    }
}

fn kind_of_v6(ip: Ipv6Addr) -> Kind {
    let first = ip.segments()[0];
    if ip.is_loopback() {
        return Kind::Loopback;
    }
    match first {
        // unspecified, what IPv4 was mapped to before, and everything that nobody has been given
        0..=0x00ff => Kind::NoHost,
        0xff00.. => Kind::NoHost,
        0xfc00..=0xfdff => Kind::Private,
        0xfe80..=0xfeff => Kind::LinkLocal,
        _ => Kind::Global,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Whether it may be tried by somebody far, in our network, and on our machine.
    fn row(text: &str) -> [bool; 3] {
        [Near::Far, Near::Network, Near::Machine].map(|near| may_try(at(text), near).is_ok())
    }

    #[test]
    fn what_may_be_tried_is_this_table() {
        const NEVER: [bool; 3] = [false, false, false];
        const MACHINE: [bool; 3] = [false, false, true];
        const NETWORK: [bool; 3] = [false, true, true];
        const ALWAYS: [bool; 3] = [true, true, true];
        for (place, expected) in [
            ("198.51.100.7:7922", ALWAYS),
            ("198.51.100.7:1024", ALWAYS),
            ("198.51.100.7:65535", ALWAYS),
            ("198.51.100.7:1023", NEVER),
            ("198.51.100.7:443", NEVER),
            ("198.51.100.7:53", NEVER),
            ("198.51.100.7:0", NEVER),
            ("[2001:db8::7]:7922", ALWAYS),
            ("[2001:db8::7]:123", NEVER),
            ("[::ffff:198.51.100.7]:7922", ALWAYS),
            ("0.0.0.0:7922", NEVER),
            ("0.1.2.3:7922", NEVER),
            ("224.0.0.251:5353", NEVER),
            ("239.255.255.250:1900", NEVER),
            ("240.0.0.1:7922", NEVER),
            ("255.255.255.255:7922", NEVER),
            ("127.0.0.1:7922", MACHINE),
            ("127.255.255.254:7922", MACHINE),
            ("127.0.0.1:1023", NEVER),
            ("[::1]:7922", MACHINE),
            ("[::ffff:127.0.0.1]:7922", MACHINE),
            ("10.0.0.1:7922", NETWORK),
            ("172.15.255.255:7922", ALWAYS),
            ("172.16.0.1:7922", NETWORK),
            ("172.31.255.255:7922", NETWORK),
            ("172.32.0.1:7922", ALWAYS),
            ("192.168.1.1:7922", NETWORK),
            ("100.63.255.255:7922", ALWAYS),
            ("100.64.0.1:7922", NETWORK),
            ("100.127.255.255:7922", NETWORK),
            ("100.128.0.1:7922", ALWAYS),
            ("[::ffff:10.0.0.1]:7922", NETWORK),
            ("[fc00::1]:7922", NETWORK),
            ("[fd15:070a:510b::1]:7922", NETWORK),
            ("169.254.169.254:7922", NEVER),
            ("[fe80::1]:7922", NEVER),
            ("[fec0::1]:7922", NEVER),
            ("[ff02::1]:7922", NEVER),
            ("[::]:7922", NEVER),
            ("[::7f00:1]:7922", NEVER),
            ("[64:ff9b::10.0.0.1]:7922", NEVER),
        ] {
            assert_eq!(row(place), expected, "{place}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let why = |text, near| may_try(at(text), near).unwrap_err().to_string();
        assert_eq!(why("198.51.100.7:53", Near::Far), "port 53 is below 1024");
        assert_eq!(why("10.0.0.1:53", Near::Far), "10.0.0.1 is private");
        assert_eq!(
            why("255.255.255.255:9999", Near::Machine),
            "255.255.255.255 is no host"
        );
    }

    #[test]
    fn near_is_one_outside_address_or_one_64() {
        let far_off = "203.0.113.9:7923";
        for (ours, theirs, near) in [
            ("198.51.100.7:1", "198.51.100.7:2", Near::Network),
            ("198.51.100.7:1", "198.51.100.8:1", Near::Far),
            ("198.51.100.7:1", "[::ffff:198.51.100.7]:1", Near::Network),
            ("[2001:db8::1]:1", "[2001:db8::2]:1", Near::Network),
            ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", Near::Far),
            ("10.0.0.1:1", "198.51.100.7:1", Near::Far),
            ("127.0.0.1:1", "198.51.100.7:1", Near::Far),
        ] {
            let found = is_near(at(ours), at(theirs), at(far_off).ip());
            assert_eq!(found, near, "{ours} {theirs}");
        }
    }

    #[test]
    fn a_master_elsewhere_is_not_believed_that_we_are_in_its_network() {
        let (far, lan, here) = ("203.0.113.9", "10.0.0.9", "127.0.0.1");
        for (ours, theirs, via, near) in [
            ("10.0.0.1:1", "10.9.0.1:1", lan, Near::Network),
            ("10.0.0.1:1", "10.9.0.1:1", here, Near::Network),
            ("10.0.0.1:1", "10.9.0.1:1", far, Near::Far),
            ("10.0.0.1:1", "10.0.0.1:2", far, Near::Far),
            ("127.0.0.1:1", "127.0.0.1:2", here, Near::Machine),
            ("127.0.0.1:1", "127.0.0.1:2", lan, Near::Far),
            ("127.0.0.1:1", "127.0.0.1:2", far, Near::Far),
            ("169.254.0.1:1", "169.254.0.1:2", lan, Near::Far),
            ("0.0.0.0:1", "0.0.0.0:2", far, Near::Far),
        ] {
            let found = is_near(at(ours), at(theirs), via.parse().unwrap());
            assert_eq!(found, near, "{ours} {theirs} by {via}");
        }
    }

    #[test]
    fn what_is_told_begins_with_what_the_master_sees_and_is_bounded() {
        let own = ["10.0.0.2:7922", "198.51.100.7:40000", "[fe80::1]:7922"].map(at);
        let told = candidates(at("[::ffff:198.51.100.7]:40000"), &own);
        assert_eq!(told, ["198.51.100.7:40000", "10.0.0.2:7922"].map(at));
        let many: Vec<SocketAddr> = (1..100).map(|port| ([10, 0, 0, 1], port).into()).collect();
        assert_eq!(candidates(own[0], &many).len(), MEET_CANDIDATES_MAX);
    }
}
