//! The states of the machine and the gains that go with them: draft-ietf-ccwg-bbr section 5.6.1.

/// What the flow is trying to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// How much the path carries: doubles with every round trip (section 5.3.1).
    Startup,
    /// Lets the queue of startup run off (section 5.3.2).
    Drain,
    /// Sends a little less than is delivered, for whoever else is there (section 5.3.3.1).
    Down,
    /// Sends what is delivered (section 5.3.3.2).
    Cruise,
    /// Fills the path before it is probed (section 5.3.3.3).
    Refill,
    /// Whether the path carries more now (section 5.3.3.4).
    Up,
    /// What the floor of the round-trip time is now (section 5.3.4).
    ProbeRtt,
}

impl Phase {
    /// By how much more than the bandwidth is sent.
    pub(super) fn pacing_gain(self) -> f64 {
        match self {
            Self::Startup => 2.77,
            Self::Drain => 0.5,
            Self::Down => 0.9,
            Self::Cruise | Self::Refill | Self::ProbeRtt => 1.0,
            Self::Up => 1.25,
        }
    }

    /// How many bandwidth-delay products may be in flight, where so much of the queue must be others' (0 to 1).
    ///
    /// The draft has 2, and 2.25 for `Up`, where the pacing rate is what holds the flow. Here both
    /// are the window (see `window.rs`), so the bound can be close to what the phase is for. In
    /// virtual time over 100 Mbit/s and 50 ms with a buffer of one product, 2 and 2.25 left a CUBIC
    /// flow a sixth of what BBR took; these leave it its half, and cost a flow alone nothing. In a long
    /// queue of others' they would leave this flow a sixth, so there the draft's are right: see `crowd.rs`.
    pub(super) fn cwnd_gain(self, crowd: f64) -> f64 {
        let (least, most) = match self {
            Self::ProbeRtt => (0.5, 0.5),
            Self::Down | Self::Cruise | Self::Refill => (1.2, 2.0),
            Self::Up => (1.6, 2.25),
            Self::Startup | Self::Drain => (2.0, 2.0),
        };
        least + (most - least) * crowd
    }

    /// Whether this is one of the four of the steady cycle.
    pub(super) fn is_cycle(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }

    /// Whether the flow looks for more, so that losses bound what it may look for.
    pub(super) fn is_accelerating(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}
