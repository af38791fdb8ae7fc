//! Inputs in any order: unknown peers and tickets, double answers, removal in between.

use super::*;

/// One step of chaos. Numbers pick among what there is, or name what there is not.
#[derive(Debug, Clone)]
enum Step {
    Add(u8, u32, Trust),
    Remove(u8),
    Connect(u64, u64),
    Gone(u64),
    Holds(u64, u8, u32, u64),
    Has(u64, u8, Vec<u32>),
    Answer(u8, usize, u64),
    Work(u8, usize),
    Lost(u8, u32),
    Asked(u64, u8, u32),
    Served(u64),
    Steer(u8, Wish),
    Limit(Rates),
    Local(u8, Vec<u32>),
    Repeats(u8, Vec<Vec<u32>>),
    Copy(u8, usize),
    Choke(u64, bool),
    Load(u8),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let trust = prop_oneof![Just(Trust::Pinned), Just(Trust::Claimed)];
    let (peer, id, chunk) = (0u64..8, 0u8..3, 0u32..80);
    let haves = prop::collection::vec(0u32..80, 0..6);
    let step = prop_oneof![
        2 => (id.clone(), 1u32..70, trust).prop_map(|(id, n, trust)| Step::Add(id, n, trust)),
        1 => id.clone().prop_map(Step::Remove),
        4 => (peer.clone(), 0u64..5).prop_map(|(peer, who)| Step::Connect(peer, who)),
        1 => peer.clone().prop_map(Step::Gone),
        6 => (peer.clone(), id.clone(), 0u32..70, any::<u64>())
            .prop_map(|(peer, id, n, bits)| Step::Holds(peer, id, n, bits)),
        4 => (peer.clone(), id.clone(), haves).prop_map(|(peer, id, it)| Step::Has(peer, id, it)),
        16 => (0u8..8, any::<usize>(), any::<u64>()).prop_map(|(how, at, n)| Step::Answer(how, at, n)),
        12 => (0u8..5, any::<usize>()).prop_map(|(how, at)| Step::Work(how, at)),
        1 => (id.clone(), chunk.clone()).prop_map(|(id, chunk)| Step::Lost(id, chunk)),
        9 => (peer.clone(), id, chunk).prop_map(|(peer, id, chunk)| Step::Asked(peer, id, chunk)),
        3 => (0u64..40).prop_map(Step::Served),
        1 => (rate(), rate()).prop_map(|(up, down)| Step::Limit(Rates { up, down })),
        3 => (0u8..3, wishes()).prop_map(|(id, wish)| Step::Steer(id, wish)),
        3 => (0u8..3, prop::collection::vec(0u32..80, 0..6)).prop_map(|(id, it)| Step::Local(id, it)),
        2 => (0u8..3, prop::collection::vec(prop::collection::vec(0u32..80, 0..6), 0..3))
            .prop_map(|(id, it)| Step::Repeats(id, it)),
        6 => (0u8..4, any::<usize>()).prop_map(|(how, at)| Step::Copy(how, at)),
        4 => (0u64..4_000).prop_map(Step::Wait),
        2 => (peer, any::<bool>()).prop_map(|(peer, choked)| Step::Choke(peer, choked)),
        3 => (0u8..=100).prop_map(Step::Load),
        4 => (0u64..12_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..250)
}

fn rate() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(100_000u64..50_000_000)
}

fn wishes() -> impl Strategy<Value = Wish> {
    let orders = [Order::Rarest, Order::Sequential, Order::Sections];
    let chunk = || (0u32..80).prop_map(ChunkIndex::new);
    let range = (chunk(), chunk()).prop_map(|(from, to)| from..to);
    prop_oneof![
        prop::sample::select(orders.to_vec()).prop_map(Wish::Order),
        prop::collection::vec(range, 0..4).prop_map(Wish::Readers),
        Just(Wish::Pause),
        Just(Wish::Resume),
        rate().prop_map(|down| Wish::Limit(Rates { up: None, down })),
    ]
}

