//! The master's side of a connection that carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use super::outer::{self, Outer, Room};
use super::socket::Carry;
use crate::digest::Address;
use crate::limits::REQUEST_TIMEOUT;
use crate::net::Fault;
use crate::net::handshake::canonical;
use crate::net::place::Place;
use crate::wire::relay::{
    ChannelId, HEADER_BYTES, Header, HeaderError, Part, RelayCall, RelayRefusal, RelayReply,
    SPLITS, halves,
};
use crate::wire::{CloseCode, frame};

/// A connection over which a node has packets carried. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Line {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    outer: Outer,
    address: Address,
    /// The number of the next packet that is split for this node.
    number: AtomicU8,
    _place: Place,
}

impl Line {
    pub(in crate::net) fn new(connection: Connection, address: Address, place: Place) -> Self {
        let inner = Inner {
            outer: Outer(connection),
            address,
            number: AtomicU8::new(0),
            _place: place,
        };
        let inner = Arc::new(inner);
        Self { inner }
    }

    /// Who the node is, as its certificate proved it.
    pub fn address(&self) -> Address {
        self.inner.address
    }

    /// The IP address and port that it speaks from.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.connection().remote_address())
    }

    /// A number that tells it from all others that are open.
    pub fn key(&self) -> u64 {
        self.connection().stable_id() as u64
    }

    /// The next datagram that the node sends, with the channel that it names; none when it is over.
    pub async fn next_datagram(&self) -> Option<(Result<ChannelId, HeaderError>, Bytes)> {
        let datagram = self.connection().read_datagram().await.ok()?;
        let channel = Header::read(&datagram).map(|header| header.channel);
        Some((channel, datagram))
    }

    /// Passes a datagram on to the node: as it is, or in halves where its path does not carry it.
    pub fn carry(&self, datagram: &Bytes) -> Room {
        let outer = &self.inner.outer;
        if datagram.len() <= outer.datagram_bytes_max() {
            return outer.carry(datagram);
        }
        match Header::read(datagram) {
            Ok(Header {
                channel,
                part: Part::Whole,
            }) => {
                let number = self.inner.number.fetch_add(1, Ordering::Relaxed) % SPLITS;
                let both = halves(channel, &datagram[HEADER_BYTES..], number);
                let full = both.iter().any(|half| outer.carry(half) == Room::Full);
                if full { Room::Full } else { Room::Taken }
            }
            // A half is split no further: what is longer is none of ours, and lost.
            Ok(_) | Err(_) => Room::Taken,
        }
    }

    /// The next call for a channel; none when the connection is over. Streams that say nothing of the
    /// kind are left to end.
    pub async fn next_call(&self) -> Option<(SendStream, RecvStream)> {
        self.connection().accept_bi().await.ok()
    }

    /// Offers a channel to the node; answers it when that has accepted.
    pub async fn offer(&self, channel: ChannelId, from: Address) -> Result<Held, RelayRefusal> {
        match timeout(REQUEST_TIMEOUT, self.try_offer(channel, from)).await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(_)) => Err(RelayRefusal::Denied),
            Err(_) => Err(RelayRefusal::Peer),
        }
    }

    async fn try_offer(&self, channel: ChannelId, from: Address) -> Result<Held, Fault> {
        let lost = |why: String| Fault::Lost(why);
        let streams = self.connection().open_bi().await;
        let (mut send, mut recv) = streams.map_err(|e| lost(e.to_string()))?;
        let call = frame::encode_relay_call(&RelayCall::Offer { channel, from });
        let written = send.write_all(&call).await;
        written.map_err(|e| lost(e.to_string()))?;
        let reply = outer::message(&mut recv).await?;
        match frame::decode_relay_reply(&reply) {
            Ok(RelayReply::Accepted) => Ok(Held { send, recv }),
            Ok(_) | Err(_) => Err(Fault::Protocol("an offer was not accepted".to_owned())),
        }
    }

    /// Waits until it is over.
    pub async fn closed(&self) {
        self.connection().closed().await;
    }

    /// Ends it.
    pub fn close(&self, code: CloseCode, reason: &str) {
        let code = VarInt::from_u32(code.code());
        self.connection().close(code, reason.as_bytes());
    }

    fn connection(&self) -> &Connection {
        &self.inner.outer.0
    }
}

/// Somebody asks for a channel. Dropped without an answer, it is refused.
#[derive(Debug)]
pub struct Call {
    /// To whom.
    pub to: Address,
    held: Option<Held>,
}

impl Call {
    /// Reads what a node asks for; none where it is nothing, or takes too long.
    pub async fn read((send, mut recv): (SendStream, RecvStream)) -> Option<Self> {
        let message = timeout(REQUEST_TIMEOUT, outer::message(&mut recv)).await;
        let call = frame::decode_relay_call(&message.ok()?.ok()?).ok()?;
        let RelayCall::Open { to } = call else {
            return None;
        };
        let held = Some(Held { send, recv });
        Some(Self { to, held })
    }

    /// There is the channel.
    pub async fn opened(mut self, channel: ChannelId) -> Option<Held> {
        let mut held = self.held.take()?;
        let reply = frame::encode_relay_reply(&RelayReply::Opened { channel });
        held.send.write_all(&reply).await.ok()?;
        Some(held)
    }

    /// There is none.
    pub async fn refuse(mut self, why: RelayRefusal) {
        if let Some(mut held) = self.held.take() {
            let reply = frame::encode_relay_reply(&RelayReply::Refused(why));
            // Who has gone need not be told.
            let _ = held.send.write_all(&reply).await;
        }
    }

    /// Waits until the asker thinks better of it.
    pub async fn withdrawn(&mut self) {
        if let Some(held) = &mut self.held {
            held.ended().await;
        }
    }
}

/// One end of a channel that is open, for as long as it is. Dropped, the channel is over there.
#[derive(Debug)]
pub struct Held {
    send: SendStream,
    recv: RecvStream,
}

impl Held {
    /// Waits until this side gives the channel up.
    pub async fn ended(&mut self) {
        outer::ended(&mut self.recv).await;
    }

    /// Ends it, and says why.
    pub fn end(mut self, why: RelayRefusal) {
        outer::end(&mut self.send, why);
    }
}
