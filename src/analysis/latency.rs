//! How long requests took, for the Latency screen: distributions, one axis for several of them, what cold
//! starts cost, and whether two spans of time differ. Plain numbers; it knows no traces and formats nothing.

mod axis;
mod compare;
mod cost;
mod gone;

#[cfg(test)]
mod tests;

pub use axis::{Axis, Scale};
pub use compare::{Certainty, Difference, compare};
pub use cost::{ColdCost, TimeShare, cold_cost};
pub use gone::GoneDurations;

use super::percentile::percentile;

/// The longest duration that is told apart: 292 years. The end of a bucket has to lie beyond it.
const DURATION_NS_MAX: i64 = i64::MAX - 1;

/// Durations of requests: those that are held, exactly, and a sketch of those that were evicted.
///
/// A negative one, of which only a clock that jumped knows, counts as 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    sorted: Vec<i64>,
    gone: Gone,
}

/// What a sketch tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Gone {
    /// How many took about so long, the shortest first.
    about: Vec<(i64, u64)>,
    n: u64,
    sum_ns: i64,
    /// The shortest and the longest, which are kept exactly.
    extremes: Option<(i64, i64)>,
}

impl Distribution {
    /// Durations that are held, in any order.
    pub fn of(mut durations_ns: Vec<i64>) -> Self {
        for duration in &mut durations_ns {
            *duration = (*duration).clamp(0, DURATION_NS_MAX);
        }
        durations_ns.sort_unstable();
        Self {
            sorted: durations_ns,
            gone: Gone::default(),
        }
    }

    /// The same, and those that were evicted.
    #[must_use]
    pub fn with_gone(mut self, gone: &GoneDurations) -> Self {
        self.gone.add(&Gone::of(gone));
        self
    }

    /// Several as one.
    pub fn joined(parts: &[&Self]) -> Self {
        let mut joined = Self::default();
        for part in parts {
            joined.sorted.extend_from_slice(&part.sorted);
            joined.gone.add(&part.gone);
        }
        // The stable sort takes what is sorted already as it is, and merges it.
        joined.sorted.sort_by(i64::cmp);
        joined
    }

    /// How many there are.
    pub fn n(&self) -> u64 {
        self.n_held() + self.gone.n
    }

    /// How many of them were evicted.
    pub fn n_gone(&self) -> u64 {
        self.gone.n
    }

    /// Whether every figure is exact: nothing of it was evicted.
    pub fn is_exact(&self) -> bool {
        self.gone.n == 0
    }

    /// The smallest duration that at least so many of a hundred do not exceed. `None` of nothing.
    ///
    /// Where evicted ones decide it is off by half a per cent at most.
    pub fn percentile(&self, per_cent: u8) -> Option<i64> {
        self.per_mille(u32::from(per_cent) * 10)
    }

    /// The same of a thousand.
    pub(crate) fn per_mille(&self, per_mille: u32) -> Option<i64> {
        if self.is_exact() {
            return percentile(&self.sorted, per_mille);
        }
        let share = u128::from(self.n()) * u128::from(per_mille);
        self.at_rank(u64::try_from(share.div_ceil(1_000)).unwrap_or(u64::MAX))
    }

    /// The longest.
    pub fn max(&self) -> Option<i64> {
        let gone = self.gone.extremes.map(|(_, max)| max);
        self.sorted.last().copied().max(gone)
    }

    /// The shortest.
    pub fn min(&self) -> Option<i64> {
        let gone = self.gone.extremes.map(|(min, _)| min);
        let both = [self.sorted.first().copied(), gone];
        both.into_iter().flatten().min()
    }

    /// All of them together; it stops at what fits.
    pub fn sum_ns(&self) -> i64 {
        let add = |sum: i64, duration: &i64| sum.saturating_add(*duration);
        self.sorted.iter().fold(self.gone.sum_ns, add)
    }

    fn n_held(&self) -> u64 {
        u64::try_from(self.sorted.len()).unwrap_or(u64::MAX)
    }

    /// The one that takes this place when the shortest takes the first; the shortest for 0, the longest
    /// for what is beyond the last.
    fn at_rank(&self, rank: u64) -> Option<i64> {
        let rank = rank.clamp(1, self.n().max(1));
        let held_at = |rank: u64| self.sorted.get(usize::try_from(rank - 1).ok()?).copied();
        let mut n_gone_below = 0;
        for (duration, n) in &self.gone.about {
            let n_below = n_gone_below + self.n_held_below(*duration);
            if rank <= n_below {
                break;
            }
            if rank <= n_below + n {
                return Some(*duration);
            }
            n_gone_below += n;
        }
        held_at(rank - n_gone_below)
    }

    fn n_held_below(&self, limit: i64) -> u64 {
        let n = self.sorted.partition_point(|duration| *duration < limit);
        u64::try_from(n).unwrap_or(u64::MAX)
    }

    /// How many are shorter than this.
    fn n_below(&self, limit: i64) -> u64 {
        let gone = self.gone.about.iter();
        let gone = gone.take_while(|(duration, _)| *duration < limit);
        self.n_held_below(limit) + gone.map(|(_, n)| n).sum::<u64>()
    }

    /// The shortest that took any time.
    fn min_above_zero(&self) -> Option<i64> {
        let held = self.sorted.iter().copied().find(|duration| *duration > 0);
        let gone = self.gone.about.iter().map(|(duration, _)| *duration);
        let both = [held, gone.into_iter().find(|duration| *duration > 0)];
        both.into_iter().flatten().min()
    }
}

impl Gone {
    fn of(sketch: &GoneDurations) -> Self {
        let about: Vec<(i64, u64)> = sketch.about().collect();
        Self {
            n: about.iter().map(|(_, n)| n).sum(),
            about,
            sum_ns: sketch.sum_ns(),
            extremes: sketch.extremes(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.about.extend_from_slice(&other.about);
        self.about.sort_unstable();
        self.about.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        self.n += other.n;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.extremes = match (self.extremes, other.extremes) {
            (Some((min, max)), Some((lower, higher))) => Some((min.min(lower), max.max(higher))),
            (one, none) => one.or(none),
        };
    }
}

fn float(number: i64) -> f64 {
    number as f64
}
