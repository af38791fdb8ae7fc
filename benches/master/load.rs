//! Requests at a fixed rate, whether they are answered or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use swarmhold::manifest::{Draft, Layout};
use swarmhold::net::{Answer, Event, Lane, Responder, Throttle};
use swarmhold::wire::{Encoding, Extent, Refusal, Reply, Request};
use swarmhold::{Digest, Manifest, ManifestId, ProgramId, Wallet};
use tokio::time::{Instant, sleep_until};

use crate::clients::Clients;
use crate::questions::{Random, question};
use crate::say::say;
use crate::{Options, Part, Server};

/// Connections.
const CLIENTS: usize = 200;
/// How long after the last request answers are waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of the containers that are registered.
const CONTAINER_BYTES: usize = 100;

/// What is asked of a part: at least so many a second, the slowest of a hundred within so many ms.
fn asked_for(part: Part) -> Option<(u32, f64)> {
    match part {
        Part::Lookup => Some((10_000, f64::INFINITY)),
        Part::Search => Some((1000, 10.0)),
        Part::Prefix => Some((5000, f64::INFINITY)),
        Part::Regex => Some((100, 25.0)),
        Part::Register => Some((2000, f64::INFINITY)),
        Part::Short | Part::Mixed | Part::Overload | Part::Fill | Part::Idle => None,
    }
}

/// The rates that are tried.
fn rates(part: Part) -> &'static [u32] {
    match part {
        Part::Lookup => &[5000, 10_000, 14_000],
        Part::Search => &[500, 1000, 2000, 3000],
        Part::Prefix => &[2500, 5000, 8000],
        Part::Regex => &[100, 200, 500],
        Part::Short => &[50, 100],
        Part::Register => &[1000, 2000, 2500],
        Part::Mixed => &[500, 1000, 2000],
        Part::Overload => &[1000, 2000, 4000, 8000, 16_000],
        Part::Fill | Part::Idle => &[],
    }
}

/// What came of one rate.
#[derive(Debug, Default)]
struct Round {
    asked: u32,
    good: u32,
    busy: u32,
    cut: u32,
    failed: u32,
    /// Registrations beside what is measured that were taken.
    beside: u32,
    /// Of those that were answered, in milliseconds.
    latencies: Vec<f64>,
    seconds: f64,
    /// Of the master and of the clients.
    cores: [f64; 2],
}

/// Measures one part at its rates. Answers whether what was asked for was reached.
pub(crate) fn measure(server: &Server, options: &Options, part: Part, names: &[String]) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut clients = Clients::connect(&server.hint, CLIENTS).await;
        let rates: Vec<u32> = match options.rate.is_empty() {
            true => rates(part).to_vec(),
            false => options.rate.clone(),
        };
        let mut rounds = Vec::new();
        for rate in rates {
            let mut asker = Asker::new(part, names, rate, options);
            let before = server.cpu_s();
            let mut round = asker.run(&mut clients, rate, options.seconds).await;
            round.cores = [0, 1].map(|of| (server.cpu_s()[of] - before[of]) / round.seconds);
            say(round.line(part, rate));
            rounds.push((rate, round));
        }
        verdict(part, &rounds)
    })
}

fn verdict(part: Part, rounds: &[(u32, Round)]) -> bool {
    if part == Part::Overload {
        let peak = rounds
            .iter()
            .map(|(_, it)| it.goodput())
            .fold(0.0, f64::max);
        // twice what can be answered, or the highest rate where that is less
        let twice = rounds
            .iter()
            .find(|(rate, _)| f64::from(*rate) >= 2.0 * peak);
        let Some((rate, at_twice)) = twice.or_else(|| rounds.last()) else {
            return false;
        };
        let share = at_twice.goodput() / peak;
        say(format!(
            "overload  at {rate}/s {:.0} % of the peak, {peak:.0}/s",
            share * 100.0
        ));
        return share >= 0.8;
    }
    let Some((least, p99)) = asked_for(part) else {
        return true;
    };
    rounds.iter().any(|(_, round)| {
        let enough = round.goodput() >= f64::from(least) * 0.99;
        enough && round.percentile(99) <= p99
    })
}

