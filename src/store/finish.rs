//! Turning a complete `.part` into the container.
//!
//! Order: the disk confirms every chunk, the whole hash is right, the file is renamed, the folder is
//! synced. A crash at any point leaves either the `.part`, which [`Content::resume`] takes up, or the
//! container. What is promised stands in [`content`](super::content).

use std::io;
use std::path::PathBuf;
use std::thread;

use crate::digest::ProgramId;

use super::content::{Content, State};
use super::error::{FinishError, ReadError};
use super::planted::{Bug, is_planted};
use super::whole::Whole;

impl Content {
    /// Checks the whole of a container that has all its chunks, and gives it its final name. Reads go
    /// on from the same open file, before, during and after.
    ///
    /// A file that already has its name, because it is served where it lies, is only checked. Calling
    /// again after success does nothing.
    pub fn finish(&self) -> Result<PathBuf, FinishError> {
        let mut whole = self.whole();
        self.require_all(|state| state.have.count())?;
        if whole.is_proven() {
            return Ok(self.path());
        }
        let is_skipped = is_planted(Bug::NamesUnsynced);
        let sync = || if is_skipped { Ok(()) } else { self.sync() };
        let (synced, checked) = thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, sync);
            let checked = self.check_whole(&mut whole);
            let synced = match thread {
                Ok(thread) => thread.join().expect("a sync does not panic"),
                Err(_) => sync(),
            };
            (synced, checked)
        });
        synced?;
        checked?;
        let is_download = !self.state().sealed;
        if is_download && !is_skipped {
            // A sync that another thread had begun may have failed after all chunks were there: then there
            // was nothing left for this one to sync, and nothing in memory tells.
            self.require_all(|state| state.journal.kept(&state.have))?;
        }
        self.publish()?;
        if is_download {
            self.strike_out();
            self.own();
        }
        whole.on_proven();
        Ok(self.path())
    }

    /// Reads a complete file that was believed until now, and checks every chunk and the whole: what
    /// has changed is not held any more. Calls for other chunks go on meanwhile.
    ///
    /// `goes_on` hears how many bytes have been dealt with so far, and says whether to go on.
    pub fn prove(&self, goes_on: impl Fn(u64) -> bool) -> Result<(), FinishError> {
        self.check_all(&mut Whole::new(), goes_on)
    }

    /// Whether so many chunks are all of them.
    fn require_all(&self, count: impl Fn(&State) -> u32) -> Result<(), FinishError> {
        let (held, total) = {
            let state = self.state();
            (count(&state), state.have.len())
        };
        if held == total {
            return Ok(());
        }
        let path = self.path();
        Err(FinishError::Incomplete { path, held, total })
    }

    /// Compares the hash of the whole with the program id.
    fn check_whole(&self, whole: &mut Whole) -> Result<(), FinishError> {
        match self.hash_rest(whole) {
            Ok(found) if found == self.manifest.program_id() => Ok(()),
            Err(error) if !error.is_lost() => Err(error.into()),
            // chunks that were read back for that hash were not verified again, so any of them, or
            // the manifest, may be at fault
            Ok(_) | Err(_) => {
                *whole = Whole::new();
                self.check_all(whole, |_| true)
            }
        }
    }

    fn hash_rest(&self, whole: &mut Whole) -> Result<ProgramId, ReadError> {
        while whole.next().get() < self.layout().chunk_count() {
            whole.read_next(self.layout(), &self.disk)?;
        }
        Ok(whole.digest())
    }

    /// Verifies every chunk on disk again, and the hash of the whole over those same bytes.
    fn check_all(
        &self,
        whole: &mut Whole,
        goes_on: impl Fn(u64) -> bool,
    ) -> Result<(), FinishError> {
        let mut lost = 0;
        for index in self.layout().chunks() {
            if !goes_on(self.layout().offset(index).unwrap_or_default()) {
                return Err(FinishError::GivenUp { path: self.path() });
            }
            match self.read(index) {
                Ok(Some(chunk)) => whole.on_chunk(&chunk),
                Ok(None) => lost += 1,
                Err(error) if error.is_lost() => lost += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let (path, total) = (self.path(), self.layout().chunk_count());
        if lost > 0 {
            return Err(FinishError::Rotten { path, lost, total });
        }
        let expected = self.manifest.program_id();
        match whole.digest() {
            found if found == expected => Ok(()),
            found => Err(FinishError::WrongWhole {
                path,
                expected,
                found,
            }),
        }
    }

    /// Lets go of the file, then gives it its name.
    fn publish(&self) -> Result<(), FinishError> {
        let was_sealed = std::mem::replace(&mut self.state().sealed, true);
        if let Err(source) = self.disk.publish() {
            self.state().sealed = was_sealed;
            if source.kind() == io::ErrorKind::AlreadyExists {
                return Err(FinishError::AlreadyThere {
                    path: self.disk.destination(),
                });
            }
            return Err(self.not_published(source));
        }
        if is_planted(Bug::ForgetsFolder) {
            return Ok(());
        }
        let synced = self.disk.sync_name();
        synced.map_err(|source| self.not_published(source))
    }

    fn not_published(&self, source: io::Error) -> FinishError {
        FinishError::Publish {
            path: self.path(),
            source,
        }
    }
}
