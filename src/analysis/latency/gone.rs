//! A sketch of durations of which there are too many to keep. It forgets each of them, but not how many there
//! were, how long they took in all, and which was the shortest and the longest.

use hdrhistogram::Histogram;

/// Of two digits a duration is told apart from one that is a 128th longer, so that it is off by half of
/// that at most when it is told as the middle of what it cannot be told apart from.
const DIGITS: u8 = 2;
/// A request that took longer counts as one that took an hour: Modal ends most long before.
const DURATION_NS_MAX: u64 = 3_600_000_000_000;

/// Durations of requests that were evicted: how many took about so long.
#[derive(Clone, Debug)]
pub struct GoneDurations {
    sketch: Histogram<u32>,
    sum_ns: i64,
    extremes: Option<(i64, i64)>,
}

impl GoneDurations {
    /// What a sketch takes at most: places for an hour, of four bytes each.
    pub const BYTES_MAX: usize = 20 * 1024;

    /// A sketch of nothing.
    #[expect(
        clippy::expect_used,
        reason = "the library refuses more than five digits, and this is a constant"
    )]
    pub fn new() -> Self {
        Self {
            sketch: Histogram::new(DIGITS).expect("two digits are among those it takes"),
            sum_ns: 0,
            extremes: None,
        }
    }

    /// Counts one. A negative duration counts as 0.
    pub fn add(&mut self, duration_ns: i64) {
        let duration = duration_ns.clamp(0, super::DURATION_NS_MAX);
        let about = u64::try_from(duration).unwrap_or(0).min(DURATION_NS_MAX);
        if self.sketch.record(about).is_err() {
            return;
        }
        self.sum_ns = self.sum_ns.saturating_add(duration);
        let (min, max) = self.extremes.unwrap_or((duration, duration));
        self.extremes = Some((min.min(duration), max.max(duration)));
    }

    /// How many there are.
    pub fn n(&self) -> u64 {
        self.sketch.len()
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.sketch.distinct_values() * size_of::<u32>()
    }

    pub(super) fn sum_ns(&self) -> i64 {
        self.sum_ns
    }

    pub(super) fn extremes(&self) -> Option<(i64, i64)> {
        self.extremes
    }

    /// How many took about so long, the shortest first; none is told as shorter than the shortest or
    /// longer than the longest.
    pub(super) fn about(&self) -> impl Iterator<Item = (i64, u64)> {
        let (min, max) = self.extremes.unwrap_or_default();
        self.sketch.iter_recorded().map(move |step| {
            let middle = self.sketch.median_equivalent(step.value_iterated_to());
            let middle = i64::try_from(middle).unwrap_or(i64::MAX);
            (middle.clamp(min, max), u64::from(step.count_at_value()))
        })
    }
}

impl Default for GoneDurations {
    fn default() -> Self {
        Self::new()
    }
}
