//! Certificates: the golden vectors of `certs/`, the cases C-01 to C-10, and mutations.
//!
//! `SWARMHOLD_WRITE_CERTS=1 cargo test --test formats` writes the vectors that can be made again.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy's exemption stops at the test itself"
)]

mod answers;
mod cases;
mod forge;
mod handshake;
mod over_quic;
mod vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use swarmhold::identity::verify::peer_address;

use vectors::{alice, bob};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("certs")
}

/// A golden certificate by its file's name.
fn vector(name: &str) -> CertificateDer<'static> {
    let path = folder().join(name);
    CertificateDer::from(fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// What our verifier says to a chain, in the words of the table in `certs/README.md`.
fn answer(chain: &[CertificateDer<'_>]) -> String {
    match peer_address(chain) {
        Ok(address) => format!("accepted: {address}"),
        Err(refused) => refused.to_string(),
    }
}

/// The rows of the table in `certs/README.md`: the files of a chain, and the answer to it.
fn documented() -> Vec<(Vec<String>, String)> {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [files, _, answer] = cells[..] else {
            panic!("a row has three cells: {row}");
        };
        let unquoted = |text: &str| text.trim().trim_matches('`').to_owned();
        (files.split(", ").map(unquoted).collect(), unquoted(answer))
    })
    .collect()
}

#[test]
fn every_vector_is_answered_as_its_documentation_says() {
    let rows = documented();
    for (files, expected) in &rows {
        let chain: Vec<_> = files.iter().map(|name| vector(name)).collect();
        assert_eq!(&answer(&chain), expected, "{files:?}");
    }
    let named: BTreeSet<String> = rows.into_iter().flat_map(|(files, _)| files).collect();
    let there: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(
        named, there,
        "every file is in the table, and the other way round"
    );
}

#[test]
fn the_vectors_that_can_be_made_again_are_the_same_bytes() {
    let write = std::env::var_os("SWARMHOLD_WRITE_CERTS").is_some();
    for (name, bytes) in vectors::made_again() {
        if write {
            fs::write(folder().join(name), &bytes).unwrap();
        }
        assert_eq!(vector(name).as_ref(), bytes, "{name}");
    }
}

#[test]
fn a_certificate_written_by_hand_is_the_one_that_we_make() {
    for (wallet, name) in [(alice(), "good.der"), (bob(), "other-known.der")] {
        let by_hand = forge::Recipe::good(&wallet).der(forge::signed_by(&wallet));
        assert_eq!(vector(name).as_ref(), by_hand);
    }
}

/// The eight points of small order, and the encodings of some of them that are not reduced.
const SMALL_ORDER: [&str; 12] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn keys_that_anyone_can_sign_for_are_refused() {
    for hex in SMALL_ORDER {
        let digest: swarmhold::digest::Digest = hex.parse().unwrap();
        let mut recipe = forge::Recipe::good(&alice());
        recipe.key = forge::spki(forge::ED25519, digest.as_bytes());
        // R is the key itself and S is zero: valid to a lax verifier for one message in eight.
        let der = recipe.der(|_| [*digest.as_bytes(), [0; 32]].concat());
        let refused = answer(&[CertificateDer::from(der)]);
        assert_eq!(refused, "bad_certificate: weak ed25519 key", "{hex}");
    }
}

#[test]
fn a_certificate_cut_short_anywhere_is_refused() {
    let good = vector("good.der");
    for length in 0..good.len() {
        let refused = answer(&[CertificateDer::from(&good[..length])]);
        assert!(
            refused.starts_with("bad_certificate: "),
            "{length}: {refused}"
        );
    }
}

#[test]
fn a_certificate_with_any_bit_flipped_is_refused() {
    let good = vector("good.der");
    for bit in 0..good.len() * 8 {
        let mut flipped = good.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = answer(&[CertificateDer::from(flipped)]);
        assert!(!refused.starts_with("accepted"), "bit {bit}: {refused}");
    }
}

/// Where to change a certificate, and how.
#[derive(Debug, Clone)]
enum Change {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Set(at, value) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            Self::Insert(at, value) => bytes.insert(at.index(bytes.len() + 1), *value),
            Self::Remove(at) if !bytes.is_empty() => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Repeat(from, to) if !bytes.is_empty() => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(part);
            }
            Self::Set(..) | Self::Remove(_) | Self::Repeat(..) => {}
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, value)| Change::Set(at, value)),
        (any::<prop::sample::Index>(), any::<u8>())
            .prop_map(|(at, value)| Change::Insert(at, value)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever is done to Alice's certificate without her key, it never names anyone: neither her,
    /// unless nothing was changed, nor somebody else.
    #[test]
    fn changed_certificates_name_nobody(changes in prop::collection::vec(change(), 0..8)) {
        let good = vector("good.der");
        let mut bytes = good.to_vec();
        for change in &changes {
            change.apply(&mut bytes);
        }
        let unchanged = bytes == good.as_ref();
        let named = peer_address(&[CertificateDer::from(bytes)]);
        prop_assert_eq!(named.ok(), unchanged.then(|| alice().address()));
    }

    /// Whatever Alice herself signs, what is accepted names her.
    #[test]
    fn signed_contents_name_their_signer(changes in prop::collection::vec(change(), 0..4)) {
        let alice = alice();
        let mut recipe = forge::Recipe::good(&alice);
        for (index, change) in changes.iter().enumerate() {
            let parts = [
                &mut recipe.version,
                &mut recipe.serial,
                &mut recipe.not_before,
                &mut recipe.extensions[0],
                &mut recipe.key,
                &mut recipe.excess,
            ];
            let count = parts.len();
            for (at, part) in parts.into_iter().enumerate() {
                if at == index % count {
                    change.apply(part);
                }
            }
        }
        let der = CertificateDer::from(recipe.der(forge::signed_by(&alice)));
        if let Ok(address) = peer_address(&[der]) {
            prop_assert_eq!(address, alice.address());
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(peer_address(&[CertificateDer::from(bytes)]).is_err());
    }
}
