//! One direction of a path: a bottleneck with a drop-tail buffer, a fixed delay, random loss.
//!
//! Pure: time is an argument (nanoseconds since the run began) and chance comes from a seed, so the
//! same link serves the run in virtual time and the emulator with sockets. Sizes are those of IP
//! packets. A packet is lost by chance before it takes a place in the buffer, so loss costs the
//! sender and not the bottleneck.
//!
//! Invariant: what waits is `rate * (free_at - now)` bytes, at most `buffer_bytes`.

/// What IPv4 and UDP put around a datagram, in bytes.
pub(crate) const HEADERS: u64 = 28;

/// How a direction behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Bytes per second; 0 is no limit.
    pub(crate) rate: u64,
    /// Propagation delay, in nanoseconds.
    pub(crate) delay_ns: u64,
    /// Probability that a packet is lost by chance, 0 to 1.
    pub(crate) loss: f64,
    /// What may wait at the bottleneck, in bytes.
    pub(crate) buffer_bytes: u64,
    /// Where more than this waits, in bytes, a packet whose sender knows ECN is marked (RFC 3168).
    pub(crate) marks_above: u64,
    /// The largest IP packet that passes, in bytes.
    pub(crate) mtu: u64,
}

impl Shape {
    /// No limit, no delay, no loss, and packets of an Ethernet.
    pub(crate) const OPEN: Self = Self {
        rate: 0,
        delay_ns: 0,
        loss: 0.0,
        buffer_bytes: u64::MAX,
        marks_above: u64::MAX,
        mtu: 1500,
    };

    /// The way back, on which acknowledgements are never dropped for want of room.
    pub(crate) fn for_answers(self) -> Self {
        Self {
            buffer_bytes: self.buffer_bytes.max(1 << 20),
            ..self
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives at this time.
    Arrives(u64),
    /// It arrives at this time, and a queue was seen on the way.
    ArrivesMarked(u64),
    /// It is gone: by chance, for want of room, or for its size.
    Gone,
}

/// One direction, and what has passed it since the figures were last begun.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    shape: Shape,
    free_at: u64,
    chance: u64,
    figures: Figures,
}

/// What passed a link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// Bytes that passed.
    pub(crate) bytes: u64,
    /// Packets that passed.
    pub(crate) packets: u64,
    /// Packets lost by chance.
    pub(crate) unlucky: u64,
    /// Packets marked.
    pub(crate) marked: u64,
    /// Packets dropped because the buffer was full.
    pub(crate) overflowed: u64,
    /// How long each packet waited at the bottleneck, in microseconds.
    waits_us: Vec<u32>,
}

impl Link {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        Self {
            shape,
            free_at: 0,
            chance: seed,
            figures: Figures::default(),
        }
    }

    /// Takes a packet of this many bytes, IP header and all.
    pub(crate) fn offer(&mut self, now: u64, bytes: u64) -> Fate {
        if bytes > self.shape.mtu {
            return Fate::Gone;
        }
        if self.draw() < self.shape.loss {
            self.figures.unlucky += 1;
            return Fate::Gone;
        }
        let wait = self.free_at.saturating_sub(now);
        let waiting = u128::from(wait) * u128::from(self.shape.rate) / 1_000_000_000;
        let is_full = waiting + u128::from(bytes) > u128::from(self.shape.buffer_bytes);
        if is_full {
            self.figures.overflowed += 1;
            return Fate::Gone;
        }
        // Without a limit nothing waits.
        let takes = (bytes * 1_000_000_000).checked_div(self.shape.rate);
        self.free_at = self.free_at.max(now) + takes.unwrap_or(0);
        self.figures.bytes += bytes;
        self.figures.packets += 1;
        let wait_us = u32::try_from(wait / 1000).unwrap_or(u32::MAX);
        self.figures.waits_us.push(wait_us);
        let at = self.free_at + self.shape.delay_ns;
        if waiting > u128::from(self.shape.marks_above) {
            self.figures.marked += 1;
            return Fate::ArrivesMarked(at);
        }
        Fate::Arrives(at)
    }

    /// The figures so far; they begin anew.
    pub(crate) fn take_figures(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }

    /// A number from 0 to 1 (splitmix64).
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Figures {
    /// All of them, for the parent process.
    pub(crate) fn line(&self) -> String {
        let (mean, high) = self.waits_ms();
        format!(
            "{mean} {high} {} {} {}",
            self.packets, self.unlucky, self.overflowed
        )
    }

    /// The mean wait and the one that 95 of 100 packets stay below, in milliseconds.
    pub(crate) fn waits_ms(&self) -> (f64, f64) {
        if self.waits_us.is_empty() {
            return (0.0, 0.0);
        }
        let mut sorted = self.waits_us.clone();
        sorted.sort_unstable();
        let mean = sorted.iter().map(|w| f64::from(*w)).sum::<f64>() / sorted.len() as f64;
        let high = f64::from(sorted[sorted.len() * 95 / 100]);
        (mean / 1e3, high / 1e3)
    }
}
