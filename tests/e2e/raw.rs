//! Somebody who dials a node and sends whatever bytes they like.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ConnectionError, Endpoint, ReadToEndError, RecvStream, TransportConfig, VarInt};
use rustls::ClientConfig;
use swarmhold::Wallet;
use swarmhold::identity::tls::{SERVER_NAME, client_config};
use swarmhold::wire::{ALPN, Hello, Reply, Request, VERSION, frame};

use crate::world::{Peer, within};

/// A connection to a node.
pub(crate) struct Raw {
    pub(crate) connection: quinn::Connection,
    pub(crate) endpoint: Endpoint,
}

/// What comes back on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Bytes and the end.
    Bytes(Vec<u8>),
    /// A reset, with this code.
    Reset(u64),
    /// The end of the connection.
    Closed(Fate),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The other side said why.
    Closed { code: u64, reason: String },
    /// The other side's TLS sent this alert (RFC 9001 section 4.8).
    Alert(u64),
    /// Otherwise.
    Other(String),
}

impl Raw {
    /// Connects as a proper wallet, and says nothing yet.
    pub(crate) async fn dial(node: &Peer, wallet: &Wallet) -> Self {
        let connected = Self::dial_as(node, client_config(wallet, ALPN, None).unwrap()).await;
        connected.expect("a wallet may connect")
    }

    /// Connects and says hello.
    pub(crate) async fn greet(node: &Peer, wallet: &Wallet) -> Self {
        let raw = Self::dial(node, wallet).await;
        let heard = raw.say(&frame::encode_request(&hello())).await;
        assert!(matches!(reply_in(&heard), Reply::Hello(_)), "{heard:?}");
        raw
    }

    /// Connects to whoever listens there, and says hello.
    pub(crate) async fn greet_at(target: SocketAddr, wallet: &Wallet) -> Self {
        let tls = client_config(wallet, ALPN, None).unwrap();
        let raw = Self::dial_at(target, tls).await.unwrap();
        let heard = raw.say(&frame::encode_request(&hello())).await;
        assert!(matches!(reply_in(&heard), Reply::Hello(_)), "{heard:?}");
        raw
    }

    /// Connects to whoever listens there, over this protocol.
    pub(crate) async fn dial_for(target: SocketAddr, wallet: &Wallet, alpn: &[u8]) -> Self {
        let tls = client_config(wallet, alpn, None).unwrap();
        Self::dial_at(target, tls).await.unwrap()
    }

    /// Tries to connect with any TLS configuration.
    pub(crate) async fn dial_as(node: &Peer, tls: ClientConfig) -> Result<Self, ConnectionError> {
        Self::dial_at(node.node.listen_address(), tls).await
    }

    /// Takes the first connection that comes to an endpoint that listens.
    pub(crate) async fn accept(endpoint: Endpoint) -> Self {
        let incoming = within(endpoint.accept()).await.expect("it listens");
        Self {
            connection: within(incoming.accept().unwrap()).await.unwrap(),
            endpoint,
        }
    }

    async fn dial_at(target: SocketAddr, tls: ClientConfig) -> Result<Self, ConnectionError> {
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        let mut transport = TransportConfig::default();
        // Only the node's limits are to bind.
        transport.send_window(1 << 30);
        config.transport_config(Arc::new(transport));
        let connecting = endpoint.connect_with(config, target, SERVER_NAME).unwrap();
        Ok(Self {
            connection: within(connecting).await?,
            endpoint,
        })
    }

    /// Sends bytes on a stream of their own, ends it, and listens to the end.
    pub(crate) async fn say(&self, bytes: &[u8]) -> Heard {
        let (mut send, recv) = match within(self.connection.open_bi()).await {
            Ok(streams) => streams,
            Err(error) => return Heard::Closed(Fate::of(&error)),
        };
        // A node that has heard enough may stop the stream or the connection before the end.
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        listen(recv).await
    }

    /// Asks properly.
    pub(crate) async fn ask(&self, request: &Request) -> Heard {
        self.say(&frame::encode_request(request)).await
    }

    /// Asks properly, and does not wait for the answer.
    pub(crate) async fn begin(&self, request: &Request) -> RecvStream {
        let (mut send, recv) = within(self.connection.open_bi()).await.unwrap();
        send.write_all(&frame::encode_request(request))
            .await
            .unwrap();
        send.finish().unwrap();
        recv
    }

    /// Waits for the end of the connection.
    pub(crate) async fn fate(&self) -> Fate {
        Fate::of(&within(self.connection.closed()).await)
    }
}

/// What comes on a stream until it ends.
pub(crate) async fn listen(mut recv: RecvStream) -> Heard {
    match within(recv.read_to_end(1 << 25)).await {
        Ok(bytes) => Heard::Bytes(bytes),
        Err(ReadToEndError::Read(quinn::ReadError::Reset(code))) => {
            Heard::Reset(VarInt::into_inner(code))
        }
        Err(ReadToEndError::Read(quinn::ReadError::ConnectionLost(error))) => {
            Heard::Closed(Fate::of(&error))
        }
        Err(other) => panic!("the stream ended otherwise: {other}"),
    }
}

impl Fate {
    pub(crate) fn of(error: &ConnectionError) -> Self {
        /// Crypto errors are 0x100 and the alert's number (RFC 9001 section 4.8).
        const ALERTS: std::ops::Range<u64> = 0x100..0x200;
        match error {
            ConnectionError::ApplicationClosed(close) => Self::Closed {
                code: close.error_code.into_inner(),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            ConnectionError::ConnectionClosed(close)
                if ALERTS.contains(&close.error_code.into()) =>
            {
                Self::Alert(u64::from(close.error_code) - ALERTS.start)
            }
            other => Self::Other(other.to_string()),
        }
    }

    /// Closed with this code and these words.
    pub(crate) fn closed(code: u64, reason: impl Into<String>) -> Self {
        Self::Closed {
            code,
            reason: reason.into(),
        }
    }
}

/// What a well-behaved dialer says first.
pub(crate) fn hello() -> Request {
    Request::Hello(words())
}

/// The words of a hello.
pub(crate) fn words() -> Hello {
    Hello {
        version: VERSION,
        features: 0,
        listen: Vec::new(),
        observed: "127.0.0.1:1024".parse().unwrap(),
    }
}

/// The reply header that a stream began with.
pub(crate) fn reply_in(heard: &Heard) -> Reply {
    let Heard::Bytes(bytes) = heard else {
        panic!("no reply: {heard:?}");
    };
    let len = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    frame::decode_reply(&bytes[2..2 + len]).expect("a node's reply is well-formed")
}
