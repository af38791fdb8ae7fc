//! What a run says about itself, as a table and as numbers for the plot.

use std::fmt;
use std::time::Duration;

use swarmhold::moment::Moment;

use crate::bound::Crowd;
use crate::rng::mix;
use crate::units;
use crate::usage::Usage;
use crate::world::World;

/// A run's figures.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) bound: Duration,
    /// When each peer was done, the first one first.
    pub(crate) done: Vec<Duration>,
    size: u64,
    chunks: u32,
    seed_sent: u64,
    peers_sent: Vec<u64>,
    wasted: u64,
    taken_back: u64,
    busy: u64,
    events: u64,
    trace: u64,
    sent_in: Vec<u64>,
    up: u64,
    usage: Usage,
}

impl Report {
    pub(crate) fn new(world: &World, crowd: &Crowd, chunks: u32, usage: Usage) -> Self {
        let mut ledgers = world.nodes().map(|node| &node.ledger);
        let seed = ledgers.next().expect("the seed is the first");
        let mut report = Self {
            bound: crowd.bound(),
            done: Vec::new(),
            size: crowd.size,
            chunks,
            seed_sent: seed.sent_bytes,
            peers_sent: Vec::new(),
            wasted: 0,
            taken_back: 0,
            busy: 0,
            events: seed.events,
            trace: seed.trace.value(),
            sent_in: Vec::new(),
            up: crowd.up,
            usage,
        };
        for ledger in ledgers {
            let done_at = ledger.done_at.expect("all are done");
            report.done.push(done_at.since(Moment::ORIGIN));
            report.peers_sent.push(ledger.sent_bytes);
            report.wasted += ledger.wasted_bytes;
            report.taken_back += ledger.taken_back;
            report.busy += ledger.busy;
            report.events += ledger.events;
            report.trace = mix(report.trace ^ ledger.trace.value());
            report
                .sent_in
                .resize(report.sent_in.len().max(ledger.sent_in.len()), 0);
            for (sum, sent) in report.sent_in.iter_mut().zip(&ledger.sent_in) {
                *sum += u64::from(*sent);
            }
        }
        report.done.sort();
        report.peers_sent.sort_unstable();
        report
    }

    /// When this share of the peers was done, in percent.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.done.len() * percent).div_ceil(100).max(1);
        self.done[rank - 1]
    }

    /// Jain's index of what the peers gave: 1 if all gave the same, `1/n` if one gave everything
    /// (Jain, Chiu and Hawe, 1984).
    fn fairness(&self) -> f64 {
        let sum: f64 = self.peers_sent.iter().map(|sent| *sent as f64).sum();
        let squares: f64 = self
            .peers_sent
            .iter()
            .map(|sent| (*sent as f64).powi(2))
            .sum();
        sum * sum / (squares * self.peers_sent.len() as f64).max(1.0)
    }

    /// What the peer that has this share of the peers below it gave, in parts of what it took.
    fn ratio(&self, percent: usize) -> f64 {
        let rank = (self.peers_sent.len() * percent).div_ceil(100).max(1);
        self.peers_sent[rank - 1] as f64 / self.size as f64
    }

    /// How busy the peers' uplinks were in each second, in percent.
    pub(crate) fn uplinks(&self) -> impl Iterator<Item = f64> + '_ {
        let all = self.up as f64 * self.done.len() as f64;
        self.sent_in
            .iter()
            .map(move |sent| 100.0 * *sent as f64 / all)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.done.len() as f64;
        let bound = self.bound.as_secs_f64();
        writeln!(f, "least time     {bound:.2} s  (Kumar and Ross, 2006)")?;
        for percent in [50, 90, 99, 100] {
            let at = self.percentile(percent).as_secs_f64();
            writeln!(
                f,
                "{percent:>3} % done at  {at:.2} s  {:.3} of the least time",
                at / bound
            )?;
        }
        let copies = self.seed_sent as f64 / self.size as f64;
        writeln!(f, "seed sent      {copies:.2} copies")?;
        let wasted = 100.0 * self.wasted as f64 / (self.size as f64 * peers);
        writeln!(
            f,
            "twice          {wasted:.2} % of bytes; {:.1} requests taken back and {:.1} refused per peer",
            self.taken_back as f64 / peers,
            self.busy as f64 / peers
        )?;
        writeln!(
            f,
            "given/taken    {:.2} at the median, {:.2} at least, {:.2} at most; Jain's index {:.3}",
            self.ratio(50),
            self.ratio(0),
            self.ratio(100),
            self.fairness()
        )?;
        let transfers = peers * f64::from(self.chunks);
        writeln!(
            f,
            "cost           {:.1} s of CPU: {:.1} ms per peer, {:.2} us per chunk sent, {:.1} events each",
            self.usage.cpu_s,
            1e3 * self.usage.cpu_s / peers,
            1e6 * self.usage.cpu_s / transfers,
            self.events as f64 / transfers
        )?;
        if let Some(peak) = self.usage.peak_bytes {
            let each = peak / self.done.len() as u64;
            let (peak, each) = (units::bytes(peak), units::bytes(each));
            writeln!(f, "memory         {peak}, {each} per peer")?;
        }
        writeln!(f, "trace          {:016x}", self.trace)
    }
}
