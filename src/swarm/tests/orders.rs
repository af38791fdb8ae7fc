//! Orders, readers and pauses, as the requests show them.

use super::*;

const MS: Duration = Duration::from_millis(1);

fn steer(bench: &mut Bench, wish: Wish) {
    let id = container(1);
    bench.tell(Input::Steer { id, wish });
}

fn readers<const N: usize>(ranges: [(u32, u32); N]) -> Wish {
    let range = |(from, to)| ChunkIndex::new(from)..ChunkIndex::new(to);
    Wish::Readers(ranges.map(range).to_vec())
}

/// Lets peers answer one chunk each in their own time until nothing is left to do: the chunks in the
/// order of their arrival, each with its peer. A peer without a time never answers.
fn run(bench: &mut Bench, times: &[(u64, Option<Duration>)], until: usize) -> Vec<(u64, u32)> {
    let mut busy: BTreeMap<u64, Moment> = BTreeMap::new();
    let mut arrived = Vec::new();
    while arrived.len() < until {
        let mut next = None::<(Moment, u64)>;
        for (key, time) in times {
            if let (Some(time), false) = (time, bench.out_at(*key).is_empty()) {
                let at = *busy.entry(*key).or_insert(bench.now + *time);
                next = next.into_iter().chain([(at, *key)]).min();
            } else {
                busy.remove(key);
            }
        }
        let wake = bench.swarm.deadline().map(|(at, _)| at);
        match (next, wake) {
            (Some((at, _)), Some(wake)) if wake < at => bench.wait(wake.since(bench.now)),
            (Some((at, key)), _) => {
                bench.wait(at.since(bench.now));
                busy.remove(&key);
                let Some(ticket) = bench.out_at(key).first().copied() else {
                    continue;
                };
                arrived.push((key, bench.requests[&ticket].2.get()));
                bench.store(ticket);
            }
            (None, Some(wake)) => bench.wait(wake.since(bench.now)),
            (None, None) => break,
        }
    }
    arrived
}

/// How many chunks are here without a gap, from the first on.
fn front(bench: &Bench) -> u32 {
    let have = bench.swarm.have(&container(1)).unwrap();
    let held = |chunk: &u32| have.contains(ChunkIndex::new(*chunk));
    u32::try_from((0..have.len()).take_while(held).count()).unwrap()
}

#[test]
fn a_sequence_comes_in_order_from_several_peers() {
    let mut bench = Bench::wanting(100);
    steer(&mut bench, Wish::Order(Order::Sequential));
    for key in 1..=3 {
        bench.connect(key, Bitfield::full(100));
    }
    let times = [1, 2, 3].map(|key| (key, Some(10 * MS)));
    let arrived = run(&mut bench, &times, 60);
    let ahead = arrived
        .iter()
        .zip(0..)
        .map(|((_, chunk), at)| chunk.abs_diff(at));
    assert!(ahead.max() < Some(12), "{arrived:?}");
    assert!(front(&bench) > 50);
}

#[test]
fn a_slow_peer_does_not_hold_the_front_of_a_sequence() {
    for slow in [None, Some(1500 * MS)] {
        let mut bench = Bench::wanting(400);
        steer(&mut bench, Wish::Order(Order::Sequential));
        bench.connect(2, Bitfield::full(400));
        bench.connect(1, Bitfield::full(400));
        assert_eq!(bench.chunks_at(2)[0], 0, "it has the front");
        let mut came = 0;
        for _ in 0..18 {
            came += run(&mut bench, &[(1, Some(10 * MS)), (2, slow)], 20).len();
            let behind = came - front(&bench) as usize;
            assert!(behind < 48, "{behind} of {came} wait for the front");
        }
    }
}

#[test]
fn a_slow_peer_does_hold_chunks_that_nobody_waits_for() {
    let mut bench = Bench::wanting(400);
    bench.connect(1, Bitfield::full(400));
    bench.connect(2, Bitfield::full(400));
    let held = bench.chunks_at(2);
    run(&mut bench, &[(1, Some(10 * MS)), (2, None)], 100);
    assert!(!bench.chunks_at(2).is_empty());
    assert!(bench.chunks_at(2).iter().all(|chunk| held.contains(chunk)));
    assert!(held.iter().all(|chunk| !bench.chunks_at(1).contains(chunk)));
}

#[test]
fn peers_work_in_sections_of_their_own() {
    let mut bench = Bench::wanting(128);
    steer(&mut bench, Wish::Order(Order::Sections));
    for key in 1..=2 {
        bench.connect(key, Bitfield::full(128));
    }
    let arrived = run(&mut bench, &[(1, Some(10 * MS)), (2, Some(30 * MS))], 128);
    assert_eq!(arrived.len(), 128);
    for key in [1, 2] {
        let own = arrived.iter().filter(|(by, _)| *by == key);
        let own: Vec<_> = own.map(|(_, chunk)| *chunk).collect();
        let gaps = own.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count();
        assert!(gaps < 12, "peer {key} got {own:?}");
    }
    // A newcomer splits what is largest; here, the first time round, what peer 1 has left.
    let mut bench = Bench::wanting(128);
    steer(&mut bench, Wish::Order(Order::Sections));
    bench.connect(1, Bitfield::full(128));
    let left = 128 - u32::try_from(bench.chunks_at(1).len()).unwrap();
    bench.connect(2, Bitfield::full(128));
    assert_eq!(bench.chunks_at(2)[0], 128 - left + left / 2);
}

