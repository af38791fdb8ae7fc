//! How the largest datagram that reaches a peer is looked for (RFC 8899).
//!
//! quinn halves what lies between 1200 bytes and the most that we let it try, a jumbo frame. Where the way begins with
//! Ethernet, all that is longer than its 1500 bytes is refused or lost, each length three times, one after the other:
//! fifteen round trips with short datagrams. So the search ends where the first link does, as far as the system says.
//! On loopback nothing lies behind that link, and two attempts are enough: each is nearly nine thousand bytes of
//! padding, which quinn reads byte by byte at the other side.

use std::net::{IpAddr, SocketAddr};

use quinn::MtuDiscoveryConfig;

use super::way::mtu_towards;

/// The largest UDP payload that is tried, in bytes: that of a jumbo frame of 9000 bytes over IPv6.
pub(super) const DATAGRAM_BYTES_MAX: u16 = 9000 - 40 - 8;
/// What every path carries, in bytes (RFC 9000 section 14).
const DATAGRAM_BYTES_MIN: u16 = 1200;
/// What precedes it: an IPv4 or IPv6 header without options, and that of UDP, in bytes.
const HEADERS_V4: u32 = 20 + 8;
const HEADERS_V6: u32 = 40 + 8;
/// On loopback no step is shorter than this, in bytes: 5076 are tried, then the most.
const LOOPBACK_STEP: u16 = 2048;

/// The search on whatever path.
pub(super) fn discovery() -> MtuDiscoveryConfig {
    let mut config = MtuDiscoveryConfig::default();
    config.upper_bound(DATAGRAM_BYTES_MAX);
    config
}

/// The search on the path to a peer there.
pub(super) fn discovery_towards(remote: SocketAddr) -> MtuDiscoveryConfig {
    let ip = remote.ip().to_canonical();
    let mut config = MtuDiscoveryConfig::default();
    config.upper_bound(longest(ip, mtu_towards(ip)));
    if ip.is_loopback() {
        config.minimum_change(LOOPBACK_STEP);
    }
    config
}

/// The largest UDP payload worth trying where the first link carries packets of so many bytes.
fn longest(ip: IpAddr, mtu: Option<u32>) -> u16 {
    let headers = if ip.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    let carried = mtu.map_or(u32::MAX, |mtu| mtu.saturating_sub(headers));
    let carried = u16::try_from(carried).unwrap_or(u16::MAX);
    carried.clamp(DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::identity::Wallet;
    use crate::net::{Endpoint, Event};

    fn endpoint() -> (Endpoint, mpsc::Receiver<Event>) {
        let (sender, events) = mpsc::channel(16);
        let wallet = Arc::new(Wallet::generate().unwrap());
        let loopback = ([127, 0, 0, 1], 0).into();
        (
            Endpoint::bind(loopback, wallet, sender, |own| vec![own]).unwrap(),
            events,
        )
    }

    #[tokio::test]
    async fn on_loopback_the_most_is_found_at_the_second_attempt() {
        let (one, mut events) = endpoint();
        let (other, mut others) = endpoint();
        one.dial(other.local_address().unwrap(), None);
        for events in [&mut events, &mut others] {
            let Some(Event::Connected { session, .. }) = events.recv().await else {
                panic!("nobody came");
            };
            let path = loop {
                let path = session.connection().stats().path;
                if path.current_mtu == DATAGRAM_BYTES_MAX {
                    break path;
                }
                tokio::task::yield_now().await;
            };
            let sent = path.sent_plpmtud_probes - path.lost_plpmtud_probes;
            assert_eq!(sent, 2);
        }
    }

    #[test]
    fn nothing_is_tried_that_the_first_link_does_not_carry() {
        let [v4, v6]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        for (mtu, over_v4, over_v6) in [(1500, 1472, 1452), (9000, 8952, 8952), (9100, 8952, 8952)]
        {
            assert_eq!(longest(v4, Some(mtu)), over_v4, "{mtu}");
            assert_eq!(longest(v6, Some(mtu)), over_v6, "{mtu}");
        }
        for unknown in [None, Some(65_536), Some(u32::MAX)] {
            assert_eq!(longest(v4, unknown), DATAGRAM_BYTES_MAX, "{unknown:?}");
        }
        for less_than_enough in [0, 68, 1200, 1228] {
            assert_eq!(longest(v4, Some(less_than_enough)), DATAGRAM_BYTES_MIN);
        }
    }
}
