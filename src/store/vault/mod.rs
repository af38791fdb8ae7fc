//! The vault: a node's own containers, encrypted where they lie.
//!
//! ```text
//! vault key  --HKDF(salt, program id)-->  file key   one for each file
//!
//! file:   header | slot 0 | slot 1 | ... | last slot, shorter
//!         4096 B   32796 B each
//! slot:   ciphertext of 32 KiB | tag, 16 B | nonce, 12 B      AES-256-GCM; bound to its number
//! ```
//!
//! A slot is as large as the smallest chunk, and a chunk is some whole slots, so bytes keep their positions:
//! the vault is a [`Backend`](super::backend::Backend) over another one, and nobody above it knows that it
//! is there. Whatever is promised of a download, a resume or a scrub in the open holds here too.
//!
//! What a thief who takes the disk learns: which containers there are, how large they are, and which
//! slots of an unfinished one were written. What one who also writes to it can do: nothing that is not
//! noticed. A slot that was changed, or moved, or taken from another file does not open; an earlier state
//! of the same slot opens, and is then held against the manifest as every chunk is. Either is a chunk that
//! is lost and fetched again.
//!
//! Each write draws a new random nonce of 96 bits. A file key seals the 2 million slots of the largest
//! container, each perhaps a few times: far below the 2^32 after which a repetition becomes thinkable
//! (NIST SP 800-38D section 8.3).

mod disk;
mod header;
mod slots;

use std::sync::Arc;

use crate::digest::ProgramId;
use crate::identity::VaultKey;

pub(super) use self::disk::SealedDisk;
use self::slots::FileKey;
pub use self::slots::sealed_len;

/// Tells the key of a file from what shows that it is the right one.
const FILE: &[u8] = b"swarmhold/vault/file/1";
const CHECK: &[u8] = b"swarmhold/vault/check/1";
const SALT_BYTES: usize = 32;

/// A vault that is open. Clones share its key.
#[derive(Debug, Clone)]
pub struct Vault {
    key: Arc<VaultKey>,
}

impl Vault {
    /// The vault of this key.
    pub fn new(key: VaultKey) -> Self {
        Self { key: Arc::new(key) }
    }

    /// The key of one container's file.
    fn file_key(&self, salt: &[u8; SALT_BYTES], id: ProgramId) -> FileKey {
        FileKey::new(&self.key.derive(&salt_of(salt, id), FILE))
    }

    /// What stands in the header of that file.
    fn check(&self, salt: &[u8; SALT_BYTES], id: ProgramId) -> [u8; 32] {
        *self.key.derive(&salt_of(salt, id), CHECK)
    }
}

fn salt_of(salt: &[u8; SALT_BYTES], id: ProgramId) -> [u8; 2 * SALT_BYTES] {
    let mut both = [0; 2 * SALT_BYTES];
    both[..SALT_BYTES].copy_from_slice(salt);
    both[SALT_BYTES..].copy_from_slice(id.digest().as_bytes());
    both
}
