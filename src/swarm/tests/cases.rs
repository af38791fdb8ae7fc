//! Inputs that once did harm, or would: one named case each.

use super::*;

#[test]
fn what_is_not_known_is_ignored() {
    let mut bench = Bench::wanting(8);
    bench.connect(1, Bitfield::empty(8));
    let (peer, id) = (PeerKey(1), container(1));
    for chunks in [
        vec![ChunkIndex::new(8), ChunkIndex::new(u32::MAX)],
        Vec::new(),
    ] {
        assert_eq!(bench.tell(Input::PeerHas { peer, id, chunks }), 0);
    }
    let (held, other) = (Bitfield::full(8), container(9));
    let stranger = PeerKey(7);
    let peer_holds = |peer, id, held| Input::PeerHolds { peer, id, held };
    assert_eq!(bench.tell(peer_holds(peer, other, held.clone())), 0);
    assert_eq!(bench.tell(peer_holds(stranger, id, held)), 0);
    for len in [7, 9, 4096] {
        let held = Bitfield::full(len);
        assert_eq!(bench.tell(peer_holds(peer, id, held)), 0, "{len} chunks");
    }
    for ticket in [Ticket(0), Ticket(99)] {
        assert_eq!(bench.tell(Input::Stored { ticket }), 0);
        assert_eq!(bench.tell(Input::Bad { ticket }), 0);
        assert_eq!(bench.tell(Input::StoreFailed { ticket }), 0);
    }
}

#[test]
fn an_answer_counts_once() {
    let mut bench = Bench::wanting(4);
    bench.connect(1, Bitfield::full(4));
    let (peer, ticket) = (PeerKey(1), bench.out_at(1)[0]);
    bench.arrive(ticket);
    let held = Bitfield::full(4);
    let (payload, rtt) = (payload(), RTT);
    for again in [
        Input::Arrived {
            peer,
            ticket,
            payload,
            rtt,
        },
        Input::NotHeld { peer, ticket, held },
        Input::Failed { peer, ticket },
    ] {
        assert_eq!(bench.tell(again), 0);
    }
    bench.tell(Input::Stored { ticket });
    assert_eq!(bench.tell(Input::Stored { ticket }), 0);
    assert_eq!(bench.tell(Input::Bad { ticket }), 0, "it was stored");
}

#[test]
fn an_answer_counts_for_the_peer_that_was_asked() {
    let mut bench = Bench::wanting(4);
    bench.connect(1, Bitfield::full(4));
    bench.connect(2, Bitfield::full(4));
    let ticket = bench.out_at(1)[0];
    let peer = PeerKey(2);
    let (payload, rtt) = (payload(), RTT);
    let told = bench.tell(Input::Arrived {
        peer,
        ticket,
        payload,
        rtt,
    });
    assert_eq!(told, 0);
    assert!(bench.out_at(1).contains(&ticket));
}

#[test]
fn a_worker_that_is_done_after_removal_and_return_changes_nothing() {
    for done in [
        |ticket| Input::Stored { ticket },
        |ticket| Input::Bad { ticket },
        |ticket| Input::StoreFailed { ticket },
    ] {
        let mut bench = Bench::wanting(4);
        bench.connect(1, Bitfield::full(4));
        let ticket = bench.out_at(1)[0];
        bench.arrive(ticket);
        bench.tell(Input::Remove { id: container(1) });
        assert!(bench.requests.is_empty());
        bench.add(1, 4, Trust::Pinned);
        bench.tell(done(ticket));
        let have = bench.swarm.have(&container(1));
        assert!(have.is_some_and(Bitfield::is_empty), "another life's chunk");
        assert_eq!(bench.swarm.download.booked(), 0);
    }
}

#[test]
fn a_container_stops_once() {
    let mut bench = Bench::wanting(8);
    bench.connect(1, Bitfield::full(8));
    for ticket in bench.out_at(1) {
        bench.arrive(ticket);
    }
    for ticket in std::mem::take(&mut bench.verifying) {
        bench.tell(Input::StoreFailed { ticket });
    }
    let id = container(1);
    let stopped = bench
        .said
        .iter()
        .filter(|it| **it == Output::Stopped { id });
    assert_eq!(stopped.count(), 1);
    assert!(bench.requests.is_empty());
}

#[test]
fn a_liar_is_dropped_at_once_and_banned_at_the_third_bad_chunk() {
    let mut bench = Bench::wanting(8);
    for (times, key) in (1..).zip([1, 2, 3]) {
        let (peer, address) = (PeerKey(key), address(1));
        let rtt = RTT;
        bench.tell(Input::PeerConnected {
            peer,
            address,
            subnet: SUBNET,
            rtt,
        });
        let (id, held) = (container(1), Bitfield::full(8));
        bench.tell(Input::PeerHolds { peer, id, held });
        let ticket = bench.out_at(key)[0];
        bench.arrive(ticket);
        bench.said.clear();
        bench.tell(Input::Bad { ticket });
        let dropped =
            |it: &Output| matches!(it, Output::Drop { peer, .. } if *peer == PeerKey(key));
        assert!(bench.said.iter().any(dropped) && bench.out_at(key).is_empty());
        assert_eq!(bench.swarm.is_banned(&address), times == BAD_CHUNKS_MAX);
    }
    let (peer, address) = (PeerKey(9), address(1));
    bench.said.clear();
    let rtt = RTT;
    bench.tell(Input::PeerConnected {
        peer,
        address,
        subnet: SUBNET,
        rtt,
    });
    let offence = Offence::Banned;
    assert_eq!(bench.said, [Output::Drop { peer, offence }]);
}

