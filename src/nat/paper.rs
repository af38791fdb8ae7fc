//! Whether an invitation or an acceptance is good: for us, signed by whom it says, and new.

use std::net::SocketAddr;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::Address;
use crate::wire::{Acceptance, Invitation, Unmet};

/// How long an invitation is good, in seconds.
pub const FRESH_S: u64 = 30;
/// By how much the clocks of two nodes may differ, in seconds. Those of machines that nobody looks after are
/// often off by minutes; what is used up is remembered for longer than that.
pub const SKEW_S: u64 = 5 * 60;

/// Whether an invitation is for this node, in time by its clock, and signed by whom it says. Answers who
/// that is.
pub fn check_invitation(
    invitation: &Invitation,
    own: Address,
    now_s: u64,
) -> Result<Address, Unmet> {
    let from = invitation.from();
    if invitation.to != own || from == own || invitation.at.is_empty() {
        return Err(Unmet::NotYou);
    }
    let oldest = now_s.saturating_sub(SKEW_S);
    let newest = now_s.saturating_add(FRESH_S + SKEW_S);
    if !(oldest..=newest).contains(&invitation.expires) {
        return Err(Unmet::Expired);
    }
    let (bytes, signature) = (invitation.signed_bytes(), invitation.signature_bytes());
    match is_signed(&invitation.public_key, &bytes, &signature) {
        true => Ok(from),
        false => Err(Unmet::NotYou),
    }
}

/// Whether an acceptance answers this invitation, and is signed by whom that was for. Answers where that node
/// is seen by the master.
pub fn check_acceptance(acceptance: &Acceptance, of: &Invitation) -> Result<SocketAddr, Unmet> {
    let first = acceptance.at.first().copied().ok_or(Unmet::NotYou)?;
    let (bytes, signature) = (acceptance.signed_bytes(), acceptance.signature_bytes());
    let is_answer = acceptance.from() == of.to && acceptance.answers == of.id();
    match is_answer && is_signed(&acceptance.public_key, &bytes, &signature) {
        true => Ok(first),
        false => Err(Unmet::NotYou),
    }
}

fn is_signed(public_key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public_key) else {
        return false;
    };
    key.verify_strict(bytes, &Signature::from_bytes(signature))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Wallet;
    use crate::wire::{Mapping, Nonce};

    const NOW: u64 = 1_000_000;

    fn wallets() -> [Wallet; 3] {
        [1, 2, 3].map(|byte| Wallet::from_seed([byte; 32]))
    }

    fn invitation(from: &Wallet, to: &Wallet) -> Invitation {
        let plain = Invitation {
            at: vec!["198.51.100.7:7922".parse().unwrap()],
            mapping: Mapping::Steady,
            attempt: 0,
            to: to.address(),
            nonce: Nonce([7; 16]),
            expires: NOW + FRESH_S,
            public_key: from.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = from.sign(&plain.signed_bytes());
        plain.signed(signature)
    }

    fn acceptance(from: &Wallet, of: &Invitation) -> Acceptance {
        let plain = Acceptance {
            at: vec!["198.51.100.8:7922".parse().unwrap()],
            mapping: Mapping::Varying,
            answers: of.id(),
            public_key: from.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = from.sign(&plain.signed_bytes());
        plain.signed(signature)
    }

    #[test]
    fn an_invitation_is_for_one_node_and_from_whom_it_says() {
        let [alice, bob, mallory] = wallets();
        let good = invitation(&alice, &bob);
        let own = bob.address();
        assert_eq!(check_invitation(&good, own, NOW), Ok(alice.address()));
        let refused = Err(Unmet::NotYou);
        assert_eq!(check_invitation(&good, mallory.address(), NOW), refused);
        let mut forged = invitation(&mallory, &bob);
        forged.public_key = alice.public_key();
        assert_eq!(check_invitation(&forged, own, NOW), refused);
        let mut moved = good.clone();
        moved.at[0] = "203.0.113.1:7922".parse().unwrap();
        assert_eq!(
            check_invitation(&moved, own, NOW),
            refused,
            "a master names a victim"
        );
        let mut nowhere = good.clone();
        nowhere.at.clear();
        assert_eq!(check_invitation(&nowhere, own, NOW), refused);
        assert_eq!(check_invitation(&invitation(&bob, &bob), own, NOW), refused);
        let mut no_key = good;
        no_key.public_key = [0xff; 32];
        assert_eq!(check_invitation(&no_key, own, NOW), refused);
    }

    #[test]
    fn an_invitation_is_good_for_half_a_minute_between_clocks_that_are_five_minutes_apart() {
        let [alice, bob, _] = wallets();
        let good = invitation(&alice, &bob);
        let check = |now| check_invitation(&good, bob.address(), now);
        let (ok, expired) = (Ok(alice.address()), Err(Unmet::Expired));
        assert_eq!(check(good.expires + SKEW_S), ok);
        assert_eq!(check(good.expires + SKEW_S + 1), expired);
        assert_eq!(check(good.expires - FRESH_S - SKEW_S), ok);
        assert_eq!(check(good.expires - FRESH_S - SKEW_S - 1), expired);
        assert_eq!((check(0), check(u64::MAX)), (expired, expired));
    }

    #[test]
    fn an_acceptance_answers_one_invitation_and_is_from_whom_that_was_for() {
        let [alice, bob, mallory] = wallets();
        let of = invitation(&alice, &bob);
        let good = acceptance(&bob, &of);
        assert_eq!(check_acceptance(&good, &of), Ok(good.at[0]));
        let refused = Err(Unmet::NotYou);
        assert_eq!(check_acceptance(&acceptance(&mallory, &of), &of), refused);
        let mut other = of.clone();
        other.nonce = Nonce([8; 16]);
        assert_eq!(check_acceptance(&good, &other), refused, "a replay");
        let mut moved = good.clone();
        moved.at[0] = "203.0.113.1:7922".parse().unwrap();
        assert_eq!(check_acceptance(&moved, &of), refused);
        let mut nowhere = good;
        nowhere.at.clear();
        assert_eq!(check_acceptance(&nowhere, &of), refused);
    }

    #[test]
    fn no_other_signature_of_a_wallet_is_an_invitation() {
        let [alice, bob, _] = wallets();
        let good = invitation(&alice, &bob);
        let rest = &good.signed_bytes()[b"swarmhold/invitation/v1\0".len()..];
        for tag in ["swarmhold/register/v1\0", "swarmhold/acceptance/v1\0", ""] {
            let bytes = [tag.as_bytes(), rest].concat();
            let replayed = good.clone().signed(alice.sign(&bytes));
            let outcome = check_invitation(&replayed, bob.address(), NOW);
            assert_eq!(outcome, Err(Unmet::NotYou));
        }
    }
}
