//! What must hold for every manifest and link, and for whatever else may come in their place.

use std::net::SocketAddr;

use proptest::prelude::*;
use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::{Address, Digest, ManifestId, ProgramId};
use swarmhold::limits::{LINK_BYTES_MAX, LINK_PEERS_MAX, SIGNED_TIME_MAX_S};
use swarmhold::manifest::{Draft, Layout, Link, Manifest, SignatureState, fuzz_parse};

use super::{draft, signed};

fn host() -> impl Strategy<Value = SocketAddr> {
    let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from);
    let v6 = (any::<[u16; 8]>(), any::<u16>()).prop_map(SocketAddr::from);
    prop_oneof![v4, v6]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let layouts = (0u32..10, 1u64..=40, 0u64..32768).prop_map(|(power, chunks, short)| {
        let chunk_size = 32768 << power;
        Layout::new(chunks * u64::from(chunk_size) - short, chunk_size).unwrap()
    });
    (
        prop_oneof![".{0,70}", any::<String>()],
        layouts,
        any::<[u8; 32]>(),
        proptest::option::of(host()),
        0..=SIGNED_TIME_MAX_S,
        proptest::collection::vec(host(), 0..20),
    )
        .prop_map(|(name, layout, seed, reach, time, peers)| {
            let hash =
                |chunk: ChunkIndex| Digest::of(&[&seed[..], &chunk.get().to_le_bytes()].concat());
            Draft {
                name,
                layout,
                program_id: ProgramId::new(Digest::of(&seed)),
                chunk_hashes: layout.chunks().map(hash).collect(),
                reach,
                time,
                peers,
            }
        })
}

fn links() -> impl Strategy<Value = Link> {
    let digest = any::<[u8; 32]>().prop_map(Digest::from_bytes);
    let masters = "([a-z0-9.-]{1,20}|\\[2001:db8::[1-9a-f]{1,4}\\]):[1-9][0-9]{0,3}";
    (
        drafts(),
        proptest::collection::vec(host(), 0..40),
        proptest::option::of(digest),
        proptest::collection::vec(masters, 0..=LINK_PEERS_MAX),
    )
        .prop_map(|(draft, peers, digest, masters)| {
            let manifest = signed(draft, 7);
            Link {
                manifest_id: digest.map(ManifestId::new),
                address: digest.map(Address::new),
                masters,
                ..Link::of(&manifest, peers)
            }
        })
}

/// A change of a byte, often to one that keeps the text a manifest.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, usize)>> {
    let byte = prop_oneof![
        prop::sample::select(b"0123456789abcdef\" ,:[]{}\\=".to_vec()),
        any::<u8>()
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), byte, 0usize..3), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_back(draft in drafts(), owner in any::<[u8; 32]>()) {
        let manifest = signed(draft.clone(), 7);
        let again = Manifest::parse(&manifest.to_json()).unwrap();
        prop_assert_eq!(&again, &manifest);
        prop_assert_eq!(again.name(), manifest.name());
        prop_assert_eq!(again.layout(), draft.layout);
        prop_assert_eq!(again.chunk_hashes(), &draft.chunk_hashes);
        prop_assert_eq!(again.to_json(), manifest.to_json());

        let unsigned = draft.unsigned(Address::new(Digest::from_bytes(owner))).unwrap();
        let again = Manifest::parse(&unsigned.to_json()).unwrap();
        prop_assert_eq!(&again, &unsigned);
        prop_assert_eq!(again.signature(), SignatureState::Unsigned);
        prop_assert_ne!(again.id(), manifest.id());
    }

    #[test]
    fn links_are_read_back(link in links()) {
        let text = link.to_string();
        match text.parse::<Link>() {
            Ok(again) => prop_assert_eq!(again, link),
            Err(error) => prop_assert!(text.len() > LINK_BYTES_MAX, "{text}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_signed_can_be_changed(mutations in mutations()) {
        let original = signed(draft(3 * 32768), 7);
        let mut bytes = original.to_json();
        for (place, byte, kind) in mutations {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(accepted) = Manifest::parse(&bytes) {
            prop_assert_eq!(accepted.id(), original.id());
            prop_assert_eq!(accepted.signature(), original.signature());
            prop_assert_eq!(accepted.reach(), original.reach());
            prop_assert_eq!(accepted.name(), original.name());
            prop_assert_eq!(accepted.chunk_hashes(), original.chunk_hashes());
        }
    }

    #[test]
    fn garbage_is_refused_in_peace(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "\\{(\"(_name|_ip|_port|hashList|peers|_time)\" ?: ?[0-9\\[\\]\"\\{\\}a-z,.-]{0,9},?){0,6}\\}",
        link in "swarmhold:([0-9a-f]{64})?(\\?|&|[manps]=|%[0-9a-f]{0,2}|[0-9.:\\[\\]é]){0,12}",
    ) {
        fuzz_parse(&bytes);
        fuzz_parse(text.as_bytes());
        prop_assert!(Manifest::parse(text.as_bytes()).is_err());
        if let Ok(read) = link.parse::<Link>() {
            prop_assert_eq!(read.to_string().parse::<Link>(), Ok(read));
        }
    }
}
