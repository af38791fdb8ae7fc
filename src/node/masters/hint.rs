//! What people name a SwarmMaster by.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Address, DigestError};
use crate::node::MASTER_PORT;

/// Where a SwarmMaster is, and who it must be if that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MasterHint {
    /// Its wallet address; any other identity is refused.
    pub expected: Option<Address>,
    /// A host name, or an IP address.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
}

/// Why a text names no SwarmMaster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterHintError {
    /// It is not a host and perhaps a port.
    #[error("{0:?} is not HOST or HOST:PORT, as in master.example:7923 or [2001:db8::7]:7923")]
    Place(String),
    /// The part before `@` is not a wallet address.
    #[error("the wallet address before @ {0}")]
    Expected(#[from] DigestError),
}

impl FromStr for MasterHint {
    type Err = MasterHintError;

    /// Reads `[ADDRESS@]HOST[:PORT]`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, MasterHintError> {
        let (expected, place) = match text.split_once('@') {
            Some((address, place)) => (Some(address.parse()?), place),
            None => (None, text),
        };
        let wrong = || MasterHintError::Place(place.to_owned());
        let (host, port) = match place.rsplit_once(':') {
            // what is in brackets has colons of its own
            Some((_, after)) if after.ends_with(']') => (place, None),
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(wrong)?,
            None => MASTER_PORT,
        };
        let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let is_host = match bracketed {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                !host.is_empty() && host.len() <= 253 && host.chars().all(plain)
            }
        };
        let host = is_host.then(|| host.to_owned()).ok_or_else(wrong)?;
        Ok(Self {
            expected,
            host,
            port,
        })
    }
}

impl fmt::Display for MasterHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.expected {
            write!(f, "{address}@")?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_master_is_a_host_and_perhaps_a_port_and_an_address() {
        let address = Address::new(Digest::of(b"master"));
        for (text, shown) in [
            ("master.example", "master.example:7923"),
            ("master.example:99", "master.example:99"),
            ("198.51.100.7", "198.51.100.7:7923"),
            ("[2001:db8::7]", "[2001:db8::7]:7923"),
            ("[2001:db8::7]:99", "[2001:db8::7]:99"),
        ] {
            let hint: MasterHint = text.parse().unwrap();
            assert_eq!(hint.to_string(), shown);
            let known: MasterHint = format!("{address}@{text}").parse().unwrap();
            assert_eq!(known.to_string(), format!("{address}@{shown}"));
            assert_eq!(known.expected, Some(address));
        }
        for text in [
            "",
            ":7923",
            "host:",
            "host:0",
            "host:99999",
            "a b:1",
            "2001:db8::7",
            "[x]:1",
            "http://h:1",
        ] {
            let refused = text.parse::<MasterHint>();
            assert_eq!(refused, Err(MasterHintError::Place(text.to_owned())));
        }
        assert!(matches!(
            "x@h:1".parse::<MasterHint>(),
            Err(MasterHintError::Expected(_))
        ));
    }
}
