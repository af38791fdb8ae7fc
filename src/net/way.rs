//! Which of this machine's addresses packets to another leave from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Our address towards another, as routes are now; none where there is no way. Nothing is sent.
pub fn own_towards(other: IpAddr) -> Option<IpAddr> {
    let everywhere: IpAddr = match other.to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((everywhere, 0)).ok()?;
    // the port is any: a UDP socket that is connected has only looked up a route
    socket.connect((other.to_canonical(), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
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
}
