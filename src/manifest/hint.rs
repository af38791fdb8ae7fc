//! Addresses as hints: which of them a manifest may make us try.
//!
//! Anyone can write an address into a manifest, so a hint never leads to this machine itself, to
//! its link, to more than one host at once, or to a well-known service. Private networks are
//! allowed here: only the node knows whether the manifest came from one, and decides there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::{HINT_PORT_MIN, MANIFEST_PEERS_MAX};

/// The one form of an address: no IPv4 inside IPv6, no flow label, no scope.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether a hint may be dialled at all. An IPv4 address that is written as IPv6 may not.
pub(super) fn is_dialable(address: SocketAddr) -> bool {
    address.port() >= HINT_PORT_MIN
        && match address.ip() {
            IpAddr::V4(ip) => is_dialable_v4(ip),
            IpAddr::V6(ip) => is_dialable_v6(ip),
        }
}

/// Adds a hint that is new and may be dialled, as long as there is room.
pub(super) fn add(hints: &mut Vec<SocketAddr>, hint: SocketAddr) {
    if is_dialable(hint) && hints.len() < MANIFEST_PEERS_MAX && !hints.contains(&hint) {
        hints.push(hint);
    }
}

/// One host, not this one, not on this link only (RFC 6890).
fn is_dialable_v4(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    // 0.0.0.0/8 is "this network"; 224.0.0.0/3 is multicast, reserved and broadcast
    first != 0 && first < 224 && !ip.is_loopback() && !ip.is_link_local()
}

/// One host, not this one, not on this link only, and not an IPv4 host in disguise.
fn is_dialable_v6(ip: Ipv6Addr) -> bool {
    let [first, second, rest @ ..] = ip.segments();
    // ::/96 holds the unspecified, loopback and IPv4-compatible addresses (RFC 4291 section 2.5)
    let compatible = first == 0 && second == 0 && rest[..4] == [0; 4];
    // 64:ff9b::/96 is translated to IPv4 (RFC 6052)
    let translated = first == 0x64 && second == 0xff9b;
    !compatible
        && !translated
        && ip.to_ipv4_mapped().is_none()
        && !ip.is_multicast()
        && !ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_distant_host_is_dialable() {
        for (address, dialable) in [
            ("198.51.100.7:7922", true),
            ("10.0.0.1:7922", true),
            ("192.168.1.5:1024", true),
            ("198.51.100.7:1023", false),
            ("198.51.100.7:0", false),
            ("0.0.0.0:7922", false),
            ("0.1.2.3:7922", false),
            ("127.0.0.1:7922", false),
            ("127.9.9.9:7922", false),
            ("169.254.169.254:7922", false),
            ("224.0.0.1:7922", false),
            ("240.0.0.1:7922", false),
            ("255.255.255.255:7922", false),
            ("[2001:db8::7]:7922", true),
            ("[fd00::1]:7922", true),
            ("[::]:7922", false),
            ("[::1]:7922", false),
            ("[::102:304]:7922", false),
            ("[::ffff:10.0.0.1]:7922", false),
            ("[64:ff9b::a00:1]:7922", false),
            ("[fe80::1]:7922", false),
            ("[ff02::1]:7922", false),
        ] {
            assert_eq!(is_dialable(address.parse().unwrap()), dialable, "{address}");
        }
    }

    #[test]
    fn the_canonical_form_has_no_disguise() {
        for (address, form) in [
            ("[::ffff:10.0.0.1]:7922", "10.0.0.1:7922"),
            ("[fe80::1%3]:7922", "[fe80::1]:7922"),
            ("198.51.100.7:7922", "198.51.100.7:7922"),
        ] {
            assert_eq!(canonical(address.parse().unwrap()).to_string(), form);
        }
    }
}
