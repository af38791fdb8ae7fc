//! What a node tells its subscribers about one container: everything it holds, then news.
//!
//! One log for each container, read by any number of subscribers at their own pace: memory does not
//! grow with them, and a slow one skips nothing. Invariant: the log lists each held chunk once; a
//! loss starts a new epoch, whose readers begin again with the whole bitfield.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;
use crate::limits::HAVES_MAX;
use crate::wire::Update;

/// The least time for which news is gathered: nobody is kept waiting longer where few listen.
const FEED_PAUSE_MIN: Duration = Duration::from_millis(10);
/// What each subscriber adds, so that a node sends some thousand updates in a second at most.
const FEED_PAUSE_EACH: Duration = Duration::from_millis(1);
/// The longest pause: still short next to what chunks take to come.
const FEED_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Who holds everything fetches nothing and waits so many times as long: the news only tells it who needs what.
const SATED_FACTOR: u32 = 4;

/// For how long news is gathered before so many subscribers are told.
pub fn feed_pause(subscribers: usize) -> Duration {
    let each = u32::try_from(subscribers).unwrap_or(u32::MAX);
    let pause = FEED_PAUSE_EACH.saturating_mul(each);
    pause.clamp(FEED_PAUSE_MIN, FEED_PAUSE_MAX)
}

/// The chunks of one container that this node holds, in the order in which they came.
#[derive(Debug)]
pub struct HaveLog {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    held: Bitfield,
    log: Vec<ChunkIndex>,
    closed: bool,
}

/// How far one subscriber has read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    place: Option<(u64, usize)>,
}

impl HaveLog {
    /// A log that starts with these chunks.
    pub fn new(held: Bitfield) -> Self {
        Self {
            state: Mutex::new(State {
                epoch: 0,
                held,
                log: Vec::new(),
                closed: false,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// A chunk is here.
    pub fn announce(&self, chunk: ChunkIndex) {
        let mut state = self.state.lock().expect("nothing panics while holding it");
        if state.held.insert(chunk) {
            state.log.push(chunk);
            self.changed.send_replace(());
        }
    }

    /// A chunk is gone.
    pub fn withdraw(&self, chunk: ChunkIndex) {
        let mut state = self.state.lock().expect("nothing panics while holding it");
        if state.held.remove(chunk) {
            state.epoch += 1;
            state.log.clear();
            self.changed.send_replace(());
        }
    }

    /// The container takes no part any more: subscribers are told that it is not here.
    pub fn close(&self) {
        let mut state = self.state.lock().expect("nothing panics while holding it");
        state.closed = true;
        self.changed.send_replace(());
    }

    /// Whether the container takes no part any more.
    pub(super) fn is_closed(&self) -> bool {
        let state = self.state.lock().expect("nothing panics while holding it");
        state.closed
    }

    /// What is held now, in the wire form.
    pub fn held(&self) -> Vec<u8> {
        self.state
            .lock()
            .expect("nothing panics while holding it")
            .held
            .to_bytes()
    }

    /// Notices changes from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// For how long news is gathered for somebody who may hold everything.
    pub(super) fn pause(&self, is_sated: bool) -> Duration {
        let pause = feed_pause(self.changed.receiver_count());
        pause * if is_sated { SATED_FACTOR } else { 1 }
    }

    /// The next thing to tell a subscriber, if there is news.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<Update> {
        let state = self.state.lock().expect("nothing panics while holding it");
        match cursor.place {
            Some((epoch, at)) if epoch == state.epoch => {
                let news = &state.log[at..];
                let batch = &news[..news.len().min(HAVES_MAX)];
                cursor.place = Some((epoch, at + batch.len()));
                (!batch.is_empty()).then(|| Update::Have(batch.to_vec()))
            }
            Some(_) | None => {
                cursor.place = Some((state.epoch, state.log.len()));
                Some(Update::Bitfield(state.held.to_bytes()))
            }
        }
    }
}

/// Containers of which a peer said, when it was first asked, that it holds everything.
#[derive(Debug, Default)]
pub(super) struct Sated(Mutex<BTreeSet<ManifestId>>);

impl Sated {
    /// A peer says all that it holds of a container.
    pub(super) fn on_bitfield(&self, id: ManifestId, held: &Bitfield) {
        if held.is_full() {
            self.lock().insert(id);
        } else {
            self.lock().remove(&id);
        }
    }

    /// A peer says no more of a container.
    pub(super) fn on_end(&self, id: &ManifestId) {
        self.lock().remove(id);
    }

    pub(super) fn contains(&self, id: &ManifestId) -> bool {
        self.lock().contains(id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<ManifestId>> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_gets_everything_once_and_then_news() {
        let log = HaveLog::new(Bitfield::empty(16));
        let chunk = ChunkIndex::new;
        log.announce(chunk(3));
        let mut cursor = Cursor::default();
        assert_eq!(
            log.next(&mut cursor),
            Some(Update::Bitfield(vec![0b0001_0000, 0]))
        );
        assert_eq!(log.next(&mut cursor), None);
        log.announce(chunk(5));
        log.announce(chunk(3));
        log.announce(chunk(9));
        assert_eq!(
            log.next(&mut cursor),
            Some(Update::Have(vec![chunk(5), chunk(9)]))
        );
        log.withdraw(chunk(3));
        assert_eq!(
            log.next(&mut cursor),
            Some(Update::Bitfield(vec![0b0000_0100, 0b0100_0000]))
        );
        assert_eq!(log.next(&mut cursor), None);
    }

    #[test]
    fn who_holds_everything_is_told_more_rarely() {
        let (log, sated) = (HaveLog::new(Bitfield::empty(16)), Sated::default());
        let [one, other] = [0, 1].map(|of| ManifestId::new(crate::digest::Digest::of(&[of])));
        assert!(!sated.contains(&one));
        sated.on_bitfield(one, &Bitfield::full(16));
        assert!(sated.contains(&one) && !sated.contains(&other));
        assert!(log.pause(sated.contains(&one)) > log.pause(sated.contains(&other)));
        sated.on_bitfield(one, &Bitfield::empty(16));
        assert!(!sated.contains(&one), "it has lost something");
        sated.on_bitfield(one, &Bitfield::full(16));
        sated.on_end(&one);
        assert!(!sated.contains(&one));
    }

    #[test]
    fn a_late_reader_of_a_long_log_gets_bounded_batches() {
        let log = HaveLog::new(Bitfield::empty(4096));
        let mut cursor = Cursor::default();
        log.next(&mut cursor);
        (0..4096).for_each(|chunk| log.announce(ChunkIndex::new(chunk)));
        let batches = std::iter::from_fn(|| log.next(&mut cursor)).count();
        assert_eq!(batches, 4096_usize.div_ceil(HAVES_MAX));
    }
}
