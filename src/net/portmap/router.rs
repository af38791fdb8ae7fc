//! Routers as they are: PCP and NAT-PMP at the default gateway, UPnP at whoever answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::{
    GatewayAddress, InternetProtocol, PortMapping, PortMappingOptions, PortMappingType,
    TimeoutConfig, natpmp, pcp,
};
use igd_next::{PortMappingProtocol, SearchOptions};
use tokio::task::JoinHandle;

use super::gateway::{Way, own_towards};
use super::keep::{Refusal, Router};
use super::{Mapping, Method, is_outside};

/// The lease that is asked for.
const LEASE: Duration = Duration::from_secs(60 * 60);
/// The same, as the protocols take it, in seconds.
const LEASE_SECONDS: u32 = 60 * 60;
/// How long a gateway is given: 250 ms, then twice as long. RFC 6886 section 3.1 begins with that and goes
/// on for a minute; a gateway on the same network answers at once or not at all.
const PATIENCE: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 1,
    max_retry_timeout: Some(Duration::from_millis(500)),
};
/// How long UPnP devices are given to show themselves.
const UPNP_SEARCH: Duration = Duration::from_secs(2);
/// What a router's own pages show.
const NAME: &str = "swarmhold";

/// The routers of this network.
pub(super) struct Gateway {
    port: u16,
    methods: Vec<Method>,
    way: Option<Way>,
}

/// What it takes to renew a mapping.
#[derive(Clone)]
pub(super) enum Lease {
    /// Of PCP or NAT-PMP.
    Pinned(PortMapping, Method),
    /// Of UPnP.
    Upnp {
        gateway: igd_next::Gateway,
        own: SocketAddr,
        outside: u16,
    },
}

impl Gateway {
    pub(super) fn new(port: u16, methods: Vec<Method>) -> Self {
        Self {
            port,
            methods,
            way: None,
        }
    }

    async fn ask(
        &self,
        method: Method,
        upnp: &mut Option<JoinHandle<Result<igd_next::Gateway, String>>>,
    ) -> Result<(Mapping, Lease), String> {
        let port = NonZeroU16::new(self.port).ok_or("there is no port")?;
        let way = || self.way.ok_or("no default gateway is known");
        match method {
            Method::Pcp => pcp_mapping(way()?, port).await,
            Method::NatPmp => nat_pmp_mapping(way()?.gateway, port).await,
            Method::Upnp => {
                let search = upnp.take().ok_or("it is tried once")?;
                let gateway = search.await.map_err(|error| error.to_string())??;
                let port = self.port;
                blocking(move || upnp_mapping(gateway, port)).await
            }
        }
    }
}

impl Router for Gateway {
    type Lease = Lease;

    async fn obtain(&mut self) -> Result<(Mapping, Lease), Refusal> {
        self.way = Way::find();
        if let Some(own) = self
            .way
            .map(|way| way.own)
            .filter(|own| is_outside((*own).into()))
        {
            return Err(Refusal::Needless(own.into()));
        }
        // devices take their time to show themselves, and showing themselves changes nothing
        let searches = self.methods.contains(&Method::Upnp);
        let mut upnp = searches.then(|| tokio::task::spawn_blocking(upnp_gateway));
        let mut refusals = Vec::new();
        for method in self.methods.clone() {
            match self.ask(method, &mut upnp).await {
                Ok(obtained) => return Ok(obtained),
                Err(why) => refusals.push(format!("{method}: {why}")),
            }
        }
        Err(Refusal::Failed(refusals.join("; ")))
    }

    async fn renew(&mut self, lease: &Lease) -> Result<(Mapping, Lease), String> {
        match lease.clone() {
            Lease::Pinned(mut mapping, method) => {
                mapping.renew().await.map_err(|error| error.to_string())?;
                let outside = outside_of(&mapping).await?;
                Ok((
                    told(&mapping, outside, method),
                    Lease::Pinned(mapping, method),
                ))
            }
            Lease::Upnp {
                gateway,
                own,
                outside,
            } => blocking(move || upnp_add(gateway, own, outside)).await,
        }
    }

    async fn give_back(&mut self, lease: Lease) {
        let outcome = match lease {
            Lease::Pinned(mapping, _) => {
                let dropped = mapping.try_drop().await;
                dropped.map_err(|(error, _)| error.to_string())
            }
            Lease::Upnp {
                gateway, outside, ..
            } => {
                let remove = move || {
                    let removed = gateway.remove_port(PortMappingProtocol::UDP, outside);
                    removed.map_err(|error| error.to_string())
                };
                blocking(remove).await
            }
        };
        if let Err(why) = outcome {
            tracing::info!(%why, "the router keeps the port until its lease ends");
        }
    }