#[test]
fn an_order_changes_while_it_goes_on() {
    let mut bench = Bench::wanting(400);
    bench.connect(1, Bitfield::full(400));
    bench.connect(2, Bitfield::full(400));
    let peers = [(1, Some(10 * MS)), (2, Some(10 * MS))];
    run(&mut bench, &peers, 20);
    steer(&mut bench, Wish::Order(Order::Sequential));
    let out = bench.requests.len();
    run(&mut bench, &peers, 20);
    run(&mut bench, &peers, 150);
    assert!(front(&bench) as usize >= 150, "{out} were out");
}

#[test]
fn what_readers_wait_for_comes_first_nearest_first() {
    let mut bench = Bench::wanting(400);
    let other = container(2);
    bench.connect(1, Bitfield::full(400));
    bench.add(2, 400, Trust::Pinned);
    let (peer, held) = (PeerKey(1), Bitfield::full(400));
    bench.tell(Input::PeerHolds {
        peer,
        id: other,
        held,
    });
    bench.said.clear();
    steer(&mut bench, readers([(200, 210), (350, 353)]));
    run(&mut bench, &[(1, Some(10 * MS))], 40);
    let asked = bench.said.iter().filter_map(|output| match output {
        Output::Request { id, chunk, .. } => Some((*id, chunk.get())),
        _ => None,
    });
    let order = [
        200, 350, 201, 351, 202, 352, 203, 204, 205, 206, 207, 208, 209,
    ];
    let asked: Vec<_> = asked.take(order.len()).collect();
    assert_eq!(asked, order.map(|chunk| (container(1), chunk)));
    let rest = bench.requests.values().map(|it| it.1);
    let (one, two): (Vec<_>, Vec<_>) = rest.partition(|id| *id == container(1));
    assert!(
        !one.is_empty() && !two.is_empty(),
        "then both go on in turn"
    );
}

#[test]
fn a_slow_peer_does_not_hold_what_a_reader_waits_for() {
    let mut bench = Bench::wanting(400);
    bench.connect(1, Bitfield::full(400));
    bench.connect(2, Bitfield::full(400));
    let peers = [(1, Some(10 * MS)), (2, None)];
    run(&mut bench, &peers, 20);
    let held = bench.chunks_at(2)[0];
    steer(&mut bench, readers([(held, held + 1)]));
    run(&mut bench, &peers, 10);
    let have = bench.swarm.have(&container(1)).unwrap();
    assert!(have.contains(ChunkIndex::new(held)));
}

#[test]
fn a_pause_takes_requests_back_but_for_what_is_nearly_here() {
    let mut bench = Bench::wanting(64);
    bench.connect(1, Bitfield::full(64));
    bench.connect(2, Bitfield::full(64));
    run(&mut bench, &[(1, Some(10 * MS))], 10);
    let (near, peer) = (bench.out_at(1)[0], PeerKey(1));
    let bytes = u64::from(CHUNK) / 2;
    let ticket = near;
    bench.tell(Input::Progress {
        peer,
        ticket,
        bytes,
    });
    let have = bench.swarm.have(&container(1)).unwrap().count();
    steer(&mut bench, Wish::Pause);
    assert_eq!(bench.requests.keys().collect::<Vec<_>>(), [&near]);
    bench.store(near);
    bench.wait(Duration::from_secs(100));
    bench.connect(3, Bitfield::full(64));
    assert!(bench.requests.is_empty(), "nothing is asked for");
    assert_eq!(bench.swarm.have(&container(1)).unwrap().count(), have + 1);

    let (ask, id, chunk) = (AskKey(1), container(1), bench.swarm.have(&container(1)));
    let chunk = chunk.unwrap().iter().next().unwrap();
    bench.said.clear();
    bench.tell(Input::Asked {
        peer,
        ask,
        id,
        chunk,
    });
    assert!(
        matches!(bench.said[..], [Output::Serve { .. }]),
        "it is served"
    );

    steer(&mut bench, Wish::Resume);
    let peers = [1, 2, 3].map(|key| (key, Some(10 * MS)));
    let rest = run(&mut bench, &peers, 64);
    assert_eq!(rest.len(), 63 - have as usize, "nothing is fetched again");
    assert!(bench.swarm.have(&container(1)).unwrap().is_full());
}

#[test]
fn a_chunk_that_cannot_be_written_stops_a_container_that_pauses() {
    let mut bench = Bench::wanting(8);
    bench.connect(1, Bitfield::full(8));
    let ticket = bench.out_at(1)[0];
    bench.arrive(ticket);
    steer(&mut bench, Wish::Pause);
    bench.said.clear();
    bench.tell(Input::StoreFailed { ticket });
    assert_eq!(bench.said, [Output::Stopped { id: container(1) }]);
    steer(&mut bench, Wish::Resume);
    assert!(bench.requests.is_empty(), "stopped is stopped");
    steer(&mut bench, Wish::Mended);
    assert_eq!(bench.requests.len(), 8, "the one that was not stored too");
    assert_eq!(run(&mut bench, &[(1, Some(10 * MS))], 64).len(), 8);
}

#[test]
fn a_container_that_is_stuck_asks_for_nothing_until_it_is_mended() {
    let mut bench = Bench::wanting(8);
    bench.connect(1, Bitfield::full(8));
    assert!(!bench.requests.is_empty());
    steer(&mut bench, Wish::Stuck);
    assert!(bench.requests.is_empty(), "they are taken back");
    steer(&mut bench, Wish::Resume);
    assert!(bench.requests.is_empty(), "stuck is stuck");
    steer(&mut bench, Wish::Mended);
    assert_eq!(run(&mut bench, &[(1, Some(10 * MS))], 64).len(), 8);
}
