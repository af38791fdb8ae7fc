//! Somebody who follows what a leecher holds, and notes when each chunk got there.
//!
//! A watcher is a peer like any other: it subscribes to the leecher's news, holds nothing and asks
//! for nothing. News come at most 10 ms apart, which is how exact its clock is.

use std::sync::Arc;
use std::time::Duration;

use swarmhold::chunk::Bitfield;
use swarmhold::net::{Answer, Aside, EVENTS_MAX, Endpoint, Event, HaveLog, Session};
use swarmhold::wire::{Refusal, Request, Update};
use swarmhold::{Manifest, PeerHint, Wallet};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How long to wait before asking again a leecher that has not begun yet.
const RETRY: Duration = Duration::from_millis(20);

/// A watcher at work.
pub(crate) struct Watcher {
    held: watch::Receiver<u32>,
    task: JoinHandle<Seen>,
}

/// What a watcher saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// When news came, and how many chunks the leecher held from then on.
    pub(crate) news: Vec<(Instant, u32)>,
    /// The longest round trip that was measured.
    pub(crate) rtt: Duration,
}

impl Watcher {
    /// Watches a leecher until it holds the whole container.
    pub(crate) fn watch(leecher: PeerHint, manifest: &Arc<Manifest>) -> Self {
        let (told, held) = watch::channel(0);
        let task = tokio::spawn(follow(leecher, Arc::clone(manifest), told));
        Self { held, task }
    }

    /// Waits until the leecher holds so many chunks.
    pub(crate) async fn holds(&mut self, chunks: u32) {
        let enough = self.held.wait_for(|held| *held >= chunks).await;
        enough.expect("the watcher watches to the end");
    }

    /// What it has seen, once the leecher holds everything.
    pub(crate) async fn seen(self) -> Seen {
        self.task.await.expect("a watcher that ends")
    }
}

impl Seen {
    /// The longest time without a chunk, between the first and the last, and when it began.
    pub(crate) fn longest_gap(&self) -> (Duration, Instant) {
        let gaps = self.news.windows(2);
        let gaps = gaps.map(|pair| (pair[1].0.duration_since(pair[0].0), pair[0].0));
        gaps.max_by_key(|(gap, _)| *gap).expect("several chunks")
    }
}

async fn follow(leecher: PeerHint, manifest: Arc<Manifest>, told: watch::Sender<u32>) -> Seen {
    let (id, chunks) = (manifest.id(), manifest.layout().chunk_count());
    let nothing = Arc::new(HaveLog::new(Bitfield::empty(chunks)));
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let wallet = Arc::new(Wallet::generate().expect("randomness"));
    let loopback = ([127, 0, 0, 1], 0).into();
    let endpoint = Endpoint::bind(loopback, wallet, sender, |own| vec![own]).expect("a socket");
    endpoint.dial(leecher.remote, leecher.expected);
    let mut held = Bitfield::empty(chunks);
    let mut seen = Seen {
        news: Vec::new(),
        rtt: Duration::ZERO,
    };
    let mut leecher = None::<Session>;
    while !held.is_full() {
        match events.recv().await.expect("the endpoint lives") {
            Event::Connected { session, .. } => {
                session.subscribe(id, chunks);
                leecher = Some(session);
            }
            Event::Unsubscribed { .. } => {
                sleep(RETRY).await;
                let leecher = leecher.as_ref().expect("subscribed over it");
                leecher.subscribe(id, chunks);
            }
            Event::Update { update, .. } => {
                take_in(&mut held, update);
                seen.news.push((Instant::now(), held.count()));
                let rtt = leecher.as_ref().map(Session::rtt).unwrap_or_default();
                seen.rtt = seen.rtt.max(rtt);
                told.send_replace(held.count());
            }
            Event::Asked {
                request: Request::Subscribe { .. },
                responder,
                ..
            } => {
                let (nothing, aside) = (Arc::clone(&nothing), Arc::new(Aside::new()));
                responder.answer(Answer::Feed(id, nothing, aside));
            }
            Event::Asked { responder, .. } => responder.answer(Answer::Refuse(Refusal::NotFound)),
            Event::DialFailed { error, .. } => panic!("the leecher cannot be watched: {error}"),
            Event::Closed { reason, .. } => panic!("the leecher closed its watcher: {reason}"),
            Event::Chunk { .. }
            | Event::Progress { .. }
            | Event::Wasted { .. }
            | Event::Replied { .. }
            | Event::Carrying { .. }
            | Event::NotCarrying { .. }
            | Event::RelayFailed { .. }
            | Event::Line { .. }
            | Event::Manifest { .. }
            | Event::Deluges { .. }
            | Event::Answered { .. } => {}
        }
    }
    endpoint.close();
    seen
}

fn take_in(held: &mut Bitfield, update: Update) {
    match update {
        Update::Bitfield(bytes) => {
            *held = Bitfield::from_bytes(&bytes, held.len()).expect("the subscription checked it");
        }
        Update::Have(chunks) => chunks.into_iter().for_each(|chunk| {
            held.insert(chunk);
        }),
        // It asks for nothing.
        Update::Choked | Update::Unchoked => {}
    }
}