/// One part at one rate.
struct Asker<'a> {
    part: Part,
    names: &'a [String],
    random: Random,
    /// What is registered, by its id, and in the order in which it is.
    manifests: HashMap<ManifestId, Arc<Manifest>>,
    contents: HashMap<ProgramId, Vec<u8>>,
    order: Vec<ManifestId>,
    open: HashMap<u64, Instant>,
    /// What tells the questions of this round from those of others.
    round: u64,
    lane: Lane,
    /// Registrations that went out beside what is measured, and how many a second do.
    beside: u64,
    beside_rate: u32,
}

/// What tells a registration beside what is measured.
const BESIDE: u64 = 1 << 63;

impl<'a> Asker<'a> {
    fn new(part: Part, names: &'a [String], rate: u32, options: &Options) -> Self {
        let mut asker = Self {
            part,
            names,
            random: Random::new(rate.into()),
            manifests: HashMap::new(),
            contents: HashMap::new(),
            order: Vec::new(),
            open: HashMap::new(),
            round: u64::from(rate) + if part == Part::Mixed { 1 << 20 } else { 0 },
            lane: Lane::all(&Arc::new(Throttle::new(None))),
            beside: 0,
            beside_rate: if part == Part::Mixed {
                options.beside
            } else {
                0
            },
        };
        let registered = match part {
            Part::Register => rate,
            _ => asker.beside_rate,
        };
        let count = u64::from(registered) * options.seconds;
        (0..count).for_each(|at| asker.make(asker.round << 32 | at));
        asker
    }

    /// Makes a container of one small chunk, and its manifest.
    fn make(&mut self, number: u64) {
        let owner = Wallet::from_seed(*Digest::of(b"publisher").as_bytes());
        let seed = Digest::of(&number.to_le_bytes());
        let bytes: Vec<u8> = seed
            .as_bytes()
            .iter()
            .copied()
            .cycle()
            .take(CONTAINER_BYTES)
            .collect();
        let at = self.random.below(self.names.len());
        let draft = Draft {
            name: self.names[at].clone(),
            layout: Layout::for_size(bytes.len() as u64).expect("it has bytes"),
            program_id: ProgramId::new(Digest::of(&bytes)),
            chunk_hashes: vec![Digest::of(&bytes)],
            reach: None,
            time: 1_790_000_000,
            peers: Vec::new(),
        };
        let signed = draft.sign(owner.public_key(), |message| owner.sign(message));
        let manifest = Arc::new(signed.expect("its parts fit"));
        self.order.push(manifest.id());
        self.contents.insert(manifest.program_id(), bytes);
        self.manifests.insert(manifest.id(), manifest);
    }

    async fn run(&mut self, clients: &mut Clients, rate: u32, seconds: u64) -> Round {
        let mut round = Round::default();
        let (began, count) = (Instant::now(), u64::from(rate) * seconds);
        let due = |at: u64| began + Duration::from_micros(at * 1_000_000 / u64::from(rate));
        let (mut next, mut end) = (0, due(count) + PATIENCE);
        while next < count || !self.open.is_empty() {
            let wake = if next < count { due(next) } else { end };
            tokio::select! {
                biased;
                () = sleep_until(wake) => {
                    if next >= count {
                        break;
                    }
                    while next < count && due(next) <= Instant::now() {
                        self.ask(clients, next, due(next));
                        round.asked += 1;
                        next += 1;
                        self.register_beside(clients, next * u64::from(self.beside_rate) / u64::from(rate));
                    }
                    if next == count {
                        end = Instant::now() + PATIENCE;
                    }
                }
                event = clients.events.recv() => self.take(event.expect("it lives"), &mut round),
            }
        }
        round.failed += u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.open.clear();
        round.seconds = seconds as f64;
        round.latencies.sort_by(f64::total_cmp);
        round
    }

    fn ask(&mut self, clients: &mut Clients, number: u64, due: Instant) {
        let at = usize::try_from(number).unwrap_or(0) % clients.all.len();
        let request = match self.part {
            Part::Register => self.registration(clients, at, number),
            part => question(part, self.names, &mut self.random),
        };
        let ticket = self.round << 32 | number;
        self.open.insert(ticket, due);
        clients.all[at].session.ask(ticket, request, PATIENCE);
    }

