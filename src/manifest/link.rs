//! Share links: what one person hands another to get a container.
//!
//! ```text
//! swarmhold:<program id>?m=<manifest id>&a=<address>&n=<name>&p=<ip:port>...&s=<SwarmMaster>...
//! ```
//!
//! Only the program id is required. `m`, `a` and `n` stand at most once, `p` and `s` up to
//! [`LINK_PEERS_MAX`] times each. A name is percent-encoded (RFC 3986 section 2.1); nothing else
//! needs to be. What the link's maker knew is as good as the way the link came: with a manifest id
//! everything can be verified, with an address the owner's signature.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::error::excerpt;
use super::name::{self, NameError};
use super::{Manifest, hint, percent};
use crate::digest::{Address, DigestError, ManifestId, ProgramId};
use crate::limits::{LINK_BYTES_MAX, LINK_PEERS_MAX, MASTER_BYTES_MAX};

/// How every link starts.
const SCHEME: &str = "swarmhold:";

/// A share link. `FromStr` gives only links that `Display` writes back with the same meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 of the whole container.
    pub program_id: ProgramId,
    /// The manifest, and so the swarm.
    pub manifest_id: Option<ManifestId>,
    /// The owner.
    pub address: Option<Address>,
    /// What the owner calls it, for display only.
    pub name: Option<String>,
    /// Who has it, at most [`LINK_PEERS_MAX`]. Loopback and private addresses are allowed: a link is
    /// given by its user, not by a stranger.
    pub peers: Vec<SocketAddr>,
    /// SwarmMasters to ask, each `host:port`, at most [`LINK_PEERS_MAX`].
    pub masters: Vec<String>,
}

