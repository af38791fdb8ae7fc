//! Mistakes that tests can make on purpose, to show that cutting the power (`tests/power`) notices each.
//!
//! Each is one line where somebody could have made it. At most one is live, on one thread, for as long as
//! what `plant` returned is there. Outside the tests of this crate none can be: then `is_planted` is false
//! for the compiler too, and nothing of this is left in the program.
//!
//! A mistake that nothing notices is a gap in the model. Whoever adds a promise to the store adds a mistake
//! that breaks it.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// What was written counts as safe, and is claimed, without a sync.
    ConfirmsUnsynced,
    /// What a killed process left in the page cache is claimed without a sync.
    ClaimsFoundUnsynced,
    /// Chunks are written however many wait for a sync.
    NeverWaits,
    /// The file gets its name although its bytes are not synced.
    NamesUnsynced,
    /// The folder is not synced after the file got its name.
    ForgetsFolder,
}

/// Whether this mistake is live on this thread.
#[cfg(not(test))]
pub(super) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(test)]
pub(super) use live::{is_planted, plant};

#[cfg(test)]
mod live {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static LIVE: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// A mistake is live on the thread that made it, until this is dropped.
    #[must_use = "the mistake is over as soon as this is dropped"]
    pub(in crate::store) struct Planted(());

    /// Makes a mistake on this thread, and no other than this.
    pub(in crate::store) fn plant(bug: Bug) -> Planted {
        LIVE.set(Some(bug));
        Planted(())
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            LIVE.set(None);
        }
    }

    /// Whether this mistake is live on this thread.
    pub(in crate::store) fn is_planted(bug: Bug) -> bool {
        LIVE.get() == Some(bug)
    }
}
