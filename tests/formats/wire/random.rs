//! Any message comes back from its bytes; any bytes are read or refused, never fatal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::{Address, Digest, ManifestId, ProgramId};
use swarmhold::limits::{BITFIELD_BYTES_MAX, CHUNK_BYTES_MAX, CHUNKS_MAX, HAVES_MAX, KIB};
use swarmhold::limits::{DELUGES_MAX, LISTEN_ADDRESSES_MAX, MANIFEST_BYTES_MAX};
use swarmhold::limits::{HITS_MAX, HOLDERS_TOLD_MAX, MEET_CANDIDATES_MAX, MEET_WAIT_US_MAX};
use swarmhold::wire::compress::{Compressor, Decompressor, Effort, Verdict};
use swarmhold::wire::frame::{
    decode_listing, decode_reply, decode_request, decode_update, encode_listing, encode_reply,
    encode_request, encode_update,
};
use swarmhold::wire::fuzz::{noise, prose};
use swarmhold::wire::{
    Accept, Acceptance, ChunkRequest, Deluge, Encoding, Extent, Hello, Hit, Holder, Holding,
    Invitation, Listing, Mapping, Mode, Nonce, Registration, Rejection, Reply, Request, Search,
    Unmet, Update, Wanted, fuzz_listing, fuzz_reply, fuzz_request, fuzz_update, fuzz_zstd,
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
        option::of(program()).prop_map(|program_id| Request::Deluges { program_id }),
        manifest().prop_map(|id| Request::Subscribe { id }),
        chunk_request().prop_map(Request::Chunk),
        Just(Request::Enlist),
        registration().prop_map(Request::Register),
        option::of(manifest()).prop_map(|id| Request::Withdraw { id }),
        (wanted(), any::<u8>()).prop_map(|(wanted, limit)| Request::Lookup { wanted, limit }),
        search().prop_map(Request::Search),
        Just(Request::Locate),
        Just(Request::Located),
        invitation().prop_map(Request::Meet),
        invitation().prop_map(Request::Invite),
        (any::<[u8; 16]>(), wait()).prop_map(|(nonce, wait_us)| Request::Start {
            nonce: Nonce(nonce),
            wait_us,
        }),
    ]
}

fn wait() -> impl Strategy<Value = u32> {
    0..=MEET_WAIT_US_MAX
}

fn mapping() -> impl Strategy<Value = Mapping> {
    prop_oneof![
        Just(Mapping::Open),
        Just(Mapping::Steady),
        Just(Mapping::Unknown),
        Just(Mapping::Varying)
    ]
}

fn places() -> impl Strategy<Value = Vec<SocketAddr>> {
    vec(address(), 0..=MEET_CANDIDATES_MAX)
}

fn invitation() -> impl Strategy<Value = Invitation> {
    let numbers = (any::<u8>(), any::<[u8; 16]>(), any::<u64>());
    let key = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    (places(), mapping(), digest(), numbers, key).prop_map(
        |(at, mapping, to, (attempt, nonce, expires), (public_key, first, second))| Invitation {
            at,
            mapping,
            attempt,
            to: Address::new(to),
            nonce: Nonce(nonce),
            expires,
            public_key,
            signature: [first, second],
        },
    )
}

fn acceptance() -> impl Strategy<Value = Acceptance> {
    let key = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    (places(), mapping(), digest(), key).prop_map(
        |(at, mapping, answers, (public_key, first, second))| Acceptance {
            at,
            mapping,
            answers,
            public_key,
            signature: [first, second],
        },
    )
}

fn unmet() -> impl Strategy<Value = Unmet> {
    prop_oneof![
        Just(Unmet::NotHere),
        Just(Unmet::NotYou),
        Just(Unmet::Expired),
        Just(Unmet::Declined)
    ]
}

fn holding() -> impl Strategy<Value = Holding> {
    (0..=CHUNKS_MAX, any::<u64>()).prop_map(|(chunks, map)| Holding { chunks, map })
}

fn registration() -> impl Strategy<Value = Registration> {
    let numbers = (any::<u32>(), any::<[u8; 16]>(), any::<u64>());
    let key = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    (manifest(), holding(), digest(), numbers, key).prop_map(
        |(id, held, audience, (ttl_s, nonce, sequence), (public_key, first, second))| {
            Registration {
                id,
                held,
                ttl_s,
                audience: Address::new(audience),
                nonce: Nonce(nonce),
                sequence,
                public_key,
                signature: [first, second],
            }
        },
    )
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        manifest().prop_map(Wanted::Manifest),
        program().prop_map(Wanted::Program)
    ]
}