/// Three addresses fail chunk 0 while a fourth peer holds what `honest` says.
fn three_liars(trust: Trust, honest: impl IntoIterator<Item = u32>) -> Bench {
    three_liars_in([1, 2, 3], trust, honest)
}

/// The same, in these subnets.
fn three_liars_in(subnets: [u64; 3], trust: Trust, honest: impl IntoIterator<Item = u32>) -> Bench {
    let mut bench = Bench::new();
    bench.add(1, 1, trust);
    for (key, subnet) in (1..).zip(subnets) {
        bench.connect_in(Subnet(subnet), key, Bitfield::full(1));
        if key == 3 {
            bench.connect(4, set(1, honest));
            break;
        }
        let ticket = bench.out_at(key)[0];
        bench.arrive(ticket);
        bench.tell(Input::Bad { ticket });
    }
    let ticket = bench.out_at(3)[0];
    bench.arrive(ticket);
    bench.said.clear();
    bench.tell(Input::Bad { ticket });
    bench
}

#[test]
fn a_claimed_manifest_that_nobody_can_serve_is_suspected() {
    let bench = three_liars(Trust::Claimed, []);
    let suspect = Output::Suspect {
        id: container(1),
        chunk: ChunkIndex::new(0),
    };
    assert_eq!(bench.said, [suspect]);
}

#[test]
fn one_owners_wallets_cannot_discredit_a_manifest() {
    let bench = three_liars_in([1, 2, 2], Trust::Claimed, []);
    let suspect = |it: &Output| matches!(it, Output::Suspect { .. });
    assert!(!bench.said.iter().any(suspect));
}

/// A peer is banned for chunks of a manifest, and then it turns out that nobody can send them.
#[test]
fn who_was_banned_for_a_wrong_manifest_is_pardoned() {
    for found_out in ["by three more peers", "by the whole"] {
        let mut bench = Bench::new();
        bench.add(1, 8, Trust::Claimed);
        let fail = |bench: &mut Bench, key: u64, who: u64| {
            let (peer, address, rtt) = (PeerKey(key), address(who), RTT);
            let subnet = Subnet(who);
            bench.tell(Input::PeerConnected {
                peer,
                address,
                subnet,
                rtt,
            });
            let (id, held) = (container(1), set(8, [0]));
            bench.tell(Input::PeerHolds { peer, id, held });
            let ticket = bench.out_at(key)[0];
            bench.arrive(ticket);
            bench.tell(Input::Bad { ticket });
        };
        (1..=3).for_each(|key| fail(&mut bench, key, 1));
        assert!(bench.swarm.is_banned(&address(1)));
        match found_out {
            "by the whole" => drop(bench.tell(Input::Condemn { id: container(1) })),
            _ => (4..=5).for_each(|key| fail(&mut bench, key, key)),
        }
        let pardon = Output::Pardon {
            address: address(1),
        };
        assert!(bench.said.contains(&pardon), "{found_out}");
        assert!(!bench.swarm.is_banned(&address(1)), "{found_out}");
    }
}

#[test]
fn a_ban_that_is_lifted_is_over() {
    let mut bench = Bench::wanting(8);
    for key in 1..=3 {
        bench.connect_as(address(1), key);
        let ticket = bench.out_at(key)[0];
        bench.arrive(ticket);
        bench.tell(Input::Bad { ticket });
    }
    let address = address(1);
    assert!(bench.swarm.is_banned(&address));
    bench.tell(Input::Lift(address));
    assert_eq!(bench.said.last(), Some(&Output::Pardon { address }));
    bench.connect_as(address, 4);
    assert!(!bench.out_at(4).is_empty(), "it is asked again");
    assert_eq!(bench.tell(Input::Lift(address)), 0, "there is no ban");
}

#[test]
fn three_liars_cannot_discredit_a_manifest_while_somebody_else_is_there_to_ask() {
    for (trust, honest) in [
        (Trust::Claimed, Some(0)),
        (Trust::Pinned, Some(0)),
        (Trust::Pinned, None),
    ] {
        let bench = three_liars(trust, honest);
        let suspect = |it: &Output| matches!(it, Output::Suspect { .. });
        assert!(!bench.said.iter().any(suspect), "{trust:?} {honest:?}");
        assert_eq!(bench.chunks_at(4), honest.as_slice());
    }
}

