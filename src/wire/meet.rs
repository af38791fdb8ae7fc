//! What two nodes say to each other through a SwarmMaster, so that both open their routers at once.
//!
//! ```text
//!   one                    SwarmMaster                    other
//!    |-- Meet{invitation} ------>|-- Invite{invitation} ---->|
//!    |                           |<-- Accepted{acceptance} --|
//!    |<-- Go{acceptance, wait} --|-- Start{nonce, wait} ---->|
//!    |<===== punches, and the dial of the side with the harder router =====>|
//! ```
//!
//! Both papers are signed by the nodes themselves: a master can withhold them, and change nothing. An
//! invitation names whom it is for, counts once (its nonce) and for half a minute; an acceptance answers one
//! invitation. Each begins with a domain tag of its own.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::halves::{halves, whole};
use super::index::Nonce;
use crate::digest::{Address, Digest};

/// How a node's router gives out outside ports, as far as two views of it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mapping {
    /// None does, or it lets everybody in: the node has the address that others see.
    Open,
    /// The same one whoever is spoken to (RFC 4787 section 4.1, endpoint-independent).
    Steady,
    /// Not known yet.
    Unknown,
    /// Another one for each that is spoken to (address- and port-dependent, "symmetric").
    Varying,
}

/// "I would like to meet you": signed, for one node, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Where its sender may be reached: first where the master sees it, then what it knows itself. At most
    /// [`MEET_CANDIDATES_MAX`](crate::limits::MEET_CANDIDATES_MAX).
    pub at: Vec<SocketAddr>,
    /// How its router behaves.
    pub mapping: Mapping,
    /// Which attempt this is, from 0: odd ones swap who dials.
    pub attempt: u8,
    /// Whom it is for.
    pub to: Address,
    /// Drawn for this invitation.
    pub nonce: Nonce,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
    /// Who says it.
    pub public_key: [u8; 32],
    /// Its ed25519 signature (RFC 8032), in halves.
    pub signature: [[u8; 32]; 2],
}

/// "So would I": signed, for one invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// As in an [`Invitation`].
    pub at: Vec<SocketAddr>,
    /// How its sender's router behaves.
    pub mapping: Mapping,
    /// The invitation that it answers, by [`Invitation::id`].
    pub answers: Digest,
    /// Who says it.
    pub public_key: [u8; 32],
    /// Its ed25519 signature, in halves.
    pub signature: [[u8; 32]; 2],
}

/// Why two nodes do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unmet {
    /// Whom it is for has no connection to this master, or has not enlisted on it.
    NotHere,
    /// It does not begin with where the master sees its sender, or is of somebody else.
    NotYou,
    /// It is too old, or was signed by a clock that is far from the reader's.
    Expired,
    /// Whom it is for would rather not, or did not answer.
    Declined,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHere => "NOT_HERE: it is not connected to this master",
            Self::NotYou => "NOT_YOU: not from where the invitation says",
            Self::Expired => "EXPIRED: the invitation is too old, or one of the clocks is wrong",
            Self::Declined => "DECLINED: it would rather not, or did not answer",
        })
    }
}

impl Invitation {
    /// The bytes that are signed: everything but the signature, after a tag of their own.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"swarmhold/invitation/v1\0".to_vec();
        push_places(&mut bytes, &self.at);
        bytes.push(code(self.mapping));
        bytes.push(self.attempt);
        bytes.extend_from_slice(self.to.digest().as_bytes());
        bytes.extend_from_slice(&self.nonce.0);
        bytes.extend_from_slice(&self.expires.to_le_bytes());
        bytes.extend_from_slice(&self.public_key);
        bytes
    }

    /// What an acceptance names it by.
    pub fn id(&self) -> Digest {
        Digest::of(&self.signed_bytes())
    }

    /// Who says that it is from it. Proven by the signature only.
    pub fn from(&self) -> Address {
        Address::new(Digest::of(&self.public_key))
    }

    /// Puts a signature in its place.
    pub fn signed(mut self, signature: [u8; 64]) -> Self {
        self.signature = halves(signature);
        self
    }

    /// The signature in one piece.
    pub fn signature_bytes(&self) -> [u8; 64] {
        whole(&self.signature)
    }
}

