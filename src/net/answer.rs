//! The peer's requests: read whole or refused, and answered when the driver says so.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use quinn::{ReadToEndError, RecvStream, SendStream, VarInt, WriteError};
use tokio::time::{Instant, sleep, timeout};

use super::Event;
use super::aside::{Aside, AsideCursor};
use super::feed::{Cursor, HaveLog};
use super::session::{Inner, SessionKey};
use super::throttle::Lane;
use crate::digest::ManifestId;
use crate::limits::{PROGRESS_TIMEOUT, REQUEST_BYTES_MAX, REQUEST_TIMEOUT, SERVE_RATE_MIN};
use crate::wire::{CloseCode, Encoding, Extent, Hit, Listing, Refusal, Reply, Request, frame};

/// The way to answer one request. Dropped without an answer, it refuses with `Unavailable`.
#[derive(Debug)]
pub struct Responder {
    session: Arc<Inner>,
    send: Option<SendStream>,
    ask: u64,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// A header and nothing else.
    Header(Reply),
    /// A manifest file, at the pace of the lane.
    Manifest(Bytes, Lane),
    /// What a search has found, as [`Answer::found`] puts it.
    Found(Extent, Bytes),
    /// Not at all.
    Refuse(Refusal),
    /// What we hold of this container, and news of it, with what this peer alone is told.
    Feed(ManifestId, Arc<HaveLog>, Arc<Aside>),
}

impl Answer {
    /// What a search has found. Not for the network thread: fifty names are 12 KiB to encode.
    pub fn found(extent: Extent, hits: Vec<Hit>) -> Self {
        Self::Found(extent, frame::encode_listing(&Listing::Hits(hits)).into())
    }
}

impl Responder {
    /// The request's number, unique within the endpoint.
    pub fn ask(&self) -> u64 {
        self.ask
    }

    /// The connection that the request came on.
    pub fn session(&self) -> SessionKey {
        self.session.key
    }

    /// Whether the peer has taken its request back (RFC 9000 section 3.5), as far as is known.
    pub fn is_withdrawn(&self) -> bool {
        let Some(send) = &self.send else {
            return false;
        };
        let mut idly = Context::from_waker(Waker::noop());
        pin!(send.stopped()).poll(&mut idly).is_ready()
    }

    /// Answers with anything but a chunk.
    pub fn answer(mut self, answer: Answer) {
        let Some(mut send) = self.send.take() else {
            return;
        };
        let session = Arc::clone(&self.session);
        tokio::spawn(async move {
            let written = match answer {
                Answer::Refuse(refusal) => return refuse(&mut send, refusal),
                Answer::Header(reply) => write(&mut send, &reply, Bytes::new(), None).await,
                Answer::Manifest(body, lane) => {
                    let len = u32::try_from(body.len()).expect("manifests are bounded");
                    let reply = Reply::Manifest { len };
                    write(&mut send, &reply, body, Some(&lane)).await
                }
                Answer::Found(extent, listing) => {
                    write(&mut send, &Reply::Found(extent), listing, None).await
                }
                Answer::Feed(id, log, aside) => {
                    let is_sated = || session.sated.contains(&id);
                    feed(&mut send, &id, &log, &aside, is_sated).await
                }
            };
            if let Err(fault) = written {
                tracing::debug!(session = session.key.0, fault, "an answer was not taken");
            }
        });
    }

    /// Answers with a chunk, at the pace of the lane. Ends as [`Event::Answered`].
    pub fn chunk(mut self, encoding: Encoding, body: Bytes, lane: Lane) {
        let Some(mut send) = self.send.take() else {
            return;
        };
        let (session, ask) = (Arc::clone(&self.session), self.ask);
        tokio::spawn(async move {
            let bytes = body.len() as u64;
            let len = u32::try_from(body.len()).expect("chunks are bounded");
            let written = write(&mut send, &Reply::Data { encoding, len }, body, Some(&lane)).await;
            let bytes = if written.is_ok() { bytes } else { 0 };
            let _ = session
                .events
                .send(Event::Answered {
                    session: session.key,
                    ask,
                    bytes,
                })
                .await;
        });
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some(send) = &mut self.send {
            refuse(send, Refusal::Unavailable);
        }
    }
}

/// Reads one request and hands it to the driver.
pub(super) async fn request(session: Arc<Inner>, mut send: SendStream, recv: RecvStream) {
    match read_request(recv).await {
        Ok(Request::Hello(_)) => {
            let code = VarInt::from_u32(CloseCode::Protocol.code());
            session.connection.close(code, b"PROTOCOL hello");
        }
        Ok(request) => {
            let ask = session.next_ask();
            let responder = Responder {
                session: Arc::clone(&session),
                send: Some(send),
                ask,
            };
            let event = Event::Asked {
                session: session.key,
                request,
                responder,
            };
            // The driver is gone only when the node is; the responder then refuses.
            let _ = session.events.send(event).await;
        }
        Err(refusal) => {
            refuse(&mut send, refusal);
            if refusal == Refusal::Cancelled {
                session.on_reset();
            }
        }
    }
}

