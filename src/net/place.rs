//! Places among the connections that an endpoint takes: so many in all, and so many of one host.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::endpoint::Shared;
use crate::host::Host;

/// A place among the connections that are allowed; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    /// Whose it is, where that is somebody else's machine.
    host: Option<Host>,
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
        let host = Host::elsewhere(remote.ip());
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
