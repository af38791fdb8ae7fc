//! Counts of what happened lately: in the span of time that runs, and in the one before.

/// A count that forgets. The caller numbers the spans.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recent {
    span: u64,
    now: u32,
    before: u32,
}

impl Recent {
    /// So many more, in this span.
    pub(super) fn add(&mut self, span: u64, more: u32) {
        *self = self.at(span);
        self.now += more;
    }

    /// How many in this span and in the one before.
    pub(super) fn sum(self, span: u64) -> u32 {
        let at = self.at(span);
        at.now + at.before
    }

    fn at(self, span: u64) -> Self {
        let (now, before) = match span.saturating_sub(self.span) {
            0 => (self.now, self.before),
            1 => (0, self.now),
            _ => (0, 0),
        };
        Self { span, now, before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_two_spans_old_is_forgotten() {
        let mut recent = Recent::default();
        recent.add(3, 5);
        recent.add(4, 2);
        let sums = [4, 5, 6].map(|span| recent.sum(span));
        assert_eq!(sums, [7, 2, 0]);
    }
}
