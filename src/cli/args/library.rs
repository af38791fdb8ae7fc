//! The grammar of the commands that look after what is kept: `list`, `resume`, `rm`, `pin`, `unpin`, `gc`,
//! `scrub`, `export`, `config`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::Network;
use crate::cli::units::{self, Size};

/// What to do with what is kept.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Library {
    /// Tell which containers are known here, and how much of each there is
    #[command(long_about = "\
Tell which containers are known here, the one that was used last first: its name, size, the first \
digits of its program id, how much of it is here, whether it is pinned, and when it was last used. \
`complete` and `partial` are in the node's own folder or on their way to a path of yours; `in place` \
is a file of yours that was shared or fetched there; `gone` was one; of `manifest` nothing but that is \
here.")]
    #[command(after_help = "\
Examples:
  swarmhold list
  swarmhold list --json")]
    List,
    /// Tell who gave and took chunks, how they were reached, and what would help
    #[command(long_about = "\
Tell who gave this node chunks and took chunks from it, of one container or of all, whoever was there \
last first: how they were reached the last time, where, how much they gave and took, and when they were \
last there. Where a SwarmMaster had to carry, stderr says why there was no direct way, and what would help. \
What runs just now writes that down once a minute, when somebody leaves, and at its end.")]
    #[command(after_help = "\
REF is a name, a manifest id or program id or the first six digits of one, a link, or a path.

Examples:
  swarmhold peers
  swarmhold peers app.tar --json")]
    Peers(Peers),
    /// Go on with downloads that were interrupted
    #[command(long_about = "\
Go on with what `get` left unfinished because it was stopped, killed, or found no peer: all of it, one \
after the other, or what is named. Each goes on as it was asked for: the same place, peers, order and \
limits. `swarmhold list` tells what there is; `rm` forgets one. Prints the path of each on a line of \
stdout.")]
    #[command(after_help = "\
REF is a name, the first six digits of a manifest id or program id, a link, or the path that it goes to.

Examples:
  swarmhold resume
  swarmhold resume app.tar")]
    Resume(Resume),
    /// Forget a container, and remove what the node itself keeps of it
    #[command(long_about = "\
Forget a container, and remove what the node itself keeps of it. A file of yours that was shared, or \
fetched with -o, stays where it is. What a share or get uses just now is not removed. Asks first, unless \
--yes is given. Prints the manifest id on stdout.")]
    #[command(after_help = "\
REF is a name, a manifest id or program id or the first six digits of one, a link, or a path.

Examples:
  swarmhold rm app.tar
  swarmhold rm --yes 3fd1c07b")]
    Rm(Remove),
    /// Keep a container from being collected
    #[command(long_about = "\
Keep a container from being collected when the quota needs room. Prints its manifest id on stdout.")]
    Pin(One),
    /// Let a container be collected again
    Unpin(One),
    /// Remove what the quota has no room for, the oldest use first
    #[command(long_about = "\
Remove containers from the node's own folder until it is within the quota, the one that was not used \
for longest first. What is pinned stays, and so does what a share or get uses just now. Prints the manifest ids of \
what went, one a line on stdout. A get that needs room does the same by itself.")]
    #[command(after_help = "\
Examples:
  swarmhold gc --dry-run                tell what would go
  swarmhold gc --quota 20G              down to 20 GiB, this time")]
    Gc(Gc),
    /// Read what is complete, and tell what has changed on the disk
    #[command(long_about = "\
Read containers that are complete, all of them or those that are named, and hold every chunk against \
the manifest. Prints a line for each on stdout, and ends with exit code 10 if one is not as it was. Chunks \
in the node's own folder are fetched again by the next get of that container; a file of yours is never \
written to. A node that runs does all this by itself once a week, slowly.")]
    #[command(after_help = "\
REF is as for rm.

Examples:
  swarmhold scrub
  swarmhold scrub app.tar --json")]
    Scrub(Scrub),
    /// Write what the vault holds, or decrypt what was encrypted to this node
    #[command(long_about = "\
Write a container that lies in the vault into a file, or decrypt one that was encrypted to this node; \
one that is both is decrypted. `get -o` does the second by itself; this is for what lies in the node's own \
folder, or anywhere. Prints the path alone on stdout.")]
    #[command(after_help = "\
REF is a name, a manifest id or program id or the first six digits of one, a link, or the path of an \
age file.

