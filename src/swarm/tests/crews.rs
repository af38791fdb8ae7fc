//! How many peers are asked where the thread that handles them is at work all the time.

use std::collections::BTreeSet;

use super::*;

const MS: Duration = Duration::from_millis(1);
const CHUNKS: u32 = 4000;

/// A core with so many peers that hold everything.
fn crowd(peers: u64) -> Bench {
    let mut bench = Bench::wanting(CHUNKS);
    for key in 1..=peers {
        bench.connect(key, Bitfield::full(CHUNKS));
    }
    bench
}

/// Has all but the `mute` answer one request every 20 ms, and says this load every 100 ms, for so long. Who was asked
/// in the last 100 ms.
fn run(bench: &mut Bench, span: Duration, load: u8, mute: &[u64]) -> BTreeSet<u64> {
    let end = bench.now + span;
    let mut asked = BTreeSet::new();
    while bench.now < end {
        let before = bench.said.len();
        for _ in 0..5 {
            bench.wait(20 * MS);
            let busy: BTreeSet<u64> = bench.requests.values().map(|it| it.0.0).collect();
            for key in busy.into_iter().filter(|key| !mute.contains(key)) {
                if let Some(ticket) = bench.out_at(key).first().copied() {
                    bench.store(ticket);
                }
            }
        }
        bench.tell(Input::Load(load));
        let news = bench.said[before..].iter();
        let requests = news.filter_map(|said| match said {
            Output::Request { peer, .. } => Some(peer.0),
            _ => None,
        });
        asked = requests.collect();
    }
    asked
}

#[test]
fn a_handful_is_asked_where_our_own_side_is_full() {
    let mut bench = crowd(30);
    assert_eq!(run(&mut bench, 300 * MS, 50, &[]).len(), 30);
    let handful = run(&mut bench, 1000 * MS, 100, &[]);
    assert_eq!(handful.len(), 4, "{handful:?}");
    assert_eq!(run(&mut bench, 300 * MS, 80, &[]), handful, "they stay");
    assert_eq!(run(&mut bench, 1000 * MS, 20, &[]).len(), 30);
}

#[test]
fn a_handful_stays_while_workers_are_behind() {
    let mut bench = crowd(30);
    run(&mut bench, 300 * MS, 50, &[]);
    let handful = run(&mut bench, 1000 * MS, 100, &[]);
    // everything that may be out has come, and none of it is proven
    while let Some(ticket) = bench.requests.keys().next().copied() {
        bench.arrive(ticket);
    }
    bench.tell(Input::Load(100));
    // they keep both processors from the thread's own work
    bench.wait(200 * MS);
    bench.tell(Input::Load(20));
    let before = bench.said.len();
    for ticket in std::mem::take(&mut bench.verifying) {
        bench.tell(Input::Stored { ticket });
    }
    let asks = |said: &Output| match said {
        Output::Request { peer, .. } => Some(peer.0),
        _ => None,
    };
    let asked: BTreeSet<u64> = bench.said[before..].iter().filter_map(asks).collect();
    assert_eq!(asked, handful);
}

#[test]
fn who_fails_makes_room_for_another() {
    let mut bench = crowd(12);
    run(&mut bench, 300 * MS, 50, &[]);
    let handful = run(&mut bench, 1000 * MS, 100, &[]);
    let mut members = handful.iter().copied();
    let [gone, choked, mute] = std::array::from_fn(|_| members.next().unwrap());
    let peer = PeerKey(gone);
    bench.requests.retain(|_, it| it.0 != peer);
    bench.tell(Input::PeerGone { peer });
    bench.tell(Input::Choked {
        peer: PeerKey(choked),
    });
    let others = run(&mut bench, 8000 * MS, 80, &[mute]);
    assert_eq!(others.len(), 4, "{others:?}");
    assert!([gone, choked, mute].iter().all(|key| !others.contains(key)));
    // all of them at once, without a word of the load
    for key in others {
        let peer = PeerKey(key);
        bench.requests.retain(|_, it| it.0 != peer);
        bench.tell(Input::PeerGone { peer });
    }
    assert!(bench.requests.len() > 4, "{:?}", bench.requests);
}

#[test]
fn nobody_is_left_out_where_somebody_lacks_something() {
    let mut bench = crowd(12);
    bench.connect(13, set(CHUNKS, 0..CHUNKS - 1));
    run(&mut bench, 300 * MS, 50, &[]);
    assert_eq!(run(&mut bench, 1000 * MS, 100, &[]).len(), 13);
    bench.tell(Input::PeerHas {
        peer: PeerKey(13),
        id: container(1),
        chunks: vec![ChunkIndex::new(CHUNKS - 1)],
    });
    assert_eq!(run(&mut bench, 1000 * MS, 100, &[]).len(), 4);
    bench.connect(14, set(CHUNKS, [7]));
    assert!(run(&mut bench, 1000 * MS, 100, &[]).len() > 11);
}

#[test]
fn sections_are_for_all() {
    let mut bench = crowd(12);
    let (id, wish) = (container(1), Wish::Order(Order::Sections));
    bench.tell(Input::Steer { id, wish });
    run(&mut bench, 300 * MS, 50, &[]);
    assert_eq!(run(&mut bench, 1000 * MS, 100, &[]).len(), 12);
}

#[test]
fn each_container_has_a_handful_of_its_own() {
    let mut bench = Bench::wanting(CHUNKS);
    bench.add(2, CHUNKS, Trust::Pinned);
    for key in 1..=20 {
        let held = Bitfield::full(CHUNKS);
        bench.connect(key, Bitfield::full(CHUNKS));
        if key > 10 {
            let (peer, id) = (PeerKey(key), container(1));
            bench.tell(Input::PeerLeft { peer, id });
            let id = container(2);
            bench.tell(Input::PeerHolds { peer, id, held });
        }
    }
    run(&mut bench, 300 * MS, 50, &[]);
    let asked = run(&mut bench, 1000 * MS, 100, &[]);
    let (one, other): (Vec<u64>, Vec<u64>) = asked.iter().partition(|key| **key <= 10);
    assert_eq!((one.len(), other.len()), (4, 4), "{asked:?}");
}
