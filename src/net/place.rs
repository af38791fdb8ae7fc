//! Places among the connections that an endpoint takes: so many in all, and so many of one host.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::endpoint::Shared;

/// A place among the connections that are allowed; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    host: Option<IpAddr>,
}

impl Place {
    /// A place for a connection of ours, which the caller chose to make.
    pub(super) fn ours(shared: &Arc<Shared>) -> Self {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(shared),
            host: None,
        }
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn theirs(shared: &Arc<Shared>, remote: SocketAddr) -> Option<Self> {
        if shared.connections.load(Ordering::Relaxed) >= shared.capacity.connections {
            return None;
        }
        let host = host_of(remote.ip());
        if let Some(host) = host {
            let mut hosts = shared
                .hosts
                .lock()
                .expect("nothing panics while holding it");
            let count = hosts.entry(host).or_insert(0);
            if *count >= shared.capacity.per_host {
                return None;
            }
            *count += 1;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            shared: Arc::clone(shared),
            host,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        let Some(host) = self.host else { return };
        let mut hosts = self
            .shared
            .hosts
            .lock()
            .expect("nothing panics while holding it");
        if let Some(count) = hosts.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                hosts.remove(&host);
            }
        }
    }
}

/// What counts as one host: an IPv4 address or an IPv6 /64. Loopback is the user's own machine.
pub(super) fn host_of(ip: IpAddr) -> Option<IpAddr> {
    match ip.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V6(v6) => Some(IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into())),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_v4_addresses_and_v6_networks() {
        let host = |text: &str| host_of(text.parse().unwrap()).map(|ip| ip.to_string());
        assert_eq!(host("127.0.0.1"), None);
        assert_eq!(host("::ffff:127.0.0.1"), None);
        assert_eq!(host("::ffff:198.51.100.7").as_deref(), Some("198.51.100.7"));
        assert_eq!(
            host("2001:db8:1:2:3:4:5:6").as_deref(),
            Some("2001:db8:1:2::")
        );
    }
}
