//! Which peers are named to one who asks: another random few each time, the likeliest to help first.
//!
//! Everybody is named now and then, so that nobody carries the whole load and no few can stand
//! between a newcomer and the rest. Of one subnet not more than a quarter of the answer is named, as
//! long as there are others.

use std::collections::BTreeMap;

/// Somebody who could be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// What it shares an owner with, as far as can be told.
    pub subnet: u64,
    /// Whether it can be reached without luck.
    pub is_open: bool,
    /// Whether it has all of the container.
    pub is_whole: bool,
}

/// Positions of those to name, at most `count`, in the order in which to try them. `random` gives a new
/// number each time it is called.
pub fn choose(
    candidates: &[Candidate],
    count: usize,
    mut random: impl FnMut() -> u64,
) -> Vec<usize> {
    let mut drawn: Vec<(u64, usize)> = Vec::with_capacity(candidates.len());
    for (at, candidate) in candidates.iter().enumerate() {
        // the largest of several draws: a weight, without division
        let draws = match (candidate.is_open, candidate.is_whole) {
            (true, true) => 6,
            (true, false) => 4,
            (false, true) => 2,
            (false, false) => 1,
        };
        let best = (0..draws).map(|_| random()).max().unwrap_or(0);
        drawn.push((best, at));
    }
    drawn.sort_unstable_by(|one, other| other.cmp(one));
    let per_subnet = (count / 4).max(1);
    let (mut chosen, mut left_over) = (Vec::new(), Vec::new());
    let mut named: BTreeMap<u64, usize> = BTreeMap::new();
    for (_, at) in drawn {
        let Some(candidate) = candidates.get(at) else {
            continue;
        };
        let of_subnet = named.entry(candidate.subnet).or_default();
        if *of_subnet < per_subnet {
            *of_subnet += 1;
            chosen.push(at);
        } else {
            left_over.push(at);
        }
    }
    chosen.extend(left_over);
    chosen.truncate(count);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Random;

    fn random(seed: u64) -> impl FnMut() -> u64 {
        let mut random = Random::new(seed);
        move || random.draw()
    }

    fn peers(count: u64, subnet: impl Fn(u64) -> u64) -> Vec<Candidate> {
        let peer = |at| Candidate {
            subnet: subnet(at),
            is_open: at % 2 == 0,
            is_whole: at % 4 < 2,
        };
        (0..count).map(peer).collect()
    }

    #[test]
    fn everybody_is_named_sometimes_and_the_likely_more_often() {
        let all = peers(40, |at| at);
        let mut named = [0u32; 40];
        for seed in 1..=2000 {
            let chosen = choose(&all, 8, random(seed * 7919));
            assert_eq!(chosen.len(), 8);
            chosen.iter().for_each(|at| named[*at] += 1);
        }
        let mean = |of: &dyn Fn(&Candidate) -> bool| {
            let theirs = all.iter().zip(named).filter(|(peer, _)| of(peer));
            let counts: Vec<u32> = theirs.map(|(_, count)| count).collect();
            counts.iter().sum::<u32>() / u32::try_from(counts.len()).unwrap()
        };
        assert!(named.iter().all(|count| *count > 20), "{named:?}");
        let (open, other) = (mean(&|it| it.is_open), mean(&|it| !it.is_open));
        assert!(open > 2 * other, "{open} {other}");
    }

    #[test]
    fn one_subnet_fills_an_answer_only_where_nobody_else_is() {
        // a hundred wallets in one place, and eight honest ones
        let all = peers(108, |at| if at < 100 { 1 } else { at });
        for seed in 1..=100 {
            let chosen = choose(&all, 12, random(seed));
            let theirs = chosen.iter().filter(|at| **at < 100).count();
            assert_eq!(
                (chosen.len(), theirs),
                (12, 4),
                "all eight honest ones are named"
            );
        }
        assert_eq!(choose(&peers(5, |_| 1), 12, random(1)).len(), 5);
        assert_eq!(choose(&[], 12, random(1)), Vec::<usize>::new());
    }
}
