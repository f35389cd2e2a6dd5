//! How many spans came in each of the last seconds.

use crate::trace::Now;

const SECONDS: usize = 9;

/// A number for each of the last seconds, the current one last.
#[derive(Debug, Default)]
pub(super) struct Rate {
    second: u64,
    spans: [u64; SECONDS],
}

impl Rate {
    pub(super) fn add(&mut self, n_spans: u64, now: Now) {
        self.advance(now);
        if let Some(current) = self.spans.last_mut() {
            *current = current.saturating_add(n_spans);
        }
    }

    /// Goes on to the current second. Returns whether it is a new one.
    pub(super) fn advance(&mut self, now: Now) -> bool {
        let second = now.uptime_ns / 1_000_000_000;
        let passed = second.saturating_sub(self.second);
        for _ in (0..passed).take(SECONDS) {
            self.spans.rotate_left(1);
            if let Some(current) = self.spans.last_mut() {
                *current = 0;
            }
        }
        self.second = self.second.max(second);
        passed > 0
    }

    pub(super) fn seconds(&self) -> Vec<u64> {
        self.spans.to_vec()
    }
}
