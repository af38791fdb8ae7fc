//! What an error means to the caller: an exit code, a stable code for scripts, and what to try.
//!
//! Decided by type. Every error that the node can return has its line here; one that is not known gets
//! exit code 1.

mod kept;

use std::error::Error as StdError;
use std::io;

use super::error::CliError;
use super::exit::Exit;
use crate::node::{
    BindError, CreateError, FetchError, FinishError, FoldersError, IngestError, KeyTextError,
    LeftError, LinkError, ManifestError, ManifestFileError, OpenError, ReadError, SealError,
    ShareError, StartError, SyncError, WordsError, keyfile::KeyFileError,
};

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How the process ends.
    pub(super) exit: Exit,
    /// The stable code, `E-` and more.
    pub(super) code: &'static str,
    /// What may help.
    pub(super) hint: Option<&'static str>,
}

/// The verdict on an error, by the outermost of its causes that is known.
pub(super) fn of(error: &anyhow::Error) -> Verdict {
    let known = error.chain().find_map(judge);
    known.unwrap_or_else(|| plain(Exit::Other, "E-OTHER"))
}

/// Whether the reader of stdout has gone away, which is no error.
pub(super) fn is_reader_gone(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(CliError::Stdout(source)) if source.kind() == io::ErrorKind::BrokenPipe
    )
}

/// The error and its causes on a line, without the code. What a cause only repeats is left out. Lines
/// after the first are particulars.
pub(super) fn message(error: &anyhow::Error, verdict: &Verdict) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let bare = text
        .strip_prefix(verdict.code)
        .and_then(|rest| rest.strip_prefix(": "));
    bare.map(str::to_owned).unwrap_or(text)
}

fn judge(cause: &(dyn StdError + 'static)) -> Option<Verdict> {
    None.or_else(|| cause.downcast_ref().map(of_cli))
        .or_else(|| cause.downcast_ref().map(of_fetch))
        .or_else(|| cause.downcast_ref().map(of_start))
        .or_else(|| cause.downcast_ref().map(of_left))
        .or_else(|| cause.downcast_ref().map(of_share))
        .or_else(|| cause.downcast_ref().map(of_create))
        .or_else(|| cause.downcast_ref().map(of_ingest))
        .or_else(|| cause.downcast_ref().map(of_key_file))
        .or_else(|| cause.downcast_ref().map(of_manifest_file))
        .or_else(|| cause.downcast_ref().map(of_words))
        .or_else(|| cause.downcast_ref().map(of_link))
        .or_else(|| cause.downcast_ref().map(kept::of_library))
        .or_else(|| cause.downcast_ref().map(kept::of_age_file))
        .or_else(|| cause.downcast_ref().map(kept::of_state))
        .or_else(|| cause.downcast_ref().map(kept::of_vault))
        .or_else(|| cause.downcast_ref().map(kept::of_export))
        .or_else(|| cause.downcast_ref().map(kept::of_scrub))
        .or_else(|| cause.downcast_ref().map(of_io))
}

fn plain(exit: Exit, code: &'static str) -> Verdict {
    Verdict {
        exit,
        code,
        hint: None,
    }
}

impl Verdict {
    fn hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    /// With another code for the same exit.
    fn called(self, code: &'static str) -> Self {
        Self { code, ..self }
    }
}

fn of_io(error: &io::Error) -> Verdict {
    let kind = error.kind();
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&kind);
    let exit = if is(&[io::ErrorKind::NotFound, io::ErrorKind::NotADirectory]) {
        Exit::NotFound
    } else if is(&[
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ]) {
        Exit::Permission
    } else if is(&[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded]) {
        Exit::DiskFull
    } else if is(&[io::ErrorKind::AlreadyExists]) {
        Exit::Exists
    } else {
        Exit::Other
    };
    plain(exit, "E-IO")
}

