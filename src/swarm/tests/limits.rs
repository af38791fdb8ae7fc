//! Download limits in virtual time: what arrives follows them, and they stop nothing else.

use super::*;
use crate::limits::{KIB, MIB};

const ANSWER: Duration = Duration::from_millis(5);
const TEN: Duration = Duration::from_secs(10);

/// A container with chunks of this many bytes, which these peers hold.
fn add(bench: &mut Bench, of: u8, chunks: u32, chunk: u32, peers: &[u64]) {
    let id = container(of);
    let layout = Layout::new(u64::from(chunks) * u64::from(chunk), chunk).unwrap();
    bench.tell(Input::Add {
        id,
        layout,
        have: Bitfield::empty(chunks),
        trust: Trust::Pinned,
    });
    for key in peers {
        let (peer, address, rtt) = (PeerKey(*key), address(*key), RTT);
        bench.tell(Input::PeerConnected {
            peer,
            address,
            subnet: SUBNET,
            rtt,
        });
        let held = Bitfield::full(chunks);
        bench.tell(Input::PeerHolds { peer, id, held });
    }
}

fn limit_all(bench: &mut Bench, down: u64) {
    let rates = Rates {
        up: None,
        down: Some(down),
    };
    bench.tell(Input::Limit { rates });
}

fn limit(bench: &mut Bench, of: u8, down: Option<u64>) {
    let (id, rates) = (container(of), Rates { up: None, down });
    let wish = Wish::Limit(rates);
    bench.tell(Input::Steer { id, wish });
}

/// A chunk that does not shrink.
fn whole(bench: &Bench, id: &ManifestId) -> Payload {
    static ZEROS: [u8; MIB] = [0; MIB];
    let container = bench.swarm.download.container(id).unwrap();
    let bytes = Bytes::from_static(&ZEROS).slice(..container.layout.chunk_size() as usize);
    Payload::new(Encoding::Raw, vec![bytes])
}

/// Lets each of these peers answer one chunk every 5 ms, for so long. Chunks that came, by container.
fn flow(bench: &mut Bench, peers: &[u64], span: Duration) -> BTreeMap<ManifestId, u64> {
    let (end, mut came) = (bench.now + span, BTreeMap::new());
    while bench.now < end {
        bench.wait(ANSWER);
        for key in peers {
            if let Some(ticket) = bench.out_at(*key).first().copied() {
                let (peer, id, _) = bench.requests[&ticket];
                *came.entry(id).or_default() += 1;
                bench.tell(Input::Arrived {
                    peer,
                    ticket,
                    payload: whole(bench, &id),
                    rtt: RTT,
                });
                bench.tell(Input::Stored { ticket });
            }
        }
    }
    came
}

#[test]
fn a_limit_for_all_holds_over_ten_seconds() {
    for (rate, chunk) in [
        (16 * KIB, 32 * KIB),
        (100 * KIB, 32 * KIB),
        (MIB, 32 * KIB),
        (MIB, 256 * KIB),
        (8 * MIB, 256 * KIB),
        (10 * MIB, MIB),
    ] {
        let mut bench = Bench::new();
        limit_all(&mut bench, rate as u64);
        add(
            &mut bench,
            1,
            4096,
            u32::try_from(chunk).unwrap(),
            &[1, 2, 3, 4],
        );
        let came = flow(&mut bench, &[1, 2, 3, 4], TEN)[&container(1)] * chunk as u64;
        let allowed = 10 * rate as u64;
        // One chunk may be on its way.
        let least = allowed * 97 / 100 - chunk as u64;
        assert!((least..=allowed).contains(&came), "{came} B of {allowed} B");
    }
}

#[test]
fn one_chunk_at_a_time_is_asked_for_where_it_takes_long() {
    let mut bench = Bench::new();
    limit_all(&mut bench, 16 * KIB as u64);
    let chunk = 16 * MIB;
    add(&mut bench, 1, 64, u32::try_from(chunk).unwrap(), &[1, 2, 3]);
    bench.wait(Duration::from_millis(250));
    assert_eq!(bench.requests.len(), 1);
    let (ticket, (peer, ..)) = bench
        .requests
        .iter()
        .next()
        .map(|it| (*it.0, *it.1))
        .unwrap();
    // The network reads at the limit: nobody takes it for slow.
    for second in 1..1023 {
        bench.wait(Duration::from_secs(1));
        let bytes = second * 16 * KIB as u64;
        bench.tell(Input::Progress {
            peer,
            ticket,
            bytes,
        });
        assert_eq!(bench.requests.len(), 1, "after {second} s");
    }
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.requests.len(), 2, "the next is asked for in time");
}

#[test]
fn a_limit_for_one_leaves_the_other_alone() {
    let mut bench = Bench::new();
    for of in [1, 2] {
        add(&mut bench, of, 4096, CHUNK, &[]);
    }
    limit(&mut bench, 1, Some(MIB as u64));
    for key in [1, 2] {
        bench.connect(key, Bitfield::full(4096));
        let (peer, id, held) = (PeerKey(key), container(2), Bitfield::full(4096));
        bench.tell(Input::PeerHolds { peer, id, held });
    }
    let came = flow(&mut bench, &[1, 2], TEN);
    assert!((38..=40).contains(&came[&container(1)]), "{came:?}");
    assert!(came[&container(2)] > 3900, "{came:?}");
}

#[test]
fn a_limit_changes_while_transfers_run() {
    let mut bench = Bench::new();
    limit_all(&mut bench, 256 * KIB as u64);
    add(&mut bench, 1, 2048, CHUNK, &[1, 2]);
    assert!((9..=10).contains(&flow(&mut bench, &[1, 2], TEN)[&container(1)]));
    limit_all(&mut bench, 2560 * KIB as u64);
    let came = flow(&mut bench, &[1, 2], TEN)[&container(1)];
    assert!((97..=101).contains(&came), "{came}");
    limit(&mut bench, 1, Some(256 * KIB as u64));
    let came = flow(&mut bench, &[1, 2], TEN)[&container(1)];
    assert!((9..=11).contains(&came), "{came}");
    limit(&mut bench, 1, None);
    let came = flow(&mut bench, &[1, 2], TEN)[&container(1)];
    // A quarter of a second may be saved up while the other limit is the lower one.
    assert!((97..=103).contains(&came), "{came}");
    bench.tell(Input::Limit {
        rates: Rates::default(),
    });
    assert!(flow(&mut bench, &[1, 2], TEN)[&container(1)] > 1000);
}

#[test]
fn small_chunks_do_not_overtake_large_ones_for_ever() {
    let mut bench = Bench::new();
    limit_all(&mut bench, MIB as u64);
    add(&mut bench, 1, 1024, 32 * 1024, &[1, 2, 3]);
    add(&mut bench, 2, 64, 1024 * 1024, &[4]);
    let came = flow(&mut bench, &[1, 2, 3, 4], TEN);
    assert!(came[&container(2)] >= 1, "{came:?}");
    assert!(came[&container(1)] >= 24, "{came:?}");
}

#[test]
fn a_silent_peer_does_not_use_a_limit_up() {
    let mut bench = Bench::new();
    limit_all(&mut bench, MIB as u64);
    add(&mut bench, 1, 40, CHUNK, &[1, 2]);
    flow(&mut bench, &[1], Duration::from_secs(40));
    assert!(bench.swarm.have(&container(1)).unwrap().is_full());
}
