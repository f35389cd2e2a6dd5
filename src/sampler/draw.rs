//! Draws by trace id: the same for the same trace wherever it is drawn.

use super::signature::Fnv;
use crate::trace::{PayloadForm, TraceId};

/// Whether a trace falls within a rate, 0 to 1. Clients draw so too, from the low half of the id.
///
/// After `pkg/trace/sampler/sampler.go` (`SampleByRate`) of `DataDog/datadog-agent`.
pub fn is_within(trace_id_low: u64, rate: f64) -> bool {
    if rate >= 1.0 || rate.is_nan() {
        return true;
    }
    spread(trace_id_low) < threshold(rate)
}

/// Where a trace falls, 0 to 1: a rate above it keeps the trace.
pub fn place(trace_id_low: u64) -> f64 {
    #[expect(clippy::as_conversions, reason = "a share of 2^64 for people to read")]
    let place = spread(trace_id_low) as f64 / u64::MAX as f64;
    place
}

/// An id as a number that is anywhere among all.
fn spread(trace_id_low: u64) -> u64 {
    trace_id_low.wrapping_mul(1_111_111_111_111_111_111)
}

fn threshold(rate: f64) -> u64 {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the Agent's own arithmetic; below 1, so it fits, and a negative rate keeps nothing"
    )]
    let threshold = (rate * u64::MAX as f64) as u64;
    threshold
}

/// The Agent's probabilistic sampler: keeps a part of the traces by a hash of their id.
///
/// After `pkg/trace/sampler/probabilistic.go` of `DataDog/datadog-agent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probabilistic {
    /// How many of a hundred.
    pub percentage: f32,
    /// Mixed into the hash.
    pub hash_seed: u32,
    /// Which part of the id is hashed.
    pub id: HashedId,
}

/// Which part of a trace id the probabilistic sampler hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashedId {
    /// Half of it, as the Agent does by default.
    Low,
    /// All of it, with the Agent's feature `probabilistic_sampler_full_trace_id`.
    Full,
}

impl Probabilistic {
    /// Keeps so many of a hundred, with the Agent's other defaults.
    pub fn of_percentage(percentage: f32) -> Self {
        Self {
            percentage,
            hash_seed: 0,
            id: HashedId::Low,
        }
    }

    /// Whether a trace is kept. Of an id in v1.0 the first eight bytes, which are the high half, stand
    /// where of any other the low half does (`SampleV1`).
    pub fn keeps(&self, id: TraceId, form: PayloadForm) -> bool {
        const BUCKETS: u32 = 0x4000;
        const PERCENT: f32 = 163.84;
        let mut bytes = [0_u8; 16];
        let hashed = match (self.id, form) {
            (HashedId::Low, PayloadForm::Older) => u128::from(id.low()) << 64,
            (HashedId::Low, PayloadForm::V10) => u128::from(id.high()) << 64,
            (HashedId::Full, _) => id.0,
        };
        bytes.copy_from_slice(&hashed.to_be_bytes());
        let mut hash = Fnv::default();
        hash.write(&self.hash_seed.to_le_bytes());
        hash.write(&bytes);
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the Agent's own arithmetic; saturates"
        )]
        let kept_buckets = (self.percentage * PERCENT) as u32;
        hash.0 & (BUCKETS - 1) < kept_buckets
    }

    /// The rate it writes to `_dd.prob_sr`.
    pub fn rate(&self) -> f64 {
        f64::from(self.percentage) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_an_id_stand_in_for_each_other_in_v10() {
        let sampler = Probabilistic::of_percentage(50.0);
        for number in 0..200_u64 {
            let half = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (low, high) = (TraceId::from_halves(7, half), TraceId::from_halves(half, 7));
            let older = sampler.keeps(low, PayloadForm::Older);
            assert_eq!(older, sampler.keeps(high, PayloadForm::V10));
        }
    }
}