fn of_cli(error: &CliError) -> Verdict {
    match error {
        CliError::NoHome => plain(Exit::Config, "E-HOME").hint("--home FOLDER"),
        CliError::Io { source, .. } | CliError::Stdout(source) | CliError::Stdin(source) => {
            of_io(source)
        }
        CliError::Exists(_) => exists(),
        CliError::Foreign(_) => plain(Exit::Exists, "E-EXISTS").hint(
            "share the manifest itself to help its publisher, or create your own with -o OTHER.deluge",
        ),
        CliError::Interrupted(_) => plain(Exit::Interrupted, "E-CANCELLED"),
        CliError::NoFolder(_) | CliError::NoContainer(_) => plain(Exit::NotFound, "E-FILE"),
        CliError::NoName(_) => plain(Exit::BadData, "E-FILE"),
        CliError::NobodyToAsk => no_peers("--peer IP:PORT, or leave --no-discovery out"),
        CliError::NoMaster => plain(Exit::NoPeers, "E-NO-MASTER")
            .hint("--master HOST, or swarmhold config set master HOST"),
        CliError::Query(_) => plain(Exit::Usage, "E-QUERY"),
        CliError::NobodyAnswered(_) => plain(Exit::NoPeers, "E-NO-MASTER"),
        CliError::NoSuchName(_) => plain(Exit::NotFound, "E-NO-NAME"),
        CliError::Ambiguous { .. } => {
            plain(Exit::Usage, "E-NAME").hint("swarmhold get with the whole name, or a link")
        }
        CliError::NotChosen => plain(Exit::Usage, "E-NAME"),
        CliError::SearchStopped => plain(Exit::Interrupted, "E-CANCELLED"),
        CliError::LogFilter { .. } => plain(Exit::Usage, "E-USAGE").hint("--log-level debug"),
        CliError::Passphrase { .. } => plain(Exit::Config, "E-PASSPHRASE"),
        CliError::NotAsked => plain(Exit::Usage, "E-CONFIRM").hint("--yes"),
        CliError::NoJob(_) => {
            plain(Exit::NotFound, "E-UNKNOWN").hint("swarmhold list tells what is unfinished")
        }
        CliError::JobRuns(_) => plain(Exit::Other, "E-LOCKED"),
        CliError::NoSetting(_) | CliError::Setting { .. } => {
            plain(Exit::Usage, "E-SETTING").hint("swarmhold config --help")
        }
        CliError::VaultKey(source) => kept::of_vault_key(source),
        CliError::NoVault => {
            plain(Exit::NotFound, "E-VAULT").hint("swarmhold get --vault LINK makes one")
        }
        CliError::Words => plain(Exit::BadData, "E-WORDS"),
        CliError::Damaged { .. } => plain(Exit::Integrity, "E-CHUNK-HASH"),
        CliError::Rotten { .. } => plain(Exit::Integrity, "E-HASH"),
        CliError::WrongWhole { .. } => plain(Exit::Integrity, "E-MANIFEST-POISONED"),
    }
}

fn of_fetch(error: &FetchError) -> Verdict {
    match error {
        FetchError::NoPeers { .. } => no_peers(
            "is the publisher running? --peer IP:PORT names another; --timeout 2m waits longer",
        ),
        FetchError::NobodyToAsk => no_peers(
            "ask for the link that `swarmhold share` prints, or name a peer with --peer IP:PORT",
        ),
        FetchError::Identity(_) => plain(Exit::Network, "E-IDENTITY")
            .hint("ask the publisher for the link again, over a channel that you trust"),
        FetchError::Open(open) => of_open(open),
        FetchError::Room(room) => kept::of_room(room),
        FetchError::Vault(vault) => kept::of_vault(vault),
        FetchError::Resume(read) => of_read(read).hint("remove the file, then get it again"),
        FetchError::Write {
            disk_full: true, ..
        } => disk_full(),
        FetchError::Write {
            disk_full: false, ..
        } => plain(Exit::Other, "E-IO"),
        FetchError::Finish(finish) => of_finish(finish),
        FetchError::Poisoned { .. } | FetchError::NoneRight { .. } => {
            plain(Exit::Integrity, "E-MANIFEST-POISONED")
                .hint("ask the publisher for a link that carries the manifest id (m=)")
        }
        FetchError::Stalled { .. } => {
            no_peers("is the publisher running? --peer IP:PORT names another")
        }
        FetchError::Suspected { .. } => plain(Exit::Integrity, "E-CHUNK-HASH")
            .hint("ask the publisher for a link that carries the manifest id (m=)"),
        FetchError::Already(_) => plain(Exit::Other, "E-BUSY"),
        FetchError::Cancelled { .. } => plain(Exit::Interrupted, "E-CANCELLED"),
        FetchError::Stopped => plain(Exit::Other, "E-STOPPED"),
    }
}

