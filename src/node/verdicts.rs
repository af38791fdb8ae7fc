//! Which manifests are known to be right or wrong, across restarts.
//!
//! A manifest is *right* when bytes were seen that are its chunks, each as it lists them, and whose
//! whole hashes to its program id; it is *wrong* when the same bytes hash to something else. Both are
//! facts about the manifest, not about a file, so they never change and need not be found out twice:
//! a container that is shared again is not hashed again as a whole, and a poisoned manifest is not
//! tried again. (Whether a file still has those bytes is another matter: each chunk is hashed whenever
//! it is read.)
//!
//! Losing the file costs time and nothing else. Both lists are bounded; the oldest go first.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::kept::{self, Kept};
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::{Manifest, SignatureState};

/// Manifests of each kind that are remembered.
const REMEMBERED_MAX: usize = 4096;
/// The largest file that is read: twice 4096 entries of under 350 bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A manifest whose chunks are not the container that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) id: ManifestId,
    /// Whose signature it has; none where it is not signed.
    pub(super) signer: Option<Address>,
    /// What it says that its chunks are, and what they are.
    pub(super) claimed: ProgramId,
    pub(super) found: ProgramId,
}

/// What is known. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Verdicts {
    path: Arc<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct State {
    right: VecDeque<ManifestId>,
    wrong: VecDeque<Wrong>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    right: Vec<String>,
    wrong: Vec<WrongText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrongText {
    manifest: String,
    signer: Option<String>,
    claimed: String,
    found: String,
}

/// Who signed a manifest, if anybody did.
pub(super) fn signer(manifest: &Manifest) -> Option<Address> {
    match manifest.signature() {
        SignatureState::Unsigned => None,
        SignatureState::Signed { .. } => Some(manifest.address()),
    }
}

/// Remembers in a node's folder that a manifest is right, because it was just made from the bytes of
/// its container, or because those were just held against it: a share of it is listed under its
/// program id at once, without hashing the whole again. Blocks on the disk.
pub fn remember_right(home: &Path, manifest: &Manifest) -> io::Result<()> {
    let verdicts = Verdicts::load(home);
    verdicts.on_right(manifest.id());
    verdicts.settle()
}

impl Verdicts {
    /// Reads what a folder remembers.
    pub(super) fn load(home: &Path) -> Self {
        let path = home.join("verdicts.json");
        let state = read(&path);
        Self {
            path: Arc::new(path),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Whether a manifest is known to be right.
    pub(super) fn is_right(&self, id: &ManifestId) -> bool {
        self.lock().right.contains(id)
    }

    /// What is known against a manifest.
    pub(super) fn wrong(&self, id: &ManifestId) -> Option<Wrong> {
        let state = self.lock();
        state.wrong.iter().find(|wrong| wrong.id == *id).copied()
    }

    /// Whether a manifest is known to be wrong.
    pub(super) fn is_wrong(&self, id: &ManifestId) -> bool {
        self.wrong(id).is_some()
    }

    /// Whether an address has signed a manifest that is known to be wrong.
    pub(super) fn has_lied(&self, address: &Address) -> bool {
        let state = self.lock();
        let mut signers = state.wrong.iter().filter_map(|wrong| wrong.signer);
        signers.any(|signer| signer == *address)
    }

    /// A manifest is right.
    pub(super) fn on_right(&self, id: ManifestId) {
        let mut state = self.lock();
        state.add_right(id);
    }

    /// A manifest is wrong.
    pub(super) fn on_wrong(&self, wrong: Wrong) {
        let mut state = self.lock();
        state.add_wrong(wrong);
    }

    /// Brings the file and what is known into line. Blocks on the disk.
    pub(super) fn settle(&self) -> io::Result<()> {
        let turn = kept::turn(&self.path)?;
        let mut all = read(&self.path);
        let before = all.clone();
        let known = self.lock().clone();
        known.right.into_iter().for_each(|id| all.add_right(id));
        known.wrong.into_iter().for_each(|it| all.add_wrong(it));
        if all != before {
            kept::write(&turn, &self.path, &all.text());
        }
        *self.lock() = all;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add_right(&mut self, id: ManifestId) {
        if !self.right.contains(&id) {
            self.right.push_back(id);
        }
        if self.right.len() > REMEMBERED_MAX {
            self.right.pop_front();
        }
    }

    fn add_wrong(&mut self, wrong: Wrong) {
        if !self.wrong.contains(&wrong) {
            self.wrong.push_back(wrong);
        }
        if self.wrong.len() > REMEMBERED_MAX {
            self.wrong.pop_front();
        }
    }

    fn text(&self) -> Text {
        let wrong = |it: &Wrong| WrongText {
            manifest: it.id.to_string(),
            signer: it.signer.map(|signer| signer.to_string()),
            claimed: it.claimed.to_string(),
            found: it.found.to_string(),
        };
        Text {
            right: self.right.iter().map(ManifestId::to_string).collect(),
            wrong: self.wrong.iter().map(wrong).collect(),
        }
    }
}

fn read(path: &Path) -> State {
    let Kept::Found(text) = kept::read::<Text>(path, FILE_BYTES_MAX) else {
        return State::default();
    };
    parse(text).unwrap_or_else(|why| {
        kept::set_aside(path, &why);
        State::default()
    })
}

fn parse(text: Text) -> Result<State, String> {
    let right = text.right.iter().take(REMEMBERED_MAX);
    let wrong = |it: WrongText| {
        Ok(Wrong {
            id: digest(&it.manifest)?,
            signer: it.signer.as_deref().map(digest).transpose()?,
            claimed: digest(&it.claimed)?,
            found: digest(&it.found)?,
        })
    };
    Ok(State {
        right: right.map(|text| digest(text)).collect::<Result<_, _>>()?,
        wrong: text
            .wrong
            .into_iter()
            .take(REMEMBERED_MAX)
            .map(wrong)
            .collect::<Result<_, String>>()?,
    })
}

fn digest<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?} {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn id(of: u32) -> ManifestId {
        ManifestId::new(Digest::of(&of.to_le_bytes()))
    }

    fn wrong(of: u32, signer: Option<Address>) -> Wrong {
        Wrong {
            id: id(of),
            signer,
            claimed: ProgramId::new(Digest::of(b"claimed")),
            found: ProgramId::new(Digest::of(b"found")),
        }
    }

    #[test]
    fn verdicts_outlive_the_process_and_add_up() {
        let home = tempfile::tempdir().unwrap();
        let liar = Address::new(Digest::of(b"liar"));
        let (one, two) = (Verdicts::load(home.path()), Verdicts::load(home.path()));
        one.on_right(id(1));
        one.on_wrong(wrong(2, Some(liar)));
        one.settle().unwrap();
        two.on_right(id(3));
        two.on_wrong(wrong(4, None));
        two.settle().unwrap();
        for verdicts in [two, Verdicts::load(home.path())] {
            assert!(verdicts.is_right(&id(1)) && verdicts.is_right(&id(3)));
            assert!(verdicts.is_wrong(&id(2)) && verdicts.is_wrong(&id(4)));
            assert!(!verdicts.is_right(&id(2)) && !verdicts.is_wrong(&id(1)));
            assert!(verdicts.has_lied(&liar));
            assert!(!verdicts.has_lied(&Address::new(Digest::of(b"alice"))));
        }
    }

    #[test]
    fn a_file_that_makes_no_sense_is_set_aside() {
        for text in ["{}", r#"{"right": ["x"], "wrong": []}"#] {
            let home = tempfile::tempdir().unwrap();
            std::fs::write(home.path().join("verdicts.json"), text).unwrap();
            let verdicts = Verdicts::load(home.path());
            assert!(home.path().join("verdicts.json.damaged").exists(), "{text}");
            verdicts.on_right(id(1));
            verdicts.settle().unwrap();
            assert!(Verdicts::load(home.path()).is_right(&id(1)));
        }
    }

    #[test]
    fn the_oldest_verdicts_go_first() {
        let home = tempfile::tempdir().unwrap();
        let verdicts = Verdicts::load(home.path());
        let most = u32::try_from(REMEMBERED_MAX).unwrap();
        for of in 0..=most {
            verdicts.on_right(id(of));
            verdicts.on_wrong(wrong(of, None));
        }
        verdicts.settle().unwrap();
        let verdicts = Verdicts::load(home.path());
        let last = id(most);
        assert!(!verdicts.is_right(&id(0)) && !verdicts.is_wrong(&id(0)));
        assert!(verdicts.is_right(&last) && verdicts.is_wrong(&last));
    }
}
