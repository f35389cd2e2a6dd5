//! How often what is seen, and the rate that follows: what the priority sampler and the score samplers
//! share.
//!
//! After `pkg/trace/sampler/coresampler.go` of `DataDog/datadog-agent`. Counts are `f32` and the rest
//! is `f64`, as there, since the difference shows in rates of fractional weights.

use std::hash::Hash;

use hashbrown::HashMap;

use crate::trace::UnixNanos;

const BUCKET_SECONDS: f64 = 5.0;
const BUCKET_NANOS: i64 = 5_000_000_000;
const BUCKETS: usize = 6;
const RISE_MAX: f64 = 1.2;

/// How often something was counted in each of the last six buckets of five seconds.
type Counts = [f32; BUCKETS];

/// Counts by key and turns counts into rates. Rates move only when something is counted in another
/// bucket than before: there is no timer.
#[derive(Clone, Debug)]
pub(super) struct Core<K> {
    target_tps: f64,
    extra_rate: f64,
    seen: HashMap<K, Counts>,
    seen_together: Counts,
    bucket: i64,
    rates: HashMap<K, f64>,
    lowest_rate: f64,
}

/// Whether counting opened a bucket, so that rates were computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rates {
    /// They may have changed.
    Computed,
    /// They are as they were.
    Unchanged,
}

impl<K: Copy + Eq + Hash> Core<K> {
    pub(super) fn new(target_tps: f64, extra_rate: f64) -> Self {
        Self {
            target_tps,
            extra_rate,
            seen: HashMap::new(),
            seen_together: Counts::default(),
            bucket: 0,
            rates: HashMap::new(),
            lowest_rate: 0.0,
        }
    }

    /// How many keys are counted.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Counts (`countWeightedSig`). Rates are computed before, so the first of a bucket is not in them.
    pub(super) fn count(&mut self, at: UnixNanos, key: K, weight: f32) -> Rates {
        let bucket = at.0.div_euclid(BUCKET_NANOS);
        let earlier = std::mem::replace(&mut self.bucket, bucket);
        if earlier != bucket {
            self.compute(earlier, bucket);
        }
        let place = place(bucket);
        if let Some(count) = self.seen_together.get_mut(place) {
            *count += weight;
        }
        if let Some(count) = self.seen.entry(key).or_default().get_mut(place) {
            *count += weight;
        }
        if earlier == bucket {
            Rates::Unchanged
        } else {
            Rates::Computed
        }
    }

    /// The rate for a key; for one without its own, the default (`getSignatureSampleRate`).
    pub(super) fn rate(&self, key: K) -> f64 {
        self.own_rate(key).unwrap_or_else(|| self.default_rate())
    }

    /// The rate that a key has of its own, since it was counted in an earlier bucket.
    pub(super) fn own_rate(&self, key: K) -> Option<f64> {
        self.rates.get(&key).map(|rate| rate * self.extra_rate)
    }

    /// The keys with a rate of their own.
    pub(super) fn rated(&self) -> impl Iterator<Item = K> {
        self.rates.keys().copied()
    }

    /// What a key without its own rate gets (`defaultRate`): from all that is counted together, and
    /// never above the lowest of the others. It moves with every count.
    pub(super) fn default_rate(&self) -> f64 {
        if self.target_tps == 0.0 {
            return 0.0;
        }
        let most = self.seen_together.iter().copied().fold(0.0, f32::max);
        let rate = ratio(self.target_tps, f64::from(most) / BUCKET_SECONDS);
        if self.lowest_rate < rate && self.lowest_rate != 0.0 {
            return self.lowest_rate;
        }
        rate
    }

    /// As it will be when the next is counted, in a later bucket than any before.
    pub(super) fn next(&self, at: UnixNanos) -> Self {
        let mut next = self.clone();
        let later = self.bucket.saturating_add(1);
        let bucket = at.0.div_euclid(BUCKET_NANOS).max(later);
        let earlier = std::mem::replace(&mut next.bucket, bucket);
        next.compute(earlier, bucket);
        next
    }

    /// `updateRates`: the busiest bucket counts, a rate falls at once and rises by a fifth.
    fn compute(&mut self, earlier: i64, bucket: i64) {
        if self.seen.is_empty() {
            return;
        }
        let turn = |counts: &mut Counts| f64::from(turn(counts, earlier, bucket)) / BUCKET_SECONDS;
        let seen = self.seen.iter_mut();
        let tps: Vec<(K, f64)> = seen.map(|(key, counts)| (*key, turn(counts))).collect();
        turn(&mut self.seen_together);
        let share = share(self.target_tps, tps.iter().map(|(_, tps)| *tps).collect());
        self.lowest_rate = 1.0;
        let mut rates = HashMap::with_capacity(tps.len());
        for (key, tps) in tps {
            let mut rate = ratio(share, tps);
            if let Some(known) = self.rates.get(&key).filter(|known| **known != 0.0)
                && rate / known > RISE_MAX
            {
                rate = known * RISE_MAX;
            }
            if rate >= 1.0 && tps == 0.0 {
                self.seen.remove(&key);
                continue;
            }
            let rate = rate.min(1.0);
            self.lowest_rate = self.lowest_rate.min(rate);
            rates.insert(key, rate);
        }
        self.rates = rates;
    }
}

/// What part of so many a second fits under a limit.
fn ratio(limit: f64, tps: f64) -> f64 {
    if limit < tps && tps > 0.0 {
        limit / tps
    } else {
        1.0
    }
}

/// How many a second each may have (`computeTPSPerSig`): what the quiet ones leave goes to the busy.
pub fn share(target_tps: f64, mut tps: Vec<f64>) -> f64 {
    tps.sort_unstable_by(f64::total_cmp);
    let mut left = target_tps;
    let mut n_left = tps.len();
    let mut share = left / to_f64(n_left);
    for quiet in tps {
        if quiet >= share || n_left == 1 {
            break;
        }
        left -= quiet;
        n_left -= 1;
        share = left / to_f64(n_left);
    }
    share
}

/// The greatest count, after which the buckets that have passed are emptied (`zeroAndGetMax`).
fn turn(counts: &mut Counts, earlier: i64, bucket: i64) -> f32 {
    let mut most = 0.0_f32;
    for step in 1..=BUCKETS {
        let number = earlier.saturating_add(i64::try_from(step).unwrap_or(0));
        let Some(count) = counts.get_mut(place(number)) else {
            continue;
        };
        if number >= bucket {
            most = most.max(*count);
        }
        if number <= bucket {
            *count = 0.0;
        }
    }
    most
}

fn place(bucket: i64) -> usize {
    let buckets = i64::try_from(BUCKETS).unwrap_or(1);
    usize::try_from(bucket.rem_euclid(buckets)).unwrap_or(0)
}

fn to_f64(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
