//! The grammar of what concerns one's own: `id` and `create`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::node::Recipient;

/// `swarmhold id`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Id {
    #[command(subcommand)]
    pub(in crate::cli) action: Option<IdAction>,
}

/// What to do with the identity.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IdAction {
    /// Print the 24 words from which the identity can be restored
    #[command(long_about = "\
Print the 24 words (BIP-39) from which the identity can be restored, on stdout. Whoever reads them \
has the identity.")]
    Backup,
    /// Restore the identity from its 24 words, read from stdin
    #[command(long_about = "\
Restore the identity from its 24 words (BIP-39). They are read from stdin, never from the command \
line, where other users could see them. An identity that exists is not replaced.")]
    Restore,
    /// Print the key that reads what was encrypted to this node
    #[command(long_about = "\
Print the key that reads what was encrypted to this node, as `age -d -i` takes it. Whoever has it can \
read all of that, but is not this node: it signs nothing.")]
    AgeKey,
}

/// `swarmhold create`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The container: any file that is not empty, up to 64 GiB
    #[arg(value_name = "PATH")]
    pub(in crate::cli) path: PathBuf,
    /// Where to write the manifest [default: PATH.deluge]
    #[arg(
        short,
        long,
        value_name = "FILE.deluge",
        env = "SWARMHOLD_OUTPUT",
        hide_env_values = true
    )]
    pub(in crate::cli) output: Option<PathBuf>,
    /// What people are shown, up to 64 characters [default: the file's name]
    #[arg(
        long,
        value_name = "NAME",
        env = "SWARMHOLD_NAME",
        hide_env_values = true
    )]
    pub(in crate::cli) name: Option<String>,
    /// Encrypt the container to somebody: age1... as `swarmhold id` prints it. May be repeated
    #[arg(
        long,
        value_name = "RECIPIENT",
        value_delimiter = ',',
        env = "SWARMHOLD_ENCRYPT_TO",
        hide_env_values = true
    )]
    pub(in crate::cli) encrypt_to: Vec<Recipient>,
}
