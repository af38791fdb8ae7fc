//! A port of the router's that leads to ours, so that others reach a node behind it.
//!
//! Three protocols ask a router for that: PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP IGD. They are
//! tried in this order, and whichever answers first is used until it fails. Nobody but the default
//! gateway is asked, and by UPnP the device that answers on this network.
//!
//! A mapping is renewed at half of its lease, and given back at the end. What a router says is a
//! claim: an address that nobody outside could reach is not announced.
//!
//! All of it runs on a thread of its own, because UPnP blocks.

mod gateway;
mod keep;
mod router;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use self::router::Gateway;
use super::announced::Announced;

/// How long giving a port back may take.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// How a router is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Port Control Protocol, RFC 6887.
    Pcp,
    /// NAT Port Mapping Protocol, RFC 6886.
    NatPmp,
    /// UPnP Internet Gateway Device.
    Upnp,
}

impl Method {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// A mapping that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Where others reach us, as the router says.
    pub outside: SocketAddr,
    /// How it was asked.
    pub method: Method,
    /// For how long it was given.
    pub lease: Duration,
}

/// What is known of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapState {
    /// Routers are being asked.
    Asking,
    /// There is one.
    Mapped(Mapping),
    /// There is none, for this reason. It is tried again later.
    Unmapped(String),
    /// None is needed: this machine has an outside address of its own. It is looked at again later.
    Needless(IpAddr),
}

impl MapState {
    /// Where others reach us.
    fn outside(&self) -> Option<SocketAddr> {
        match self {
            Self::Mapped(mapping) => Some(mapping.outside),
            Self::Asking | Self::Unmapped(_) | Self::Needless(_) => None,
        }
    }
}

/// A port that is kept mapped until this is [closed](Self::close) or dropped.
#[derive(Debug)]
pub struct PortMap {
    state: watch::Receiver<MapState>,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl PortMap {
    /// Asks for this UDP port to be mapped, in these ways; `announced` hears where from.
    pub fn start(port: u16, methods: Vec<Method>, announced: Announced) -> io::Result<Self> {
        let (tell, state) = watch::channel(MapState::Asking);
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("swarmhold-map".to_owned())
            .spawn(move || {
                let tell = |state: MapState| {
                    announced.on_outside(state.outside());
                    tell.send_if_modified(|last| {
                        let is_new = *last != state;
                        *last = state;
                        is_new
                    });
                };
                runtime.block_on(keep::keep(Gateway::new(port, methods), tell, stopped));
                // a search for UPnP devices may still be under way
                runtime.shutdown_background();
                // Whoever closed it may have gone.
                let _ = end.send(());
            })?;
        Ok(Self {
            state,
            _stop: stop,
            ended,
        })
    }

    /// What is known of the mapping, as it changes.
    pub fn state(&self) -> watch::Receiver<MapState> {
        self.state.clone()
    }

    /// Gives the port back; for three seconds at most.
    pub async fn close(self) {
        let Self { _stop, ended, .. } = self;
        drop(_stop);
        // A router that does not answer forgets it at the end of the lease.
        let _ = tokio::time::timeout(FAREWELL_MAX, ended).await;
    }
}

/// Whether others could reach an address from outside (RFC 6890, RFC 6598).
fn is_outside(ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else {
        return false;
    };
    let is_shared = |ip: Ipv4Addr| ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_multicast()
        || ip.is_documentation()
        || ip.octets()[0] == 0
        || ip.octets()[0] >= 240
        || is_shared(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_behind_another_nat_are_not_outside() {
        for (ip, expected) in [
            ("1.2.3.4", true),
            ("100.63.0.1", true),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("192.168.1.1", false),
            ("10.0.0.1", false),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_outside(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