/// A bitfield, of the right length for its container or not, all ones now and then.
fn bits(len: u32, bits: u64) -> Bitfield {
    let holds = |chunk: &u32| bits.is_multiple_of(3) || bits.rotate_right(*chunk) & 1 == 1;
    set(len, (0..len).filter(holds))
}

fn indexes(chunks: Vec<u32>) -> Vec<ChunkIndex> {
    chunks.into_iter().map(ChunkIndex::new).collect()
}

struct Chaos {
    bench: Bench,
    sizes: BTreeMap<u8, u32>,
    asks: u64,
    keys: BTreeMap<u64, u64>,
    fresh: u64,
}

impl Chaos {
    /// The connection that a number stands for now; one that never was, if there is none.
    fn key(&self, peer: u64) -> PeerKey {
        PeerKey(self.keys.get(&peer).copied().unwrap_or(1_000_000 + peer))
    }

    fn answer(&mut self, how: u8, at: usize, number: u64) {
        let known: Vec<_> = self.bench.requests.iter().collect();
        let picked = (!known.is_empty()).then(|| known[at % known.len()]);
        let (ticket, peer) = match picked {
            Some((ticket, (peer, ..))) if !number.is_multiple_of(8) => (*ticket, *peer),
            _ => (Ticket(number % 300), self.key(number % 8)),
        };
        let chunks = picked.map_or(9, |(_, (_, id, _))| {
            let of = (0..3).find(|of| container(*of) == *id);
            of.and_then(|of| self.sizes.get(&of)).copied().unwrap_or(9)
        });
        let (rtt, payload) = (Duration::from_micros(number), payload());
        let retry_after = Duration::from_micros(number);
        let id = container(u8::try_from(number % 4).unwrap());
        self.bench.tell(match how {
            0 | 1 => Input::Arrived {
                peer,
                ticket,
                payload,
                rtt,
            },
            2 => Input::NotHeld {
                peer,
                ticket,
                held: bits(chunks, number),
            },
            3 => Input::Busy {
                peer,
                ticket,
                retry_after,
            },
            4 => Input::Failed { peer, ticket },
            5 => Input::Misbehaved { peer, ticket },
            6 => Input::Progress {
                peer,
                ticket,
                bytes: number,
            },
            _ => Input::Wasted {
                peer,
                id,
                bytes: number % 1_000_000,
            },
        });
        // What was answered is not out any more, whoever thought so.
        let swarm = &self.bench.swarm;
        self.bench
            .requests
            .retain(|ticket, (peer, ..)| swarm.container_of(*peer, *ticket).is_some());
    }

    fn work(&mut self, how: u8, at: usize) {
        let verifying = &mut self.bench.verifying;
        let ticket = if verifying.is_empty() || at.is_multiple_of(16) {
            Ticket(at as u64 % 300)
        } else if at.is_multiple_of(5) {
            verifying[at % verifying.len()]
        } else {
            verifying.swap_remove(at % verifying.len())
        };
        self.bench.tell(match how {
            0..=2 => Input::Stored { ticket },
            3 => Input::Bad { ticket },
            _ => Input::StoreFailed { ticket },
        });
    }

