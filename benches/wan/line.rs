//! The lines that flows are tried on, by name.

use crate::Extent;
use crate::flow::Span;
use crate::link::Shape;

const MS: u64 = 1_000_000;
/// A shallow and a deep buffer, in bytes.
const BUFFERS: [u64; 2] = [256 << 10, 5 << 20];

/// What a small router keeps, in bytes.
const BUFFER_OF_A_ROUTER: u64 = 64 << 10;

/// A line as people say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) mbit: u64,
    pub(crate) rtt_ms: u64,
    pub(crate) loss_percent: f64,
    pub(crate) buffer_bytes: u64,
}

impl Line {
    pub(crate) fn shape(self) -> Shape {
        Shape {
            rate: self.mbit * 125_000,
            delay_ns: self.rtt_ms * MS / 2,
            loss: self.loss_percent / 100.0,
            buffer_bytes: self.buffer_bytes,
            ..Shape::OPEN
        }
    }

    /// Bytes per second.
    pub(crate) fn rate(self) -> f64 {
        self.mbit as f64 * 125_000.0
    }

    /// How long a flow is given to settle, and how long it is measured then, in seconds.
    pub(crate) fn seconds(self, extent: Extent) -> (u64, u64) {
        match (extent, self.mbit) {
            (Extent::Quick, _) => (3, 4),
            (Extent::Full, 0..=100) => (4, 26),
            (Extent::Full, _) => (3, 12),
        }
    }

    /// The same where real time passes.
    pub(crate) fn span(self, extent: Extent) -> Span {
        let (settling, measured) = match (extent, self.rtt_ms) {
            (Extent::Quick, _) => (2, 3),
            (Extent::Full, 0..=100) => (3, 5),
            (Extent::Full, _) => (6, 6),
        };
        Span { settling, measured }
    }

    pub(crate) fn name(self) -> String {
        format!(
            "{:>4} Mbit/s {:>3} ms {:>4} KiB {:>4.1} %",
            self.mbit,
            self.rtt_ms,
            self.buffer_bytes >> 10,
            self.loss_percent
        )
    }
}

/// Those in whose names this is, however many spaces are between the words.
pub(crate) fn named(lines: Vec<Line>, text: &str) -> Vec<Line> {
    let one_spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = one_spaced(text);
    let fits = |line: &Line| one_spaced(&line.name()).contains(&text);
    lines.into_iter().filter(fits).collect()
}

/// The lines of the grid.
pub(crate) fn all(extent: Extent) -> Vec<Line> {
    if extent == Extent::Quick {
        return vec![of(100, 50, 0.0, BUFFERS[0]), of(100, 50, 1.0, BUFFERS[0])];
    }
    let mut lines = Vec::new();
    for buffer_bytes in BUFFERS {
        for (mbit, rtt_ms) in [(100, 10), (100, 50), (100, 200), (1000, 10)] {
            for loss_percent in [0.0, 0.1, 1.0, 2.0] {
                lines.push(of(mbit, rtt_ms, loss_percent, buffer_bytes));
            }
        }
    }
    lines
}

/// The lines that real sockets are tried on.
pub(crate) fn real(extent: Extent) -> Vec<Line> {
    if extent == Extent::Quick {
        return vec![of(100, 50, 1.0, BUFFERS[0])];
    }
    all(extent)
}

/// Narrow lines with a short buffer, on which the initial window is much, and one of the grid.
pub(crate) fn narrow(extent: Extent) -> Vec<Line> {
    let lines = [
        of(2, 50, 0.0, BUFFER_OF_A_ROUTER),
        of(10, 50, 0.0, BUFFER_OF_A_ROUTER),
        of(100, 50, 0.0, BUFFERS[0]),
    ];
    lines.into_iter().take(extent.pick(3, 1)).collect()
}

/// The lines of people who do something else meanwhile.
pub(crate) fn interactive(extent: Extent) -> Vec<Line> {
    let lines = vec![of(100, 50, 0.0, BUFFERS[0]), of(100, 50, 0.0, BUFFERS[1])];
    lines
        .into_iter()
        .take(if extent == Extent::Quick { 1 } else { 2 })
        .collect()
}

/// The lines that two flows share: shallow buffers, one of a bandwidth-delay product, deep ones.
pub(crate) fn shared(extent: Extent) -> Vec<Line> {
    if extent == Extent::Quick {
        return vec![of(100, 50, 0.0, 640_000)];
    }
    vec![
        of(100, 10, 0.0, BUFFERS[0]),
        of(100, 50, 0.0, BUFFERS[0]),
        of(100, 50, 0.0, 640_000),
        of(100, 50, 0.0, BUFFERS[1]),
        of(100, 200, 0.0, BUFFERS[1]),
    ]
}

fn of(mbit: u64, rtt_ms: u64, loss_percent: f64, buffer_bytes: u64) -> Line {
    Line {
        mbit,
        rtt_ms,
        loss_percent,
        buffer_bytes,
    }
}
