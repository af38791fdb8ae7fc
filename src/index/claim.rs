//! Whether a registration is good: for this master, for this connection, new, in time, and signed by
//! whom the connection belongs to.
//!
//! The nonce is drawn for each connection and the sequence only rises, so a registration is good once
//! and on one connection only; that makes a replay worthless without anything having to be remembered
//! when a connection ends.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::{Address, Digest};
use crate::wire::{Nonce, Registration, Rejection};

/// For how long a registration may hold, in seconds: half an hour, after which a node that is gone
/// without a word would be forgotten even if nothing else noticed.
pub const TTL_MAX_S: u32 = 30 * 60;
/// The shortest time that is worth the work, in seconds.
const TTL_MIN_S: u32 = 30;

/// What one connection has to sign, and how far it has come.
#[derive(Debug, Clone)]
pub struct Challenge {
    nonce: Nonce,
    last: u64,
}

impl Challenge {
    /// For a new connection, with sixteen random bytes.
    pub const fn new(nonce: [u8; 16]) -> Self {
        Self {
            nonce: Nonce(nonce),
            last: 0,
        }
    }

    /// What the node is told to sign.
    pub const fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Takes a registration for this master, but for its signature, which costs more. One that is
    /// refused for its nonce or audience leaves nothing behind.
    pub fn accept(
        &mut self,
        registration: &Registration,
        audience: Address,
    ) -> Result<(), Rejection> {
        if registration.audience != audience {
            return Err(Rejection::Audience);
        }
        if registration.nonce != self.nonce || registration.sequence <= self.last {
            return Err(Rejection::Nonce);
        }
        granted_ttl(registration.ttl_s)?;
        self.last = registration.sequence;
        Ok(())
    }
}

/// For how long a registration holds that asks for so many seconds.
pub const fn granted_ttl(asked_s: u32) -> Result<u32, Rejection> {
    match asked_s {
        TTL_MIN_S..=TTL_MAX_S => Ok(asked_s),
        _ => Err(Rejection::Ttl),
    }
}

/// Whether a registration is signed by the wallet of this address.
pub fn is_signed(registration: &Registration, who: Address) -> Result<(), Rejection> {
    if Address::new(Digest::of(&registration.public_key)) != who {
        return Err(Rejection::Signature);
    }
    let key = VerifyingKey::from_bytes(&registration.public_key);
    let key = key.map_err(|_| Rejection::Signature)?;
    let signature = Signature::from_bytes(&registration.signature_bytes());
    key.verify_strict(&registration.signed_bytes(), &signature)
        .map_err(|_| Rejection::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::ManifestId;
    use crate::identity::Wallet;
    use crate::wire::Holding;

    fn master() -> Address {
        Address::new(Digest::of(b"master"))
    }

    fn registration(wallet: &Wallet, nonce: Nonce, sequence: u64) -> Registration {
        let plain = Registration {
            id: ManifestId::new(Digest::of(b"container")),
            held: Holding { chunks: 1, map: 1 },
            ttl_s: 600,
            audience: master(),
            nonce,
            sequence,
            public_key: wallet.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = wallet.sign(&plain.signed_bytes());
        plain.signed(signature)
    }

    #[test]
    fn a_registration_is_good_once_and_on_its_connection_only() {
        let wallet = Wallet::from_seed([1; 32]);
        let (mut here, mut there) = (Challenge::new([1; 16]), Challenge::new([2; 16]));
        let first = registration(&wallet, here.nonce(), 5);
        assert_eq!(here.accept(&first, master()), Ok(()));
        assert_eq!(is_signed(&first, wallet.address()), Ok(()));
        assert_eq!(here.accept(&first, master()), Err(Rejection::Nonce));
        assert_eq!(there.accept(&first, master()), Err(Rejection::Nonce));
        let older = registration(&wallet, here.nonce(), 4);
        assert_eq!(here.accept(&older, master()), Err(Rejection::Nonce));
        let next = registration(&wallet, here.nonce(), 6);
        assert_eq!(here.accept(&next, master()), Ok(()));
    }

    #[test]
    fn a_registration_for_another_master_is_refused_and_leaves_nothing_behind() {
        let wallet = Wallet::from_seed([1; 32]);
        let mut challenge = Challenge::new([1; 16]);
        let good = registration(&wallet, challenge.nonce(), 1);
        let other = Address::new(Digest::of(b"other"));
        assert_eq!(challenge.accept(&good, other), Err(Rejection::Audience));
        assert_eq!(challenge.accept(&good, master()), Ok(()));
    }

    #[test]
    fn nobody_registers_for_somebody_else_or_with_a_changed_word() {
        let (alice, mallory) = (Wallet::from_seed([1; 32]), Wallet::from_seed([2; 32]));
        let nonce = Nonce([1; 16]);
        let of_alice = registration(&alice, nonce, 1);
        let refused = Err(Rejection::Signature);
        assert_eq!(is_signed(&of_alice, mallory.address()), refused);
        let mut forged = registration(&mallory, nonce, 1);
        forged.public_key = alice.public_key();
        assert_eq!(is_signed(&forged, alice.address()), refused);
        let mut changed = of_alice.clone();
        changed.held.chunks += 1;
        assert_eq!(is_signed(&changed, alice.address()), refused);
        let mut no_key = of_alice;
        no_key.public_key = [0xff; 32];
        let address = Address::new(Digest::of(&no_key.public_key));
        assert_eq!(is_signed(&no_key, address), refused);
    }

    #[test]
    fn a_manifests_signature_registers_nothing() {
        let wallet = Wallet::from_seed([1; 32]);
        let plain = registration(&wallet, Nonce([1; 16]), 1);
        for tag in [
            &b"swarmhold/manifest-sig/v1\0"[..],
            b"swarmhold/manifest/v1\0",
            b"",
        ] {
            let mut bytes = tag.to_vec();
            bytes.extend_from_slice(&plain.signed_bytes()[b"swarmhold/register/v1\0".len()..]);
            let replayed = plain.clone().signed(wallet.sign(&bytes));
            let outcome = is_signed(&replayed, wallet.address());
            assert_eq!(outcome, Err(Rejection::Signature));
        }
    }

    #[test]
    fn a_registration_holds_for_half_a_minute_to_half_an_hour() {
        for (asked, granted) in [
            (29, Err(Rejection::Ttl)),
            (30, Ok(30)),
            (1800, Ok(1800)),
            (1801, Err(Rejection::Ttl)),
            (u32::MAX, Err(Rejection::Ttl)),
            (0, Err(Rejection::Ttl)),
        ] {
            assert_eq!(granted_ttl(asked), granted, "{asked}");
        }
    }
}
