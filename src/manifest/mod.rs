//! The `.deluge` manifest: what a container's bytes should be, who published it, who may have it.
//!
//! ```text
//! bytes ── decode ──▶ Manifest ── encode ──▶ bytes       json   the strict reader below decode
//! Draft ── sign ────▶    │                               seal   the owner's signature
//!                        ├─ content ▶ ManifestId         name   what may be shown
//!                        ├─ layout ▶ where chunks lie    hint   what may be dialled
//!                        ├─ verify ▶ VerifiedChunk     recall  what was verified before
//!                        └─ link ▶ swarmhold:...
//! ```
//!
//! A [`Manifest`] exists only if it is valid: its parts fit each other, and a signature, where there
//! is one, is by the owner. Still it is a stranger's word. Which of it is proven depends on what the
//! reader knows already:
//!
//! * with the manifest id: everything that the id covers, before the first byte arrives;
//! * with the owner's address: the same, on the owner's signature;
//! * with the program id only: its form. The hash of the whole container does not commit to the
//!   hash list, so a lie shows only when the container is complete and its hash is wrong.
//!
//! `peers`, `_ip` and `_port` are hints to anyone; time is never relied on.

mod content;
mod decode;
mod encode;
mod error;
mod hint;
mod json;
mod layout;
mod link;
mod name;
mod percent;
mod recall;
mod scanner;
mod seal;
mod sign;
mod verify;

use std::net::SocketAddr;

pub use decode::fuzz_parse;
pub use error::{ManifestError, Place, Warning};
pub use json::{JsonError, Kind};
pub use layout::{Layout, LayoutError};
pub use link::{Link, LinkError};
pub use name::NameError;
pub use recall::{Recall, Tagger};
pub use sign::Draft;
pub use verify::{BadChunk, VerifiedChunk};

use self::content::Content;
use self::seal::{Contact, Seal};
use crate::chunk::ChunkIndex;
use crate::digest::{Address, Digest, ManifestId, ProgramId};
use crate::limits::SIGNED_AHEAD_MAX;

/// The version of the format that this build reads and writes.
pub const VERSION: &str = "v1.0.0-deluge";

/// A valid manifest. Two are equal if all they say is, warnings aside.
#[derive(Debug, Clone)]
pub struct Manifest {
    // invariants: `content` passed its check, `id` is its id, `seal` passed its check under both
    content: Content,
    id: ManifestId,
    contact: Contact,
    seal: Option<Seal>,
    // at most MANIFEST_PEERS_MAX, each dialable, none twice
    peers: Vec<SocketAddr>,
    warnings: Vec<Warning>,
}

/// Whether the owner stands behind a manifest. A signature that does not hold is an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// Nobody signed it.
    Unsigned,
    /// The owner signed it.
    Signed {
        /// When, in seconds since 1970, as the owner says.
        time: u64,
    },
}

impl Manifest {
    /// Puts a manifest without peers together, if its parts fit.
    fn new(content: Content, contact: Contact, seal: Option<Seal>) -> Result<Self, ManifestError> {
        content.check()?;
        let id = content.id();
        if let Some(seal) = &seal {
            seal.check(id, contact, content.address)?;
        }
        Ok(Self {
            content,
            id,
            contact,
            seal,
            peers: vec![],
            warnings: vec![],
        })
    }

    /// SHA-256 over the canonical content; the name of the swarm.
    pub const fn id(&self) -> ManifestId {
        self.id
    }

    /// SHA-256 of the whole container.
    pub const fn program_id(&self) -> ProgramId {
        self.content.program_id
    }

    /// How the container is cut.
    pub const fn layout(&self) -> Layout {
        self.content.layout
    }

    /// SHA-256 of a chunk; none if there is no such chunk.
    pub fn chunk_hash(&self, index: ChunkIndex) -> Option<Digest> {
        self.content.chunk_hashes.get(index.as_usize()).copied()
    }

    /// SHA-256 of every chunk, in order.
    pub fn chunk_hashes(&self) -> &[Digest] {
        &self.content.chunk_hashes
    }

    /// What the publisher calls the container: 1 to 64 characters, for display only. It has no
    /// control characters, direction marks or line separators, and is not escaped for anything.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// The owner's address. Proven only if the manifest is signed.
    pub const fn address(&self) -> Address {
        self.content.address
    }

    /// Where the publisher says to be reached, if that can be dialled.
    pub fn reach(&self) -> Option<SocketAddr> {
        self.contact.reach()
    }

    /// Whether the owner signed it.
    pub const fn signature(&self) -> SignatureState {
        match &self.seal {
            Some(seal) => SignatureState::Signed { time: seal.time },
            None => SignatureState::Unsigned,
        }
    }

    /// Who may have the container: hints that anyone may have added, none proven.
    pub fn peers(&self) -> &[SocketAddr] {
        &self.peers
    }

    /// Adds a hint, unless it is there already, cannot be dialled by others, or there is no room.
    /// Neither the id nor the signature covers it.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        hint::add(&mut self.peers, hint::canonical(peer));
        self
    }

    /// What the reader should be told.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the reader should be told at this time, in seconds since 1970, about the signing time.
    pub fn warning_at(&self, now_s: u64) -> Option<Warning> {
        let by_s = self.seal.as_ref()?.time.saturating_sub(now_s);
        (by_s > SIGNED_AHEAD_MAX.as_secs()).then_some(Warning::SignedAhead { by_s })
    }
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        // the id stands for all of the content
        (self.id, self.contact, &self.seal, &self.peers)
            == (other.id, other.contact, &other.seal, &other.peers)
    }
}

impl Eq for Manifest {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MANIFEST_PEERS_MAX;

    fn manifest() -> Manifest {
        let draft = Draft {
            name: "one byte".into(),
            layout: Layout::for_size(1).unwrap(),
            program_id: ProgramId::new(Digest::of(b"x")),
            chunk_hashes: vec![Digest::of(b"x")],
            reach: None,
            time: 0,
            peers: vec![],
        };
        draft.unsigned(Address::new(Digest::of(b"key"))).unwrap()
    }

    #[test]
    fn peers_are_dialable_unique_and_bounded() {
        let peer: SocketAddr = "198.51.100.7:7922".parse().unwrap();
        let with = |peers: &[&str]| {
            let peers = peers.iter().map(|peer| peer.parse().unwrap());
            peers.fold(manifest(), Manifest::with_peer)
        };
        assert_eq!(
            with(&[
                "198.51.100.7:7922",
                "[::ffff:198.51.100.7]:7922",
                "127.0.0.1:7922"
            ])
            .peers(),
            [peer]
        );
        let full = (1024..2024).fold(manifest(), |manifest, port| {
            manifest.with_peer(SocketAddr::new(peer.ip(), port))
        });
        assert_eq!(full.peers().len(), MANIFEST_PEERS_MAX);
        assert_eq!(full.id(), manifest().id());
        assert_ne!(full, manifest());
    }

    #[test]
    fn chunks_past_the_end_have_no_hash() {
        let manifest = manifest();
        assert_eq!(
            manifest.chunk_hash(ChunkIndex::new(0)),
            Some(Digest::of(b"x"))
        );
        assert_eq!(manifest.chunk_hash(ChunkIndex::new(1)), None);
    }
}
