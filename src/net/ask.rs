//! Our requests: one stream each, one event at the end of each. The one that has no end is in `follow`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ReadError, RecvStream};
use tokio::time::timeout;

use super::Event;
use super::body::Body;
use super::fault::Fault;
use super::session::Inner;
use super::throttle::Lane;
use crate::digest::{ManifestId, ProgramId};
use crate::limits::{HEADER_BYTES_MAX, LISTING_BYTES_MAX, MANIFEST_BYTES_MAX, PROGRESS_TIMEOUT};
use crate::wire::body::body_len_allowed;
use crate::wire::payload::Payload;
use crate::wire::{ChunkRequest, Deluge, Hello, Hit, Listing, Refusal, Reply, Request, frame};

/// The answer to a chunk request.
#[derive(Debug)]
pub enum ChunkAnswer {
    /// The body, unproven.
    Payload(Payload),
    /// The peer lacks the chunk; this is what it has, in the wire form.
    NotHeld(Vec<u8>),
    /// Not now.
    Busy(Duration),
    /// Not us.
    Denied,
    /// No answer.
    Failed(Fault),
}

/// Hears the answer to a hello.
pub(super) async fn hello(recv: &mut RecvStream) -> Result<Hello, Fault> {
    let reply = read_reply(recv).await?;
    let Reply::Hello(hello) = reply else {
        return Err(unexpected(&reply));
    };
    Ok(hello)
}

/// Asks for a chunk and reports the answer.
pub(super) async fn chunk(
    session: Arc<Inner>,
    ticket: u64,
    id: ManifestId,
    request: ChunkRequest,
    chunk_len: u32,
    lane: Lane,
) {
    let answer = match try_chunk(&session, ticket, id, request, chunk_len, &lane).await {
        Ok(answer) => answer,
        Err(fault) => ChunkAnswer::Failed(fault),
    };
    let rtt = session.connection.rtt() + session.gaps.mean();
    // The driver is gone only when the node is.
    let _ = session
        .events
        .send(Event::Chunk {
            session: session.key,
            ticket,
            answer,
            rtt,
        })
        .await;
}

async fn try_chunk(
    session: &Arc<Inner>,
    ticket: u64,
    id: ManifestId,
    request: ChunkRequest,
    chunk_len: u32,
    lane: &Lane,
) -> Result<ChunkAnswer, Fault> {
    let recv = send_request(&session.connection, &Request::Chunk(request)).await?;
    let mut body = Body::new(session, id, recv);
    match read_reply(body.stream()).await? {
        Reply::Data { encoding, len } => {
            body_len_allowed(encoding, len, chunk_len).map_err(bad_chunk)?;
            let parts = body.read(ticket, len as usize, lane).await?;
            Ok(ChunkAnswer::Payload(Payload::new(encoding, parts)))
        }
        Reply::NotHeld { held } => Ok(ChunkAnswer::NotHeld(held)),
        Reply::Busy { retry_after_ms } => Ok(ChunkAnswer::Busy(Duration::from_millis(
            retry_after_ms.into(),
        ))),
        Reply::Denied => Ok(ChunkAnswer::Denied),
        other @ (Reply::Hello(_)
        | Reply::Manifest { .. }
        | Reply::Deluges(_)
        | Reply::Subscribed
        | Reply::Enlisted { .. }
        | Reply::Registered { .. }
        | Reply::Rejected(_)
        | Reply::Withdrawn
        | Reply::Holders(_)
        | Reply::Found(_)
        | Reply::Locate { .. }
        | Reply::Located { .. }
        | Reply::Accepted(_)
        | Reply::Go { .. }
        | Reply::Started
        | Reply::Unmet(_)
        | Reply::Coming) => Err(unexpected(&other)),
    }
}

/// Asks for a manifest and reports its bytes.
pub(super) async fn manifest(session: Arc<Inner>, id: ManifestId) {
    let answer = timeout(PROGRESS_TIMEOUT, try_manifest(&session.connection, id)).await;
    let answer = answer.unwrap_or(Err(Fault::TooSlow(PROGRESS_TIMEOUT)));
    let _ = session
        .events
        .send(Event::Manifest {
            session: session.key,
            id,
            answer,
        })
        .await;
}

async fn try_manifest(connection: &Connection, id: ManifestId) -> Result<Bytes, Fault> {
    let mut recv = send_request(connection, &Request::Manifest { id }).await?;
    let reply = read_reply(&mut recv).await?;
    let Reply::Manifest { len } = reply else {
        return Err(unexpected(&reply));
    };
    let body = recv.read_to_end(MANIFEST_BYTES_MAX).await;
    let body = body.map_err(|error| Fault::Lost(error.to_string()))?;
    if body.len() != len as usize {
        let found = body.len();
        return Err(protocol(format!("manifest of {found} B, expected {len}")));
    }
    Ok(body.into())
}

/// Asks which manifests the peer has, and reports the list.
pub(super) async fn deluges(session: Arc<Inner>, program_id: Option<ProgramId>) {
    let answer = timeout(
        PROGRESS_TIMEOUT,
        try_deluges(&session.connection, program_id),
    )
    .await;
    let answer = answer.unwrap_or(Err(Fault::TooSlow(PROGRESS_TIMEOUT)));
    let _ = session
        .events
        .send(Event::Deluges {
            session: session.key,
            program_id,
            answer,
        })
        .await;
}