/// Reads a request whole: within its time, within its size, one message and the end.
pub(super) async fn read_request(mut recv: RecvStream) -> Result<Request, Refusal> {
    let limit = 2 + REQUEST_BYTES_MAX;
    let bytes = match timeout(REQUEST_TIMEOUT, recv.read_to_end(limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(ReadToEndError::TooLong)) => return Err(Refusal::TooLarge),
        Ok(Err(ReadToEndError::Read(_))) => return Err(Refusal::Cancelled),
        Err(_) => return Err(Refusal::TooSlow),
    };
    let Some((prefix, payload)) = bytes.split_first_chunk::<2>() else {
        return Err(if bytes.is_empty() {
            Refusal::Empty
        } else {
            Refusal::Malformed
        });
    };
    let len = frame::length(*prefix, REQUEST_BYTES_MAX).map_err(|error| error.refusal())?;
    if payload.len() != len {
        return Err(Refusal::Malformed);
    }
    frame::decode_request(payload).map_err(|error| error.refusal())
}

fn refuse(send: &mut SendStream, refusal: Refusal) {
    // A stream that the peer has stopped needs no reset.
    let _ = send.reset(VarInt::from_u32(refusal.code()));
}

/// How long a reader has taken for how much: it may take [`PROGRESS_TIMEOUT`] and the time that its
/// bytes take at [`SERVE_RATE_MIN`].
#[derive(Default)]
struct Pace {
    waited: Duration,
    written: u64,
}

impl Pace {
    fn left(&self) -> Duration {
        let earned = Duration::from_millis(self.written * 1000 / SERVE_RATE_MIN);
        (PROGRESS_TIMEOUT + earned).saturating_sub(self.waited)
    }
}

/// Writes a header and a body; the reader must keep pace.
async fn write(
    send: &mut SendStream,
    reply: &Reply,
    body: Bytes,
    lane: Option<&Lane>,
) -> Result<(), String> {
    let header = Bytes::from(frame::encode_reply(reply));
    let (mut body, mut pace) = (body, Pace::default());
    let first = lane.map_or(body.len(), |lane| lane.piece(body.len()));
    if let Some(lane) = lane {
        lane.pass(first).await;
    }
    write_pieces(send, &mut pace, &mut [header, body.split_to(first)]).await?;
    while !body.is_empty() {
        let next = lane.map_or(body.len(), |lane| lane.piece(body.len()));
        if let Some(lane) = lane {
            lane.pass(next).await;
        }
        write_pieces(send, &mut pace, &mut [body.split_to(next)]).await?;
    }
    send.finish().map_err(|error| error.to_string())
}

async fn write_pieces(
    send: &mut SendStream,
    pace: &mut Pace,
    pieces: &mut [Bytes],
) -> Result<(), String> {
    let mut rest = pieces;
    while rest.iter().any(|piece| !piece.is_empty()) {
        let began = Instant::now();
        let written = timeout(pace.left(), send.write_chunks(rest)).await;
        pace.waited += began.elapsed();
        match written {
            Ok(Ok(written)) => {
                pace.written += written.bytes as u64;
                rest = &mut rest[written.chunks..];
            }
            Ok(Err(WriteError::Stopped(_))) => {
                return Err("the peer took its request back".to_owned());
            }
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => {
                refuse(send, Refusal::TooSlow);
                return Err("the peer does not read".to_owned());
            }
        }
    }
    Ok(())
}

/// Tells a subscriber everything, and then news, until it stops listening or there is no more.
async fn feed(
    send: &mut SendStream,
    id: &ManifestId,
    log: &HaveLog,
    aside: &Aside,
    is_sated: impl Fn() -> bool,
) -> Result<(), String> {
    let (mut changed, mut spoken) = (log.watch(), aside.watch());
    let (mut cursor, mut aside_cursor) = (Cursor::default(), AsideCursor::default());
    let header = Bytes::from(frame::encode_reply(&Reply::Subscribed));
    write_pieces(send, &mut Pace::default(), &mut [header]).await?;
    loop {
        changed.borrow_and_update();
        spoken.borrow_and_update();
        if log.is_closed() {
            refuse(send, Refusal::NotFound);
            return Ok(());
        }
        let next = |cursor: &mut Cursor, aside_cursor: &mut AsideCursor| {
            log.next(cursor).or_else(|| aside.next(id, aside_cursor))
        };
        while let Some(update) = next(&mut cursor, &mut aside_cursor) {
            let update = Bytes::from(frame::encode_update(&update));
            write_pieces(send, &mut Pace::default(), &mut [update]).await?;
        }
        tokio::select! {
            news = changed.changed() => news.expect("the log at hand keeps its sender"),
            news = spoken.changed() => news.expect("the one at hand keeps its sender"),
            _ = send.stopped() => return Ok(()),
        }
        sleep(log.pause(is_sated())).await;
    }
}
