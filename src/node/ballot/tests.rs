//! Who is next, and what strangers cannot make us do.

use std::net::Ipv4Addr;

use super::super::subnet;
use super::*;
use crate::digest::{Digest, ProgramId};
use crate::identity::Wallet;
use crate::manifest::{Draft, Layout};

const GLOBAL: &str = "198.51.100";

fn at(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

fn who(of: u8) -> Address {
    Address::new(Digest::of(&[of]))
}

fn wallet(of: u8) -> Wallet {
    Wallet::from_seed([of; 32])
}

/// A manifest signed by the wallet of this number.
fn manifest(of: u8) -> Arc<Manifest> {
    let draft = Draft {
        name: "x".to_owned(),
        layout: Layout::for_size(1).unwrap(),
        program_id: ProgramId::new(Digest::of(b"x")),
        chunk_hashes: vec![Digest::of(&[of])],
        reach: None,
        time: 0,
        peers: Vec::new(),
    };
    let wallet = wallet(of);
    let signed = draft.sign(wallet.public_key(), |message| wallet.sign(message));
    Arc::new(signed.unwrap())
}

fn local(of: u8) -> Subnet {
    subnet::of(Ipv4Addr::LOCALHOST.into(), who(of))
}

/// A ballot in which each of these vouches for one manifest at the start, and all are known.
fn ballot(votes: &[(u8, Subnet, u8)]) -> Ballot {
    let mut ballot = Ballot::default();
    for (voucher, place, of) in votes {
        ballot.on_vouched(at(0), who(*voucher), *place, [manifest(*of).id()]);
        ballot.on_known(manifest(*of));
    }
    ballot
}

fn next(ballot: &Ballot) -> Option<ManifestId> {
    let next = ballot.next(at(60_000), false, |_| false);
    next.map(|manifest| manifest.id())
}

#[test]
fn the_one_with_most_independent_vouchers_is_next() {
    let network = |ip: String| subnet::of(ip.parse().unwrap(), who(0));
    let near = |host: u8| network(format!("{GLOBAL}.{host}"));
    let ballot = ballot(&[
        (1, near(1), 10),
        (2, near(2), 10),
        (3, near(3), 10),
        (4, network("203.0.113.4".to_owned()), 20),
        (5, near(5), 20),
    ]);
    assert_eq!(next(&ballot), Some(manifest(20).id()), "one network is one");
    let local = self::ballot(&[(1, local(1), 10), (2, local(2), 20), (3, local(3), 20)]);
    assert_eq!(
        next(&local),
        Some(manifest(20).id()),
        "wallets, where all are local"
    );
}

#[test]
fn three_sources_are_waited_for_but_not_for_long() {
    let mut ballot = ballot(&[(1, local(1), 10), (2, local(2), 20)]);
    let is_next = |ballot: &Ballot, ms, all| ballot.next(at(ms), all, |_| false).is_some();
    assert!(!is_next(&ballot, 1999, false) && is_next(&ballot, 2000, false));
    assert!(is_next(&ballot, 0, true), "nobody else is there");
    let wanted = ballot.on_vouched(at(0), who(3), local(3), [manifest(30).id()]);
    assert_eq!(wanted, [manifest(30).id()]);
    assert!(!is_next(&ballot, 0, true), "a manifest is on its way");
    ballot.on_not_given(&manifest(30).id(), who(3));
    assert!(is_next(&ballot, 0, false), "three have been heard");
    assert!(Ballot::default().next(at(0), true, |_| false).is_none());
}

#[test]
fn a_wrong_manifest_is_never_next_and_discredits_its_vouchers() {
    let votes = [(1, 10), (2, 10), (3, 10), (1, 20), (4, 30)];
    let mut ballot = Ballot::default();
    for (voucher, _) in votes {
        let theirs = votes.iter().filter(|(other, _)| *other == voucher);
        let ids = theirs.map(|(_, of)| manifest(*of).id());
        ballot.on_vouched(at(0), who(voucher), local(voucher), ids);
    }
    votes
        .iter()
        .for_each(|(_, of)| ballot.on_known(manifest(*of)));
    assert_eq!(next(&ballot), Some(manifest(10).id()));
    ballot.on_wrong(&manifest(10).id());
    ballot.on_vouched(at(0), who(9), local(9), [manifest(10).id()]);
    assert_eq!(
        next(&ballot),
        Some(manifest(30).id()),
        "20 is vouched for by 1"
    );
    ballot.on_wrong(&manifest(30).id());
    assert_eq!(
        next(&ballot),
        Some(manifest(20).id()),
        "nothing else is left"
    );
    ballot.on_unwanted(&manifest(20).id());
    assert_eq!(next(&ballot), None);
}

#[test]
fn whoever_signed_a_wrong_manifest_comes_last() {
    let ballot = ballot(&[(1, local(1), 10), (2, local(2), 10), (3, local(3), 20)]);
    let liar = wallet(10).address();
    let next = ballot.next(at(60_000), false, |who| *who == liar);
    assert_eq!(next.map(|it| it.id()), Some(manifest(20).id()));
}

#[test]
fn what_was_set_aside_needs_a_new_voucher_or_a_second_chance() {
    let mut ballot = ballot(&[(1, local(1), 10), (2, local(2), 20)]);
    let (ten, twenty) = (manifest(10).id(), manifest(20).id());
    assert!(ballot.has_other(&ten));
    ballot.on_set_aside(&ten, Setback::Stalled);
    assert_eq!(next(&ballot), Some(twenty));
    ballot.on_set_aside(&twenty, Setback::Suspected);
    assert_eq!(next(&ballot), Some(ten), "again, for want of a better one");
    assert!(!ballot.has_other(&ten));
    ballot.on_set_aside(&ten, Setback::Stalled);
    assert_eq!(next(&ballot), None);
    ballot.on_vouched(at(0), who(3), local(3), [twenty]);
    assert_eq!(next(&ballot), Some(twenty));
}

#[test]
fn what_strangers_bring_up_is_bounded() {
    let mut ballot = Ballot::default();
    let id = |of: u32| ManifestId::new(Digest::of(&of.to_le_bytes()));
    for of in 0..100 {
        let ids = (0..9).map(|more| id(of * 9 + more));
        ballot.on_vouched(at(0), who(1), local(1), ids);
    }
    assert!(ballot.candidates.len() <= BROUGHT_UP_MAX as usize);
    for of in 0..200 {
        ballot.on_vouched(at(0), who(of), local(of), [manifest(of).id()]);
        ballot.on_known(manifest(of));
    }
    let known = ballot
        .candidates
        .values()
        .filter(|it| it.manifest.is_some());
    assert!(known.count() <= KNOWN_MAX);
    let best = manifest(199).id();
    let asked = [201, 202].map(|of| ballot.on_vouched(at(0), who(of), local(of), [best]));
    assert_eq!(asked.concat(), [best; 2], "two vouchers are more than one");
}
