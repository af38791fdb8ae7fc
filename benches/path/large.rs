//! A large container beside one of 1 GiB: is it as fast, and what memory does it take?

use std::path::Path;

use crate::Options;
use crate::figure::{Figure, Reach, mb_per_s};
use crate::median::median;
use crate::noise::write_noise;
use crate::ours;
use crate::same::check_and_remove;
use crate::say::say;
use crate::side::Pair;

const REFERENCE: u64 = 1 << 30;
/// What either side may take, in MiB.
const MEMORY_MIB_MAX: f64 = 64.0;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let small = options.common.dir.join("reference");
    let large = options.common.dir.join("large");
    let reference = REFERENCE / options.scale;
    write_noise(&small, reference);
    write_noise(&large, options.size);
    let mut rounds = Vec::new();
    for number in 0..options.common.rounds {
        let pair = (
            transfer(&options.common.dir, &small, 2 * number),
            transfer(&options.common.dir, &large, 2 * number + 1),
        );
        say(format!(
            "  round {}: {} MiB {:.0} MB/s, {:.2} CPU s/GiB; {} MiB {:.0} MB/s, {:.2} CPU s/GiB",
            number + 1,
            reference >> 20,
            pair.0.mb_per_s(reference),
            pair.0.cpu_s_per_gib(reference),
            options.size >> 20,
            pair.1.mb_per_s(options.size),
            pair.1.cpu_s_per_gib(options.size),
        ));
        rounds.push(pair);
    }
    for content in [small, large] {
        std::fs::remove_file(content).expect("the content");
    }
    let speed = |of: &dyn Fn(&(Pair, Pair)) -> f64| median(rounds.iter().map(of));
    let memory = |what, of: fn(&Pair) -> f64| {
        let peak = rounds.iter().map(|it| of(&it.1)).fold(0.0, f64::max);
        Figure {
            what,
            measured: format!("{peak:.0} MiB"),
            ideal: format!("{MEMORY_MIB_MAX:.0} MiB"),
            ratio: peak / MEMORY_MIB_MAX,
            reach: Reach::AtMost(1.0),
        }
    };
    vec![
        Figure {
            what: "large container: speed against 1 GiB",
            measured: mb_per_s(1e6 * speed(&|it| it.1.mb_per_s(options.size))),
            ideal: mb_per_s(1e6 * speed(&|it| it.0.mb_per_s(reference))),
            ratio: speed(&|it| it.1.mb_per_s(options.size) / it.0.mb_per_s(reference)),
            reach: Reach::AtLeast(0.95),
        },
        memory("large container: memory, serving", |it| it.serve.peak_mib),
        memory("large container: memory, fetching", |it| it.fetch.peak_mib),
    ]
}

fn transfer(dir: &Path, content: &Path, number: usize) -> Pair {
    let copy = dir.join("copy");
    let pair = ours::transfer(dir, content, &copy, number);
    check_and_remove(content, &copy);
    pair
}