    fn has_moved(&mut self) -> bool {
        Way::find() != self.way
    }
}

async fn pcp_mapping(way: Way, port: NonZeroU16) -> Result<(Mapping, Lease), String> {
    let request = pcp::BaseMapRequest::new(
        way.gateway.into(),
        way.own.into(),
        InternetProtocol::Udp,
        port,
    );
    let mapping = pcp::port_mapping(request, None, None, options(port)).await;
    let mapping = mapping.map_err(|error| error.to_string())?;
    let outside = outside_of(&mapping).await?;
    let method = Method::Pcp;
    Ok((
        told(&mapping, outside, method),
        Lease::Pinned(mapping, method),
    ))
}

async fn nat_pmp_mapping(gateway: Ipv4Addr, port: NonZeroU16) -> Result<(Mapping, Lease), String> {
    let udp = InternetProtocol::Udp;
    let mapping = natpmp::port_mapping(gateway.into(), udp, port, options(port)).await;
    let mapping = mapping.map_err(|error| error.to_string())?;
    let outside = outside_of(&mapping).await?;
    let method = Method::NatPmp;
    Ok((
        told(&mapping, outside, method),
        Lease::Pinned(mapping, method),
    ))
}

fn options(port: NonZeroU16) -> PortMappingOptions {
    PortMappingOptions {
        external_port: Some(port),
        lifetime_seconds: Some(LEASE_SECONDS),
        timeout_config: Some(PATIENCE),
    }
}

/// The address that a mapping leads from. NAT-PMP asks for it separately.
async fn outside_of(mapping: &PortMapping) -> Result<SocketAddr, String> {
    let ip = match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => external_ip.to_canonical(),
        PortMappingType::NatPmp => {
            let gateway: GatewayAddress = mapping.gateway();
            let ip = natpmp::external_address(gateway, Some(PATIENCE)).await;
            IpAddr::V4(ip.map_err(|error| error.to_string())?)
        }
    };
    Ok(SocketAddr::new(ip, mapping.external_port().get()))
}

fn told(mapping: &PortMapping, outside: SocketAddr, method: Method) -> Mapping {
    let lease = Duration::from_secs(mapping.lifetime().into());
    Mapping {
        outside,
        method,
        lease: lease.min(LEASE),
    }
}

fn upnp_gateway() -> Result<igd_next::Gateway, String> {
    let mut search = SearchOptions::default();
    search.timeout = Some(UPNP_SEARCH);
    search.single_search_timeout = Some(UPNP_SEARCH);
    igd_next::search_gateway(search).map_err(|error| error.to_string())
}

fn upnp_mapping(gateway: igd_next::Gateway, port: u16) -> Result<(Mapping, Lease), String> {
    let IpAddr::V4(of) = gateway.addr.ip() else {
        return Err("the router answers by IPv6".to_owned());
    };
    let own = own_towards(of).ok_or("there is no way to the router")?;
    let own = SocketAddr::from((own, port));
    // the same port outside where it is free, any other where it is not
    upnp_add(gateway.clone(), own, port).or_else(|_| {
        let outside = gateway.add_any_port(PortMappingProtocol::UDP, own, LEASE_SECONDS, NAME);
        let outside = outside.map_err(|error| error.to_string())?;
        upnp_told(gateway, own, outside)
    })
}

fn upnp_add(
    gateway: igd_next::Gateway,
    own: SocketAddr,
    outside: u16,
) -> Result<(Mapping, Lease), String> {
    let add = |seconds| gateway.add_port(PortMappingProtocol::UDP, outside, own, seconds, NAME);
    let added = add(LEASE_SECONDS).or_else(|error| {
        // some keep a mapping until it is taken back, or until they are switched off
        match matches!(error, igd_next::AddPortError::OnlyPermanentLeasesSupported) {
            true => add(0),
            false => Err(error),
        }
    });
    added.map_err(|error| error.to_string())?;
    upnp_told(gateway, own, outside)
}

fn upnp_told(
    gateway: igd_next::Gateway,
    own: SocketAddr,
    outside: u16,
) -> Result<(Mapping, Lease), String> {
    let ip = gateway
        .get_external_ip()
        .map_err(|error| error.to_string())?;
    let mapping = Mapping {
        outside: SocketAddr::new(ip, outside),
        method: Method::Upnp,
        lease: LEASE,
    };
    let lease = Lease::Upnp {
        gateway,
        own,
        outside,
    };
    Ok((mapping, lease))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(error.to_string()),
    }
}