impl Acceptance {
    /// The bytes that are signed: everything but the signature, after a tag of their own.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"swarmhold/acceptance/v1\0".to_vec();
        push_places(&mut bytes, &self.at);
        bytes.push(code(self.mapping));
        bytes.extend_from_slice(self.answers.as_bytes());
        bytes.extend_from_slice(&self.public_key);
        bytes
    }

    /// Who says that it is from it. Proven by the signature only.
    pub fn from(&self) -> Address {
        Address::new(Digest::of(&self.public_key))
    }

    /// Puts a signature in its place.
    pub fn signed(mut self, signature: [u8; 64]) -> Self {
        self.signature = halves(signature);
        self
    }

    /// The signature in one piece.
    pub fn signature_bytes(&self) -> [u8; 64] {
        whole(&self.signature)
    }
}

/// Places as they are signed: how many, and of each sixteen bytes and a port, IPv4 as RFC 4291 section
/// 2.5.5.2 maps it.
fn push_places(bytes: &mut Vec<u8>, places: &[SocketAddr]) {
    bytes.extend_from_slice(&(places.len() as u64).to_le_bytes());
    for place in places {
        let ip = match place.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        // which of the two notations of one address stood there is signed too
        bytes.push(u8::from(place.is_ipv6()));
        bytes.extend_from_slice(&ip.octets());
        bytes.extend_from_slice(&place.port().to_le_bytes());
    }
}

const fn code(mapping: Mapping) -> u8 {
    match mapping {
        Mapping::Open => 0,
        Mapping::Steady => 1,
        Mapping::Unknown => 2,
        Mapping::Varying => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        Invitation {
            at: vec!["198.51.100.7:7922".parse().unwrap()],
            mapping: Mapping::Steady,
            attempt: 0,
            to: Address::new(Digest::of(b"to")),
            nonce: Nonce([1; 16]),
            expires: 1000,
            public_key: [2; 32],
            signature: [[0; 32]; 2],
        }
    }

    #[test]
    fn everything_in_an_invitation_is_signed() {
        let plain = invitation();
        let changes: [fn(&mut Invitation); 9] = [
            |it| it.at.clear(),
            |it| it.at[0].set_port(7923),
            |it| it.at[0] = "[::ffff:198.51.100.7]:7922".parse().unwrap(),
            |it| it.mapping = Mapping::Varying,
            |it| it.attempt = 1,
            |it| it.to = Address::new(Digest::of(b"other")),
            |it| it.nonce = Nonce([2; 16]),
            |it| it.expires = 1001,
            |it| it.public_key = [3; 32],
        ];
        for change in changes {
            let mut changed = plain.clone();
            change(&mut changed);
            assert_ne!(changed.signed_bytes(), plain.signed_bytes());
            assert_ne!(changed.id(), plain.id());
        }
        let signature: [u8; 64] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(plain.clone().signed(signature).id(), plain.id());
        assert_eq!(plain.signed(signature).signature_bytes(), signature);
    }

    #[test]
    fn everything_in_an_acceptance_is_signed() {
        let plain = Acceptance {
            at: invitation().at,
            mapping: Mapping::Open,
            answers: invitation().id(),
            public_key: [2; 32],
            signature: [[0; 32]; 2],
        };
        let changes: [fn(&mut Acceptance); 4] = [
            |it| it.at.push(it.at[0]),
            |it| it.mapping = Mapping::Unknown,
            |it| it.answers = Digest::of(b"another"),
            |it| it.public_key = [3; 32],
        ];
        for change in changes {
            let mut changed = plain.clone();
            change(&mut changed);
            assert_ne!(changed.signed_bytes(), plain.signed_bytes());
        }
        assert_ne!(plain.signed_bytes(), invitation().signed_bytes());
    }
}
