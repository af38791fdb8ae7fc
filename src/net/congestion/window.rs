//! The window, which is all that quinn lets a controller set: draft-ietf-ccwg-bbr section 5.6.
//!
//! The draft has two controls, a pacing rate and a window twice the bandwidth-delay product. quinn
//! 0.11 asks a controller for the window alone and paces at 1.25 windows in a round-trip time, which
//! spreads bursts but bounds nothing: a window of two products would keep a product queued. So the
//! rate is held by the window too. A flow at rate `r` whose bytes are in flight for `stay` has
//! `r * stay` of them there (Little's law); allowing just so many makes it send at `r`, whatever the
//! queue is, its own or others'. Acknowledgements clock it, quinn's pacer smooths it.
//!
//! The draft's window stays above that as the bound it is meant to be.

use std::time::Duration;

use super::bbr::Bbr;
use super::phase::Phase;
use super::sampler::Sample;

/// Datagrams of the least window (`BBR.MinPipeCwnd`).
const DATAGRAMS_MIN: u64 = 4;
/// Datagrams of the initial window, and its bytes at most. RFC 9002 section 7.2 recommends 10. Here the
/// smallest chunk, 28 datagrams, is to leave in one flight beside the first probes for a larger MTU, and
/// 1 MiB within three.
const INITIAL_DATAGRAMS: u64 = 109;
const INITIAL_BYTES: u64 = 128 * 1024;
/// How many datagrams leave in a hurry: the handshake and the smallest chunk. quinn spreads 1.25 windows
/// over a round trip, so those of the initial window would take a quarter of one.
const HURRIED_DATAGRAMS: u64 = 40;
/// By how much faster they leave than the window says. With 4 the chunk has left within a sixteenth of a
/// round trip; with 1 a first chunk over 200 ms comes 22 ms later.
const HURRY: u64 = 4;
/// What stays below the bandwidth, so that queues run off (`BBR.PacingMarginPercent` is 1).
const MARGIN: f64 = 0.99;
/// Datagrams that one acknowledgement may be waiting for, and how long it may wait, as
/// `transport.rs` asks of the peer (section 5.5.8.2).
const ACK_DATAGRAMS: u64 = 20;
const ACK_WAIT: Duration = Duration::from_millis(5);
/// Datagrams that quinn hands to the socket at once, and the time they should last at most.
const BURST_DATAGRAMS: u64 = 20;
const BURST_SPAN: Duration = Duration::from_millis(1);

/// How much may be in flight.
#[derive(Debug, Clone)]
pub(super) struct Window {
    mtu: u64,
    initial: u64,
    cwnd: u64,
    /// What the rate needs in flight; `u64::MAX` while it is not held.
    paced: u64,
    /// The last good window, while a look for the floor or a silence holds it down.
    saved: u64,
    /// Bytes that may yet leave in a hurry, [`HURRIED_DATAGRAMS`] in all: less than the initial window,
    /// so that no more than that is ever in flight for it.
    hurried: u64,
}

impl Window {
    pub(super) fn new(mtu: u16) -> Self {
        let mtu = u64::from(mtu);
        let initial = (INITIAL_DATAGRAMS * mtu).min(INITIAL_BYTES.max(2 * mtu));
        Self {
            mtu,
            initial,
            cwnd: initial,
            paced: u64::MAX,
            saved: 0,
            hurried: HURRIED_DATAGRAMS * mtu,
        }
    }

    /// Bytes that may be in flight now; more while the first ones leave, because quinn takes the pace
    /// from it.
    pub(super) fn bytes(&self) -> u64 {
        let held = self.cwnd.min(self.paced).max(self.least());
        if self.hurried == 0 {
            return held;
        }
        held.max(HURRY * self.initial)
    }

    /// So many bytes leave.
    pub(super) fn on_sent(&mut self, bytes: u64) {
        self.hurried = self.hurried.saturating_sub(bytes);
    }

    /// So many bytes are lost: nothing is hurried any more. What startup loses it does not send again on
    /// top of what is in flight, or a buffer that the initial window has filled would stay full; a bad
    /// line takes little from a window that doubles.
    pub(super) fn on_lost(&mut self, bytes: u64, phase: Phase) {
        self.hurried = 0;
        if phase == Phase::Startup {
            self.cwnd = self.cwnd.saturating_sub(bytes).max(self.least());
        }
    }