fn of_start(error: &StartError) -> Verdict {
    match error {
        StartError::Folders(folders) => of_folders(folders),
        StartError::Bind(bind) => of_bind(bind),
        StartError::Index(_) => plain(Exit::Other, "E-INDEX"),
        StartError::System(source) => of_io(source).called("E-SYSTEM"),
    }
}

fn of_left(error: &LeftError) -> Verdict {
    match error {
        LeftError::Folders(folders) => of_folders(folders),
        LeftError::Output(open) => of_open(open),
    }
}

fn of_bind(error: &BindError) -> Verdict {
    match error {
        BindError::Socket { source, .. } if of_io(source).exit == Exit::Permission => {
            plain(Exit::Permission, "E-BIND").hint("a port above 1023")
        }
        BindError::Socket { .. } => {
            plain(Exit::Network, "E-BIND").hint("--listen '[::]:0' takes any free port")
        }
        BindError::Tls(_) | BindError::Quic(_) => plain(Exit::Network, "E-TLS"),
    }
}

fn of_share(error: &ShareError) -> Verdict {
    match error {
        ShareError::Open(open) => of_open(open),
        ShareError::Already(_) => plain(Exit::Other, "E-BUSY"),
        ShareError::Poisoned { .. } => plain(Exit::Integrity, "E-MANIFEST-POISONED")
            .hint("ask the publisher for the right manifest, or create your own"),
        ShareError::Damaged { .. } => plain(Exit::Integrity, "E-HASH")
            .hint("`swarmhold verify FILE.deluge CONTAINER` names the chunks"),
        ShareError::Unreadable(_) => plain(Exit::Other, "E-IO"),
        ShareError::Stopped => plain(Exit::Other, "E-STOPPED"),
    }
}

fn of_create(error: &CreateError) -> Verdict {
    match error {
        CreateError::Ingest(ingest) => of_ingest(ingest),
        CreateError::Manifest(manifest) => of_manifest(manifest),
    }
}

fn of_ingest(error: &IngestError) -> Verdict {
    let code = error.code();
    match error {
        IngestError::NotRegular { .. } | IngestError::Size { .. } => plain(Exit::BadData, code),
        IngestError::WrongSize { .. } => plain(Exit::Integrity, code),
        IngestError::Changed { .. } => {
            plain(Exit::Integrity, code).hint("again, when nothing writes to it any more")
        }
        IngestError::Io { source, .. } => of_io(source),
    }
}

fn of_open(error: &OpenError) -> Verdict {
    let code = error.code();
    match error {
        OpenError::NotRegular { .. } | OpenError::NoName { .. } => plain(Exit::BadData, code),
        OpenError::WrongSize { .. } => plain(Exit::Integrity, code)
            .hint("make the manifest again with `swarmhold create` if the container is right"),
        OpenError::AlreadyThere { .. } => exists(),
        OpenError::NoFolder { .. } => plain(Exit::NotFound, code),
        OpenError::InUse { .. } => plain(Exit::Other, code),
        OpenError::DiskFull { .. } => disk_full(),
        OpenError::NotOurs { .. } => {
            plain(Exit::Integrity, error.code()).hint("remove it (swarmhold rm) and get it again")
        }
        OpenError::Io { source, .. } => of_io(source),
    }
}

fn of_read(error: &ReadError) -> Verdict {
    match error {
        ReadError::Rotten { .. } | ReadError::Shrunk { .. } | ReadError::Forged { .. } => {
            plain(Exit::Integrity, error.code())
        }
        ReadError::Io { source, .. } => of_io(source),
    }
}

fn of_finish(error: &FinishError) -> Verdict {
    match error {
        FinishError::Incomplete { .. }
        | FinishError::Rotten { .. }
        | FinishError::WrongWhole { .. } => plain(Exit::Integrity, error.code()),
        FinishError::GivenUp { .. } => plain(Exit::Interrupted, error.code()),
        FinishError::AlreadyThere { .. } => exists(),
        FinishError::Read(read) => of_read(read),
        FinishError::Sync(SyncError::DiskFull { .. }) => disk_full(),
        FinishError::Sync(SyncError::NotKept { source, .. })
        | FinishError::Publish { source, .. } => of_io(source),
    }
}

