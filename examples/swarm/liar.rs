//! Mallory: a hostile peer that claims to have everything, and how the swarm should treat her.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use swarmhold::{Address, Manifest, PeerHint};

use crate::cast::LIAR;
use crate::rogue::{Behaviour, Rogue};
use crate::units;

/// What Mallory does when she is asked for a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lie {
    /// Sends wrong bytes.
    Bytes,
    /// Sends wrong bytes once, and right ones from then on.
    Once,
    /// Sends the right bytes of another chunk.
    OtherChunk,
    /// Sends one byte too many.
    Length,
    /// Sends what claims to be compressed and is not.
    Zstd,
    /// Sends nothing.
    Silence,
    /// Says that she has all chunks but that one.
    Emptiness,
}

/// Mallory on the stage.
pub(crate) struct Liar {
    lie: Lie,
    rogue: Rogue,
}

impl Lie {
    /// Whether it has to be told three times: then it is caught, and whoever tells it is banned.
    pub(crate) fn is_bannable(self) -> bool {
        match self {
            Self::Bytes | Self::OtherChunk | Self::Length | Self::Zstd => true,
            Self::Once | Self::Silence | Self::Emptiness => false,
        }
    }

    fn behaviour(self, source: &Path) -> Result<Behaviour> {
        let truth = || -> Result<Arc<[u8]>> {
            let read = std::fs::read(source);
            Ok(read.with_context(|| source.display().to_string())?.into())
        };
        Ok(match self {
            Self::Bytes => Behaviour::Liar,
            Self::Once => Behaviour::LiarOnce { truth: truth()? },
            Self::OtherChunk => Behaviour::OtherIndex { truth: truth()? },
            Self::Length => Behaviour::WrongLength,
            Self::Zstd => Behaviour::BadZstd,
            Self::Silence => Behaviour::Silent,
            Self::Emptiness => Behaviour::SaysAllHasNone,
        })
    }
}

impl Liar {
    /// Starts her. The SwarmMaster would ask her for a chunk before it lists her, so leechers are told
    /// of her by name.
    pub(crate) fn enter(lie: Lie, manifest: &Arc<Manifest>, source: &Path) -> Result<Self> {
        let rogue = Rogue::start(lie.behaviour(source)?, Arc::clone(manifest))?;
        Ok(Self { lie, rogue })
    }

    /// Where she is.
    pub(crate) fn hint(&self) -> PeerHint {
        PeerHint {
            remote: self.rogue.listen_address(),
            expected: Some(self.rogue.address()),
        }
    }

    /// Who she is.
    pub(crate) fn address(&self) -> Address {
        self.rogue.address()
    }

    /// Whether she met with what she deserves, and what that was.
    pub(crate) fn verdict(&self, judges: &[String]) -> Result<String, String> {
        let record = self.rogue.record();
        let (by, asked) = (units::list(judges), units::count(record.asked, "time"));
        let story = format!(
            "she was asked {asked} over {}{}",
            units::count(record.connections, "connection"),
            last_words(&record.endings),
        );
        match (self.lie.is_bannable(), judges.is_empty()) {
            (true, false) => Ok(format!("{LIAR} is caught and banned by {by}; {story}")),
            (true, true) => Err(format!("{LIAR} is banned by nobody; {story}")),
            (false, false) => Err(format!("{LIAR} is banned by {by} without reason; {story}")),
            (false, true) => Ok(format!(
                "{LIAR} held nobody up, and nobody bans her; {story}"
            )),
        }
    }
}

/// What she was told most often when a connection ended.
fn last_words(endings: &[String]) -> String {
    let times = |words: &&String| endings.iter().filter(|other| other == words).count();
    let most = endings.iter().max_by_key(times);
    most.map_or_else(String::new, |words| format!(", mostly ended as {words:?}"))
}
