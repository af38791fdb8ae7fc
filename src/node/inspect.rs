//! Holding a container against its manifest: no node, no network.

use std::path::Path;
use std::sync::Arc;

use super::library::{Condition, Known, Library};
use super::vault::VaultError;
use crate::chunk::ChunkIndex;
use crate::digest::{Hasher, ManifestId, ProgramId};
use crate::manifest::{Layout, Manifest};
use crate::store::{Content, IngestError, ManifestFileError, OpenError, ReadError, ingest_as};

/// What a file is, held against a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// SHA-256 of the whole file.
    pub found: ProgramId,
    /// SHA-256 that the manifest says.
    pub expected: ProgramId,
    /// Chunks whose bytes are others than the manifest lists, in order.
    pub damaged: Vec<DamagedChunk>,
}

/// A chunk that is not what its manifest lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedChunk {
    /// Its position, from 0.
    pub index: u32,
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u32,
}

impl Comparison {
    /// Whether the file is the container, chunk by chunk and as a whole.
    pub fn is_match(&self) -> bool {
        self.damaged.is_empty() && self.found == self.expected
    }
}

/// Why a container was not held against its manifest.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The copy of its manifest is gone.
    #[error("E-NO-MANIFEST: the copy of manifest {0} is gone")]
    NoManifest(ManifestId),
    /// The copy of its manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestFileError),
    /// The container cannot be read.
    #[error(transparent)]
    Container(#[from] IngestError),
    /// It is in the vault, which is shut.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It cannot be opened in the vault.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read in the vault.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Library {
    /// Holds a container that is complete against the copy of its manifest. Blocks while it reads;
    /// `progress` hears how many bytes have been read.
    pub fn scrub(
        &self,
        known: &Known,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Comparison, ScrubError> {
        let manifest = self.folders.load_manifest(known.manifest_id)?;
        let manifest = manifest.ok_or(ScrubError::NoManifest(known.manifest_id))?;
        if known.condition == Condition::Vault {
            let vault = self.vault_for(known.program_id)?;
            let content = Content::keep_sealed(Arc::new(manifest), &known.path, vault)?;
            return Ok(compare_sealed(&content, progress)?);
        }
        Ok(compare(&manifest, &known.path, progress)?)
    }
}

/// Hashes a file, its chunks and the whole at once, and compares. Blocks while it reads; `progress`
/// hears how many bytes have been read. A file of another size is an error, and is not read.
pub fn compare(
    manifest: &Manifest,
    path: &Path,
    progress: impl Fn(u64) + Sync,
) -> Result<Comparison, IngestError> {
    let layout = manifest.layout();
    let ingested = ingest_as(path, layout, progress)?;
    let pairs = ingested.chunk_hashes.iter().zip(manifest.chunk_hashes());
    let differs = pairs.map(|(found, expected)| found != expected);
    Ok(Comparison {
        found: ingested.program_id,
        expected: manifest.program_id(),
        damaged: damaged(layout, differs),
    })
}

/// As [`compare`], in the vault. What cannot be decrypted has no part in the SHA-256 of the whole.
fn compare_sealed(content: &Content, progress: impl Fn(u64)) -> Result<Comparison, ReadError> {
    let layout = content.manifest().layout();
    let (mut hasher, mut differs) = (Hasher::new(), Vec::new());
    for chunk in layout.chunks() {
        match content.read(chunk) {
            Ok(Some(verified)) => hasher.update(verified.bytes()),
            Ok(None) => {}
            Err(error) if error.is_lost() => {}
            Err(error) => return Err(error),
        }
        differs.push(!content.have().contains(chunk));
        progress(layout.offset(chunk).unwrap_or_default());
    }
    Ok(Comparison {
        found: ProgramId::new(hasher.finish()),
        expected: content.manifest().program_id(),
        damaged: damaged(layout, differs.into_iter()),
    })
}

fn damaged(layout: Layout, differs: impl Iterator<Item = bool>) -> Vec<DamagedChunk> {
    let chunks = layout.chunks().zip(differs);
    let describe = |(chunk, differs): (ChunkIndex, bool)| {
        let (offset, len) = (layout.offset(chunk)?, layout.chunk_len(chunk)?);
        let index = chunk.get();
        differs.then_some(DamagedChunk { index, offset, len })
    };
    chunks.filter_map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Wallet;
    use crate::node::create;

    #[test]
    fn a_flipped_byte_is_found_where_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let wallet = Wallet::from_seed([1; 32]);
        let manifest = create(file.path(), &wallet, "x", None, |_| {}).unwrap();
        let same = compare(&manifest, file.path(), |_| {}).unwrap();
        assert!(same.is_match());

        for at in [40_000, 399_999] {
            bytes[at] ^= 1;
        }
        std::fs::write(file.path(), &bytes).unwrap();
        let other = compare(&manifest, file.path(), |_| {}).unwrap();
        let chunk = |index, offset, len| DamagedChunk { index, offset, len };
        assert_eq!(
            other.damaged,
            [chunk(1, 32_768, 32_768), chunk(12, 393_216, 6_784)]
        );
        assert_eq!(other.expected, manifest.program_id());
        assert!(!other.is_match() && other.found != other.expected);

        std::fs::write(file.path(), &bytes[..5]).unwrap();
        let error = compare(&manifest, file.path(), |_| {}).unwrap_err();
        assert!(matches!(error, IngestError::WrongSize { found: 5, .. }));
    }
}
