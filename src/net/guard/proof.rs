//! What a path's congestion controller tells of it.
//!
//! quinn makes a controller for each path. It tells it before each datagram on that path, and tells it of
//! acknowledgements only when no PATH_CHALLENGE of the path is unanswered. A path to which a connection has moved has one
//! from its first moment on, and is given up when it is not answered. So where such a path's controller hears of an
//! acknowledgement, somebody there has answered. The first path of a connection has none, and an
//! acknowledgement in its handshake can be forged by whoever sees or makes its first packet: it is proven when the handshake is done.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

use super::Guard;
use crate::net::pace::Pace;

/// Whether somebody at the far end of a path gets what is sent on it.
#[derive(Debug)]
pub(in crate::net) struct Proof {
    is_first: bool,
    is_proven: AtomicBool,
    is_listed: AtomicBool,
    /// How fast what is sent on it leaves.
    pub(super) pace: Pace,
}

impl Proof {
    /// That of a connection's first path.
    pub(super) fn first() -> Self {
        Self {
            is_first: true,
            is_proven: AtomicBool::new(false),
            is_listed: AtomicBool::new(false),
            pace: Pace::default(),
        }
    }

    /// That of a path to which a connection has moved.
    pub(super) fn moved() -> Self {
        Self {
            is_first: false,
            ..Self::first()
        }
    }

    /// The handshake is done.
    pub(in crate::net) fn on_shaken_hands(&self) {
        self.is_proven.store(true, Ordering::Relaxed);
    }

    /// Something that was sent is acknowledged, and no challenge is unanswered.
    pub(super) fn on_ack(&self) {
        if !self.is_first {
            self.is_proven.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what is sent on the path may leave: it is proven, or in its handshake, which quinn bounds.
    pub(super) fn passes(&self) -> bool {
        self.is_first || self.is_proven.load(Ordering::Relaxed)
    }

    /// Whether its place is proven and not among those that are; it is from now on.
    pub(super) fn is_to_be_listed(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed) && !self.is_listed.swap(true, Ordering::Relaxed)
    }
}

/// Makes controllers that tell a guard.
pub(in crate::net) struct PathFactory<F> {
    guard: Arc<Guard>,
    factory: Arc<F>,
}

impl<F> PathFactory<F> {
    /// Of this kind.
    pub(in crate::net) fn new(guard: &Arc<Guard>, factory: F) -> Self {
        Self {
            guard: Arc::clone(guard),
            factory: Arc::new(factory),
        }
    }
}

impl<F: ControllerFactory> PathFactory<F> {
    /// The controller of another path.
    pub(super) fn watched(&self, now: Instant, current_mtu: u16) -> Watched {
        Watched {
            guard: Arc::clone(&self.guard),
            proof: self.guard.path(),
            controller: Arc::clone(&self.factory).build(now, current_mtu),
            rtt: [Duration::ZERO; 2],
        }
    }
}

impl<F> fmt::Debug for PathFactory<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathFactory").finish_non_exhaustive()
    }
}

impl<F: ControllerFactory> ControllerFactory for PathFactory<F> {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(self.watched(now, current_mtu))
    }
}

/// A path's controller.
pub(super) struct Watched {
    guard: Arc<Guard>,
    pub(super) proof: Arc<Proof>,
    controller: Box<dyn Controller>,
    /// The path's round-trip time as quinn smooths it, and the lowest; zero until they are known.
    rtt: [Duration; 2],
}

impl Controller for Watched {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.guard.announce(now, &self.proof);
        self.proof.pace.on_ready(bytes);
        self.controller.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.proof.on_ack();
        self.rtt = [rtt.get(), rtt.min()];
        self.controller.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.controller
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
        let [rtt, floor] = self.rtt;
        let window = self.controller.window();
        self.proof.pace.set(now, window, rtt, floor);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.controller
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.controller.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.controller.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.controller.metrics()
    }

    /// For a path to another port of the same host; nothing is known of who is there.
    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            guard: Arc::clone(&self.guard),
            proof: Arc::new(Proof::moved()),
            controller: self.controller.clone_box(),
            rtt: [Duration::ZERO; 2],
        })
    }

    fn initial_window(&self) -> u64 {
        self.controller.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.controller.into_any()
    }
}
