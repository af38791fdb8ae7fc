//! The messages by which nodes meet, and their bytes, rows for the tables of `golden`.

use swarmhold::digest::{Address, Digest};
use swarmhold::wire::{Acceptance, Invitation, Mapping, Nonce, Reply, Request, Unmet};

/// One place, 198.51.100.7:7922, as a list.
const AT: &str = "01 00c6336407f23d";

fn invitation() -> Invitation {
    Invitation {
        at: vec!["198.51.100.7:7922".parse().expect("IPv4")],
        mapping: Mapping::Varying,
        attempt: 1,
        to: Address::new(Digest::from_bytes([0x33; 32])),
        nonce: Nonce([0x44; 16]),
        expires: 300,
        public_key: [0x55; 32],
        signature: [[0x66; 32], [0x77; 32]],
    }
}

fn acceptance() -> Acceptance {
    Acceptance {
        at: invitation().at,
        mapping: Mapping::Steady,
        answers: Digest::from_bytes([0x22; 32]),
        public_key: [0x55; 32],
        signature: [[0x66; 32], [0x77; 32]],
    }
}

#[rustfmt::skip]
pub(super) fn requests() -> Vec<(Request, String)> {
    let paper = "03 01 33*32 44*16 ac02 55*32 66*32 77*32";
    vec![
        (Request::Locate, "0100 0a".into()),
        (Request::Located, "0100 0b".into()),
        (Request::Meet(invitation()), format!("9d00 0c {AT} {paper}")),
        (Request::Invite(invitation()), format!("9d00 0d {AT} {paper}")),
        (
            Request::Start { nonce: Nonce([0x44; 16]), wait_us: 1_000_000 },
            "1400 0e 44*16 c0843d".into(),
        ),
    ]
}

#[rustfmt::skip]
pub(super) fn replies() -> Vec<(Reply, String)> {
    let paper = "01 22*32 55*32 66*32 77*32";
    let (here, there) = (invitation().at[0], Some(invitation().at[0]));
    vec![
        (Reply::Locate { port: 300, token: [0x88; 8] }, "0b00 0e ac02 88*8".into()),
        (Reply::Located { here, there: None }, "0900 0f 00c6336407f23d 00".into()),
        (
            Reply::Located { here, there },
            "1000 0f 00c6336407f23d 01 00c6336407f23d".into(),
        ),
        (Reply::Accepted(acceptance()), format!("8a00 10 {AT} {paper}")),
        (
            Reply::Go { acceptance: acceptance(), wait_us: 300 },
            format!("8c00 11 {AT} {paper} ac02"),
        ),
        (Reply::Started, "0100 12".into()),
        (Reply::Unmet(Unmet::NotHere), "0200 13 00".into()),
        (Reply::Unmet(Unmet::Declined), "0200 13 03".into()),
    ]
}
