//! Which peers may well be one owner's, by where they are: what uploads are shared by.
//!
//! An IPv4 /24 and an IPv6 /48 are what one customer easily gets all of, so each counts as one. An
//! address that means nothing on the internet (loopback, a private network) says nothing about the
//! owner: everybody behind it has a share by wallet. Whoever could fill it with wallets is one of the
//! few who are in that network.

use std::net::IpAddr;

use super::reach::is_global;
use crate::digest::Address;
use crate::swarm::Subnet;

/// What tells the kinds apart.
const V4: u64 = 1 << 62;
const V6: u64 = 2 << 62;
const WALLET: u64 = 3 << 62;

/// The subnet of a peer that is at `ip` and has this wallet.
pub(super) fn of(ip: IpAddr, wallet: Address) -> Subnet {
    let ip = ip.to_canonical();
    Subnet(match ip {
        _ if !is_global(ip) => {
            let bytes = wallet.digest().as_bytes().first_chunk().copied();
            WALLET | (u64::from_be_bytes(bytes.unwrap_or_default()) >> 2)
        }
        IpAddr::V4(v4) => V4 | u64::from(v4.to_bits() >> 8),
        IpAddr::V6(v6) => V6 | u64::try_from(v6.to_bits() >> 80).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_subnet_is_a_24_a_48_or_where_that_says_nothing_a_wallet() {
        let wallet = |name: &str| Address::new(Digest::of(name.as_bytes()));
        let at = |ip: &str, name| of(ip.parse().unwrap(), wallet(name));
        for (one, other, are_one) in [
            ("198.51.100.7", "198.51.100.200", true),
            ("198.51.100.7", "198.51.101.7", false),
            ("::ffff:198.51.100.7", "198.51.100.8", true),
            ("2001:db8:1::1", "2001:db8:1:ffff::1", true),
            ("2001:db8:1::1", "2001:db8:2::1", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("10.1.2.3", "10.1.2.4", false),
            ("fd00::1", "fd00::2", false),
            ("0.0.0.1", "::1", false),
        ] {
            assert_eq!(
                at(one, "alice") == at(other, "bob"),
                are_one,
                "{one} {other}"
            );
        }
        assert_eq!(at("127.0.0.1", "alice"), at("10.0.0.1", "alice"));
    }
}
