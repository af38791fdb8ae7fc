//! From a file to a signed manifest.

use std::net::SocketAddr;
use std::path::Path;

use super::clock::unix_time;
use super::error::CreateError;
use crate::identity::Wallet;
use crate::manifest::{Draft, Manifest, Recall};
use crate::store::ingest;

/// Hashes a container and signs its manifest. Blocks while it reads the file, on this thread and
/// a few of its own; memory does not grow with the file.
///
/// `name` is what people are shown, `reach` where the publisher can be reached, `progress` hears
/// how many bytes have been read.
pub fn create(
    path: &Path,
    wallet: &Wallet,
    name: &str,
    reach: Option<SocketAddr>,
    progress: impl Fn(u64) + Sync,
) -> Result<Manifest, CreateError> {
    create_recalling(path, wallet, name, reach, None, progress)
}

/// As [`create`], for a node that is going to serve the container: with its memory of what was hashed
/// ([`Node::recall`](super::Node::recall)) it need not hash its chunks again.
pub fn create_recalling(
    path: &Path,
    wallet: &Wallet,
    name: &str,
    reach: Option<SocketAddr>,
    recall: Option<&Recall>,
    progress: impl Fn(u64) + Sync,
) -> Result<Manifest, CreateError> {
    let ingested = ingest(path, recall, progress)?;
    let draft = Draft {
        name: name.to_owned(),
        layout: ingested.layout,
        program_id: ingested.program_id,
        chunk_hashes: ingested.chunk_hashes,
        reach,
        time: unix_time(),
        peers: Vec::new(),
    };
    Ok(draft.sign(wallet.public_key(), |message| wallet.sign(message))?)
}
