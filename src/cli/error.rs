//! What can go wrong in the command line itself, beside what the node reports.

use std::io;
use std::path::PathBuf;

use crate::node::keyfile::KeyFileError;
use crate::node::{BACKUP_BYTES_MAX, DamagedChunk, PASSPHRASE_BYTES_MAX, ProgramId, QueryError};

use super::text::count;

/// How many damaged chunks an error names.
const NAMED_MAX: usize = 5;

/// An error of the command line.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// There is no folder to keep things in.
    #[error("E-HOME: neither SWARMHOLD_HOME nor a home folder is set")]
    NoHome,
    /// The system refused.
    #[error("E-IO: cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Stdout does not take the result.
    #[error("E-IO: cannot write to stdout")]
    Stdout(#[source] io::Error),
    /// Stdin gives nothing.
    #[error("E-IO: cannot read from stdin")]
    Stdin(#[source] io::Error),
    /// The output is there and is not ours to replace.
    #[error("E-EXISTS: {} is already there and is not replaced", .0.display())]
    Exists(PathBuf),
    /// The manifest beside the container is another publisher's.
    #[error("E-EXISTS: {} is another publisher's manifest and is not replaced", .0.display())]
    Foreign(PathBuf),
    /// The output's folder does not exist.
    #[error("E-FILE: there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// A path has no last component to name a file by.
    #[error("E-FILE: {:?} does not name a file", .0)]
    NoName(PathBuf),
    /// Neither the manifest's hints may be used nor are there others.
    #[error(
        "E-NO-PEERS: --no-discovery rules out the manifest's own peers, and no --peer was given"
    )]
    NobodyToAsk,
    /// Nobody can be asked for names.
    #[error("E-NO-MASTER: there is no SwarmMaster to ask")]
    NoMaster,
    /// What is searched for cannot be.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Of those who were asked for a name, nobody answered.
    #[error("E-NO-MASTER: nobody answered{0}")]
    NobodyAnswered(String),
    /// Nothing is called like this.
    #[error("E-NO-NAME: nothing is called {0:?}, and there is no such file")]
    NoSuchName(String),
    /// Several containers are called like this, and nobody can be asked which.
    #[error("E-NAME: several containers are called like {name:?}\n{list}")]
    Ambiguous { name: String, list: String },
    /// None of several containers was chosen.
    #[error("E-NAME: none was chosen")]
    NotChosen,
    /// A signal came while masters were being asked.
    #[error("E-CANCELLED: stopped while searching")]
    SearchStopped,
    /// A signal came before there was anything to keep.
    #[error("E-CANCELLED: stopped before {} was hashed", .0.display())]
    Interrupted(PathBuf),
    /// A manifest has no container to share beside it.
    #[error("E-FILE: there is no container {} beside its manifest", .0.display())]
    NoContainer(PathBuf),
    /// The log filter is not one.
    #[error("E-USAGE: --log-level {filter:?}: {why}")]
    LogFilter { filter: String, why: String },
    /// The passphrase is not usable text.
    #[error("E-PASSPHRASE: {origin} must be UTF-8 text of at most {PASSPHRASE_BYTES_MAX} B")]
    Passphrase { origin: String },
    /// Nobody can be asked whether something may be removed.
    #[error("E-CONFIRM: not on a terminal, and --yes was not given")]
    NotAsked,
    /// No download that is not done is meant by this.
    #[error("E-UNKNOWN: no unfinished download is known by {0:?}")]
    NoJob(String),
    /// Somebody is at it.
    #[error("E-LOCKED: {0:?} is being fetched by a process")]
    JobRuns(String),
    /// There is no such setting.
    #[error("E-SETTING: there is no setting {0:?}")]
    NoSetting(String),
    /// A setting cannot be this.
    #[error("E-SETTING: {value:?}: {why}")]
    Setting { value: String, why: String },
    /// The key of the vault cannot be used.
    #[error("the vault stays shut")]
    VaultKey(#[source] KeyFileError),
    /// There is no vault.
    #[error("E-VAULT: there is no vault in this home")]
    NoVault,
    /// The words on stdin are no text, or too long.
    #[error("E-WORDS: stdin must be UTF-8 text of at most {BACKUP_BYTES_MAX} B")]
    Words,
    /// Chunks of a container are not what the manifest lists.
    #[error("E-CHUNK-HASH: {} of {total} chunks differ from the manifest{}", damaged.len(), named(damaged))]
    Damaged {
        damaged: Vec<DamagedChunk>,
        total: u32,
    },
    /// Containers are not what they were.
    #[error("E-HASH: {} not as before: {}", count(*bad, "container"), count(*chunks, "chunk"))]
    Rotten { bad: u64, chunks: u64 },
    /// Every chunk is as the manifest lists it and the whole is not: the manifest is wrong.
    #[error(
        "E-MANIFEST-POISONED: every chunk is as listed, yet the whole is {found}, not {expected}"
    )]
    WrongWhole {
        expected: ProgramId,
        found: ProgramId,
    },
}

/// The first damaged chunks, one a line.
fn named(damaged: &[DamagedChunk]) -> String {
    let line = |chunk: &DamagedChunk| {
        let DamagedChunk { index, offset, len } = chunk;
        format!("\n  chunk {index}: {len} B at offset {offset}")
    };
    let mut lines: String = damaged.iter().take(NAMED_MAX).map(line).collect();
    if let Some(more @ 1..) = damaged.len().checked_sub(NAMED_MAX) {
        lines.push_str(&format!("\n  and {} more", count(more as u64, "chunk")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_chunks_are_named_up_to_a_number() {
        let chunk = |index| DamagedChunk {
            index,
            offset: 32_768 * u64::from(index),
            len: 32_768,
        };
        let text = |indices: std::ops::Range<u32>| named(&indices.map(chunk).collect::<Vec<_>>());
        assert_eq!(text(3..4), "\n  chunk 3: 32768 B at offset 98304");
        assert!(!text(0..5).contains("more"));
        assert!(text(0..6).ends_with("at offset 131072\n  and 1 chunk more"));
        assert!(text(0..9).ends_with("\n  and 4 chunks more"));
    }
}
