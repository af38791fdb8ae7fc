//! Frames that somebody sends who has connected properly: floods of connection IDs and path challenges (A15), and
//! acknowledgements of what was never sent (A16). To a SwarmMaster and to a node, each in a process of its own.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use swarmhold::node::Stopwatch;
use swarmhold::{Digest, Link, Wallet};

use crate::folder::Folder;
use crate::forger::{Acks, Closed, Forger, Out};
use crate::masters::master;
use crate::process::{PATIENCE, Process};
use crate::share::{folder, sharing};

/// Frames of one flood, and of the one before it, after which everything has the size that it keeps.
const FRAMES: u64 = 40_000;
const FRAMES_BEFORE: u64 = 4000;
/// What a flood may leave behind, in KiB.
const KIB_MAX: u64 = 1024;
/// Frames of one packet.
const IDS: u64 = 30;
const CHALLENGES: u64 = 100;
/// What a side takes at most of IDs whose end is never acknowledged: as many as fit its first window, and some.
const IDS_MAX: u64 = 100_000;
/// How many a side may use of the other's connection IDs, if it is quinn.
const IDS_AT_ONCE: u64 = 5;
/// Frames between two times at which somebody honest connects.
const BETWEEN: u64 = 10_000;
/// CONNECTION_ID_LIMIT_ERROR and PROTOCOL_VIOLATION (RFC 9000 section 20.1).
const TOO_MANY_IDS: u64 = 0x09;
const VIOLATION: u64 = 0x0a;
/// Long enough for what is on its way over loopback, and no test depends on that.
const QUIET: Duration = Duration::from_millis(1);

/// Somebody to attack.
struct Target {
    process: Process,
    at: SocketAddr,
}

fn targets(folder: &Folder) -> [Target; 2] {
    let (process, hint) = master(folder);
    let (_, at) = hint.split_once('@').unwrap();
    let at = at.parse().unwrap();
    let master = Target { process, at };
    let (process, link) = sharing(folder, &["app.tar"]);
    let link: Link = link.parse().unwrap();
    let at = link.peers[0];
    [master, Target { process, at }]
}

fn wallet(name: &str) -> Wallet {
    Wallet::from_seed(*Digest::of(name.as_bytes()).as_bytes())
}

fn attacker(at: SocketAddr) -> Forger {
    Forger::greeted(at, &wallet("forger"))
}

/// Somebody else gets in and is answered, every now and then.
fn let_others_in(at: SocketAddr, sent: u64, step: u64) {
    if sent / BETWEEN != (sent + step) / BETWEEN {
        Forger::greeted(at, &wallet("honest")).leave();
    }
}

/// A flood: so many frames, to there.
type Flood = fn(SocketAddr, u64);

/// New connection IDs, each of which ends all before it. That they end is never acknowledged, so that nothing of
/// it could be forgotten (CVE-2024-22189): the connection is closed, and the next one too.
fn ids_that_end_others(at: SocketAddr, frames: u64) {
    let mut sent = 0;
    while sent < frames {
        let mut forger = attacker(at);
        forger.acknowledge(Acks::Withheld);
        let mut number = 0;
        while !forger.is_over() {
            assert!(number < IDS_MAX, "{number} connection IDs were taken");
            let_others_in(at, sent, IDS);
            let mut out = Out::default();
            for _ in 0..IDS {
                number += 1;
                out.new_connection_id(number, number);
            }
            forger.send(&out);
            forger.hear(QUIET);
            sent += IDS;
        }
        // its word for that may find no room in the window, but then whatever else is sent has no connection
        let why = forger.heard.closed.as_ref();
        assert!(why.is_none_or(|it| it.code == TOO_MANY_IDS), "{why:?}");
        assert!(forger.heard.retired as u64 <= number);
    }
}

/// The same with everything acknowledged: each is answered once.
fn ids_that_are_acknowledged(at: SocketAddr, frames: u64) {
    let mut forger = attacker(at);
    let mut sent = 0;
    while sent < frames {
        let_others_in(at, sent, IDS);
        let mut out = Out::default();
        for _ in 0..IDS {
            sent += 1;
            out.new_connection_id(sent, sent);
        }
        forger.send(&out);
        // all but the last, which is in use
        let ended = usize::try_from(sent).unwrap();
        forger.until("answer", |heard| heard.retired >= ended);
        assert_eq!(forger.heard.retired, ended);
    }
    forger.leave();
}

/// Connection IDs of the other side that are given back as soon as they come: each is replaced once.
fn ids_given_back(at: SocketAddr, frames: u64) {
    let mut forger = attacker(at);
    let (mut sent, mut oldest) = (0, 0);
    while sent < frames {
        forger.until("another ID", |heard| {
            heard
                .issued
                .last_key_value()
                .is_some_and(|(last, _)| *last > oldest)
        });
        let (&newest, _) = forger.heard.issued.last_key_value().unwrap();
        forger.call_by(newest);
        let_others_in(at, sent, newest - oldest);
        let mut out = Out::default();
        (oldest..newest).for_each(|number| out.retire_connection_id(number));
        // and once more what was given back already
        (oldest..newest).for_each(|number| out.retire_connection_id(number));
        forger.send(&out);
        sent += 2 * (newest - oldest);
        oldest = newest;
        assert!(
            newest <= sent / 2 + IDS_AT_ONCE + 3,
            "{newest} after {sent}"
        );
    }
    forger.leave();
}

