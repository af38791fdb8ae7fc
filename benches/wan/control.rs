//! The congestion controllers that are compared, and quinn's settings around them.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::{BbrConfig, CubicConfig};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AckFrequencyConfig, ClientConfig, ServerConfig, TransportConfig, VarInt};
use swarmhold::Wallet;
use swarmhold::identity::tls;
use swarmhold::net::congestion::BbrFactory;

const ALPN: &[u8] = b"wan";
/// Unread or unacknowledged bytes of a flow: more than any path here holds.
const ROOMY: u32 = 16 << 20;
/// Payload that a TCP socket of Linux was seen to have in flight at most with the kernel's default of 4 MiB for
/// what it may hold (`net.ipv4.tcp_wmem`): 2600 packets.
const SOCKET_BYTES: u64 = 2600 * 1448;

/// What decides how much is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// quinn's default.
    Cubic,
    /// quinn's experimental BBR.
    QuinnBbr,
    /// swarmhold's.
    Ours,
    /// quinn's default with no more in flight than a socket of Linux has.
    Bounded,
}

impl Control {
    pub(crate) const ALL: [Self; 3] = [Self::Cubic, Self::QuinnBbr, Self::Ours];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::QuinnBbr => "quinn-bbr",
            Self::Ours => "ours",
            Self::Bounded => "bounded cubic",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Bounded]);
        all.find(|control| control.name() == name)
    }

    /// swarmhold's transport settings, with this controller and windows that never bind.
    pub(crate) fn transport(self) -> Arc<TransportConfig> {
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(VarInt::from_u32(20))
            .max_ack_delay(Some(Duration::from_millis(5)));
        let mut transport = TransportConfig::default();
        transport
            .send_fairness(false)
            .initial_rtt(Duration::from_millis(100))
            .ack_frequency_config(Some(acks))
            .stream_receive_window(VarInt::from_u32(ROOMY))
            .receive_window(VarInt::from_u32(ROOMY))
            .send_window(u64::from(ROOMY));
        match self {
            Self::Bounded => transport
                .send_window(SOCKET_BYTES)
                .congestion_controller_factory(Arc::new(CubicConfig::default())),
            Self::Cubic => {
                transport.congestion_controller_factory(Arc::new(CubicConfig::default()))
            }
            Self::QuinnBbr => {
                transport.congestion_controller_factory(Arc::new(BbrConfig::default()))
            }
            Self::Ours => transport.congestion_controller_factory(Arc::new(BbrFactory)),
        };
        Arc::new(transport)
    }

    pub(crate) fn client(self) -> ClientConfig {
        let crypto = tls::client_config(&wallet(), ALPN, None).expect("a client configuration");
        let crypto = QuicClientConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.transport());
        config
    }

    pub(crate) fn server(self) -> ServerConfig {
        let crypto = tls::server_config(&wallet(), ALPN).expect("a server configuration");
        let crypto = QuicServerConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(self.transport());
        config
    }
}

fn wallet() -> Wallet {
    Wallet::generate().expect("randomness")
}
