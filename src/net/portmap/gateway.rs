//! Who the default gateway is, and who we are to it.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// The way out of this network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// The default gateway.
    pub(super) gateway: Ipv4Addr,
    /// Our own address on its network.
    pub(super) own: Ipv4Addr,
}

impl Way {
    /// The way that this machine's routes say, if they say one and the system tells.
    pub(super) fn find() -> Option<Self> {
        let gateway = default_gateway()?;
        Some(Self {
            gateway,
            own: own_towards(gateway)?,
        })
    }
}

/// Our address from which packets to another leave. Nothing is sent.
pub(super) fn own_towards(other: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(own) => Some(own),
        IpAddr::V6(_) => None,
    }
}

#[cfg(target_os = "linux")]
fn default_gateway() -> Option<Ipv4Addr> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").ok()?)
}

/// Elsewhere only UPnP is tried, which finds routers by itself.
#[cfg(not(target_os = "linux"))]
fn default_gateway() -> Option<Ipv4Addr> {
    None
}

/// The gateway of the default route with the lowest metric, as Linux lists them: interface,
/// destination, gateway, flags, two counters, metric, mask; addresses in hex, lowest byte first.
#[cfg(any(target_os = "linux", test))]
fn parse_routes(table: &str) -> Option<Ipv4Addr> {
    const UP_AND_GATEWAY: u32 = 0x3;
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let is_default = hex(1)? == 0 && hex(7)? == 0;
        let is_up = hex(3)? & UP_AND_GATEWAY == UP_AND_GATEWAY;
        let metric: u32 = fields.get(6)?.parse().ok()?;
        (is_default && is_up).then_some((metric, Ipv4Addr::from(hex(2)?.swap_bytes())))
    };
    let best = table
        .lines()
        .filter_map(route)
        .min_by_key(|(metric, _)| *metric);
    best.map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\tFE00000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth1\t00000000\t0100000A\t0002\t0\t0\t1\t00000000\t0\t0\t0\n\
            eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(parse_routes(table), Some(Ipv4Addr::new(10, 0, 0, 254)));
        for none in [
            "",
            "Iface\n",
            "eth0 0 1 2\n",
            "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n",
        ] {
            assert_eq!(parse_routes(none), None, "{none:?}");
        }
    }

    #[test]
    fn our_own_address_towards_loopback_is_loopback() {
        assert_eq!(own_towards(Ipv4Addr::LOCALHOST), Some(Ipv4Addr::LOCALHOST));
    }
}
