//! Figures of processes, and what they say together.

use std::fmt::Write;

use crate::median::median;
use crate::side::Pair;

/// One transfer of each program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) raw: Pair,
    /// Raw quinn with streams and datagrams as large as ours.
    pub(crate) large: Pair,
    pub(crate) ours: Pair,
}

impl Round {
    pub(crate) fn line(self, size: u64) -> String {
        let [raw, large, ours] = [self.raw, self.large, self.ours].map(|it| it.mb_per_s(size));
        format!("quinn {raw:.0} MB/s, with large datagrams {large:.0}, swarmhold {ours:.0}")
    }
}

/// Medians over the rounds.
pub(crate) fn table(rounds: &[Round], size: u64) -> String {
    let mut text = String::from(
        "\n                          MB/s   CPU s/GiB   peak MiB serving / fetching\n",
    );
    let of = |which: fn(&Round) -> Pair| rounds.iter().map(which).collect::<Vec<_>>();
    let ours = of(|round| round.ours);
    let references = [
        ("raw quinn", of(|round| round.raw)),
        ("large datagrams", of(|round| round.large)),
    ];
    for (name, pairs) in &references {
        row(&mut text, name, pairs, size);
    }
    row(&mut text, "swarmhold", &ours, size);
    for (name, pairs) in &references {
        let rounds = || ours.iter().zip(pairs);
        let speed = median(rounds().map(|(ours, raw)| raw.fetch.seconds / ours.fetch.seconds));
        let cpu = rounds().map(|(ours, raw)| ours.cpu_s_per_gib(size) / raw.cpu_s_per_gib(size));
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "swarmhold / {name}: {speed:.2} of the speed, {:.2} of the CPU time",
            median(cpu)
        );
    }
    text
}

fn row(text: &mut String, name: &str, pairs: &[Pair], size: u64) {
    let of = |figure: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(figure));
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "{name:<22}{:>8.0}{:>12.2}{:>10.0} / {:.0}",
        of(&|pair| pair.mb_per_s(size)),
        of(&|pair| pair.cpu_s_per_gib(size)),
        of(&|pair| pair.serve.peak_mib),
        of(&|pair| pair.fetch.peak_mib),
    );
}