    /// Registers until so many are registered beside what is measured.
    fn register_beside(&mut self, clients: &mut Clients, until: u64) {
        while self.beside < until {
            let at = usize::try_from(self.beside).unwrap_or(0) % clients.all.len();
            let request = self.registration(clients, at, self.beside);
            let ticket = BESIDE | self.round << 32 | self.beside;
            clients.all[at].session.ask(ticket, request, PATIENCE);
            self.beside += 1;
        }
    }

    /// The registration of this number, by the client of that one.
    fn registration(&self, clients: &mut Clients, at: usize, number: u64) -> Request {
        let id = self.order[usize::try_from(number).unwrap_or(0)];
        clients.registration(at, &self.manifests[&id])
    }

    fn take(&mut self, event: Event, round: &mut Round) {
        match event {
            Event::Replied { ticket, answer, .. } if ticket & BESIDE != 0 => {
                let taken = answer.is_ok_and(|it| matches!(it.reply, Reply::Registered { .. }));
                round.beside += u32::from(taken);
            }
            Event::Replied { ticket, answer, .. } => {
                let Some(due) = self.open.remove(&ticket) else {
                    return;
                };
                match answer.map(|it| it.reply) {
                    Ok(Reply::Busy { .. }) => round.busy += 1,
                    Ok(
                        Reply::Holders(_) | Reply::Registered { .. } | Reply::Found(Extent::Whole),
                    ) => {
                        round.good += 1;
                    }
                    Ok(Reply::Found(Extent::Partial)) => {
                        round.good += 1;
                        round.cut += 1;
                    }
                    Ok(_) | Err(_) => {
                        round.failed += 1;
                        return;
                    }
                }
                round.latencies.push(due.elapsed().as_secs_f64() * 1000.0);
            }
            Event::Asked {
                request, responder, ..
            } => self.serve(&request, responder),
            Event::Closed { reason, .. } => panic!("a connection was closed: {reason}"),
            _ => {}
        }
    }

    /// Gives the master what it samples.
    fn serve(&self, request: &Request, responder: Responder) {
        match request {
            Request::Manifest { id } => match self.manifests.get(id) {
                Some(manifest) => {
                    let file = manifest.to_json().into();
                    responder.answer(Answer::Manifest(file, self.lane.clone()));
                }
                None => responder.answer(Answer::Refuse(Refusal::NotFound)),
            },
            Request::Chunk(asked) => {
                let bytes = self
                    .contents
                    .get(&asked.program_id)
                    .cloned()
                    .unwrap_or_default();
                responder.chunk(Encoding::Raw, bytes.into(), self.lane.clone());
            }
            _ => responder.answer(Answer::Refuse(Refusal::NotFound)),
        }
    }
}

impl Round {
    /// Answers a second.
    fn goodput(&self) -> f64 {
        f64::from(self.good) / self.seconds
    }

    /// Milliseconds within which so many of a hundred were answered.
    fn percentile(&self, of_hundred: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = last * of_hundred / 100;
        self.latencies.get(at).copied().unwrap_or(f64::NAN)
    }

    fn line(&self, part: Part, rate: u32) -> String {
        let name = format!("{part:?}").to_lowercase();
        let beside = match part {
            Part::Mixed => format!(
                "  registered {:.0}/s",
                f64::from(self.beside) / self.seconds
            ),
            _ => String::new(),
        };
        format!(
            "{name:<9} asked {rate:>6}/s  answered {:>7.0}/s  p50 {:>7.2}  p90 {:>7.2}  p99 {:>7.2}  \
             max {:>7.2} ms  busy {}  in part {}  failed {}{beside}  cpu {:.2} + {:.2}",
            self.goodput(),
            self.percentile(50),
            self.percentile(90),
            self.percentile(99),
            self.percentile(100),
            self.busy,
            self.cut,
            self.failed,
            self.cores[0],
            self.cores[1],
        )
    }
}
