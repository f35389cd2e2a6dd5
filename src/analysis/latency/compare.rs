//! Whether two spans of time differ at a percentile, and whether there are enough requests to say so.

use super::{Distribution, float};

/// How a percentile differs between two spans of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The percentile of the first one.
    pub before_ns: i64,
    /// The percentile of the second one.
    pub after_ns: i64,
    /// Within which the difference after - before lies.
    pub interval_ns: Option<(i64, i64)>,
    /// Whether it can be said that they differ.
    pub certainty: Certainty,
}

/// Whether there are enough requests to say that two percentiles differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// There are.
    Sure,
    /// There are not.
    NotEnough {
        /// About how many each side has to have, if both go on as they are; `None` if no number that could
        /// be waited for would do.
        n_needed: Option<u64>,
    },
}

/// What may lie beyond each end of the interval of a percentile: the interval holds it in 95 % of all cases.
const TAIL: f64 = 0.025;
/// More requests than these are taken for as many, which only makes the interval wider.
const TRIALS_MAX: u64 = 1_000_000;
/// Nobody waits for more.
const NEEDED_MAX: u64 = 100_000;
/// What is less likely than the likeliest number by this factor is taken for impossible.
const WEIGHT_MIN: f64 = 1e-18;

/// Compares a percentile of two spans of time. `None` if one of them has no requests.
///
/// For each side the interval is that of order statistics, which holds for any distribution: the r-th and the
/// s-th shortest, where a binomial variable of n trials at the percentile's share lies below r, and at s or
/// beyond, with 2.5 % each at most (W. J. Conover, Practical Nonparametric Statistics, 3rd edition, section
/// 3.2). Each holds the percentile of what it is a sample of in at least 95 % of all cases. They are
/// [`Certainty::Sure`] to differ where the intervals do not overlap. If nothing has changed, that needs one of
/// the two to miss: it comes to 1 - 0.95², less than 10 % of all cases, by this bound, and to about 1 % where
/// the sides are alike in number. The interval of the difference holds it in at least 90 % of all cases.
///
/// Requests count as independent, which neighbours under one load are not quite. The error of a sketch, half a
/// per cent, is not in the intervals.
pub fn compare(before: &Distribution, after: &Distribution, per_cent: u8) -> Option<Difference> {
    let before_ns = before.percentile(per_cent)?;
    let after_ns = after.percentile(per_cent)?;
    let of_before = Bounds::of(before, before.n(), per_cent);
    let of_after = Bounds::of(after, after.n(), per_cent);
    let certainty = if of_before.is_apart_from(of_after) {
        Certainty::Sure
    } else if before_ns == after_ns {
        Certainty::NotEnough { n_needed: None }
    } else {
        let n_needed = n_needed(before, after, per_cent);
        Certainty::NotEnough { n_needed }
    };
    Some(Difference {
        before_ns,
        after_ns,
        interval_ns: of_before.difference(of_after),
        certainty,
    })
}

/// The interval that a percentile lies in; open where there are too few requests to end it.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lower: Option<i64>,
    upper: Option<i64>,
}

impl Bounds {
    /// As if there were so many requests, distributed like those that there are.
    fn of(sample: &Distribution, n: u64, per_cent: u8) -> Self {
        let n = n.clamp(1, TRIALS_MAX);
        let ranks = Ranks::of(n, per_cent);
        let place = |rank: u64| {
            let scaled = (u128::from(rank) * u128::from(sample.n())).div_ceil(u128::from(n));
            sample.at_rank(u64::try_from(scaled).unwrap_or(u64::MAX))
        };
        Self {
            lower: ranks.lower.and_then(place),
            upper: ranks.upper.and_then(place),
        }
    }

    fn is_apart_from(self, other: Self) -> bool {
        let is_below = |one: Self, other: Self| {
            let ends = one.upper.zip(other.lower);
            ends.is_some_and(|(upper, lower)| upper < lower)
        };
        is_below(self, other) || is_below(other, self)
    }

    /// Between which the difference to a later one lies. No duration is below 0.
    fn difference(self, after: Self) -> Option<(i64, i64)> {
        let (upper, upper_after) = self.upper.zip(after.upper)?;
        let (lower, lower_after) = (self.lower.unwrap_or(0), after.lower.unwrap_or(0));
        Some((lower_after - upper, upper_after - lower))
    }
}

/// About how many requests each side has to have until the intervals do not overlap, if both go on as they
/// are. A side that has more keeps them.
fn n_needed(before: &Distribution, after: &Distribution, per_cent: u8) -> Option<u64> {
    let would_do = |n: &u64| {
        let of_before = Bounds::of(before, before.n().max(*n), per_cent);
        of_before.is_apart_from(Bounds::of(after, after.n().max(*n), per_cent))
    };
    let mut too_few = before.n().min(after.n());
    let doubled = std::iter::successors(Some(too_few), |n| Some(n.saturating_mul(2)));
    let mut enough = doubled
        .skip(1)
        .take_while(|n| *n <= NEEDED_MAX)
        .find(would_do)?;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if would_do(&middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

/// The places of the two values of a sample between which a percentile lies, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranks {
    pub(super) lower: Option<u64>,
    pub(super) upper: Option<u64>,
}

impl Ranks {
    /// For n values, of which each is at most the percentile with a chance of so many in a hundred.
    pub(super) fn of(n: u64, per_cent: u8) -> Self {
        let (first, weights) = binomial(n, per_cent);
        let limit = TAIL * weights.iter().sum::<f64>();
        // What is impossible on either side is part of the tail without weighing anything.
        let n_left = first + n_within(weights.iter(), limit);
        let beyond = first + u64::try_from(weights.len()).unwrap_or(u64::MAX);
        let n_right = (n + 1 - beyond) + n_within(weights.iter().rev(), limit);
        Self {
            lower: (n_left > 0).then_some(n_left),
            upper: (n_right > 0).then_some(n + 1 - n_right),
        }
    }
}

/// How many weights may be taken before they exceed the limit together.
fn n_within<'a>(weights: impl Iterator<Item = &'a f64>, limit: f64) -> u64 {
    let mut sum = 0.0;
    let taken = weights.take_while(|weight| {
        sum += **weight;
        sum <= limit
    });
    u64::try_from(taken.count()).unwrap_or(u64::MAX)
}

/// How likely each number of hits in n trials is, as a multiple of the likeliest: the first number that is
/// possible at all, and the weights from there on.
///
/// From the likeliest outwards each follows from its neighbour, so that no factorial is needed, and the work
/// grows with the root of n only.
fn binomial(n: u64, per_cent: u8) -> (u64, Vec<f64>) {
    let per_cent = per_cent.min(100);
    let odds = f64::from(per_cent) / f64::from(100 - per_cent);
    // It may be the one before the likeliest, which does as well.
    let mode = n * u64::from(per_cent) / 100;
    let up = |at: u64| number(n - at) / number(at + 1) * odds;
    let down = |at: u64| number(at) / number(n - at + 1) / odds;
    let mut weights = Vec::new();
    let (mut first, mut weight) = (mode, 1.0);
    while first > 0 {
        weight *= down(first);
        if weight < WEIGHT_MIN {
            break;
        }
        first -= 1;
        weights.push(weight);
    }
    weights.reverse();
    weights.push(1.0);
    let (mut last, mut weight) = (mode, 1.0);
    while last < n {
        weight *= up(last);
        if weight < WEIGHT_MIN {
            break;
        }
        last += 1;
        weights.push(weight);
    }
    (first, weights)
}

fn number(number: u64) -> f64 {
    float(i64::try_from(number).unwrap_or(i64::MAX))
}
