//! Mistakes that can be made on purpose, so that a test can show that the simulator notices each.
//!
//! Each is one line where somebody could have made it. At most one is live, on one thread, for as long
//! as what `plant` returned is there. Without the feature `planted-bugs` none can be: then
//! `is_planted` is false for the compiler too, and nothing of this is left in the program.
//!
//! A mistake that nothing notices is a gap in what `tests/sim/check.rs` asserts. Whoever adds a rule to
//! the engine adds a variant that breaks it.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A chunk is announced when it arrives, not when it is stored (I12).
    AnnouncesUnproven,
    /// A chunk counts as there when it arrives (I1, I2, I12).
    CountsUnproven,
    /// A chunk that turned out to be false counts as there (I1, I2, I12).
    CountsFalse,
    /// Of two requests for a chunk, the one that is answered later is not taken back (I3).
    KeepsLoser,
    /// A request that is taken back keeps its bytes in the budget (I13, no progress).
    LeaksOnCancel,
    /// The requests of a peer that is gone keep their bytes in the budget (I13, no progress).
    LeaksOnGone,
    /// What a peer was asked for that is gone nobody else is asked for (no progress).
    KeepsFlightsOfGone,
    /// The requests of a container that is removed are not taken back (I10).
    KeepsFlightsOfRemoved,
    /// Nobody looks whether a peer answers (I3, no progress).
    NeverWatches,
    /// It is looked once whether a peer answers, and not again (I3, no progress).
    WatchesOnce,
    /// The rest of a peer that failed never ends (I6, no progress).
    RestsForEver,
    /// A peer that says that it lacks a chunk is believed to hold it still (I5).
    OverhearsNotHeld,
    /// A chunk that the store lost is not wanted again (no progress).
    LosesForGood,
    /// A chunk is wanted again when one of two requests for it is over (I3).
    WantsWhatIsOut,
    /// The budget is looked at before what is asked for is counted, not after (I4).
    OverdrawsBudget,
    /// A peer is asked although it said that it does not serve us (I5).
    AsksWhoChokes,
    /// A container goes on although its chunks cannot be stored (I5).
    AsksThoughStopped,
    /// Requests are made twice and taken back whatever that costs (bytes for nothing).
    WastesFreely,
    /// Not the third false chunk bans an address but the fourth (I8).
    BansTooLate,
    /// The second false chunk bans an address (I7).
    BansTooSoon,
    /// Bans are forgotten with a restart (I8).
    ForgetsBans,
    /// A banned address may connect again (I5).
    AdmitsBanned,
    /// Who sent a chunk that could not be written is blamed for it (I7).
    BlamesForFullDisk,
    /// Who says that it lacks a chunk is taken to break the protocol (I7).
    BlamesForNotHeld,
    /// A manifest that is known to be right is suspected like one that is only claimed (I7, I8).
    SuspectsPinned,
    /// What is due now is left for later (I6).
    StaysDue,
    /// A chunk that was lost while a peer waited for it is served (I12).
    ServesLost,
    /// What a peer waited for is served although it was choked meanwhile (I12).
    ServesChoked,
    /// What a peer waited for is never answered when it is choked (I13).
    LeavesChokedUnanswered,
    /// Peers are unchoked and not told (I12, no progress).
    UnchokesInSilence,
    /// What a peer waited for that is gone stays (I13).
    KeepsAsksOfGone,
    /// What was withdrawn stays among what is read for peers (no progress).
    KeepsRoomOfWithdrawn,
    /// Who waits for more than a lone publisher gives at first is not told when it gives more (no
    /// progress).
    WithholdsForEver,
}

/// Whether this mistake is live on this thread.
#[cfg(not(feature = "planted-bugs"))]
pub(super) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub(super) use live::is_planted;
#[cfg(feature = "planted-bugs")]
pub use live::{Planted, is_any, plant};

#[cfg(feature = "planted-bugs")]
mod live {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static LIVE: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// A mistake is live on the thread that made it, until this is dropped.
    #[derive(Debug)]
    #[must_use = "the mistake is over as soon as this is dropped"]
    pub struct Planted(());

    /// Makes a mistake on this thread, and no other than this.
    pub fn plant(bug: Bug) -> Planted {
        LIVE.set(Some(bug));
        Planted(())
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            LIVE.set(None);
        }
    }

    /// Whether any mistake is live on this thread.
    pub fn is_any() -> bool {
        LIVE.get().is_some()
    }

    /// Whether this mistake is live on this thread.
    pub(in crate::swarm) fn is_planted(bug: Bug) -> bool {
        LIVE.get() == Some(bug)
    }
}
