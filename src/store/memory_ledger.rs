//! A ledger in RAM that remembers every call.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::{Claim, Ledger};

/// The ledger: what it heard, in order.
#[derive(Debug, Default)]
pub(super) struct MemoryLedger(Mutex<Vec<(PathBuf, Option<Claim>)>>);

impl MemoryLedger {
    fn calls_so_far(&self) -> MutexGuard<'_, Vec<(PathBuf, Option<Claim>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryLedger {
    fn claim(&self, part: &Path, claim: &Claim) {
        let call = (part.to_owned(), Some(claim.clone()));
        self.calls_so_far().push(call);
    }

    fn claimed(&self, part: &Path) -> Option<Claim> {
        let calls = self.calls_so_far();
        let last = calls.iter().rev().find(|(path, _)| path == part);
        last.and_then(|(_, claim)| claim.clone())
    }

    fn forget(&self, part: &Path) {
        self.calls_so_far().push((part.to_owned(), None));
    }
}