    /// The bound, whatever the rate needs.
    pub(super) fn cwnd(&self) -> u64 {
        self.cwnd
    }

    /// Whether the bound, and not the rate, is what holds the flow.
    pub(super) fn is_bound_by_cwnd(&self) -> bool {
        self.cwnd <= self.paced
    }

    /// The window of a flow that has measured nothing.
    pub(super) fn initial(&self) -> u64 {
        self.initial
    }

    /// Bytes of a datagram.
    pub(super) fn mtu(&self) -> u64 {
        self.mtu
    }

    /// The path carries datagrams of this size.
    pub(super) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu);
        self.cwnd = self.cwnd.max(self.least());
    }

    /// Nothing has come through for several timeouts (RFC 9002 section 7.6.2).
    pub(super) fn collapse(&mut self) {
        self.save();
        self.cwnd = self.least();
    }

    pub(super) fn save(&mut self) {
        self.saved = self.saved.max(self.cwnd);
    }

    pub(super) fn restore(&mut self) {
        self.cwnd = self.cwnd.max(self.saved);
        self.saved = 0;
    }

    fn least(&self) -> u64 {
        DATAGRAMS_MIN * self.mtu
    }
}

impl Bbr {
    /// Sets the window after a batch (`SetCwnd` and `SetPacingRate`).
    pub(super) fn update_window(&mut self, sample: &Sample) {
        let most = self.product(self.phase.cwnd_gain(self.path.crowd())) + self.extra.bytes();
        let most = self.quantized(most);
        let grown = self.window.cwnd + sample.newly_acked;
        if self.pipe.was_reached() {
            self.window.cwnd = grown.min(most);
        } else if self.window.cwnd < most || self.sampler.delivered() < self.window.initial {
            self.window.cwnd = grown;
        }
        self.window.cwnd = self.window.cwnd.min(self.cap()).max(self.window.least());
        self.window.paced = self.paced();
    }

    /// A volume with room for what hosts gather before they send and acknowledge (section 5.5.8.2).
    pub(super) fn quantized(&self, volume: u64) -> u64 {
        let (rate, mtu) = (self.rate(), self.window.mtu);
        let acks = (ACK_DATAGRAMS * mtu).min(rate.over(ACK_WAIT));
        let bursts = (BURST_DATAGRAMS * mtu).min(rate.over(BURST_SPAN));
        volume.max(acks + bursts).max(self.window.least())
    }

    /// The window of a look for the floor (section 5.6.4.5).
    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.product(Phase::ProbeRtt.cwnd_gain(0.0))
            .max(self.window.least())
    }

    /// What losses and the look for the floor allow (sections 5.6.4.5 and 5.6.4.7).
    fn cap(&self) -> u64 {
        let learned = match self.phase {
            Phase::Down | Phase::Refill | Phase::Up => self.bounds.long(),
            Phase::Cruise | Phase::ProbeRtt => self.cruising(),
            Phase::Startup | Phase::Drain => u64::MAX,
        };
        let cap = learned.min(self.bounds.short());
        match self.phase {
            Phase::ProbeRtt => cap.min(self.probe_rtt_window()),
            Phase::Startup
            | Phase::Drain
            | Phase::Down
            | Phase::Cruise
            | Phase::Refill
            | Phase::Up => cap,
        }
    }

    /// The long-term bound less the headroom, which is a part of the buffer and not of the path: where
    /// the buffer is shallow, a flow that left a part of the product unused would leave the path so.
    fn cruising(&self) -> u64 {
        let needed = self.product(1.0) + self.extra.bytes();
        let long = self.bounds.long();
        self.bounds.long_with_headroom().max(needed.min(long))
    }

    /// What the paced rate has in flight, and the datagram that quinn keeps below a window.
    fn paced(&self) -> u64 {
        if !self.pipe.was_reached() {
            return u64::MAX;
        }
        let rate = self.rate().scaled(self.phase.pacing_gain() * MARGIN);
        rate.over(self.path.stay()) + self.window.mtu
    }
}
