//! The command line's grammar, and the texts of `--help`.

pub(super) mod index;
pub(super) mod library;
pub(super) mod network;
pub(super) mod own;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use self::network::{Network, Router};
use crate::node::{self, Address, DigestError, PeerHint};

use super::exit;
use super::units::{self, Rate};

const ABOUT: &str = "Distribute containers between machines, encrypted, every byte verified";

const LONG_ABOUT: &str = "\
Distribute containers between machines, encrypted, every byte verified.

A container is any file: an image archive, an OCI blob, a disk. `share` offers one under a link; \
whoever has the link gets it with `get`, from everybody who has parts of it, and passes on what has \
arrived. Results go to stdout, everything else to stderr.";

const EXAMPLES: &str = "\
Examples:
  swarmhold share app.tar               offer app.tar; prints the link for others
  swarmhold get 'swarmhold:...' -o .    get what the link names, into this folder
  swarmhold get app.tar.deluge --peer 198.51.100.7:7922
  swarmhold verify app.tar.deluge app.tar

Every option can be set by an environment variable, SWARMHOLD_ and its name; a passphrase for the
identity comes from SWARMHOLD_PASSPHRASE or --passphrase-file.";

/// Examples and exit codes, under the options.
fn after_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit::help())
}

/// A whole command line.
#[derive(Debug, Parser)]
#[command(name = "swarmhold", version, about = ABOUT, long_about = LONG_ABOUT)]
#[command(after_help = after_help(), max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// One folder for everything that this node keeps [default: swarmhold in the XDG data folder]
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "SWARMHOLD_HOME",
        hide_env_values = true
    )]
    pub(super) home: Option<PathBuf>,
    /// Read the identity's passphrase from the first line of this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SWARMHOLD_PASSPHRASE_FILE"
    )]
    #[arg(hide_env_values = true)]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Read the vault's passphrase from the first line of this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SWARMHOLD_VAULT_PASSPHRASE_FILE"
    )]
    #[arg(hide_env_values = true)]
    pub(super) vault_passphrase_file: Option<PathBuf>,
    /// Print JSON: one object, or one a line from share and get; errors too, on stderr
    #[arg(long, global = true, env = "SWARMHOLD_JSON", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(super) json: bool,
    /// Print results and errors only
    #[arg(
        short,
        long,
        global = true,
        env = "SWARMHOLD_QUIET",
        hide_env_values = true
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(super) quiet: bool,
    /// Tell more: -v what the node does, -vv every connection, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    #[arg(env = "SWARMHOLD_VERBOSE", hide_env_values = true)]
    pub(super) verbose: u8,
    /// What to log on stderr: error, warn, info, debug, trace, or a filter as in swarmhold=debug
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "SWARMHOLD_LOG",
        hide_env_values = true
    )]
    pub(super) log_level: Option<String>,
    /// Colour on stderr
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "SWARMHOLD_COLOR",
        hide_env_values = true
    )]
    #[arg(value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show this node's identity; it is made on first use
    #[command(long_about = "\
Show this node's identity: the address by which others know it, its public key, and the recipient to \
which others can encrypt containers. The identity is made on first use and kept in identity.key, for its owner's eyes only. With a passphrase, in \
SWARMHOLD_PASSPHRASE or --passphrase-file, it is sealed when it is made.")]
    #[command(after_help = "\
Examples:
  swarmhold id                          address and public key
  swarmhold -q id                       the address alone
  swarmhold id backup > words.txt       24 words from which the identity can be restored
  swarmhold id restore < words.txt")]
    Id(own::Id),
    /// Write the manifest of a container, and print its link
    #[command(long_about = "\
Hash a container, sign its manifest, and write it to PATH.deluge. Prints the link alone on stdout. \
The link of `create` names no address yet; `share` prints one that others can use. With --encrypt-to, \
the container is PATH encrypted, PATH.age: everybody can pass it on, the recipients alone can read it.")]
    #[command(after_help = "\
Examples:
  swarmhold create app.tar
  swarmhold create app.tar --name 'app 1.4, arm64' -o /srv/deluges/app.deluge
  swarmhold create app.tar --encrypt-to age1...")]
    Create(own::Create),
    /// Offer a container until Ctrl-C; prints the link for others
    #[command(long_about = "\
Offer a container where it lies, with no copy, until Ctrl-C. Prints the link alone on a line of \
stdout. PATH.deluge is used if it is this node's own and not older than the container, and made \
otherwise. PATH may also be a manifest, somebody else's too: then the container beside it is offered. \
With --all, everything complete that `list` knows is served as well, to who has its link or manifest; \
without a PATH, what others give to --peer is printed instead of a link.")]
    #[command(after_help = "\
Examples:
  swarmhold share app.tar
  swarmhold share app.tar --up 2M --listen 192.0.2.10:7922
  swarmhold share app.tar.deluge        help somebody else to distribute app.tar
  swarmhold share --all                 whatever is here, to whoever asks for it")]
    Share(Share),
    /// Get a container from everybody who has parts of it
    #[command(long_about = "\
Get a container from everybody who has parts of it, several at once. Every chunk is verified before \
it is stored, and the whole before it gets its name. Prints the path alone on stdout. Interrupted, \
the same command resumes, or `swarmhold resume`. What was encrypted to this node is decrypted to the path that -o names; the \
encrypted container stays beside it, with .age behind its name.")]
    #[command(after_help = "\
Examples:
  swarmhold get 'swarmhold:...'                into this node's own folder
  swarmhold get 'swarmhold:...' -o app.tar
  swarmhold get 'swarmhold:...' -o film.mkv --order sequential --down 4M
  swarmhold get app.tar --master master.example  by its name; asks where several are called like it
  swarmhold get app.tar.deluge -o . --peer '[2001:db8::7]:7922' --timeout 2m")]
    Get(Get),
    /// Tell what a manifest or a link says, and how much of it is proven
    #[command(long_about = "\
