//! The body of an answer to one of our chunk requests, on its way in.
//!
//! Invariant: what is kept of it is never longer than what was announced; a body that is given up
//! tells the sender to stop, and the driver what was wasted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{ReadError, RecvStream, VarInt};
use tokio::time::{Instant, timeout};

use super::Event;
use super::ask::{bad_chunk, lost};
use super::fault::Fault;
use super::session::Inner;
use super::throttle::Lane;
use crate::digest::ManifestId;
use crate::limits::PROGRESS_TIMEOUT;
use crate::wire::Refusal;

/// Pieces of a body taken off a stream at once.
const PIECES: usize = 64;
/// Bytes of one piece, about: what a packet carries.
const PIECE_BYTES: usize = 1200;
/// How often a long body is reported to be coming in.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// A chunk's body on its way in. Dropped early, it tells the peer to stop and says what was wasted.
pub(super) struct Body<'a> {
    session: &'a Arc<Inner>,
    id: ManifestId,
    recv: RecvStream,
    received: u64,
    whole: bool,
}

impl<'a> Body<'a> {
    /// A body of which nothing has come.
    pub(super) fn new(session: &'a Arc<Inner>, id: ManifestId, recv: RecvStream) -> Self {
        Self {
            session,
            id,
            recv,
            received: 0,
            whole: false,
        }
    }

    /// Where the header before the body comes in.
    pub(super) fn stream(&mut self) -> &mut RecvStream {
        &mut self.recv
    }

    /// Reads a body of this length and its end, at the pace of the lane.
    pub(super) async fn read(
        &mut self,
        ticket: u64,
        len: usize,
        lane: &Lane,
    ) -> Result<Vec<Bytes>, Fault> {
        let mut parts = Vec::with_capacity(len.div_ceil(PIECE_BYTES).min(1024));
        let mut pieces: [Bytes; PIECES] = std::array::from_fn(|_| Bytes::new());
        let mut missing = len;
        let (mut reported, mut longest) = (Instant::now(), Duration::ZERO);
        while missing > 0 {
            let began = Instant::now();
            let read = timeout(PROGRESS_TIMEOUT, self.read_some(&mut pieces, lane, missing)).await;
            let count = read
                .map_err(|_| Fault::TooSlow(PROGRESS_TIMEOUT))?
                .map_err(lost)?;
            let count = count.ok_or_else(|| {
                bad_chunk(format!(
                    "BAD_CHUNK length {}, expected {len}",
                    len - missing
                ))
            })?;
            longest = longest.max(began.elapsed());
            let bytes = pieces[..count].iter().map(Bytes::len).sum();
            for piece in pieces[..count].iter_mut().map(std::mem::take) {
                missing = missing.checked_sub(piece.len()).ok_or_else(|| {
                    bad_chunk(format!("BAD_CHUNK length over {len}, expected {len}"))
                })?;
                self.received += piece.len() as u64;
                parts.push(piece);
            }
            // What is not read is not credited to the sender, so that keeps to the pace as well.
            lane.pass(bytes).await;
            if missing > 0 && reported.elapsed() >= PROGRESS_EVERY {
                reported = Instant::now();
                // A full channel means that the driver hears enough already.
                let _ = self.session.events.try_send(Event::Progress {
                    session: self.session.key,
                    ticket,
                    bytes: self.received,
                });
            }
        }
        self.expect_end(len).await?;
        self.whole = true;
        let rtt = self.session.connection.rtt();
        self.session.gaps.on_body(longest, rtt);
        Ok(parts)
    }

    /// Takes what has come, no more at once than the lane lets through smoothly.
    async fn read_some(
        &mut self,
        pieces: &mut [Bytes; PIECES],
        lane: &Lane,
        missing: usize,
    ) -> Result<Option<usize>, ReadError> {
        let count = lane.piece(missing).div_ceil(PIECE_BYTES).clamp(1, PIECES);
        self.recv.read_chunks(&mut pieces[..count]).await
    }

    async fn expect_end(&mut self, len: usize) -> Result<(), Fault> {
        match timeout(PROGRESS_TIMEOUT, self.recv.read_chunk(1, true)).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(_))) => Err(bad_chunk(format!(
                "BAD_CHUNK length over {len}, expected {len}"
            ))),
            Ok(Err(error)) => Err(lost(error)),
            Err(_) => Err(Fault::TooSlow(PROGRESS_TIMEOUT)),
        }
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        if self.whole {
            return;
        }
        // Stopping a stream that has ended already is of no consequence.
        let _ = self.recv.stop(VarInt::from_u32(Refusal::Cancelled.code()));
        if self.received > 0 {
            let wasted = Event::Wasted {
                session: self.session.key,
                id: self.id,
                bytes: self.received,
            };
            // Only a statistic: a full channel may lose it.
            let _ = self.session.events.try_send(wasted);
        }
    }
}