    fn copy(&mut self, how: u8, at: usize) {
        let copying = &mut self.bench.copying;
        let ticket = if copying.is_empty() || at.is_multiple_of(16) {
            Ticket(at as u64 % 300)
        } else {
            copying.swap_remove(at % copying.len())
        };
        self.bench.tell(match how {
            0 | 1 => Input::Copied { ticket },
            2 => Input::NotCopied { ticket },
            _ => Input::StoreFailed { ticket },
        });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Add(id, chunks, trust) => {
                if self.bench.swarm.have(&container(id)).is_none() {
                    self.sizes.insert(id, chunks);
                    self.bench.add(id, chunks, trust);
                }
            }
            Step::Remove(of) => {
                self.bench.tell(Input::Remove { id: container(of) });
            }
            Step::Connect(peer, who) => {
                self.step(Step::Gone(peer));
                self.fresh += 1;
                self.keys.insert(peer, self.fresh);
                let (peer, address) = (self.key(peer), address(who));
                let rtt = Duration::from_millis(who * 50);
                self.bench.tell(Input::PeerConnected {
                    peer,
                    address,
                    subnet: SUBNET,
                    rtt,
                });
            }
            Step::Gone(peer) => {
                let peer = self.key(peer);
                self.bench.tell(Input::PeerGone { peer });
                self.bench.requests.retain(|_, (at, ..)| *at != peer);
            }
            Step::Holds(peer, of, len, number) => {
                let fits = self.sizes.get(&of).filter(|_| !number.is_multiple_of(9));
                let held = bits(fits.copied().unwrap_or(len), number);
                let (peer, id) = (self.key(peer), container(of));
                self.bench.tell(Input::PeerHolds { peer, id, held });
            }
            Step::Has(peer, of, chunks) => {
                let chunks = chunks.into_iter().map(ChunkIndex::new).collect();
                let (peer, id) = (self.key(peer), container(of));
                self.bench.tell(Input::PeerHas { peer, id, chunks });
            }
            Step::Answer(how, at, number) => self.answer(how, at, number),
            Step::Work(how, at) => self.work(how, at),
            Step::Lost(of, chunk) => {
                let (id, chunk) = (container(of), ChunkIndex::new(chunk));
                self.bench.tell(Input::Lost { id, chunk });
            }
            Step::Asked(peer, of, chunk) => {
                self.asks += 1;
                let (peer, id, chunk) = (self.key(peer), container(of), ChunkIndex::new(chunk));
                let ask = AskKey(self.asks);
                self.bench.tell(Input::Asked {
                    peer,
                    ask,
                    id,
                    chunk,
                });
            }
            Step::Served(ask) => {
                let (peer, ask, bytes) = (self.key(ask % 8), AskKey(ask), 9);
                self.bench.tell(Input::Served { peer, ask, bytes });
            }
            Step::Steer(of, wish) => {
                let id = container(of);
                self.bench.tell(Input::Steer { id, wish });
            }
            Step::Load(percent) => {
                self.bench.tell(Input::Load(percent));
            }
            Step::Choke(peer, choked) => {
                let peer = self.key(peer);
                self.bench.tell(if choked {
                    Input::Choked { peer }
                } else {
                    Input::Unchoked { peer }
                });
            }
            Step::Limit(rates) => {
                self.bench.tell(Input::Limit { rates });
            }
            Step::Local(of, chunks) => {
                let (id, chunks) = (container(of), indexes(chunks));
                self.bench.tell(Input::Local { id, chunks });
            }
            Step::Repeats(of, groups) => {
                let groups = groups.into_iter().map(indexes).collect();
                let id = container(of);
                self.bench.tell(Input::Repeats { id, groups });
            }
            Step::Copy(how, at) => self.copy(how, at),
            Step::Wait(ms) => self.bench.wait(Duration::from_millis(ms)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_order_of_inputs_breaks_the_core(steps in steps()) {
        let mut chaos = Chaos {
            // As few slots as there can be.
            bench: Bench::with(Setup { upload_rate_max: Some(1), ..Setup::default() }), sizes: BTreeMap::new(), asks: 0, keys: BTreeMap::new(), fresh: 0,
        };
        for step in steps {
            chaos.step(step);
        }
        let bench = &mut chaos.bench;
        for peer in chaos.keys.values() {
            bench.tell(Input::PeerGone { peer: PeerKey(*peer) });
        }
        for ticket in std::mem::take(&mut bench.verifying) {
            bench.tell(Input::Stored { ticket });
        }
        bench.wait(Duration::from_secs(3600));
        prop_assert_eq!(bench.swarm.download.booked(), 0, "bytes stay booked for nothing");
        prop_assert_eq!(bench.swarm.deadline(), None, "a timer outlives what it was for");
        let said = &bench.said;
        let answered = said.iter().filter_map(|output| match output {
            Output::Serve { ask, .. } | Output::AnswerNotHeld { ask, .. }
            | Output::AnswerBusy { ask, .. } | Output::AnswerInstead { ask, .. } => Some(ask.0),
            _ => None,
        });
        let mut answered: Vec<u64> = answered.collect();
        answered.sort_unstable();
        prop_assert!(answered.is_sorted_by(|a, b| a < b), "answered twice: {:?}", answered);
    }
}
