//! What a node remembers from one run to the next: opens its state, and takes in what earlier versions
//! kept in files of their own.

use std::path::Path;
use std::sync::Arc;

use super::bans::Bans;
use super::clock::Clock;
use super::config::Config;
use super::credit::CreditBook;
use super::library::Library;
use super::old_files;
use super::verdicts::Verdicts;
use crate::store::{DoubtRow, Folders, State};
use crate::swarm::Credit;

/// The state of a home. One that does not exist has none. Says what is wrong with the file, if anything
/// is. Blocks on the disk.
pub(super) fn open(home: &Path) -> State {
    if !home.exists() {
        return State::in_memory();
    }
    let state = State::open(home);
    tell(&state);
    if state.kept().is_ok() {
        old_files::import(home, &state);
    }
    state
}

/// Says in the log what went wrong with the state's file since this was last done.
pub(super) fn tell(state: &State) {
    for trouble in state.troubles() {
        tracing::warn!("{trouble}");
    }
}

/// What a node is to know when it starts.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) library: Library,
    pub(super) bans: Bans,
    pub(super) verdicts: Verdicts,
    pub(super) book: CreditBook,
    pub(super) credit: Vec<Credit>,
    pub(super) doubts: Vec<DoubtRow>,
}

impl Memory {
    /// Reads it. Blocks on the disk.
    pub(super) fn load(config: &Config, folders: Folders, clock: Clock) -> Self {
        let state = open(&config.home);
        let book = CreditBook::new(state.clone());
        let library = Library::over(state.clone(), Arc::new(folders), config.quota);
        let library = library.with_vault(config.vault.clone());
        match library.quota() {
            // what there is has to be known before anything more may come
            Some(_) => library.adopt(),
            None => adopt_aside(library.clone()),
        }
        Self {
            // without an answer nobody is doubted
            doubts: state.doubts().unwrap_or_default(),
            bans: Bans::load(state.clone(), clock),
            verdicts: Verdicts::load(state),
            credit: book.load(),
            book,
            library,
        }
    }
}

/// Takes in what a lost state knew while the node runs already: nothing but room and sharing depends on it. What
/// is not done by the end of the process goes on in the next.
fn adopt_aside(library: Library) {
    let thread = std::thread::Builder::new().name("swarmhold-adopt".to_owned());
    if let Err(error) = thread.spawn(move || library.adopt()) {
        tracing::warn!(%error, "what the node's folder holds is taken in at another start");
    }
}
