//! What has to be true at the end, and whether it is: the exit code hangs on it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use swarmhold::Digest;
use swarmhold::digest::Hasher;

use crate::cast::Entrance;
use crate::leecher::Leecher;
use crate::stage::{Ending, Stage};
use crate::units;

/// Bytes from which on a container has to come from several sources: four times what a node asks
/// its first peer for before it can know of another.
const SHARED_FROM: u64 = 2 * 1024 * 1024;
/// Sources that each leecher has to use, where there are as many.
const SOURCES_MIN: usize = 2;

/// The answers, in words.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    lines: Vec<String>,
    failures: usize,
}

impl Verdict {
    /// Looks at everything that a run left: bytes on disk, sources, bans.
    pub(crate) fn of(stage: &Stage, source: &Path, ending: Ending) -> Result<Self> {
        let mut verdict = Self::default();
        verdict.on_ending(stage, ending);
        verdict.on_bytes(stage, source)?;
        verdict.on_sources(stage);
        verdict.on_late(stage);
        verdict.on_bans(stage);
        Ok(verdict)
    }

    /// Whether everything is as it should be.
    pub(crate) fn is_good(&self) -> bool {
        self.failures == 0
    }

    /// One line for each answer.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn good(&mut self, what: String) {
        self.lines.push(format!("  ok      {what}"));
    }

    fn bad(&mut self, what: String) {
        self.failures += 1;
        self.lines.push(format!("  FAILED  {what}"));
    }

    fn unasked(&mut self, what: String) {
        self.lines.push(format!("  -       {what}"));
    }

    fn on_ending(&mut self, stage: &Stage, ending: Ending) {
        let open: Vec<_> = stage
            .leechers
            .iter()
            .filter(|leecher| leecher.fetched().is_none())
            .collect();
        let names: Vec<_> = open.iter().map(|leecher| leecher.name.clone()).collect();
        match ending {
            Ending::Done if open.is_empty() => self.good("every leecher is complete".to_owned()),
            Ending::Done => self.bad(format!("{} did not complete", units::list(&names))),
            Ending::TimedOut => self.bad(format!(
                "time is up, and {} had not completed",
                units::list(&names)
            )),
            Ending::Interrupted => self.bad("interrupted".to_owned()),
        }
    }

    fn on_bytes(&mut self, stage: &Stage, source: &Path) -> Result<()> {
        let right = hash(source).with_context(|| format!("{} cannot be read", source.display()))?;
        let mut wrong = Vec::new();
        let finished = stage
            .leechers
            .iter()
            .filter_map(|leecher| Some((leecher, leecher.fetched()?)));
        let mut files = 0;
        for (leecher, fetched) in finished {
            files += 1;
            match hash(&fetched.path) {
                Ok(found) if found == right => {}
                Ok(found) => wrong.push(format!("{} has {}", leecher.name, found.short())),
                Err(error) => wrong.push(format!("{}: {error}", leecher.name)),
            }
        }
        if wrong.is_empty() {
            let files = units::count(files, "file");
            self.good(format!(
                "{files} on disk with the SHA-256 of the source, {}",
                right.short()
            ));
        } else {
            self.bad(format!(
                "wrong bytes, expected {}: {}",
                right.short(),
                wrong.join(", ")
            ));
        }
        Ok(())
    }

    fn on_sources(&mut self, stage: &Stage) {
        if let Some(why) = why_one_is_enough(stage) {
            return self.unasked(format!("several sources are not asked for: {why}"));
        }
        let few: Vec<_> = stage
            .leechers
            .iter()
            .filter(|leecher| leecher.tally().sources() < SOURCES_MIN)
            .collect();
        let names: Vec<_> = few.iter().map(|leecher| leecher.name.clone()).collect();
        if names.is_empty() {
            let fewest = stage
                .leechers
                .iter()
                .map(|leecher| leecher.tally().sources())
                .min();
            self.good(format!(
                "every leecher used several sources, at least {}",
                fewest.unwrap_or(0)
            ));
        } else {
            self.bad(format!(
                "{} used one source although more were there",
                units::list(&names)
            ));
        }
    }

    /// Those who join late get chunks from peers that are still downloading, or have just finished.
    fn on_late(&mut self, stage: &Stage) {
        let (late, first): (Vec<_>, Vec<_>) = stage
            .leechers
            .iter()
            .partition(|leecher| leecher.entrance != Entrance::AtOnce);
        if late.is_empty() || first.len() < SOURCES_MIN || why_one_is_enough(stage).is_some() {
            return;
        }
        for leecher in late {
            let tally = leecher.tally();
            let gave = |peer: &&&Leecher| {
                tally
                    .accounts
                    .get(&peer.node.address())
                    .is_some_and(|account| account.chunks > 0)
            };
            let (peers, name) = (first.iter().filter(gave).count(), &leecher.name);
            let still = first
                .iter()
                .filter(|peer| ended_after(peer, leecher))
                .count();
            let of = first.len();
            let what = format!(
                "{name} came when {still} of {of} peers were still downloading, and got chunks from {peers}"
            );
            if peers >= SOURCES_MIN {
                self.good(what)
            } else {
                self.bad(what)
            }
        }
    }

    fn on_bans(&mut self, stage: &Stage) {
        let judges_of = |who| {
            let judges = stage
                .leechers
                .iter()
                .filter(|leecher| leecher.has_banned(who));
            judges
                .map(|leecher| leecher.name.clone())
                .collect::<Vec<_>>()
        };
        let leechers = stage.leechers.iter().map(|leecher| leecher.node.address());
        for honest in leechers.chain([stage.publisher.address()]) {
            let (judges, name) = (judges_of(honest), stage.names.of(honest));
            if !judges.is_empty() {
                self.bad(format!(
                    "{name} is honest and banned by {}",
                    units::list(&judges)
                ));
            }
        }
        let Some(liar) = &stage.liar else { return };
        match liar.verdict(&judges_of(liar.address())) {
            Ok(what) => self.good(what),
            Err(what) => self.bad(what),
        }
    }
}

/// Why this run does not ask for several sources, if it does not.
fn why_one_is_enough(stage: &Stage) -> Option<String> {
    let layout = stage.manifest.layout();
    if layout.chunk_count() == 1 {
        return Some("the container is a single chunk".to_owned());
    }
    if layout.size() < SHARED_FROM {
        let from = units::bytes(SHARED_FROM);
        return Some(format!(
            "below {from} the first peer may give everything at once"
        ));
    }
    (stage.leechers.len() < SOURCES_MIN).then(|| "the publisher is the only source".to_owned())
}

fn ended_after(peer: &Leecher, late: &Leecher) -> bool {
    peer.outcome.as_ref().is_none_or(|(_, at)| *at > late.began)
}

fn hash(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hasher) = (File::open(path)?, Hasher::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
