//! Making manifests: from what a publisher knows to a valid, signed [`Manifest`].
//!
//! The key stays with its owner: signing is a function that is handed the exact bytes, which
//! `seal.rs` draws (`content.rs` draws those of the manifest id in it). What comes out has passed
//! every check that a stranger's manifest must pass, the signature included.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::content::Content;
use super::error::ManifestError;
use super::layout::Layout;
use super::seal::{Contact, Seal, signed_bytes};
use super::{Manifest, hint, name};
use crate::digest::{Address, Digest, ProgramId};
use crate::limits::MANIFEST_PEERS_MAX;

/// What a publisher says about a container.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What to call it, such as its file name. What must not be shown is replaced by `_`, and only
    /// the first [`NAME_CHARS_MAX`](crate::limits::NAME_CHARS_MAX) characters are kept.
    pub name: String,
    /// How it is cut.
    pub layout: Layout,
    /// SHA-256 of all of it.
    pub program_id: ProgramId,
    /// SHA-256 of each chunk, in order.
    pub chunk_hashes: Vec<Digest>,
    /// Where the publisher can be reached.
    pub reach: Option<SocketAddr>,
    /// When this is, in seconds since 1970.
    pub time: u64,
    /// Who else may have it. Addresses that a manifest may not make anyone dial are left out.
    pub peers: Vec<SocketAddr>,
}

impl Draft {
    /// A manifest owned and signed by this ed25519 key. `sign` gets the bytes to be signed.
    ///
    /// Fails if the parts do not fit each other or the signature is not by that key over them.
    pub fn sign(
        self,
        public_key: [u8; 32],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Manifest, ManifestError> {
        let time = self.time;
        let unsigned = self.unsigned(Address::new(Digest::of(&public_key)))?;
        let contact = Contact {
            port: Some(unsigned.contact.port.unwrap_or(0)),
            ..unsigned.contact
        };
        let seal = Seal {
            time,
            public_key,
            signature: sign(&signed_bytes(unsigned.id, time, contact)),
        };
        seal.check(unsigned.id, contact, unsigned.content.address)?;
        Ok(Manifest {
            contact,
            seal: Some(seal),
            ..unsigned
        })
    }

    /// A manifest that says who owns the container, without proof. The time is not part of it.
    ///
    /// Fails if the parts do not fit each other.
    pub fn unsigned(self, address: Address) -> Result<Manifest, ManifestError> {
        if self.peers.len() > MANIFEST_PEERS_MAX {
            return Err(ManifestError::TooManyPeers(self.peers.len()));
        }
        let reach = self.reach.map(hint::canonical);
        let contact = Contact {
            ip: reach.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
            port: reach.map(|address| address.port()),
        };
        let content = Content {
            name: name::sanitise(&self.name),
            program_id: self.program_id,
            layout: self.layout,
            chunk_hashes: self.chunk_hashes,
            address,
        };
        let manifest = Manifest::new(content, contact, None)?;
        Ok(self.peers.into_iter().fold(manifest, Manifest::with_peer))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::manifest::SignatureState;

    fn draft() -> Draft {
        Draft {
            name: "a\0b".into(),
            layout: Layout::for_size(1).unwrap(),
            program_id: ProgramId::new(Digest::of(b"x")),
            chunk_hashes: vec![Digest::of(b"x")],
            reach: Some("[::ffff:198.51.100.7]:7922".parse().unwrap()),
            time: 1_790_000_000,
            peers: vec![],
        }
    }

    #[test]
    fn what_is_signed_says_who_when_and_where() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public_key = key.verifying_key().to_bytes();
        let manifest = draft()
            .sign(public_key, |bytes| key.sign(bytes).to_bytes())
            .unwrap();
        let time = 1_790_000_000;
        assert_eq!(manifest.signature(), SignatureState::Signed { time });
        assert_eq!(manifest.address(), Address::new(Digest::of(&public_key)));
        assert_eq!(manifest.reach(), "198.51.100.7:7922".parse().ok());
        assert_eq!(manifest.name(), "a_b");
        assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
    }

    #[test]
    fn a_publisher_that_cannot_be_reached_signs_that() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let draft = Draft {
            reach: None,
            ..draft()
        };
        let manifest = draft
            .sign(key.verifying_key().to_bytes(), |bytes| {
                key.sign(bytes).to_bytes()
            })
            .unwrap();
        assert_eq!(manifest.reach(), None);
        assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
    }

    #[test]
    fn what_would_not_be_accepted_is_not_made() {
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
        let other = SigningKey::from_bytes(&[8; 32]);
        let sign = |draft: Draft| {
            draft
                .sign(key, |bytes| other.sign(bytes).to_bytes())
                .unwrap_err()
        };
        assert_eq!(sign(draft()), ManifestError::WrongSignature);
        let with = |change: fn(&mut Draft)| {
            let mut changed = draft();
            change(&mut changed);
            sign(changed).to_string()
        };
        assert_eq!(
            with(|draft| draft.chunk_hashes.clear()),
            "E-COUNT: 0 hashes for 1 B, expected 1"
        );
        assert_eq!(
            with(|draft| draft.time = u64::MAX),
            "E-NUM: /_time must be an integer 0..253402300799"
        );
        assert_eq!(
            with(|draft| draft.peers = vec!["198.51.100.7:7922".parse().unwrap(); 201]),
            "E-PEERS: 201 > limit 200"
        );
    }
}
