//! Which manifests are known to be right or wrong, across restarts.
//!
//! A manifest is *right* when bytes were seen that are its chunks, each as it lists them, and whose
//! whole hashes to its program id; it is *wrong* when the same bytes hash to something else. Both are
//! facts about the manifest, not about a file, so they never change and need not be found out twice:
//! a container that is shared again is not hashed again as a whole, and a poisoned manifest is not
//! tried again. (Whether a file still has those bytes is another matter: each chunk is hashed whenever
//! it is read.)
//!
//! Losing them costs time and nothing else. Both lists are bounded; the oldest go first.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory;
use crate::digest::{Address, ManifestId};
use crate::manifest::{Manifest, SignatureState};
use crate::store::{State, StateError, VerdictRows, WrongRow};

/// Manifests of each kind that are remembered.
pub(super) const REMEMBERED_MAX: usize = 4096;

/// What is known. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Verdicts {
    state: State,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    right: VecDeque<ManifestId>,
    wrong: VecDeque<WrongRow>,
}

/// Who signed a manifest, if anybody did.
pub(super) fn signer(manifest: &Manifest) -> Option<Address> {
    match manifest.signature() {
        SignatureState::Unsigned => None,
        SignatureState::Signed { .. } => Some(manifest.address()),
    }
}

/// Remembers in a node's home that a manifest is right, because it was just made from the bytes of
/// its container, or because those were just held against it: a share of it is listed under its
/// program id at once, without hashing the whole again. Blocks on the disk.
pub fn remember_right(home: &Path, manifest: &Manifest) -> Result<(), StateError> {
    let right = VerdictRows {
        right: vec![manifest.id()],
        wrong: Vec::new(),
    };
    memory::open(home).add_verdicts(right, REMEMBERED_MAX)?;
    Ok(())
}

impl Verdicts {
    /// Reads what a state remembers. Blocks on the disk.
    pub(super) fn load(state: State) -> Self {
        let verdicts = Self {
            state,
            known: Arc::default(),
        };
        if let Err(error) = verdicts.settle() {
            tracing::warn!("what is known of manifests cannot be read: {error}");
        }
        verdicts
    }

    /// Whether a manifest is known to be right.
    pub(super) fn is_right(&self, id: &ManifestId) -> bool {
        self.lock().right.contains(id)
    }

    /// What is known against a manifest.
    pub(super) fn wrong(&self, id: &ManifestId) -> Option<WrongRow> {
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
    pub(super) fn on_wrong(&self, wrong: WrongRow) {
        let mut state = self.lock();
        state.add_wrong(wrong);
    }

    /// Brings the state and what is known into line. Blocks on the disk.
    pub(super) fn settle(&self) -> Result<(), StateError> {
        let rows = self.lock().rows();
        let all = self.state.add_verdicts(rows, REMEMBERED_MAX)?;
        let mut known = self.lock();
        // What came meanwhile is newer than all that was written down.
        let meanwhile = std::mem::take(&mut *known);
        known.right.extend(all.right);
        known.wrong.extend(all.wrong);
        meanwhile
            .right
            .into_iter()
            .for_each(|id| known.add_right(id));
        meanwhile
            .wrong
            .into_iter()
            .for_each(|it| known.add_wrong(it));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add_right(&mut self, id: ManifestId) {
        if !self.right.contains(&id) {
            self.right.push_back(id);
        }
        if self.right.len() > REMEMBERED_MAX {
            self.right.pop_front();
        }
    }

    fn add_wrong(&mut self, wrong: WrongRow) {
        if !self.wrong.contains(&wrong) {
            self.wrong.push_back(wrong);
        }
        if self.wrong.len() > REMEMBERED_MAX {
            self.wrong.pop_front();
        }
    }

    fn rows(&self) -> VerdictRows {
        VerdictRows {
            right: self.right.iter().copied().collect(),
            wrong: self.wrong.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, ProgramId};

    fn id(of: u32) -> ManifestId {
        ManifestId::new(Digest::of(&of.to_le_bytes()))
    }

    fn wrong(of: u32, signer: Option<Address>) -> WrongRow {
        WrongRow {
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
        let open = || Verdicts::load(State::open(home.path()));
        let (one, two) = (open(), open());
        one.on_right(id(1));
        one.on_wrong(wrong(2, Some(liar)));
        one.settle().unwrap();
        two.on_right(id(3));
        two.on_wrong(wrong(4, None));
        two.settle().unwrap();
        for verdicts in [two, open()] {
            assert!(verdicts.is_right(&id(1)) && verdicts.is_right(&id(3)));
            assert!(verdicts.is_wrong(&id(2)) && verdicts.is_wrong(&id(4)));
            assert!(!verdicts.is_right(&id(2)) && !verdicts.is_wrong(&id(1)));
            assert!(verdicts.has_lied(&liar));
            assert!(!verdicts.has_lied(&Address::new(Digest::of(b"alice"))));
        }
    }

    #[test]
    fn the_oldest_verdicts_go_first() {
        let state = State::in_memory();
        let verdicts = Verdicts::load(state.clone());
        let most = u32::try_from(REMEMBERED_MAX).unwrap();
        for of in 0..=most {
            verdicts.on_right(id(of));
            verdicts.on_wrong(wrong(of, None));
        }
        verdicts.settle().unwrap();
        let verdicts = Verdicts::load(state);
        let last = id(most);
        assert!(!verdicts.is_right(&id(0)) && !verdicts.is_wrong(&id(0)));
        assert!(verdicts.is_right(&last) && verdicts.is_wrong(&last));
    }
}
