//! Any message comes back from its bytes; any bytes are read or refused, never fatal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::{Digest, ManifestId, ProgramId};
use swarmhold::limits::{BITFIELD_BYTES_MAX, CHUNK_BYTES_MAX, CHUNKS_MAX, HAVES_MAX, KIB};
use swarmhold::limits::{DELUGES_MAX, LISTEN_ADDRESSES_MAX, MANIFEST_BYTES_MAX};
use swarmhold::wire::compress::{Compressor, Decompressor, Effort, Verdict};
use swarmhold::wire::frame::{
    decode_reply, decode_request, decode_update, encode_reply, encode_request, encode_update,
};
use swarmhold::wire::fuzz::{noise, prose};
use swarmhold::wire::{
    Accept, ChunkRequest, Deluge, Encoding, Hello, Reply, Request, Update, fuzz_reply,
    fuzz_request, fuzz_update, fuzz_zstd,
};

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn manifest() -> impl Strategy<Value = ManifestId> {
    digest().prop_map(ManifestId::new)
}

fn program() -> impl Strategy<Value = ProgramId> {
    digest().prop_map(ProgramId::new)
}

fn index() -> impl Strategy<Value = ChunkIndex> {
    (0..CHUNKS_MAX).prop_map(ChunkIndex::new)
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::V4),
        any::<Ipv6Addr>().prop_map(IpAddr::V6)
    ];
    (ip, any::<u16>()).prop_map(SocketAddr::from)
}

fn hello() -> impl Strategy<Value = Hello> {
    let listen = vec(address(), 0..=LISTEN_ADDRESSES_MAX);
    (any::<u16>(), any::<u64>(), listen, address()).prop_map(
        |(version, features, listen, observed)| Hello {
            version,
            features,
            listen,
            observed,
        },
    )
}

fn chunk_request() -> impl Strategy<Value = ChunkRequest> {
    let accept = prop_oneof![Just(Accept::Raw), Just(Accept::Zstd)];
    (program(), digest(), index(), accept).prop_map(|(program_id, chunk_hash, index, accept)| {
        ChunkRequest {
            program_id,
            chunk_hash,
            index,
            accept,
        }
    })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        hello().prop_map(Request::Hello),
        manifest().prop_map(|id| Request::Manifest { id }),
        proptest::option::of(program()).prop_map(|program_id| Request::Deluges { program_id }),
        manifest().prop_map(|id| Request::Subscribe { id }),
        chunk_request().prop_map(Request::Chunk),
    ]
}

fn deluge() -> impl Strategy<Value = Deluge> {
    (manifest(), program(), any::<u64>()).prop_map(|(manifest_id, program_id, size)| Deluge {
        manifest_id,
        program_id,
        size,
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let manifest_len = u32::try_from(MANIFEST_BYTES_MAX).expect("half a mebibyte");
    let encoding = prop_oneof![Just(Encoding::Raw), Just(Encoding::Zstd)];
    prop_oneof![
        hello().prop_map(Reply::Hello),
        (0..=manifest_len).prop_map(|len| Reply::Manifest { len }),
        vec(deluge(), 0..=DELUGES_MAX).prop_map(Reply::Deluges),
        Just(Reply::Subscribed),
        (encoding, 0..=CHUNK_BYTES_MAX).prop_map(|(encoding, len)| Reply::Data { encoding, len }),
        vec(any::<u8>(), 0..=BITFIELD_BYTES_MAX).prop_map(|held| Reply::NotHeld { held }),
        any::<u32>().prop_map(|retry_after_ms| Reply::Busy { retry_after_ms }),
        Just(Reply::Denied),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    prop_oneof![
        vec(any::<u8>(), 0..=BITFIELD_BYTES_MAX).prop_map(Update::Bitfield),
        vec(index(), 0..=HAVES_MAX).prop_map(Update::Have),
        Just(Update::Choked),
        Just(Update::Unchoked),
    ]
}

/// A few bytes changed, put in or taken out.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => any::<Index>().prop_map(Edit::Remove),
        1 => any::<Index>().prop_map(Edit::Cut),
    ];
    vec(edit, 1..6)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let len = bytes.len();
        match edit {
            Edit::Insert(at, byte) => bytes.insert(at.index(len + 1), *byte),
            Edit::Set(..) | Edit::Remove(_) | Edit::Cut(_) if len == 0 => {}
            Edit::Set(at, byte) => bytes[at.index(len)] = *byte,
            Edit::Remove(at) => drop(bytes.remove(at.index(len))),
            Edit::Cut(at) => bytes.truncate(at.index(len)),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn requests_come_back(message in request()) {
        prop_assert_eq!(decode_request(&encode_request(&message)[2..]), Ok(message));
    }

    #[test]
    fn replies_come_back(message in reply()) {
        prop_assert_eq!(decode_reply(&encode_reply(&message)[2..]), Ok(message));
    }

    #[test]
    fn updates_come_back(message in update()) {
        prop_assert_eq!(decode_update(&encode_update(&message)[2..]), Ok(message));
    }

    #[test]
    fn any_bytes_are_read_or_refused(tag in 0u8..9, bytes in vec(any::<u8>(), 0..9 * KIB)) {
        let payload = [&[tag], &bytes[..]].concat();
        for payload in [&payload, &bytes] {
            fuzz_request(payload);
            fuzz_reply(payload);
            fuzz_update(payload);
        }
    }

    #[test]
    fn any_damaged_message_is_read_or_refused(
        request in request(), reply in reply(), update in update(), edits in edits(),
    ) {
        fuzz_request(&edited(encode_request(&request)[2..].to_vec(), &edits));
        fuzz_reply(&edited(encode_reply(&reply)[2..].to_vec(), &edits));
        fuzz_update(&edited(encode_update(&update)[2..].to_vec(), &edits));
    }

    #[test]
    fn any_damaged_frame_is_read_or_refused(len in 400u32..100_000, edits in edits()) {
        let mut compressor = Compressor::new().unwrap();
        let body = compressor.compress(&prose(len as usize), Effort::Least).unwrap();
        fuzz_zstd(&[&len.to_le_bytes(), &body[..]].concat());
        fuzz_zstd(&[&len.to_le_bytes(), &edited(body, &edits)[..]].concat());
    }

    #[test]
    fn content_that_shrinks_comes_back_and_noise_is_left_alone(
        len in 1000usize..300_000, seed in any::<u64>(),
    ) {
        let mut compressor = Compressor::new().unwrap();
        let shrinks = prose(len);
        prop_assert_eq!(compressor.probe(&shrinks), Verdict::Shrinks);
        let body = compressor.compress(&shrinks, Effort::Usual).unwrap();
        let back = Decompressor::new().unwrap().decompress(&body, len);
        prop_assert!(back == Ok(shrinks));
        let noise = noise(len, seed);
        prop_assert_eq!(compressor.probe(&noise), Verdict::Incompressible);
        prop_assert_eq!(compressor.compress(&noise, Effort::Most), None);
    }
}
