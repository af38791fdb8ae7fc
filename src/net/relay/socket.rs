//! The socket of the second endpoint: its datagrams go through a SwarmMaster instead of the system.
//!
//! Each channel has an address that was made up for it, which the endpoint dials and hears from. What
//! goes to no channel is dropped, as a router drops it. Where the connection that carries is full, the
//! endpoint waits as it waits for a full socket; so its own queue costs time and no packets.
//!
//! Invariants: at most one burst waits to be carried, and at most [`INBOUND_MAX`] packets wait to be
//! read; what comes on a channel that is not open is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::Notify;

use super::join::Joiner;
use super::outer::Room;
use crate::wire::relay::{ChannelId, HEADER_BYTES, Header, HeaderError, Part, SPLITS, halves};

/// Packets that wait to be read. The endpoint reads whenever its turn comes: 600 KiB are 50 ms of
/// 100 Mbit/s.
const INBOUND_MAX: usize = 512;
/// Packets that the endpoint may hand over at once.
const BURST_MAX: usize = 10;

/// What carries datagrams.
pub(super) trait Carry: Debug + Send + Sync + 'static {
    /// The longest datagram that it takes now, in bytes.
    fn datagram_bytes_max(&self) -> usize;

    /// Takes a datagram, or says that it is full.
    fn carry(&self, datagram: &Bytes) -> Room;
}

/// Why a datagram that came was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Dropped {
    /// It makes no sense.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Its channel is not open.
    #[error("{0} is not open")]
    Closed(ChannelId),
    /// Too much waits to be read.
    #[error("too much waits to be read")]
    Full,
}

/// The socket.
#[derive(Debug)]
pub(super) struct RelaySocket {
    local: SocketAddr,
    carrier: Arc<dyn Carry>,
    state: Mutex<State>,
    /// Something waits to be carried.
    blocked: Notify,
}

#[derive(Debug, Default)]
struct State {
    channels: BTreeMap<ChannelId, Channel>,
    addresses: BTreeMap<SocketAddr, ChannelId>,
    inbound: VecDeque<(SocketAddr, Bytes)>,
    reader: Option<Waker>,
    outbound: VecDeque<Bytes>,
    writers: Vec<Waker>,
}

#[derive(Debug)]
struct Channel {
    address: SocketAddr,
    joiner: Joiner,
    /// The number of the next packet that is split.
    number: u8,
}

impl RelaySocket {
    /// A socket without channels.
    pub(super) fn new(carrier: Arc<dyn Carry>) -> io::Result<Self> {
        Ok(Self {
            local: made_up_address()?,
            carrier,
            state: Mutex::default(),
            blocked: Notify::new(),
        })
    }

    /// Opens a channel; answers the address that stands for it, the same if it is open already.
    pub(super) fn open(&self, id: ChannelId) -> io::Result<SocketAddr> {
        let made_up = made_up_address()?;
        let mut state = self.lock();
        let channel = state.channels.entry(id).or_insert_with(|| Channel {
            address: made_up,
            joiner: Joiner::default(),
            number: 0,
        });
        let address = channel.address;
        state.addresses.insert(address, id);
        Ok(address)
    }

    /// Closes a channel. What comes on it from now on is dropped, and so is what goes.
    pub(super) fn close(&self, id: ChannelId) {
        let mut state = self.lock();
        if let Some(channel) = state.channels.remove(&id) {
            state.addresses.remove(&channel.address);
        }
    }

    /// Whether this address stands for a channel that is open.
    pub(super) fn is_open(&self, address: SocketAddr) -> bool {
        self.lock().addresses.contains_key(&address)
    }

    /// How many channels are open.
    pub(super) fn channels(&self) -> usize {
        self.lock().channels.len()
    }