fn of_manifest_file(error: &ManifestFileError) -> Verdict {
    match error {
        ManifestFileError::NotRegular { .. } | ManifestFileError::TooLarge { .. } => {
            plain(Exit::BadData, error.code())
        }
        ManifestFileError::Invalid { why, .. } => of_manifest(why),
        ManifestFileError::Another { .. } => plain(Exit::Integrity, error.code()),
        ManifestFileError::Io { source, .. } => of_io(source),
    }
}

/// A signature that is not the owner's is a matter of integrity; all else makes no manifest.
fn of_manifest(error: &ManifestError) -> Verdict {
    let forged = matches!(
        error,
        ManifestError::WrongSignature
            | ManifestError::NonCanonicalSignature
            | ManifestError::MalformedSignature(_)
            | ManifestError::AddressMismatch { .. }
    );
    let exit = if forged {
        Exit::Integrity
    } else {
        Exit::BadData
    };
    plain(exit, error.code())
}

fn of_key_file(error: &KeyFileError) -> Verdict {
    match error {
        KeyFileError::NotFound { .. } => {
            plain(Exit::NotFound, "E-NO-KEY").hint("`swarmhold id` makes an identity")
        }
        KeyFileError::Exists { .. } => {
            plain(Exit::Exists, "E-EXISTS").hint("another --home, or move the old key away")
        }
        KeyFileError::Permissions { .. } => plain(Exit::Config, "E-KEY-PERMS"),
        KeyFileError::NotRegular { .. } | KeyFileError::TooLarge { .. } => {
            plain(Exit::Config, "E-KEY-FILE")
        }
        KeyFileError::Text { source, .. } => of_key_text(source),
        KeyFileError::Io { source, .. } => of_io(source),
        KeyFileError::Randomness(_) => plain(Exit::Other, "E-SYSTEM"),
    }
}

fn of_key_text(error: &KeyTextError) -> Verdict {
    match error {
        KeyTextError::PassphraseMissing => plain(Exit::Permission, "E-PASSPHRASE")
            .hint("set SWARMHOLD_PASSPHRASE, or --passphrase-file FILE"),
        KeyTextError::PassphraseUnused => plain(Exit::Config, "E-PASSPHRASE")
            .hint("leave SWARMHOLD_PASSPHRASE and --passphrase-file out"),
        KeyTextError::Seal(SealError::PassphraseWrong) => plain(Exit::Permission, "E-PASSPHRASE"),
        KeyTextError::Seal(SealError::PassphraseLength { .. }) => {
            plain(Exit::Config, "E-PASSPHRASE")
        }
        KeyTextError::Seal(SealError::Cost { .. })
        | KeyTextError::OtherIdentity { .. }
        | KeyTextError::Damaged
        | KeyTextError::Utf8 { .. }
        | KeyTextError::Line { .. }
        | KeyTextError::Value { .. }
        | KeyTextError::Address => plain(Exit::Config, "E-KEY-FILE")
            .hint("restore the identity from its 24 words, into another --home"),
    }
}

fn of_words(_: &WordsError) -> Verdict {
    plain(Exit::BadData, "E-WORDS")
}

fn of_link(_: &LinkError) -> Verdict {
    plain(Exit::BadData, "E-LINK").hint("quote the link, so that the shell leaves its & alone")
}

fn exists() -> Verdict {
    plain(Exit::Exists, "E-EXISTS").hint("another path with -o")
}

fn disk_full() -> Verdict {
    plain(Exit::DiskFull, "E-DISK-FULL").hint("make room; the same command resumes")
}

fn no_peers(hint: &'static str) -> Verdict {
    plain(Exit::NoPeers, "E-NO-PEERS").hint(hint)
}

fn of_folders(error: &FoldersError) -> Verdict {
    match error {
        FoldersError::Create { source, .. } => of_io(source),
        FoldersError::NotFolder { .. } => plain(Exit::Config, error.code()),
    }
}
