//! What a file of a vault begins with: whose it is, and what its key is made with.
//!
//! ```text
//! "swarmhold/vault/file/1"  22 B    vault id  16 B    salt  32 B    check  32 B
//! ```
//!
//! It is within one sector, so that it is there or not; without it nothing in the file can be
//! read, and a download begins anew. The check is made of the vault's key, the salt and the program id: a
//! file that was renamed to another container's is none of this vault's.

use std::io;

use super::slots::FileKey;
use super::{FILE, SALT_BYTES, Vault};
use crate::digest::ProgramId;

const MAGIC: &[u8] = FILE;
const ID_END: usize = MAGIC.len() + 16;
const SALT_END: usize = ID_END + SALT_BYTES;
/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = SALT_END + 32;

/// A header and the key that it gives.
pub(super) struct Header {
    pub(super) bytes: [u8; HEADER_BYTES],
    pub(super) key: FileKey,
}

impl Header {
    /// A new one, for a container that a file is to hold.
    pub(super) fn new(vault: &Vault, id: ProgramId) -> io::Result<Self> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::with_salt(vault, id, &salt))
    }

    /// The header that these bytes are, if they are one of this vault and this container.
    pub(super) fn read(vault: &Vault, id: ProgramId, bytes: &[u8]) -> Option<Self> {
        let salt = bytes.get(ID_END..SALT_END)?.try_into().ok()?;
        let header = Self::with_salt(vault, id, salt);
        (header.bytes.as_slice() == bytes).then_some(header)
    }

    fn with_salt(vault: &Vault, id: ProgramId, salt: &[u8; SALT_BYTES]) -> Self {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[MAGIC.len()..ID_END].copy_from_slice(&vault.key.id());
        bytes[ID_END..SALT_END].copy_from_slice(salt);
        bytes[SALT_END..].copy_from_slice(&vault.check(salt, id));
        Self {
            bytes,
            key: vault.file_key(salt, id),
        }
    }
}