/// Path challenges, many in a packet: one answer for a packet at most.
fn challenges(at: SocketAddr, frames: u64) {
    let mut forger = attacker(at);
    let (mut packets, mut sent) = (0, 0);
    while sent < frames {
        let_others_in(at, sent, CHALLENGES);
        let mut out = Out::default();
        (0..CHALLENGES).for_each(|token| out.path_challenge(sent + token));
        forger.send(&out);
        packets += 1;
        sent += CHALLENGES;
        forger.hear(QUIET);
        assert!(forger.heard.path_responses <= packets);
    }
    assert!(forger.heard.path_responses > 0);
    assert_eq!(forger.heard.closed, None);
    forger.leave();
}

/// A15, after CVE-2024-22189 and CVE-2023-49295.
#[test]
fn floods_of_connection_ids_and_challenges_pin_no_memory_and_keep_nobody_out() {
    let folder = folder(100_000);
    for target in targets(&folder) {
        for (name, flood) in [
            ("ids that end others", ids_that_end_others as Flood),
            ("the same, acknowledged", ids_that_are_acknowledged),
            ("ids given back", ids_given_back),
            ("challenges", challenges),
        ] {
            flood(target.at, FRAMES_BEFORE);
            let before = target.process.memory_kib();
            flood(target.at, FRAMES);
            let after = target.process.memory_kib();
            assert!(
                after < before + KIB_MAX,
                "{name}: {before} KiB, then {after} KiB"
            );
        }
        Forger::greeted(target.at, &wallet("honest")).leave();
        drop(target.process);
    }
}

/// A15: nobody has a master send anything to an address that a connection did not come from. A node follows
/// peers that roam, and so answers there, a little (`forged_sources`).
#[test]
fn challenges_from_elsewhere_are_not_answered_by_a_master() {
    let folder = folder(100_000);
    let [master, _] = targets(&folder);
    let (sent, back) = challenges_from_elsewhere(master.at);
    assert!(sent > 0 && back == 0, "{back} for {sent}");
}

/// Bytes sent from another address than a connection's, and those that come back to it.
fn challenges_from_elsewhere(at: SocketAddr) -> (usize, usize) {
    let mut forger = attacker(at);
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    elsewhere.set_read_timeout(Some(5 * QUIET)).unwrap();
    let (mut sent, mut back) = (0, 0);
    let mut buffer = [0; 65_536];
    for token in 0..100 {
        let mut out = Out::default();
        out.path_challenge(token);
        sent += forger.send_from(&elsewhere, &out);
        while let Ok(len) = elsewhere.recv(&mut buffer) {
            back += len;
        }
    }
    // whatever came from there, it is answered here
    forger.ping();
    forger.hear(QUIET);
    assert!(!forger.is_over());
    forger.leave();
    (sent, back)
}

/// A16: what was never sent cannot be acknowledged, neither what has not been sent yet nor what was left
/// out on purpose.
#[test]
fn acknowledging_what_was_never_sent_ends_the_connection() {
    let folder = folder(100_000);
    for target in targets(&folder) {
        let unsent = Closed {
            code: VIOLATION,
            reason: "unsent packet acked".to_owned(),
        };
        let mut honest = attacker(target.at);
        // by then it has left some numbers out
        until_numbers(&mut honest, 300);
        let numbers = honest.numbers();
        assert!(*numbers.last().unwrap() + 1 > numbers.len() as u64);
        honest.leave();

        let mut ahead = attacker(target.at);
        let last = *ahead.numbers().last().unwrap();
        let mut out = Out::default();
        out.ack(&[last + 1000].into());
        ahead.send(&out);
        ahead.wait_for_close();
        assert_eq!(ahead.heard.closed.as_ref(), Some(&unsent));

        let mut greedy = attacker(target.at);
        greedy.acknowledge(Acks::Everything);
        until_numbers(&mut greedy, 300);
        greedy.wait_for_close();
        assert_eq!(greedy.heard.closed.as_ref(), Some(&unsent));
        Forger::greeted(target.at, &wallet("honest")).leave();
    }
}

/// Has the other side send packets until they have numbers up to this, or until it closes.
fn until_numbers(forger: &mut Forger, last: u64) {
    let began = Stopwatch::start();
    while forger.heard.closed.is_none() && *forger.numbers().last().unwrap() < last {
        assert!(
            began.elapsed() < PATIENCE,
            "only {:?}",
            forger.numbers().last()
        );
        forger.ping();
        forger.hear(QUIET);
    }
}
