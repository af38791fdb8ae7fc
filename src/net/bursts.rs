//! The UDP socket as quinn sees it: no burst is longer than the system takes in one call.
//!
//! quinn hands over up to ten datagrams at a time, and the kernel cuts them apart (segmentation
//! offload, `UDP_SEGMENT` in udp(7)). All of them together must fit the length field of one UDP
//! datagram. More is refused with `EMSGSIZE`, which quinn takes for a path MTU probe that was too
//! large: the whole burst is lost without a word. Ten datagrams of 6550 bytes are as much as fits, so
//! longer ones go out in several calls.
//!
//! The same bound holds on the way in: what the kernel has put together (`UDP_GRO`) is never longer,
//! so neither is the buffer for it.
//!
//! What leaves is counted here, because this is where it does: what a connection was given to send may
//! wait in it for a long time.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

/// Bytes of payload in one UDP datagram over IPv4, at most: 65,535 less the headers.
const BURST_BYTES_MAX: usize = 65_535 - 20 - 8;

/// A socket that sends and takes in datagrams of up to so many bytes.
#[derive(Debug)]
pub struct Bursts {
    system: Arc<dyn AsyncUdpSocket>,
    datagram_bytes_max: usize,
    sent_bytes: AtomicU64,
}

impl Bursts {
    /// The system's socket, for datagrams of up to `datagram_bytes_max` bytes, which is what the
    /// endpoint's configuration says as well.
    pub fn new(system: Arc<dyn AsyncUdpSocket>, datagram_bytes_max: u16) -> Self {
        Self {
            system,
            datagram_bytes_max: datagram_bytes_max.into(),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Bytes of datagrams that the system has taken so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    fn send(&self, transmit: &Transmit) -> io::Result<()> {
        self.system.try_send(transmit)?;
        let bytes = transmit.contents.len() as u64;
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl AsyncUdpSocket for Bursts {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.system).create_io_poller()
    }

    /// If a later part of a burst must wait, quinn sends all of it again; peers drop what they have.
    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        let Some(segment) = transmit.segment_size else {
            return self.send(transmit);
        };
        let mut parts = transmit
            .contents
            .chunks(part_bytes(transmit.contents.len(), segment));
        parts.try_for_each(|contents| self.send(&with_contents(transmit, contents)))
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.system.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.system.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.system.max_transmit_segments()
    }

    /// quinn multiplies it by the largest datagram to get the length of one buffer.
    fn max_receive_segments(&self) -> usize {
        let enough = (BURST_BYTES_MAX + 1).div_ceil(self.datagram_bytes_max);
        self.system.max_receive_segments().min(enough)
    }

    fn may_fragment(&self) -> bool {
        self.system.may_fragment()
    }
}

/// A part of a burst, some of its datagrams.
pub(super) fn with_contents<'a>(transmit: &Transmit, contents: &'a [u8]) -> Transmit<'a> {
    Transmit {
        destination: transmit.destination,
        ecn: transmit.ecn,
        contents,
        segment_size: transmit.segment_size.filter(|each| contents.len() > *each),
        src_ip: transmit.src_ip,
    }
}

/// The bytes of the datagrams that go out in one call: as few calls as the system allows, and about
/// as many datagrams in each.
fn part_bytes(burst: usize, segment: usize) -> usize {
    let datagrams = burst.div_ceil(segment).max(1);
    let together = (BURST_BYTES_MAX / segment).max(1);
    datagrams.div_ceil(datagrams.div_ceil(together)) * segment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::recording::Recording;

    fn sent(bytes: usize, segment: Option<usize>) -> Vec<(usize, Option<usize>)> {
        let system = Arc::new(Recording::default());
        let socket = Bursts::new(Arc::clone(&system) as _, 9000);
        let contents = vec![0; bytes];
        let transmit = Transmit {
            destination: ([127, 0, 0, 1], 1).into(),
            ecn: None,
            contents: &contents,
            segment_size: segment,
            src_ip: None,
        };
        socket.try_send(&transmit).unwrap();
        assert_eq!(socket.sent_bytes(), bytes as u64);
        let sent = system.take();
        // the system refuses more
        assert!(sent.iter().all(|(bytes, _)| *bytes <= BURST_BYTES_MAX));
        sent
    }

    #[test]
    fn a_burst_goes_out_in_as_few_calls_as_the_system_takes() {
        assert_eq!(sent(9000, None), [(9000, None)]);
        assert_eq!(sent(14_520, Some(1452)), [(14_520, Some(1452))]);
        assert_eq!(sent(65_500, Some(6550)), [(65_500, Some(6550))]);
        assert_eq!(
            sent(65_510, Some(6551)),
            [(32_755, Some(6551)), (32_755, Some(6551))]
        );
        assert_eq!(
            sent(9 * 9000 + 20, Some(9000)),
            [(45_000, Some(9000)), (36_020, Some(9000))]
        );
        assert_eq!(
            sent(2 * 40_000, Some(40_000)),
            [(40_000, None), (40_000, None)]
        );
    }

    #[test]
    fn a_buffer_holds_whatever_the_kernel_puts_together() {
        for datagram in [1452, 4000, 9000, 65_507] {
            let socket = Bursts::new(Arc::new(Recording::default()), datagram);
            let buffer = socket.max_receive_segments() * usize::from(datagram);
            let most = 64 * usize::from(datagram);
            assert!(buffer >= BURST_BYTES_MAX.min(most), "{buffer}");
            assert!(buffer <= BURST_BYTES_MAX + usize::from(datagram) + 1);
        }
    }
}