#[test]
fn all_ones_that_deny_everything_do_not_keep_a_chunk_from_others() {
    let mut bench = Bench::wanting(1);
    bench.connect(1, Bitfield::full(1));
    bench.connect(2, Bitfield::full(1));
    let (peer, held) = (PeerKey(1), Bitfield::full(1));
    let mut asked = 0;
    for _ in 0..1000 {
        for ticket in bench.out_at(1) {
            asked += 1;
            bench.requests.remove(&ticket);
            let held = held.clone();
            bench.tell(Input::NotHeld { peer, ticket, held });
        }
        let (id, chunks) = (container(1), vec![ChunkIndex::new(0)]);
        bench.tell(Input::PeerHas { peer, id, chunks });
        bench.wait(Duration::from_millis(1));
    }
    assert!(asked <= 3, "asked {asked} times within a second");
    assert_eq!(bench.chunks_at(2), [0]);
}

#[test]
fn a_peer_that_is_busy_at_once_is_not_asked_at_once() {
    let mut bench = Bench::wanting(64);
    bench.connect(1, Bitfield::full(64));
    let (peer, retry_after) = (PeerKey(1), Duration::ZERO);
    let mut asked = 0;
    for _ in 0..1000 {
        for ticket in bench.out_at(1) {
            asked += 1;
            bench.requests.remove(&ticket);
            bench.tell(Input::Busy {
                peer,
                ticket,
                retry_after,
            });
        }
        bench.wait(Duration::from_millis(1));
    }
    assert!((10..30).contains(&asked), "asked {asked} times in a second");
}

#[test]
fn what_waits_for_a_peer_that_goes_is_answered() {
    let mut bench = Bench::new();
    let layout = Layout::new(u64::from(CHUNK), CHUNK).unwrap();
    let id = container(1);
    bench.tell(Input::Add {
        id,
        layout,
        have: Bitfield::full(1),
        trust: Trust::Pinned,
    });
    bench.connect(1, Bitfield::empty(1));
    let (peer, chunk) = (PeerKey(1), ChunkIndex::new(0));
    for ask in (0..200).map(AskKey) {
        bench.tell(Input::Asked {
            peer,
            ask,
            id,
            chunk,
        });
    }
    bench.tell(Input::PeerGone { peer });
    let ask = AskKey(200);
    bench.tell(Input::Asked {
        peer,
        ask,
        id,
        chunk,
    });
    let answers = |it: &&Output| matches!(it, Output::Serve { .. } | Output::AnswerBusy { .. });
    assert_eq!(bench.said.iter().filter(answers).count(), 201);
}

#[test]
fn the_loser_of_a_race_is_given_something_else() {
    let mut bench = Bench::wanting(2);
    bench.connect(1, set(2, [0]));
    bench.connect(2, set(2, [0, 1]));
    // Peer 2 brings chunk 1, then asks for chunk 0 as well, which peer 1 does not answer.
    let ticket = bench.out_at(2)[0];
    bench.store(ticket);
    bench.wait(Duration::from_secs(1));
    assert_eq!((bench.chunks_at(1), bench.chunks_at(2)), (vec![0], vec![0]));
    let (peer, id, chunk) = (PeerKey(1), container(1), ChunkIndex::new(1));
    bench.tell(Input::Lost { id, chunk });
    bench.tell(Input::PeerHas {
        peer,
        id,
        chunks: vec![chunk],
    });
    let ticket = bench.out_at(2)[0];
    bench.store(ticket);
    let both = [bench.chunks_at(1), bench.chunks_at(2)].concat();
    assert_eq!(both, [1]);
}

#[test]
fn many_silent_peers_cost_a_bounded_number_of_bytes() {
    let mut bench = Bench::wanting(4000);
    for key in 1..=500 {
        bench.connect(key, Bitfield::full(4000));
    }
    assert!(bench.swarm.download.booked() <= IN_FLIGHT_BYTES_MAX);
    bench.wait(Duration::from_secs(300));
    assert!(bench.swarm.download.booked() <= IN_FLIGHT_BYTES_MAX);
}

/// A peer that sends two answers side by side is halfway through both when one is taken over.
#[test]
fn the_half_of_an_answer_that_is_still_to_come_counts() {
    let mut bench = Bench::wanting(120);
    bench.connect(1, set(120, [0, 1, 2]));
    bench.wait(Duration::from_secs(1));
    bench.store(bench.out_at(1)[0]);
    let both = bench.out_at(1);
    assert_eq!(both.len(), 2);
    bench.wait(Duration::from_secs(1));
    for ticket in both {
        let (peer, bytes) = (PeerKey(1), u64::from(CHUNK) / 2);
        bench.tell(Input::Progress {
            peer,
            ticket,
            bytes,
        });
    }
    bench.connect(2, set(120, [0, 1, 2]));
    assert_eq!((bench.out_at(1).len(), bench.out_at(2).len()), (1, 1));
    bench.wait(Duration::from_millis(100));
    bench.store(bench.out_at(2)[0]);
    // The other half would take the first peer half a second more.
    assert_eq!(bench.chunks_at(2), bench.chunks_at(1));
}
