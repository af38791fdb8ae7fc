//! What counts as one host: an IPv4 address, or the /64 of an IPv6 address, all of which may be one machine's.

use std::net::IpAddr;

/// A host, as far as its address tells. An IPv4 address in IPv6 (RFC 4291 section 2.5.5.2) is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(IpAddr);

impl Host {
    /// The host of an address.
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into())
            }
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        })
    }

    /// The same, but none where that is the machine that we are on ourselves.
    pub fn elsewhere(ip: IpAddr) -> Option<Self> {
        Some(Self::of(ip)).filter(|host| !host.0.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_of_ipv4_or_a_64_of_ipv6() {
        let host = |text: &str| Host::of(text.parse().unwrap());
        for (one, other, same) in [
            ("198.51.100.7", "::ffff:198.51.100.7", true),
            ("198.51.100.7", "198.51.100.8", false),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(host(one) == host(other), same, "{one} {other}");
        }
    }

    #[test]
    fn this_machine_is_nobody_else() {
        let elsewhere = |text: &str| Host::elsewhere(text.parse().unwrap());
        for own in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(elsewhere(own), None);
        }
        for other in ["198.51.100.7", "10.0.0.1", "2001:db8::1", "::2"] {
            assert_eq!(elsewhere(other), Some(Host::of(other.parse().unwrap())));
        }
    }
}