Examples:
  swarmhold export app.tar -o app.tar       from the vault
  swarmhold export app.tar.age -o app.tar")]
    Export(Export),
    /// Tell how the vault is opened, or change that
    #[command(long_about = "\
Tell how the vault is opened, or change that. A vault is made by the first get with --vault: for this \
identity, so that nothing is asked for, or with a passphrase where one is given in \
SWARMHOLD_VAULT_PASSPHRASE or --vault-passphrase-file. Its key stays the same when that is changed: nothing \
in it is encrypted anew, and whoever has both a copy of the old vault.key and what opened it keeps the key.")]
    #[command(after_help = "\
Examples:
  swarmhold vault
  swarmhold vault reseal --new-passphrase-file new.txt
  swarmhold vault reseal --identity")]
    Vault(Vault),
    /// Tell or change the settings
    #[command(long_about = "\
Tell or change the settings, which hold for all commands in this home. Options and SWARMHOLD_ \
variables win over them. Settings: quota (what the node's own folder may hold, as in 20G; none is no \
limit), vault (on: every get without -o keeps what it fetches encrypted, as with --vault).")]
    #[command(after_help = "\
Examples:
  swarmhold config list
  swarmhold config set quota 20G
  swarmhold config set quota none
  swarmhold config set vault on")]
    Config(Config),
}

/// What the node's own folder may hold.
#[derive(Debug, Args)]
pub(in crate::cli) struct Room {
    /// What the node's own folder may hold, as in 500M or 20G; 0 is no limit [default: the settings]
    #[arg(long, value_name = "SIZE", value_parser = units::size, env = "SWARMHOLD_QUOTA")]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) quota: Option<Size>,
}

impl Room {
    /// The most that the folder may hold, in bytes, if it is said.
    pub(in crate::cli) fn bytes(&self) -> Option<u64> {
        self.quota.map(|size| match size.0 {
            0 => u64::MAX,
            bytes => bytes,
        })
    }
}

/// `swarmhold pin` and `swarmhold unpin`.
#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// A name, the first digits of an id, a link, or a path
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: String,
}

/// `swarmhold resume`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// Which; all that nobody is at without any
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) network: Network,
}

/// `swarmhold peers`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Peers {
    /// The container whose peers are meant [default: all]
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: Option<String>,
}

/// `swarmhold rm`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// A name, the first digits of an id, a link, or a path
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: String,
    /// Do not ask
    #[arg(short, long, env = "SWARMHOLD_YES", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) yes: bool,
}

/// `swarmhold export`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// A name, the first digits of an id, a link, or a path
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: String,
    /// Where to put what it holds
    #[arg(
        short,
        long,
        value_name = "PATH",
        env = "SWARMHOLD_OUTPUT",
        hide_env_values = true
    )]
    pub(in crate::cli) output: PathBuf,
}

/// `swarmhold vault`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Vault {
    #[command(subcommand)]
    pub(in crate::cli) action: Option<VaultAction>,
}

/// What to do with the vault.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum VaultAction {
    /// Have something else open the vault from now on
    Reseal {
        /// Read the new passphrase from the first line of this file
        #[arg(long, value_name = "FILE", env = "SWARMHOLD_NEW_PASSPHRASE_FILE")]
        #[arg(hide_env_values = true, required_unless_present = "identity")]
        new_passphrase_file: Option<PathBuf>,
        /// This identity opens it, and no passphrase is asked for
        #[arg(
            long,
            conflicts_with = "new_passphrase_file",
            env = "SWARMHOLD_IDENTITY"
        )]
        #[arg(value_parser = FalseyValueParser::new(), hide_env_values = true)]
        identity: bool,
    },
}

/// `swarmhold gc`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Gc {
    /// Only tell what would go
    #[arg(long, env = "SWARMHOLD_DRY_RUN", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) room: Room,
}

/// `swarmhold scrub`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Scrub {
    /// Names, first digits of ids, links, or paths; all that is complete without any
    #[arg(value_name = "REF")]
    pub(in crate::cli) what: Vec<String>,
}

/// `swarmhold config`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Config {
    #[command(subcommand)]
    pub(in crate::cli) action: ConfigAction,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigAction {
    /// Tell all settings
    List,
    /// Tell one setting
    Get {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Change one setting
    Set {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is to be; `none` takes it back
        #[arg(value_name = "VALUE")]
        value: String,
    },
}
