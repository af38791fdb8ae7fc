//! The golden certificates of `certs/`: how those that can be made again are made.

use swarmhold::identity::Wallet;
use swarmhold::identity::cert::certificate_of;

use super::forge::{self, Recipe, signed_by, tlv};

/// The encoding of the neutral element: the smallest of the small-order points.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
/// p + 3, which decodes to the same point as 3 and is not how RFC 8032 writes it.
const NOT_REDUCED: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xf0;
    bytes[31] = 0x7f;
    bytes
};
/// An extension that nobody knows: an OID of the arc that RFC 5612 reserves for examples.
const UNKNOWN: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xfd, 0x59, 0x01];
/// TRUE as DER writes it, and as BER would allow.
const CRITICAL: &[u8] = &[0x01, 0x01, 0xff];
const CRITICAL_BER: &[u8] = &[0x01, 0x01, 0x01];

/// The wallet of `good.der`. For tests only: its seed is public.
pub(super) fn alice() -> Wallet {
    Wallet::from_seed([0xa1; 32])
}

/// The wallet of `other-known.der`. For tests only: its seed is public.
pub(super) fn bob() -> Wallet {
    Wallet::from_seed([0xb0; 32])
}

/// Every vector that is the same bytes each time it is made.
pub(super) fn made_again() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = well_formed();
    all.extend(malformed());
    all.extend(bad_keys());
    all.extend(bad_signatures());
    all.extend(extensions());
    all
}

fn good() -> Vec<u8> {
    der_of(&alice())
}

fn der_of(wallet: &Wallet) -> Vec<u8> {
    let certificate = certificate_of(wallet).expect("a wallet has a certificate");
    certificate.chain.to_vec()
}

/// Alice's certificate, but for a change that she signs too.
fn changed(change: impl Fn(&mut Recipe)) -> Vec<u8> {
    let alice = alice();
    let mut recipe = Recipe::good(&alice);
    change(&mut recipe);
    recipe.der(signed_by(&alice))
}

fn well_formed() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("good.der", good()),
        ("other-known.der", der_of(&bob())),
        (
            "good-expired.der",
            changed(|recipe| recipe.not_after = tlv(0x17, &[b"710101000000Z"])),
        ),
        (
            "good-not-yet-valid.der",
            changed(|recipe| recipe.not_before = tlv(0x18, &[b"99990101000000Z"])),
        ),
        (
            "chain-first.der",
            Recipe::good(&alice()).der(signed_by(&bob())),
        ),
        ("chain-second.der", der_of(&bob())),
    ]
}

fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let good = good();
    let (contents, outer) = (&good[4..], &good[..4]);
    let [0x30, 0x82, high, low] = outer else {
        panic!("a certificate takes 256 bytes or more")
    };
    vec![
        ("truncated.der", good[..good.len() - 1].to_vec()),
        ("trailing-bytes.der", [&good[..], &[0]].concat()),
        (
            "trailing-within.der",
            changed(|recipe| recipe.excess = vec![0x05, 0x00]),
        ),
        (
            "long-length.der",
            [&[0x30, 0x83, 0, *high, *low], contents].concat(),
        ),
        (
            "indefinite-length.der",
            [&[0x30, 0x80], contents, &[0, 0]].concat(),
        ),
        ("version-1.der", changed(|recipe| recipe.version.clear())),
        (
            "negative-serial.der",
            changed(|recipe| recipe.serial = tlv(0x02, &[&[0xff, 0x01]])),
        ),
    ]
}

fn bad_keys() -> Vec<(&'static str, Vec<u8>)> {
    let key = alice().public_key();
    // R is the neutral element and S is zero: valid for every message, to a verifier that lets
    // keys of small order pass.
    let forged = |_: &[u8]| [NEUTRAL, [0; 32]].concat();
    let weak = Recipe {
        key: forge::spki(forge::ED25519, &NEUTRAL),
        ..Recipe::good(&alice())
    };
    vec![
        ("missing-key.der", changed(|recipe| recipe.key.clear())),
        (
            "short-key.der",
            changed(|recipe| recipe.key = forge::spki(forge::ED25519, &key[..31])),
        ),
        (
            "key-with-parameters.der",
            changed(|recipe| recipe.key = forge::spki(forge::ED25519_NULL, &key)),
        ),
        (
            "not-reduced-key.der",
            changed(|recipe| recipe.key = forge::spki(forge::ED25519, &NOT_REDUCED)),
        ),
        ("small-order-key.der", weak.der(forged)),
    ]
}

fn bad_signatures() -> Vec<(&'static str, Vec<u8>)> {
    let alice = alice();
    let recipe = Recipe::good(&alice);
    let flipped = |message: &[u8]| {
        let mut signature = alice.sign(message).to_vec();
        signature[0] ^= 1;
        signature
    };
    let malleated = |message: &[u8]| forge::malleated(alice.sign(message).to_vec());
    let short = |message: &[u8]| alice.sign(message)[..63].to_vec();
    vec![
        ("broken-self-signature.der", recipe.der(flipped)),
        ("malleated-self-signature.der", recipe.der(malleated)),
        ("short-self-signature.der", recipe.der(short)),
        (
            "signature-algorithm.der",
            changed(|recipe| {
                recipe.inner_algorithm = forge::ECDSA.to_vec();
                recipe.outer_algorithm = forge::ECDSA.to_vec();
            }),
        ),
        (
            "signature-algorithm-differs.der",
            changed(|recipe| recipe.inner_algorithm = forge::ECDSA.to_vec()),
        ),
    ]
}

fn extensions() -> Vec<(&'static str, Vec<u8>)> {
    let with = |extension: Vec<u8>| changed(|recipe| recipe.extensions.push(extension.clone()));
    let not_a_ca = |critical| forge::extension(&[0x55, 0x1d, 0x13], critical, &[0x30, 0x00]);
    vec![
        (
            "no-extensions.der",
            changed(|recipe| recipe.extensions.clear()),
        ),
        (
            "unknown-extension.der",
            with(forge::extension(UNKNOWN, &[], b"?")),
        ),
        (
            "unknown-critical-extension.der",
            with(forge::extension(UNKNOWN, CRITICAL, b"?")),
        ),
        ("known-critical-extension.der", with(not_a_ca(CRITICAL))),
        ("ber-boolean.der", with(not_a_ca(CRITICAL_BER))),
        ("duplicate-extension.der", with(forge::alternative_name())),
    ]
}

/// Otherwise `not-reduced-key.der` would be refused for another reason than it is there for.
#[test]
fn the_key_that_is_not_reduced_is_a_point_and_not_a_weak_one() {
    let key = ed25519_dalek::VerifyingKey::from_bytes(&NOT_REDUCED).unwrap();
    assert!(!key.is_weak());
    assert_ne!(key.to_edwards().compress().as_bytes(), &NOT_REDUCED);
}