async fn try_deluges(
    connection: &Connection,
    program_id: Option<ProgramId>,
) -> Result<Vec<Deluge>, Fault> {
    let mut recv = send_request(connection, &Request::Deluges { program_id }).await?;
    let reply = read_reply(&mut recv).await?;
    let Reply::Deluges(deluges) = reply else {
        return Err(unexpected(&reply));
    };
    Ok(deluges)
}

/// A reply that is a header alone, or one with a listing behind it.
#[derive(Debug)]
pub struct Answered {
    /// The header.
    pub reply: Reply,
    /// What was found, behind `Found`.
    pub hits: Vec<Hit>,
}

/// Asks what is answered with a header, and reports it.
pub(super) async fn plain(session: Arc<Inner>, ticket: u64, request: Request, patience: Duration) {
    let answer = timeout(patience, try_plain(&session.connection, &request)).await;
    let answer = answer.unwrap_or(Err(Fault::TooSlow(patience)));
    let _ = session
        .events
        .send(Event::Replied {
            session: session.key,
            ticket,
            answer,
        })
        .await;
}

async fn try_plain(connection: &Connection, request: &Request) -> Result<Answered, Fault> {
    let mut recv = send_request(connection, request).await?;
    let reply = read_reply(&mut recv).await?;
    let hits = if let Reply::Found(_) = reply {
        let payload = read_frame(&mut recv, LISTING_BYTES_MAX).await?;
        let Listing::Hits(hits) = frame::decode_listing(&payload).map_err(protocol)?;
        hits
    } else {
        Vec::new()
    };
    Ok(Answered { reply, hits })
}

/// Opens a stream, writes a request, and closes our side.
pub(super) async fn send_request(
    connection: &Connection,
    request: &Request,
) -> Result<RecvStream, Fault> {
    let (mut send, recv) = connection
        .open_bi()
        .await
        .map_err(|error| Fault::Lost(error.to_string()))?;
    let written = send.write_all(&frame::encode_request(request)).await;
    written.map_err(|error| Fault::Lost(error.to_string()))?;
    // The stream was just written to, so it can be finished.
    let _ = send.finish();
    Ok(recv)
}

pub(super) async fn read_reply(recv: &mut RecvStream) -> Result<Reply, Fault> {
    frame::decode_reply(&read_frame(recv, HEADER_BYTES_MAX).await?).map_err(protocol)
}

pub(super) async fn read_frame(recv: &mut RecvStream, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut first = [0];
    read_exact(recv, &mut first).await?;
    read_frame_after(first[0], recv, limit).await
}

/// The rest of a frame of at most `limit` bytes whose first byte is here.
pub(super) async fn read_frame_after(
    first: u8,
    recv: &mut RecvStream,
    limit: usize,
) -> Result<Vec<u8>, Fault> {
    let mut second = [0];
    read_exact(recv, &mut second).await?;
    let len = frame::length([first, second[0]], limit).map_err(protocol)?;
    let mut payload = vec![0; len];
    read_exact(recv, &mut payload).await?;
    Ok(payload)
}

async fn read_exact(recv: &mut RecvStream, buffer: &mut [u8]) -> Result<(), Fault> {
    use quinn::ReadExactError::{FinishedEarly, ReadError};
    recv.read_exact(buffer).await.map_err(|error| match error {
        FinishedEarly(_) => protocol("the stream ends within a header"),
        ReadError(error) => lost(error),
    })
}

pub(super) fn lost(error: ReadError) -> Fault {
    match error {
        ReadError::Reset(code) => match Refusal::from_code(code.into_inner()) {
            Some(refusal) => Fault::Refused(refusal),
            None => Fault::Lost(format!("reset with unknown code {code}")),
        },
        other @ (ReadError::ConnectionLost(_)
        | ReadError::ClosedStream
        | ReadError::IllegalOrderedRead
        | ReadError::ZeroRttRejected) => Fault::Lost(other.to_string()),
    }
}

pub(super) fn unexpected(reply: &Reply) -> Fault {
    let kind = match reply {
        Reply::Hello(_) => "Hello",
        Reply::Manifest { .. } => "Manifest",
        Reply::Deluges(_) => "Deluges",
        Reply::Subscribed => "Subscribed",
        Reply::Data { .. } => "Data",
        Reply::NotHeld { .. } => "NotHeld",
        Reply::Busy { .. } => "Busy",
        Reply::Enlisted { .. } => "Enlisted",
        Reply::Registered { .. } => "Registered",
        Reply::Rejected(_) => "Rejected",
        Reply::Withdrawn => "Withdrawn",
        Reply::Holders(_) => "Holders",
        Reply::Found(_) => "Found",
        Reply::Locate { .. } => "Locate",
        Reply::Located { .. } => "Located",
        Reply::Accepted(_) => "Accepted",
        Reply::Go { .. } => "Go",
        Reply::Started => "Started",
        Reply::Unmet(_) => "Unmet",
        Reply::Coming => "Coming",
        Reply::Denied => return Fault::Refused(Refusal::NotFound),
    };
    protocol(format!("{kind} does not answer what was asked"))
}

pub(super) fn protocol(what: impl ToString) -> Fault {
    Fault::Protocol(what.to_string())
}

pub(super) fn bad_chunk(what: impl ToString) -> Fault {
    Fault::BadChunk(what.to_string())
}