/// Why a text is not a share link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is longer than [`LINK_BYTES_MAX`].
    #[error("E-LINK: {0} B > limit {LINK_BYTES_MAX} B")]
    TooLong(usize),
    /// It starts otherwise.
    #[error("E-LINK: must start with \"{SCHEME}\", got {0:?}")]
    Scheme(String),
    /// A program id, manifest id or address is not written as one.
    #[error("E-LINK: {what} {why}")]
    Digest {
        /// Which of them.
        what: &'static str,
        /// What is wrong with it.
        why: DigestError,
    },
    /// A parameter has no `=`.
    #[error("E-LINK: parameter {0:?} must be key=value")]
    NoValue(String),
    /// A parameter's key is not one of those that there are.
    #[error("E-LINK: unknown parameter {0:?}")]
    Unknown(String),
    /// A parameter that may stand once stands again.
    #[error("E-LINK: parameter {0:?} appears twice")]
    Repeated(&'static str),
    /// A parameter stands more than [`LINK_PEERS_MAX`] times.
    #[error("E-LINK: parameter {0:?} appears more than {LINK_PEERS_MAX} times")]
    TooMany(&'static str),
    /// The name is not percent-encoded UTF-8, or has a character that should be encoded.
    #[error("E-LINK: name is not percent-encoded UTF-8: {0:?}")]
    Encoding(String),
    /// The name is not fit to be shown.
    #[error("E-LINK: {0}")]
    Name(NameError),
    /// A peer is not the address of one host and a port, in its shortest form.
    #[error("E-LINK: p must be ip:port or [ipv6]:port, got {0:?}")]
    Peer(String),
    /// A SwarmMaster is not a host and a port.
    #[error("E-LINK: s must be host:port, got {0:?}")]
    Master(String),
}

impl Link {
    /// The link to a manifest's container, with the first [`LINK_PEERS_MAX`] of these peers.
    pub fn of(manifest: &Manifest, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let peers = peers.into_iter().map(hint::canonical);
        Self {
            program_id: manifest.program_id(),
            manifest_id: Some(manifest.id()),
            address: Some(manifest.address()),
            name: Some(manifest.name().to_owned()),
            peers: peers.filter(is_one_host).take(LINK_PEERS_MAX).collect(),
            masters: vec![],
        }
    }

    /// Takes in one parameter.
    fn add(&mut self, key: &str, value: &str) -> Result<(), LinkError> {
        match key {
            "m" => once("m", &mut self.manifest_id, digest("m", value)?),
            "a" => once("a", &mut self.address, digest("a", value)?),
            "n" => once("n", &mut self.name, shown(value)?),
            "p" => many("p", &mut self.peers, peer(value)?),
            "s" => many("s", &mut self.masters, master(value)?),
            _ => Err(LinkError::Unknown(excerpt(key))),
        }
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        if text.len() > LINK_BYTES_MAX {
            return Err(LinkError::TooLong(text.len()));
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(LinkError::Scheme(excerpt(text)));
        };
        let (program_id, parameters) = match rest.split_once('?') {
            Some((program_id, parameters)) => (program_id, Some(parameters)),
            None => (rest, None),
        };
        let mut link = Self {
            program_id: digest("program id", program_id)?,
            manifest_id: None,
            address: None,
            name: None,
            peers: vec![],
            masters: vec![],
        };
        for parameter in parameters.into_iter().flat_map(|all| all.split('&')) {
            let (key, value) = parameter
                .split_once('=')
                .ok_or_else(|| LinkError::NoValue(excerpt(parameter)))?;
            link.add(key, value)?;
        }
        Ok(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program_id,
            manifest_id,
            address,
            name,
            peers,
            masters,
        } = self;
        let single = [
            manifest_id.map(|id| format!("m={id}")),
            address.map(|address| format!("a={address}")),
            name.as_ref()
                .map(|name| format!("n={}", percent::encode(name))),
        ];
        let peers = peers.iter().map(|peer| format!("p={peer}"));
        let masters = masters.iter().map(|master| format!("s={master}"));
        let parameters: Vec<String> = single
            .into_iter()
            .flatten()
            .chain(peers)
            .chain(masters)
            .collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        write!(f, "{SCHEME}{program_id}{mark}{}", parameters.join("&"))
    }
}

/// Puts a value where there must be none yet.
fn once<T>(key: &'static str, place: &mut Option<T>, value: T) -> Result<(), LinkError> {
    match place.replace(value) {
        Some(_) => Err(LinkError::Repeated(key)),
        None => Ok(()),
    }
}

/// Puts a value with its likes, while there is room.
fn many<T>(key: &'static str, place: &mut Vec<T>, value: T) -> Result<(), LinkError> {
    if place.len() == LINK_PEERS_MAX {
        return Err(LinkError::TooMany(key));
    }
    place.push(value);
    Ok(())
}

/// Reads a name that is made of a digest.
fn digest<T: FromStr<Err = DigestError>>(what: &'static str, text: &str) -> Result<T, LinkError> {
    text.parse().map_err(|why| LinkError::Digest { what, why })
}

/// Reads a peer's address, of which there is one text.
fn peer(text: &str) -> Result<SocketAddr, LinkError> {
    let address: Option<SocketAddr> = text.parse().ok();
    address
        .filter(|address| hint::canonical(*address).to_string() == text)
        .filter(is_one_host)
        .ok_or_else(|| LinkError::Peer(excerpt(text)))
}

/// Whether an address names one host and a port at all. Whether to dial it is for others to say.
fn is_one_host(address: &SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Reads a SwarmMaster: a host name, an IPv4 address or an IPv6 one in brackets, and a port; before it
/// may stand its wallet address and `@`.
fn master(text: &str) -> Result<String, LinkError> {
    let is_host = |host: &str| {
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match bracketed {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'.';
                !host.is_empty() && host.bytes().all(letter)
            }
        }
    };
    let is_port = |port: &str| {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        digits && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    let place = match text.split_once('@') {
        Some((address, place)) if address.parse::<Address>().is_ok() => place,
        Some(_) | None => text,
    };
    match place.rsplit_once(':') {
        Some((host, port)) if text.len() <= MASTER_BYTES_MAX && is_host(host) && is_port(port) => {
            Ok(text.to_owned())
        }
        _ => Err(LinkError::Master(excerpt(text))),
    }
}

/// Reads a display name.
fn shown(text: &str) -> Result<String, LinkError> {
    let name = percent::decode(text).ok_or_else(|| LinkError::Encoding(excerpt(text)))?;
    name::check(&name).map_err(LinkError::Name)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    /// A program id, in text.
    fn id() -> String {
        Digest::of(b"container").to_string()
    }

    #[test]
    fn a_full_link_says_all_of_it() {
        let digest = Digest::of(b"x");
        let text = format!(
            "swarmhold:{}?m={digest}&a={digest}&n=a%20%26%20%C3%A9~&p=127.0.0.1:7922&p=[::1]:7922\
             &s=master.example:7923&s=[2001:db8::1]:7923",
            id()
        );
        let link = Link {
            program_id: ProgramId::new(Digest::of(b"container")),
            manifest_id: Some(ManifestId::new(digest)),
            address: Some(Address::new(digest)),
            name: Some("a & é~".into()),
            peers: vec![
                "127.0.0.1:7922".parse().unwrap(),
                "[::1]:7922".parse().unwrap(),
            ],
            masters: vec!["master.example:7923".into(), "[2001:db8::1]:7923".into()],
        };
        assert_eq!(text.parse(), Ok(link.clone()));
        assert_eq!(link.to_string(), text);
        let bare = format!("swarmhold:{}", id());
        assert_eq!(bare.parse::<Link>().unwrap().to_string(), bare);
    }

    /// What is wrong with a link that has these parameters.
    fn error(parameters: &str) -> String {
        let link = format!("swarmhold:{}?{parameters}", id());
        link.parse::<Link>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_link_says_why() {
        for (link, error) in [
            ("", r#"must start with "swarmhold:", got """#),
            (
                "magnet:?x",
                r#"must start with "swarmhold:", got "magnet:?x""#,
            ),
            ("swarmhold:", "program id must be 64 lowercase hex, got 0"),
            (
                "swarmhold://x",
                "program id must be 64 lowercase hex, got 3",
            ),
        ] {
            let found = link.parse::<Link>().unwrap_err().to_string();
            assert_eq!(found, format!("E-LINK: {error}"));
        }
    }

    #[test]
    fn parameters_are_known_bounded_and_not_repeated() {
        let long = format!("n={}", "x".repeat(5000));
        let peers = ["p=198.51.100.7:7922"; 33].join("&");
        let twice = format!("m={0}&m={0}", id());
        for (parameters, message) in [
            ("", r#"parameter "" must be key=value"#),
            ("m", r#"parameter "m" must be key=value"#),
            ("exec=1", r#"unknown parameter "exec""#),
            ("=1", r#"unknown parameter """#),
            (&twice, r#"parameter "m" appears twice"#),
            ("n=a&n=a", r#"parameter "n" appears twice"#),
            (&peers, r#"parameter "p" appears more than 32 times"#),
            (&long, "5077 B > limit 4096 B"),
        ] {
            assert_eq!(error(parameters), format!("E-LINK: {message}"));
        }
    }

    #[test]
    fn digests_and_names_are_what_they_must_be() {
        for (parameter, message) in [
            ("m=12", "m must be 64 lowercase hex, got 2"),
            ("a=", "a must be 64 lowercase hex, got 0"),
            ("n=", "name is empty"),
            ("n=a b", r#"name is not percent-encoded UTF-8: "a b""#),
            ("n=%ff", r#"name is not percent-encoded UTF-8: "%ff""#),
            ("n=%1b", "name has control character U+001B at character 0"),
        ] {
            assert_eq!(error(parameter), format!("E-LINK: {message}"));
        }
    }

    #[test]
    fn peers_are_addresses_and_masters_hosts() {
        for peer in [
            "host:7922",
            "1.2.3.4",
            "1.2.3.4:0",
            "1.2.3.4:65536",
            "1.2.3.4:07922",
            "0.0.0.0:7922",
            "224.0.0.1:7922",
            "255.255.255.255:1",
            "::1:7922",
            "[::ffff:1.2.3.4]:7922",
            "[fe80::1%3]:7922",
        ] {
            let message = format!("E-LINK: p must be ip:port or [ipv6]:port, got {peer:?}");
            assert_eq!(error(&format!("p={peer}")), message);
        }
        for master in [
            "a",
            "a/b:1",
            "a:+1",
            "a:0",
            "a:65536",
            ":1",
            "[1.2.3.4]:1",
            "[x]:1",
        ] {
            let message = format!("E-LINK: s must be host:port, got {master:?}");
            assert_eq!(error(&format!("s={master}")), message);
        }
    }
}
