//! What a manifest commits to: the container's bytes, its name and its owner.
//!
//! The manifest id is SHA-256 over a domain tag and the canonical bytes of these, which are the
//! postcard encoding of one fixed struct and never JSON:
//!
//! ```text
//! "swarmhold/manifest/v1" 00
//! version      varint length, UTF-8        "v1.0.0-deluge"
//! name         varint length, UTF-8
//! total hash   32 bytes
//! size         varint
//! chunk size   varint
//! hash list    varint count, 32 bytes each
//! address      32 bytes
//! ```
//!
//! A varint is LEB128, least significant group first, in its shortest form. Every field has one
//! encoding and says where it ends, so two manifests have the same bytes only if they agree in all.

use serde::Serialize;

use super::error::ManifestError;
use super::layout::Layout;
use super::{VERSION, name};
use crate::digest::{Address, Digest, Hasher, ManifestId, ProgramId};
use crate::limits::CHUNKS_MAX;

/// Separates manifest ids from every other hash in the project.
const TAG: &[u8] = b"swarmhold/manifest/v1\0";

/// What the manifest id covers.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) name: String,
    pub(super) program_id: ProgramId,
    pub(super) layout: Layout,
    pub(super) chunk_hashes: Vec<Digest>,
    pub(super) address: Address,
}

/// The canonical bytes, in their order.
#[derive(Serialize)]
struct Canonical<'a> {
    version: &'a str,
    name: &'a str,
    total_hash: ProgramId,
    size: u64,
    chunk_size: u32,
    hash_list: &'a [Digest],
    address: Address,
}

impl Content {
    /// Passes content whose parts fit each other.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        name::check(&self.name)?;
        check_count(self.layout, self.chunk_hashes.len())?;
        match self
            .chunk_hashes
            .iter()
            .position(|hash| *hash == Digest::OF_NOTHING)
        {
            Some(index) => Err(ManifestError::EmptyChunk(index)),
            None => Ok(()),
        }
    }

    /// The manifest id.
    pub(super) fn id(&self) -> ManifestId {
        let canonical = Canonical {
            version: VERSION,
            name: &self.name,
            total_hash: self.program_id,
            size: self.layout.size(),
            chunk_size: self.layout.chunk_size(),
            hash_list: &self.chunk_hashes,
            address: self.address,
        };
        let bytes = postcard::to_stdvec(&canonical).expect("a vector takes all that is written");
        let mut hasher = Hasher::new();
        hasher.update(TAG);
        hasher.update(&bytes);
        ManifestId::new(hasher.finish())
    }
}

/// Passes a number of hashes that fits the layout.
pub(super) fn check_count(layout: Layout, found: usize) -> Result<(), ManifestError> {
    let expected = layout.chunk_count();
    if found > CHUNKS_MAX as usize {
        Err(ManifestError::TooManyHashes(found))
    } else if found == 0 {
        let size = layout.size();
        Err(ManifestError::NoHashes { size, expected })
    } else if found != expected as usize {
        Err(ManifestError::HashCount { found, expected })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content with lengths that need one, two and four bytes as varints.
    fn content() -> Content {
        Content {
            name: "é".repeat(64),
            program_id: ProgramId::new(Digest::of(b"container")),
            layout: Layout::new(65537, 65536).unwrap(),
            chunk_hashes: vec![Digest::of(b"0"), Digest::of(b"1")],
            address: Address::new(Digest::of(b"key")),
        }
    }

    #[test]
    fn the_id_is_over_the_bytes_that_the_header_draws() {
        let content = content();
        let mut bytes = b"swarmhold/manifest/v1\0\x0dv1.0.0-deluge\x80\x01".to_vec();
        bytes.extend("é".repeat(64).bytes());
        bytes.extend(content.program_id.digest().as_bytes());
        bytes.extend([0x81, 0x80, 0x04, 0x80, 0x80, 0x04, 0x02]);
        bytes.extend(Digest::of(b"0").as_bytes());
        bytes.extend(Digest::of(b"1").as_bytes());
        bytes.extend(content.address.digest().as_bytes());
        assert_eq!(content.id(), ManifestId::new(Digest::of(&bytes)));
    }

    #[test]
    fn every_part_changes_the_id() {
        let other = Digest::of(b"other");
        let changes: [fn(&mut Content, Digest); 6] = [
            |content, _| content.name.push('x'),
            |content, other| content.program_id = ProgramId::new(other),
            |content, _| content.layout = Layout::new(65538, 65536).unwrap(),
            |content, _| content.layout = Layout::new(65537, 32768).unwrap(),
            |content, other| content.chunk_hashes[1] = other,
            |content, other| content.address = Address::new(other),
        ];
        let mut ids = vec![content().id()];
        for change in changes {
            let mut changed = content();
            change(&mut changed, other);
            assert!(!ids.contains(&changed.id()));
            ids.push(changed.id());
        }
    }
}
