//! Exit codes: one table, which `--help` prints too.
//!
//! | code | kind | |
//! |---|---|---|
//! | 0 | ok | done; also where the reader of stdout went away |
//! | 1 | other | |
//! | 2 | usage | the command line was not understood |
//! | 3 | not-found | a file, folder or identity does not exist |
//! | 5 | no-peers | nobody had it, or nobody answered in time |
//! | 6 | network | the socket, TLS, or a peer's identity |
//! | 7 | interrupted | stopped by Ctrl-C or SIGTERM; the same command resumes |
//! | 8 | permission | the system refuses, or the identity is locked |
//! | 9 | disk-full | |
//! | 10 | integrity | bytes, or a hash list, are not what they should be |
//! | 13 | exists | the output is there already and is not replaced |
//! | 65 | bad-data | a manifest, link, backup or container that cannot be one |
//! | 78 | config | the node's own files are unsafe or damaged |
//!
//! 65 and 78 are those of `sysexits.h`. Its 77, permission denied, is 8 here: one code for one thing.
//! A second Ctrl-C ends the process at once with 130, a second SIGTERM with 143.

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Ok,
    /// An error that has no code of its own.
    Other,
    /// The command line was not understood.
    Usage,
    /// A file, folder or identity does not exist.
    NotFound,
    /// Nobody had it, or nobody answered in time.
    NoPeers,
    /// The socket, TLS, or a peer's identity.
    Network,
    /// Stopped by a signal.
    Interrupted,
    /// The system refuses, or the identity is locked.
    Permission,
    /// No room on the disk.
    DiskFull,
    /// Bytes, or a hash list, are not what they should be.
    Integrity,
    /// The output is there already.
    Exists,
    /// What was given cannot be what it should be.
    BadData,
    /// The node's own files are unsafe or damaged.
    Config,
}

/// Every way to end: the exit, its code, its name in JSON, what it means.
const TABLE: &[(Exit, u8, &str, &str)] = &[
    (Exit::Ok, 0, "ok", "done"),
    (Exit::Other, 1, "other", "any other error"),
    (
        Exit::Usage,
        2,
        "usage",
        "the command line was not understood",
    ),
    (
        Exit::NotFound,
        3,
        "not-found",
        "a file, folder or identity does not exist",
    ),
    (
        Exit::NoPeers,
        5,
        "no-peers",
        "nobody had it, or nobody answered in time",
    ),
    (
        Exit::Network,
        6,
        "network",
        "socket, TLS, or a peer is not who it should be",
    ),
    (
        Exit::Interrupted,
        7,
        "interrupted",
        "stopped by a signal; the same command resumes",
    ),
    (
        Exit::Permission,
        8,
        "permission",
        "permission denied, or the identity is locked",
    ),
    (Exit::DiskFull, 9, "disk-full", "no room on the disk"),
    (
        Exit::Integrity,
        10,
        "integrity",
        "bytes or signatures are not what they should be",
    ),
    (
        Exit::Exists,
        13,
        "exists",
        "the output is already there and is not replaced",
    ),
    (
        Exit::BadData,
        65,
        "bad-data",
        "not a manifest, link, backup or container",
    ),
    (
        Exit::Config,
        78,
        "config",
        "the node's own files are unsafe or damaged",
    ),
];

impl Exit {
    /// The exit code.
    pub(super) fn code(self) -> u8 {
        self.row().1
    }

    /// The name of this kind of error in JSON.
    pub(super) fn kind(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Self, u8, &'static str, &'static str) {
        let mut rows = TABLE.iter();
        rows.find(|row| row.0 == self)
            .expect("the table has a row for each, as a test makes sure")
    }
}

/// The table for `--help`.
pub(super) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (_, code, _, meaning) in TABLE {
        text.push_str(&format!("  {code:>3}  {meaning}\n"));
    }
    text.push_str("  130  interrupted a second time (143: by SIGTERM)");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_and_the_header_lists_them() {
        let header = include_str!("exit.rs").split("\n\n").next().unwrap();
        for (exit, code, kind, _) in TABLE {
            assert_eq!((exit.code(), exit.kind()), (*code, *kind));
            assert!(
                header.contains(&format!("//! | {code} | {kind} |")),
                "{kind}"
            );
        }
        let mut codes: Vec<u8> = TABLE.iter().map(|row| row.1).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 13, 65, 78]);
    }

    #[test]
    fn help_fits_a_terminal() {
        assert!(help().lines().all(|line| line.len() < 72));
        assert!(help().contains("\n   65  not a manifest"));
    }
}
