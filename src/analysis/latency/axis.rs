//! One axis for several distributions side by side, with edges that read well. It counts; it formats nothing.

use std::ops::Range;

use super::{DURATION_NS_MAX, Distribution};

/// How the buckets of an axis grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// All are equally wide.
    #[default]
    Linear,
    /// Each is about as many times wider than the one before.
    Log,
}

/// Buckets without gaps, the shortest durations first; each begins with its start and ends before its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    buckets: Vec<Range<i64>>,
}

/// A bucket is no finer than this part of the longest duration: three digits name its ends.
const STEPS_MAX: i128 = 100;
/// Tenths of the edges in each power of ten, the finest first: the most rounded preferred numbers of ISO 3,
/// the steps of banknotes, and the powers alone.
const LADDERS: [&[i128]; 3] = [
    &[10, 12, 15, 20, 25, 30, 40, 50, 60, 80],
    &[10, 20, 50],
    &[10],
];
/// The first power of ten beyond every duration.
const POWERS: u32 = 19;

impl Axis {
    /// The finest axis of at most so many buckets, and at least one, that holds every duration. It has none
    /// where there is no duration.
    pub fn over(parts: &[&Distribution], scale: Scale, n_buckets_max: usize) -> Self {
        let shortest = parts.iter().filter_map(|part| part.min()).min();
        let longest = parts.iter().filter_map(|part| part.max()).max();
        let (Some(min), Some(max)) = (shortest, longest) else {
            return Self::default();
        };
        let n_buckets_max = n_buckets_max.max(1);
        let edges = match scale {
            Scale::Linear => linear(min.into(), max.into(), n_buckets_max),
            Scale::Log => {
                let above_zero = parts.iter().filter_map(|part| part.min_above_zero());
                logarithmic(min, above_zero.min().unwrap_or(max), max, n_buckets_max)
            }
        };
        let starts = edges.iter().copied();
        let ends = edges.iter().copied().skip(1);
        Self {
            buckets: starts.zip(ends).map(|(start, end)| start..end).collect(),
        }
    }

    /// Its buckets.
    pub fn buckets(&self) -> &[Range<i64>] {
        &self.buckets
    }

    /// How many durations fall in each bucket; of a distribution that the axis was made for they are all.
    pub fn counts(&self, of: &Distribution) -> Vec<u64> {
        let n_in = |bucket: &Range<i64>| of.n_below(bucket.end) - of.n_below(bucket.start);
        self.buckets.iter().map(n_in).collect()
    }

    /// The bucket that a duration falls in; a negative one counts as 0.
    pub fn bucket_of(&self, ns: i64) -> Option<usize> {
        let ns = ns.clamp(0, DURATION_NS_MAX);
        let index = self.buckets.partition_point(|bucket| bucket.end <= ns);
        let bucket = self.buckets.get(index)?;
        bucket.contains(&ns).then_some(index)
    }
}

fn linear(min: i128, max: i128, n_buckets_max: usize) -> Vec<i64> {
    let n_buckets_max = i128::try_from(n_buckets_max).unwrap_or(i128::MAX);
    let steps = (0..=POWERS).flat_map(|power| [1, 2, 5].map(|part| part * 10_i128.pow(power)));
    let is_wide = |step: &i128| {
        step.saturating_mul(STEPS_MAX) >= max && max / step - min / step < n_buckets_max
    };
    // The last step lies beyond every duration, so that all fall in one bucket.
    let Some(step) = steps.into_iter().find(is_wide) else {
        return Vec::new();
    };
    (min / step..=max / step + 1)
        .map(|n_steps| edge(n_steps * step))
        .collect()
}

/// No edge but 0 is below the first that took any time: on this scale it would be infinitely far away.
fn logarithmic(min: i64, above_zero: i64, max: i64, n_buckets_max: usize) -> Vec<i64> {
    if max == 0 {
        return vec![0, 1];
    }
    let ladders = LADDERS.map(|parts| ladder(parts, 1));
    let sparse = (2..=POWERS + 1).map(|stride| ladder(&[10], stride));
    for ladder in ladders.into_iter().chain(sparse) {
        let first = ladder.partition_point(|edge| *edge <= above_zero) - 1;
        let beyond = ladder.partition_point(|edge| *edge <= max);
        let edges = ladder.get(first..=beyond).unwrap_or_default();
        let zero = (min == 0).then_some(0);
        let edges: Vec<i64> = zero.into_iter().chain(edges.iter().copied()).collect();
        if edges.len() <= n_buckets_max.saturating_add(1) {
            return edges;
        }
    }
    let beyond = ladder(&[10], 1).into_iter().find(|edge| *edge > max);
    vec![0, beyond.unwrap_or(i64::MAX)]
}

/// Edges from 1 ns on at these tenths of every so many powers of ten, and one beyond every duration.
fn ladder(tenths: &[i128], stride: u32) -> Vec<i64> {
    let powers = (0..POWERS).step_by(usize::try_from(stride).unwrap_or(1));
    let edges = powers.flat_map(|power| {
        let parts = tenths.iter();
        parts.map(move |part| edge(part * 10_i128.pow(power) / 10))
    });
    let mut edges: Vec<i64> = edges.chain([i64::MAX]).collect();
    edges.dedup();
    edges
}

fn edge(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
