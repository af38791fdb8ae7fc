//! Figures of processes, and what they say together.

use std::fmt::Write;

use crate::median::median;
use crate::side::Pair;

/// One transfer of each program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) raw: Pair,
    pub(crate) ours: Pair,
}

impl Round {
    fn ratio(self) -> f64 {
        self.raw.fetch.seconds / self.ours.fetch.seconds
    }

    pub(crate) fn line(self, size: u64) -> String {
        let (raw, ours) = (self.raw.mb_per_s(size), self.ours.mb_per_s(size));
        format!(
            "quinn {raw:.0} MB/s, swarmhold {ours:.0} MB/s, ratio {:.2}",
            self.ratio()
        )
    }
}

/// Medians over the rounds.
pub(crate) fn table(rounds: &[Round], size: u64) -> String {
    let mut text =
        String::from("\n                    MB/s   CPU s/GiB   peak MiB serving / fetching\n");
    row(
        &mut text,
        "raw quinn",
        rounds.iter().map(|round| round.raw).collect(),
        size,
    );
    row(
        &mut text,
        "swarmhold",
        rounds.iter().map(|round| round.ours).collect(),
        size,
    );
    let ratio = median(rounds.iter().map(|r| r.ratio()));
    let cpu = median(
        rounds
            .iter()
            .map(|r| r.ours.cpu_s_per_gib(size) / r.raw.cpu_s_per_gib(size)),
    );
    let _ = write!(
        text,
        "swarmhold / raw quinn: {ratio:.2} of the speed, {cpu:.2} of the CPU time"
    );
    text
}

fn row(text: &mut String, name: &str, pairs: Vec<Pair>, size: u64) {
    let of = |figure: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(figure));
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "{name:<16}{:>8.0}{:>12.2}{:>10.0} / {:.0}",
        of(&|pair| pair.mb_per_s(size)),
        of(&|pair| pair.cpu_s_per_gib(size)),
        of(&|pair| pair.serve.peak_mib),
        of(&|pair| pair.fetch.peak_mib),
    );
}
