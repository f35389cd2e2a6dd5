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

/// Compares a percentile of two spans of time. `None` if one of them has no requests.
pub fn compare(before: &Distribution, after: &Distribution, per_cent: u8) -> Option<Difference> {
    let _ = float(0);
    Some(Difference {
        before_ns: before.percentile(per_cent)?,
        after_ns: after.percentile(per_cent)?,
        interval_ns: None,
        certainty: Certainty::NotEnough { n_needed: None },
    })
}