    /// A datagram has come.
    pub(super) fn handle(&self, mut datagram: Bytes) -> Result<(), Dropped> {
        let Header { channel: id, part } = Header::read(&datagram)?;
        let mut state = self.lock();
        let channel = state.channels.get_mut(&id).ok_or(Dropped::Closed(id))?;
        let address = channel.address;
        let payload = datagram.split_off(HEADER_BYTES);
        let Some(packet) = channel.joiner.handle(part, payload) else {
            return Ok(());
        };
        if state.inbound.len() >= INBOUND_MAX {
            return Err(Dropped::Full);
        }
        state.inbound.push_back((address, packet));
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Waits until something waits to be carried.
    pub(super) async fn blocked(&self) {
        self.blocked.notified().await;
    }

    /// The next datagram that waits to be carried. When there is none, the endpoint goes on.
    pub(super) fn next_waiting(&self) -> Option<Bytes> {
        let mut state = self.lock();
        if let Some(datagram) = state.outbound.pop_front() {
            return Some(datagram);
        }
        let writers = std::mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

impl AsyncUdpSocket for RelaySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller(self))
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        let mut state = self.lock();
        if !state.outbound.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(id) = state.addresses.get(&transmit.destination).copied() else {
            return Ok(());
        };
        let whole = transmit.contents.len();
        let longest = self.carrier.datagram_bytes_max();
        for packet in transmit
            .contents
            .chunks(transmit.segment_size.unwrap_or(whole).max(1))
        {
            for datagram in state.framed(id, packet, longest).into_iter().flatten() {
                let waits = !state.outbound.is_empty();
                if waits || self.carrier.carry(&datagram) == Room::Full {
                    state.outbound.push_back(datagram);
                }
            }
        }
        if !state.outbound.is_empty() {
            self.blocked.notify_one();
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let mut count = 0;
        for (buffer, meta) in bufs.iter_mut().zip(meta) {
            let Some((address, packet)) = state.next_fitting(buffer.len()) else {
                break;
            };
            buffer[..packet.len()].copy_from_slice(&packet);
            *meta = RecvMeta::default();
            meta.addr = address;
            (meta.len, meta.stride) = (packet.len(), packet.len());
            count += 1;
        }
        if count > 0 {
            return Poll::Ready(Ok(count));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn max_transmit_segments(&self) -> usize {
        BURST_MAX
    }

    /// Keeps the endpoint from looking for a larger MTU: what the path carries is not for it to find out.
    fn may_fragment(&self) -> bool {
        true
    }
}

impl State {
    /// A packet as the datagrams that carry it: one, or two halves.
    fn framed(&mut self, id: ChannelId, packet: &[u8], longest: usize) -> [Option<Bytes>; 2] {
        if HEADER_BYTES + packet.len() <= longest {
            let header = Header {
                channel: id,
                part: Part::Whole,
            };
            return [Some(header.datagram(packet)), None];
        }
        let Some(channel) = self.channels.get_mut(&id) else {
            return [None, None];
        };
        let number = channel.number;
        channel.number = (number + 1) % SPLITS;
        halves(id, packet, number).map(Some)
    }

    /// The next packet that is not longer than this; longer ones are none of QUIC's.
    fn next_fitting(&mut self, longest: usize) -> Option<(SocketAddr, Bytes)> {
        loop {
            let next = self.inbound.pop_front()?;
            if next.1.len() <= longest {
                return Some(next);
            }
        }
    }
}

/// One connection's wait for the socket.
#[derive(Debug)]
struct Poller(Arc<RelaySocket>);

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.outbound.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let waker = cx.waker();
        if !state.writers.iter().any(|known| known.will_wake(waker)) {
            state.writers.push(waker.clone());
        }
        Poll::Pending
    }
}

/// A unique local address (RFC 4193) of which every bit that may be is drawn: nobody else can name it,
/// and no host has it.
fn made_up_address() -> io::Result<SocketAddr> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    bytes[0] = 0xfd;
    Ok(SocketAddr::new(Ipv6Addr::from(bytes).into(), 1))
}

#[cfg(test)]
mod tests;
