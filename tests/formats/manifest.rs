//! Manifests and links: the table of hostile `.deluge` files M-01 to M-39 with the exact answer to
//! each, and what must hold for whatever else may come.
//!
//! Every case is a valid manifest, signed by a fixed key, with one thing changed. M-35 and M-36 need
//! peers and M-40 needs a disk, so they are tested with the node.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at what cannot be"
)]

mod properties;
mod seals;
mod table;
mod values;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value, json};
use swarmhold::digest::{Digest, ProgramId};
use swarmhold::manifest::{Draft, Layout, Manifest};

use table::{Case, cases};

/// When everything here is signed, in seconds since 1970.
const TIME: u64 = 1_790_000_000;
/// The size of the original's example, 832 chunks.
const SIZE: u64 = 27_260_050;
/// What a publisher says about a container of this many bytes.
fn draft(size: u64) -> Draft {
    let layout = Layout::for_size(size).unwrap();
    Draft {
        name: "TestProgram".into(),
        layout,
        program_id: ProgramId::new(Digest::of(b"container")),
        chunk_hashes: layout
            .chunks()
            .map(|chunk| Digest::of(&chunk.get().to_le_bytes()))
            .collect(),
        reach: Some("198.51.100.7:7922".parse().unwrap()),
        time: TIME,
        peers: vec!["203.0.113.9:7922".parse().unwrap()],
    }
}

/// The draft, signed by the key made of this byte.
fn signed(draft: Draft, key: u8) -> Manifest {
    let key = SigningKey::from_bytes(&[key; 32]);
    let public_key = key.verifying_key().to_bytes();
    draft
        .sign(public_key, |bytes| key.sign(bytes).to_bytes())
        .unwrap()
}

/// The text of a manifest, open to changes of single values.
#[derive(Clone)]
struct Doc(Map<String, Value>);

impl Doc {
    fn of(manifest: &Manifest) -> Self {
        Self(serde_json::from_slice(&manifest.to_json()).unwrap())
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap()
    }

    fn with(&self, key: &str, value: impl Into<Value>) -> Vec<u8> {
        let mut doc = self.clone();
        doc.0.insert(key.to_owned(), value.into());
        doc.bytes()
    }

    /// With a value that no JSON library would write.
    fn with_text(&self, key: &str, text: &str) -> Vec<u8> {
        const MARK: &str = "\"a mark that stands nowhere else\"";
        let bytes = self.with(key, MARK.trim_matches('"'));
        String::from_utf8(bytes)
            .unwrap()
            .replace(MARK, text)
            .into_bytes()
    }

    fn with_hash(&self, index: usize, value: impl Into<Value>) -> Vec<u8> {
        let mut hashes = self.0["hashList"].as_array().unwrap().clone();
        hashes[index] = value.into();
        self.with("hashList", hashes)
    }

    fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        self.with("_signature", STANDARD.encode(signature))
    }

    fn without(&self, keys: &[&str]) -> Vec<u8> {
        let mut doc = self.clone();
        doc.0.retain(|key, _| !keys.contains(&key.as_str()));
        doc.bytes()
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }
}

/// What the parser answers.
fn answer(bytes: &[u8]) -> String {
    match Manifest::parse(bytes) {
        Ok(manifest) => manifest
            .warnings()
            .iter()
            .fold("accepted".to_owned(), |answer, warning| {
                format!("{answer}, {warning}")
            }),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with(&format!("{}: ", error.code())), "{text}");
            text
        }
    }
}

#[test]
fn hostile_manifests_get_their_exact_answer() {
    let doc = Doc::of(&signed(draft(SIZE), 7));
    assert_eq!(answer(&doc.bytes()), "accepted");
    let mut wrong = vec![];
    let mut seen = BTreeSet::new();
    for Case(id, bytes, expected) in cases(&doc) {
        seen.insert(id);
        let found = answer(&bytes);
        if found != expected {
            wrong.push(format!("{id}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let table = (1..=39).filter(|case| ![35, 36].contains(case));
    let lacking: Vec<String> = table
        .map(|case| format!("M-{case:02}"))
        .filter(|id| !seen.contains(id.as_str()))
        .collect();
    assert!(lacking.is_empty(), "not tested: {lacking:?}");
}

#[test]
fn undialable_peers_leave_the_others_where_they_are() {
    let doc = Doc::of(&signed(draft(1), 7));
    let peers = json!([["::1", 7922], ["203.0.113.9", 7922], ["203.0.113.9", 7922]]);
    let manifest = Manifest::parse(&doc.with("peers", peers)).unwrap();
    assert_eq!(manifest.peers(), ["203.0.113.9:7922".parse().unwrap()]);
    assert_eq!(manifest.warnings().len(), 1);
}

#[test]
fn a_signing_time_ahead_of_the_clock_is_remarked_on() {
    let manifest = signed(draft(1), 7);
    let remark = |now| manifest.warning_at(now).map(|warning| warning.to_string());
    assert_eq!(remark(TIME), None);
    assert_eq!(remark(TIME - 600), None);
    assert_eq!(remark(u64::MAX), None);
    assert_eq!(
        remark(TIME - 3600).as_deref(),
        Some("W-TIME: signed 3600 s ahead of our clock; not relied on")
    );
}

/// The original's example in numbers, so that nobody completes it.
#[test]
fn the_original_example_lists_a_chain_and_no_content() {
    let example = include_bytes!("../data/manifest/dcc-example.deluge");
    let example: Map<String, Value> = serde_json::from_slice(example).unwrap();
    let visible: Vec<&str> = example["hashList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| hash.as_str().unwrap())
        .collect();
    let mut text = String::new();
    let mut chain = vec![];
    for _ in 0..832 {
        chain.push(Digest::of(text.as_bytes()).to_string());
        text.push_str(chain.last().unwrap());
    }
    assert_eq!(visible[..7], chain[..7]);
    assert_eq!(visible[7..], chain[825..]);
}
