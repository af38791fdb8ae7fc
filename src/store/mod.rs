//! Containers and manifests on disk.
//!
//! ```text
//! create    ingest          a file -> its hashes
//! share     Content::seed [-> prove]   served where it lies
//! get       Content::download -> resume [-> take_over] -> put, put, [sync,] put -> finish, or rest
//! either    Content::read   only what its bit says, hashed before it is handed out
//!           Content::look, scrub -> put   whether it has changed, or rots; mended if it is ours
//! ```
//!
//! Reading order: `content` (which chunks are proven), `journal` and `ledger` (which are safe), `resume`, `rearrange` and `finish` (how a download
//! begins and ends), `whole` (the hash of it all), `backend` and `files` (the disk), then `ingest`,
//! `manifest_file`, `folders`, `new_file`, `age_file` and `export`, which stand alone, and `vault`, which is another disk over the disk. `os` is where systems differ.
//!
//! All calls block, so they belong on worker threads, and give way while they hash (`yielding`). Nothing here logs,
//! reads a clock, or knows of peers.

mod age_file;
mod backend;
mod content;
mod error;
mod export;
mod files;
mod finish;
mod folders;
mod holdings;
pub mod index;
mod ingest;
mod journal;
mod ledger;
mod manifest_file;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod memory_ledger;
mod migrate;
mod new_file;
mod os;
mod planted;
mod positioned;
mod rearrange;
mod regular;
mod resume;
mod scrub;
mod state;
#[cfg(test)]
mod tests;
mod uses;
mod vault;
mod whole;

pub use age_file::{AgeFileError, decrypt_file, encrypt_file, opens};
pub use content::Content;
pub use error::{FinishError, OpenError, ReadError, ReserveError, SyncError, WriteError};
pub use export::Exported;
pub use files::part_path;
pub use folders::{Folders, FoldersError, Form};
pub use holdings::{Holding, RemoveError};
pub use ingest::{IngestError, Ingested, ingest, ingest_as};
pub use ledger::{Claim, FileStamp, Ledger};
pub use manifest_file::{ManifestFileError, may_be_manifest, read_manifest_file};
pub use new_file::{replace_file, write_new_file};
pub use scrub::{Look, Scrubbed};
pub use state::{
    BanRow, ContainerRow, CreditRow, DoubtRow, JobRow, PeerRow, Pin, STATE_FILE, State, StateError,
    Trouble, VerdictRows, Way, WayRow, WrongRow,
};
pub use uses::{Alone, Using};
pub use vault::{Vault, sealed_len};
