//! What a node tells one subscriber and nobody else: whether it serves it, and what to ask it for.
//!
//! One for each connection, read by each of its subscriptions at its own pace. Only the latest word
//! counts, so a slow reader costs nothing. Invariant: a subscription that has read everything has told
//! the peer the latest of each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use crate::digest::ManifestId;
use crate::wire::Update;

/// The words for one peer.
#[derive(Debug)]
pub struct Aside {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    standing: Standing,
    /// Bitfields in the wire form, and how many were offered before.
    offers: BTreeMap<ManifestId, (u64, Vec<u8>)>,
}

/// Whether a peer is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It is, unless told otherwise.
    #[default]
    Unchoked,
    /// It is not.
    Choked,
}

/// How far one subscription has read.
#[derive(Debug, Default)]
pub(super) struct AsideCursor {
    standing: Standing,
    offers: u64,
}

impl Aside {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// Says whether the peer is served.
    pub fn set_standing(&self, standing: Standing) {
        self.lock().standing = standing;
        self.changed.send_replace(());
    }

    /// Says what the peer may ask for of a container, in the wire form of a bitfield.
    pub fn offer(&self, id: ManifestId, held: Vec<u8>) {
        let mut state = self.lock();
        let offer = state.offers.entry(id).or_default();
        *offer = (offer.0 + 1, held);
        drop(state);
        self.changed.send_replace(());
    }

    /// Forgets what was offered of a container: its subscription is over.
    pub fn forget(&self, id: &ManifestId) {
        self.lock().offers.remove(id);
    }

    /// Notices changes from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The next thing to tell on a subscription, if there is news.
    pub(super) fn next(&self, id: &ManifestId, cursor: &mut AsideCursor) -> Option<Update> {
        let state = self.lock();
        if state.standing != cursor.standing {
            cursor.standing = state.standing;
            return Some(match state.standing {
                Standing::Choked => Update::Choked,
                Standing::Unchoked => Update::Unchoked,
            });
        }
        let (count, held) = state.offers.get(id).filter(|it| it.0 != cursor.offers)?;
        cursor.offers = *count;
        Some(Update::Bitfield(held.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

impl Default for Aside {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn each_subscription_hears_the_latest_word_once() {
        let (aside, id) = (Aside::new(), ManifestId::new(Digest::of(b"container")));
        let other = ManifestId::new(Digest::of(b"other"));
        let (mut first, mut late) = (AsideCursor::default(), AsideCursor::default());
        assert_eq!(
            aside.next(&id, &mut first),
            None,
            "served unless told otherwise"
        );
        aside.set_standing(Standing::Choked);
        assert_eq!(aside.next(&id, &mut first), Some(Update::Choked));
        aside.offer(id, vec![1]);
        aside.offer(id, vec![2]);
        aside.set_standing(Standing::Unchoked);
        assert_eq!(aside.next(&id, &mut first), Some(Update::Unchoked));
        for cursor in [&mut first, &mut late] {
            assert_eq!(aside.next(&id, cursor), Some(Update::Bitfield(vec![2])));
            assert_eq!(aside.next(&id, cursor), None);
        }
        assert_eq!(aside.next(&other, &mut AsideCursor::default()), None);
    }
}
