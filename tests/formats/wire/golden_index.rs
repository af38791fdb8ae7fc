//! The messages around SwarmMasters and their bytes, rows for the tables of `golden`.

use swarmhold::digest::{Address, Digest, ManifestId, ProgramId};
use swarmhold::wire::{
    Extent, Hit, Holder, Holding, Listing, Mode, Nonce, Registration, Rejection, Reply, Request,
    Search, Wanted,
};

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn manifest() -> ManifestId {
    ManifestId::new(digest(0xab))
}

fn program() -> ProgramId {
    ProgramId::new(digest(0x11))
}

fn address() -> Address {
    Address::new(digest(0x33))
}

#[rustfmt::skip]
pub(super) fn requests() -> Vec<(Request, String)> {
    let registration = Registration {
        id: manifest(),
        held: Holding { chunks: 4096, map: 1 },
        ttl_s: 1800,
        audience: address(),
        nonce: Nonce([0x44; 16]),
        sequence: 300,
        public_key: [0x55; 32],
        signature: [[0x66; 32], [0x77; 32]],
    };
    let search = Search {
        text: "abc".to_owned(),
        mode: Mode::Regex,
        size_min: Some(1000),
        size_max: None,
        owner: Some(address()),
        since: None,
        seeders_min: 2,
        limit: 20,
    };
    let lookup = |wanted, limit| Request::Lookup { wanted, limit };
    vec![
        (Request::Enlist, "0100 05".into()),
        (
            Request::Register(registration),
            "b800 06 ab*32 8020 01 880e 33*32 44*16 ac02 55*32 66*32 77*32".into(),
        ),
        (Request::Withdraw { id: None }, "0200 07 00".into()),
        (Request::Withdraw { id: Some(manifest()) }, "2200 07 01 ab*32".into()),
        (lookup(Wanted::Manifest(manifest()), 50), "2300 08 00 ab*32 32".into()),
        (lookup(Wanted::Program(program()), 1), "2300 08 01 11*32 01".into()),
        (
            Request::Search(search),
            "2e00 09 03616263 02 01e807 00 01 33*32 00 02 14".into(),
        ),
        (Request::Carry { from: address() }, "2100 0f 33*32".into()),
    ]
}

#[rustfmt::skip]
pub(super) fn replies() -> Vec<(Reply, String)> {
    let holder = Holder {
        address: address(),
        manifest_id: manifest(),
        held: Holding { chunks: 1, map: u64::MAX },
        at: [Some("198.51.100.7:7922".parse().expect("IPv4")), None, None],
    };
    let enlisted = Reply::Enlisted {
        nonce: Nonce([0x44; 16]),
        observed: "198.51.100.7:7922".parse().expect("IPv4"),
        ttl_s_max: 1800,
    };
    vec![
        (enlisted, "1a00 08 44*16 00c6336407f23d 880e".into()),
        (Reply::Registered { ttl_s: 1800 }, "0300 09 880e".into()),
        (Reply::Rejected(Rejection::Quota), "0200 0a 04".into()),
        (Reply::Withdrawn, "0100 0b".into()),
        (Reply::Holders(vec![]), "0200 0c 00".into()),
        (
            Reply::Holders(vec![holder]),
            "5700 0c 01 33*32 ab*32 01 ff*9 01 01 00c6336407f23d 00 00".into(),
        ),
        (Reply::Found(Extent::Whole), "0200 0d 00".into()),
        (Reply::Found(Extent::Partial), "0200 0d 01".into()),
        (Reply::Coming, "0100 14".into()),
    ]
}

#[rustfmt::skip]
pub(super) fn listings() -> Vec<(Listing, String)> {
    let hit = Hit {
        manifest_id: manifest(),
        program_id: program(),
        owner: address(),
        name: "abc".to_owned(),
        size: 1000,
        time: 0,
        seeders: 2,
        peers: 3,
    };
    vec![
        (Listing::Hits(vec![]), "0200 00 00".into()),
        (
            Listing::Hits(vec![hit]),
            "6b00 00 01 ab*32 11*32 33*32 03616263 e807 00 02 03".into(),
        ),
    ]
}
