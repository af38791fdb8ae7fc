//! What the system's routes say of the way to another: which of our addresses leads there, and how long its packets may
//! be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Our address towards another, as routes are now; none where there is no way. Nothing is sent.
pub fn own_towards(other: IpAddr) -> Option<IpAddr> {
    Some(way_to(other)?.local_addr().ok()?.ip())
}

/// The largest packet on the first link towards another, with its IP header, in bytes (`IP_MTU`, ip(7)). None where
/// there is no way, or the system does not say. Nothing is sent.
#[cfg(target_os = "linux")]
pub(super) fn mtu_towards(other: IpAddr) -> Option<u32> {
    use rustix::net::sockopt::{ip_mtu, ipv6_mtu};

    let way = way_to(other)?;
    let mtu = match other.to_canonical() {
        IpAddr::V4(_) => ip_mtu(&way),
        IpAddr::V6(_) => ipv6_mtu(&way),
    };
    mtu.ok()
}

/// None: the system is not asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn mtu_towards(_other: IpAddr) -> Option<u32> {
    None
}

fn way_to(other: IpAddr) -> Option<UdpSocket> {
    let everywhere: IpAddr = match other.to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((everywhere, 0)).ok()?;
    // the port is any: a UDP socket that is connected has only looked up a route
    socket.connect((other.to_canonical(), 9)).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_ourselves_is_ours() {
        let own: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(own_towards(own), Some(own));
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(own_towards(mapped), Some(own));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_way_to_ourselves_carries_long_packets() {
        let own = Ipv4Addr::LOCALHOST;
        for own in [own.into(), IpAddr::V6(own.to_ipv6_mapped())] {
            assert!(mtu_towards(own) > Some(1500), "{own}");
        }
    }
}
