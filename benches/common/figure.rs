//! Figures, and whether they are what was asked for.

use std::fmt::Write;

/// One thing that was measured, beside what it is measured against.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) what: &'static str,
    /// What came out, in words.
    pub(crate) measured: String,
    /// What could have come out at best in the same run, in words.
    pub(crate) ideal: String,
    /// The two as a number, and what it may be.
    pub(crate) ratio: f64,
    /// What was asked for.
    pub(crate) reach: Reach,
}

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Figure {
    fn is_reached(&self) -> bool {
        match self.reach {
            Reach::AtLeast(least) => self.ratio >= least,
            Reach::AtMost(most) => self.ratio <= most,
        }
    }
}

/// All figures of a run, a line each.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "\n{:<44}{:>14}{:>14}{:>9}  {:<15}verdict\n",
        "", "measured", "ideal", "ratio", "reach"
    );
    for figure in figures {
        let reach = match figure.reach {
            Reach::AtLeast(least) => format!("at least {least}"),
            Reach::AtMost(most) => format!("at most {most}"),
        };
        let verdict = if figure.is_reached() {
            "reached"
        } else {
            "MISSED"
        };
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{:<44}{:>14}{:>14}{:>9.3}  {reach:<15}{verdict}",
            figure.what, figure.measured, figure.ideal, figure.ratio
        );
    }
    text
}

/// Bytes per second, in words.
pub(crate) fn mb_per_s(rate: f64) -> String {
    format!("{:.2} MB/s", rate / 1e6)
}

/// Seconds, in words.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}