Tell what a manifest or a link says, who signed it, and what it lets you prove before the first byte \
arrives. Asks nobody.")]
    Info(Info),
    /// Hold a container against its manifest, chunk by chunk
    #[command(long_about = "\
Hash a container, each chunk and the whole, and compare with its manifest. Names the first chunks \
that differ. Exit code 0 if it is the container, 10 if not.")]
    Verify(Verify),
    /// Tell who is banned, for how long and what for; lift bans
    #[command(long_about = "\
Tell which wallet addresses this node refuses, for how much longer, and what for, one a line on \
stdout. An address is banned for a day after three bad chunks. With --lift, lift bans instead and \
print whose were lifted; a node that runs in the same home follows within seconds.")]
    #[command(after_help = "\
Examples:
  swarmhold bans
  swarmhold bans --lift all
  swarmhold bans --lift ADDRESS")]
    Bans(Bans),
    #[command(flatten)]
    Library(library::Library),
    #[command(flatten)]
    Index(index::Index),
}

/// `swarmhold share`.
#[derive(Debug, Args)]
pub(super) struct Share {
    /// The container, or its manifest beside it
    #[arg(value_name = "PATH", required_unless_present = "all")]
    pub(super) path: Option<PathBuf>,
    /// Serve everything complete that `swarmhold list` knows too, each when somebody asks for it
    #[arg(long, env = "SWARMHOLD_ALL", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) network: Network,
    /// Upload limit for all peers together, in bytes per second, as in 500K or 2M [default: none]
    #[arg(long, value_name = "RATE", value_parser = units::rate, env = "SWARMHOLD_UP")]
    #[arg(hide_env_values = true)]
    pub(super) up: Option<Rate>,
    #[command(flatten)]
    pub(super) router: Router,
}

/// `swarmhold get`.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// A link (quote it: it contains &), a manifest, or a name that a SwarmMaster knows
    #[arg(value_name = "LINK|FILE.deluge|NAME")]
    pub(super) what: OsString,
    /// Where to put it; in a folder it is named by its program id [default: the node's own folder]
    #[arg(
        short,
        long,
        value_name = "PATH",
        env = "SWARMHOLD_OUTPUT",
        hide_env_values = true
    )]
    pub(super) output: Option<PathBuf>,
    /// Another peer to ask; ADDRESS is the wallet address that it must prove. May be repeated
    #[arg(
        long,
        value_name = "[ADDRESS@]IP:PORT",
        value_delimiter = ',',
        env = "SWARMHOLD_PEER"
    )]
    #[arg(hide_env_values = true)]
    pub(super) peer: Vec<PeerHint>,
    /// Keep it encrypted, in this node's vault; `swarmhold export` reads it again
    #[arg(
        long,
        conflicts_with = "output",
        env = "SWARMHOLD_VAULT",
        hide_env_values = true
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(super) vault: bool,
    /// Which chunks to ask for first
    #[arg(
        long,
        value_name = "ORDER",
        env = "SWARMHOLD_ORDER",
        hide_env_values = true
    )]
    #[arg(value_enum, default_value_t = Order::Rarest)]
    pub(super) order: Order,
    /// Download limit in bytes per second, as in 500K or 2M [default: none]
    #[arg(long, value_name = "RATE", value_parser = units::rate, env = "SWARMHOLD_DOWN")]
    #[arg(hide_env_values = true)]
    pub(super) down: Option<Rate>,
    /// Upload limit for what is passed on meanwhile, as in 500K or 2M [default: none]
    #[arg(long, value_name = "RATE", value_parser = units::rate, env = "SWARMHOLD_UP")]
    #[arg(hide_env_values = true)]
    pub(super) up: Option<Rate>,
    #[command(flatten)]
    pub(super) room: library::Room,
    #[command(flatten)]
    pub(super) network: Network,
    /// How long to go on while no peer is of any use
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "30s")]
    #[arg(env = "SWARMHOLD_TIMEOUT", hide_env_values = true)]
    pub(super) timeout: Duration,
}

/// In which order to ask for chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Order {
    /// What the fewest peers have: best for everybody
    Rarest,
    /// From the first to the last: for reading along
    Sequential,
    /// A contiguous part from each peer: for disks that seek
    Sections,
}

impl From<Order> for node::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Rarest => Self::Rarest,
            Order::Sequential => Self::Sequential,
            Order::Sections => Self::Sections,
        }
    }
}

/// `swarmhold info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// A manifest, or a link (quote it: it contains &)
    #[arg(value_name = "FILE.deluge|LINK")]
    pub(super) what: OsString,
}

/// `swarmhold verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The manifest
    #[arg(value_name = "FILE.deluge")]
    pub(super) manifest: PathBuf,
    /// The file that should be its container
    #[arg(value_name = "CONTAINER")]
    pub(super) container: PathBuf,
}

/// `swarmhold bans`.
#[derive(Debug, Args)]
pub(super) struct Bans {
    /// Lift the ban of this wallet address, or of all
    #[arg(
        long,
        value_name = "ADDRESS|all",
        env = "SWARMHOLD_LIFT",
        hide_env_values = true
    )]
    pub(super) lift: Option<Whom>,
}

/// Whose bans are meant.
#[derive(Debug, Clone)]
pub(super) enum Whom {
    /// Everybody's.
    All,
    /// This one's.
    One(Address),
}

impl FromStr for Whom {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(Self::One)
    }
}
