//! Our subscriptions: what a peer says that it holds, as long as both sides care.

use std::sync::Arc;
use std::time::Duration;

use quinn::RecvStream;
use tokio::time::sleep;

use super::Event;
use super::ask::{lost, protocol, read_frame_after, read_reply, send_request, unexpected};
use super::fault::Fault;
use super::feed::Sated;
use super::session::Inner;
use crate::chunk::{Bitfield, BitfieldError};
use crate::digest::ManifestId;
use crate::limits::HEADER_BYTES_MAX;
use crate::wire::{Reply, Request, Update, frame};

/// The least time between two updates taken from one peer; honest ones come 10 ms apart.
const UPDATE_PAUSE: Duration = Duration::from_millis(5);

/// Follows what a peer holds until one side ends it.
pub(super) async fn subscription(session: Arc<Inner>, id: ManifestId, chunk_count: u32) {
    let Err(fault) = follow(&session, id, chunk_count).await;
    session.sated.on_end(&id);
    let _ = session
        .events
        .send(Event::Unsubscribed {
            session: session.key,
            id,
            fault,
        })
        .await;
}

async fn follow(
    session: &Inner,
    id: ManifestId,
    chunk_count: u32,
) -> Result<std::convert::Infallible, Fault> {
    let mut recv = send_request(&session.connection, &Request::Subscribe { id }).await?;
    let reply = read_reply(&mut recv).await?;
    let Reply::Subscribed = reply else {
        return Err(unexpected(&reply));
    };
    loop {
        let payload = read_update(&mut recv).await?;
        let update = frame::decode_update(&payload).map_err(protocol)?;
        take_in(&session.sated, id, &update, chunk_count).map_err(protocol)?;
        let event = Event::Update {
            session: session.key,
            id,
            update,
        };
        session
            .events
            .send(event)
            .await
            .map_err(|_| Fault::Lost("stopping".to_owned()))?;
        sleep(UPDATE_PAUSE).await;
    }
}

/// The next update. The end of the stream between two is the peer's good right.
async fn read_update(recv: &mut RecvStream) -> Result<Vec<u8>, Fault> {
    let mut first = [0];
    match recv.read(&mut first).await {
        Ok(Some(_)) => read_frame_after(first[0], recv, HEADER_BYTES_MAX).await,
        Ok(None) => Err(Fault::Lost("the peer ended it".to_owned())),
        Err(error) => Err(lost(error)),
    }
}

fn take_in(sated: &Sated, id: ManifestId, update: &Update, chunk_count: u32) -> Result<(), String> {
    match update {
        Update::Bitfield(bytes) => Bitfield::from_bytes(bytes, chunk_count)
            .map(|held| sated.on_bitfield(id, &held))
            .map_err(|error: BitfieldError| format!("PROTOCOL {error}")),
        Update::Choked | Update::Unchoked => Ok(()),
        Update::Have(chunks) if chunks.is_empty() => Err("PROTOCOL have of nothing".to_owned()),
        Update::Have(chunks) => match chunks.iter().find(|chunk| chunk.get() >= chunk_count) {
            Some(chunk) => Err(format!(
                "PROTOCOL have of chunk {chunk}, expected below {chunk_count}"
            )),
            None => Ok(()),
        },
    }
}