fn search() -> impl Strategy<Value = Search> {
    let mode = prop_oneof![Just(Mode::Words), Just(Mode::Prefix), Just(Mode::Regex)];
    let sizes = (option::of(any::<u64>()), option::of(any::<u64>()));
    let rest = (
        option::of(digest()),
        option::of(any::<u64>()),
        any::<u32>(),
        any::<u8>(),
    );
    (".{0,64}", mode, sizes, rest).prop_map(
        |(text, mode, (size_min, size_max), (owner, since, seeders_min, limit))| Search {
            text,
            mode,
            size_min,
            size_max,
            owner: owner.map(Address::new),
            since,
            seeders_min,
            limit,
        },
    )
}

fn holder() -> impl Strategy<Value = Holder> {
    let at = [(); 3].map(|()| option::of(address()));
    (digest(), manifest(), holding(), at).prop_map(|(who, manifest_id, held, at)| Holder {
        address: Address::new(who),
        manifest_id,
        held,
        at,
    })
}

fn hit() -> impl Strategy<Value = Hit> {
    let ids = (manifest(), program(), digest());
    let counts = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    (ids, ".{0,64}", counts).prop_map(
        |((manifest_id, program_id, owner), name, (size, time, seeders, peers))| Hit {
            manifest_id,
            program_id,
            owner: Address::new(owner),
            name,
            size,
            time,
            seeders,
            peers,
        },
    )
}

fn listing() -> impl Strategy<Value = Listing> {
    vec(hit(), 0..=HITS_MAX).prop_map(Listing::Hits)
}

fn rejection() -> impl Strategy<Value = Rejection> {
    prop_oneof![
        Just(Rejection::Nonce),
        Just(Rejection::Audience),
        Just(Rejection::Signature),
        Just(Rejection::Ttl),
        Just(Rejection::Quota),
        Just(Rejection::Manifest),
        Just(Rejection::Unproven),
        Just(Rejection::Query),
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
        (any::<[u8; 16]>(), address(), any::<u32>()).prop_map(|(nonce, observed, ttl_s_max)| {
            Reply::Enlisted {
                nonce: Nonce(nonce),
                observed,
                ttl_s_max,
            }
        }),
        any::<u32>().prop_map(|ttl_s| Reply::Registered { ttl_s }),
        rejection().prop_map(Reply::Rejected),
        Just(Reply::Withdrawn),
        vec(holder(), 0..=HOLDERS_TOLD_MAX).prop_map(Reply::Holders),
        prop_oneof![Just(Extent::Whole), Just(Extent::Partial)].prop_map(Reply::Found),
        (any::<u16>(), any::<[u8; 8]>()).prop_map(|(port, token)| Reply::Locate { port, token }),
        (address(), option::of(address())).prop_map(|(here, there)| Reply::Located { here, there }),
        acceptance().prop_map(Reply::Accepted),
        (acceptance(), wait()).prop_map(|(acceptance, wait_us)| Reply::Go {
            acceptance,
            wait_us,
        }),
        Just(Reply::Started),
        unmet().prop_map(Reply::Unmet),
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
    fn listings_come_back(message in listing()) {
        prop_assert_eq!(decode_listing(&encode_listing(&message)[2..]), Ok(message));
    }

    #[test]
    fn updates_come_back(message in update()) {
        prop_assert_eq!(decode_update(&encode_update(&message)[2..]), Ok(message));
    }

    #[test]
    fn any_bytes_are_read_or_refused(tag in 0u8..15, bytes in vec(any::<u8>(), 0..9 * KIB)) {
        let payload = [&[tag], &bytes[..]].concat();
        for payload in [&payload, &bytes] {
            fuzz_request(payload);
            fuzz_reply(payload);
            fuzz_update(payload);
            fuzz_listing(payload);
        }
    }

    #[test]
    fn any_damaged_message_is_read_or_refused(
        request in request(), reply in reply(), update in update(), listing in listing(),
        edits in edits(),
    ) {
        fuzz_request(&edited(encode_request(&request)[2..].to_vec(), &edits));
        fuzz_reply(&edited(encode_reply(&reply)[2..].to_vec(), &edits));
        fuzz_update(&edited(encode_update(&update)[2..].to_vec(), &edits));
        fuzz_listing(&edited(encode_listing(&listing)[2..].to_vec(), &edits));
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
