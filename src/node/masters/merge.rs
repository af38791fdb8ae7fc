//! One answer out of many.

use std::collections::BTreeMap;

use super::search::Found;
use crate::digest::ManifestId;
use crate::limits::HITS_MAX;
use crate::wire::Hit;

/// One result for each container, the best first.
pub(super) fn merged(found: Vec<(bool, usize, Hit)>) -> Vec<Found> {
    struct Group {
        is_doubted: bool,
        place: usize,
        hits: Vec<Hit>,
    }
    let mut groups: BTreeMap<ManifestId, Group> = BTreeMap::new();
    for (is_doubted, place, hit) in found {
        let group = groups.entry(hit.manifest_id).or_insert(Group {
            is_doubted,
            place,
            hits: Vec::new(),
        });
        if group.is_doubted && !is_doubted {
            // who is believed overrules who is not
            group.hits.clear();
            group.place = place;
        }
        if is_doubted && !group.is_doubted {
            continue;
        }
        group.is_doubted = is_doubted;
        group.place = group.place.min(place);
        group.hits.push(hit);
    }
    let mut all: Vec<(bool, u32, usize, Found)> = groups
        .into_values()
        .filter_map(|group| {
            let mut hit = most_said(&group.hits)?;
            hit.seeders = group.hits.iter().map(|it| it.seeders).max()?;
            hit.peers = group.hits.iter().map(|it| it.peers).max()?;
            let steps = hit.seeders.checked_ilog2().map_or(0, |step| step + 1);
            let told_by = group.hits.len();
            Some((
                group.is_doubted,
                u32::MAX - steps,
                group.place,
                Found { hit, told_by },
            ))
        })
        .collect();
    all.sort_by_key(|(is_doubted, steps, place, _)| (*is_doubted, *steps, *place));
    all.into_iter().map(|it| it.3).take(HITS_MAX).collect()
}

/// What most of them say.
fn most_said(hits: &[Hit]) -> Option<Hit> {
    let same = |one: &Hit, other: &Hit| {
        (one.size, &one.name, one.owner, one.program_id)
            == (other.size, &other.name, other.owner, other.program_id)
    };
    let count = |hit: &&Hit| hits.iter().filter(|other| same(hit, other)).count();
    hits.iter().rev().max_by_key(count).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest, ProgramId};

    fn hit(name: &str, size: u64, seeders: u32) -> Hit {
        let digest = Digest::of(name.as_bytes());
        Hit {
            manifest_id: ManifestId::new(digest),
            program_id: ProgramId::new(digest),
            owner: Address::new(digest),
            name: name.to_owned(),
            size,
            time: 0,
            seeders,
            peers: seeders,
        }
    }

    #[test]
    fn what_most_masters_say_counts_and_the_doubted_come_last() {
        let found = vec![
            (false, 0, hit("app", 10, 2)),
            (false, 1, hit("app", 99, 3)),
            (false, 2, hit("app", 10, 2)),
            (false, 0, hit("few", 1, 1)),
            (true, 0, hit("junk", 1, 9000)),
            (true, 0, hit("few", 7, 9000)),
        ];
        let merged = merged(found);
        let shown: Vec<_> = merged
            .iter()
            .map(|it| {
                (
                    it.hit.name.as_str(),
                    it.hit.size,
                    it.hit.seeders,
                    it.told_by,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [("app", 10, 3, 3), ("few", 1, 1, 1), ("junk", 1, 9000, 1)]
        );
    }
}
