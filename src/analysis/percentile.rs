//! Percentiles by nearest rank, the one definition for every screen and export: a value that was
//! measured, never one between two of them. It does not sort.

/// The median.
pub(crate) const P50: u32 = 500;
/// What 19 of 20 do not exceed.
pub(crate) const P95: u32 = 950;

/// The smallest value that at least so many of a thousand do not exceed; the values have to ascend.
///
/// Of nothing there is none. Of 0 ‰ it is the smallest value, beyond 1000 ‰ the largest.
pub(crate) fn percentile(sorted: &[i64], per_mille: u32) -> Option<i64> {
    let n_values = u64::try_from(sorted.len()).unwrap_or(u64::MAX);
    let share = u128::from(n_values) * u128::from(per_mille);
    let rank = share.div_ceil(1_000).clamp(1, u128::from(n_values.max(1)));
    let place = usize::try_from(rank - 1).ok()?;
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(sorted: &[i64], per_mille: u32, expected: Option<i64>) {
        assert_eq!(percentile(sorted, per_mille), expected);
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        check(&[], P50, None);
        check(&[7], 0, Some(7));
        check(&[7], P95, Some(7));
        check(&[1, 2], P50, Some(1));
        check(&[1, 2, 3], P50, Some(2));
        check(&[1, 2, 3, 4], P95, Some(4));
        let hundred: Vec<i64> = (1..=100).collect();
        for (per_mille, expected) in [(0, 1), (1, 1), (500, 50), (501, 51), (950, 95), (990, 99)] {
            check(&hundred, per_mille, Some(expected));
        }
        check(&hundred, 999, Some(100));
        check(&hundred, u32::MAX, Some(100));
        check(&[-5, -3, 0], P50, Some(-3));
    }

    /// As the sentence says it, without ranks: counts for every value.
    fn by_counting(values: &[i64], per_mille: u32) -> Option<i64> {
        let wanted = values.len() * usize::try_from(per_mille).unwrap();
        let n_up_to = |limit: i64| values.iter().filter(|value| **value <= limit).count();
        let candidates = values.iter().copied();
        let reached = candidates.filter(|value| n_up_to(*value) * 1_000 >= wanted);
        reached.min()
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
            values in prop::collection::vec(prop_oneof![-4_i64..4, any::<i64>()], 0..60),
            per_mille in 0_u32..=1_000,
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            prop_assert_eq!(percentile(&sorted, per_mille), by_counting(&values, per_mille));
        }
    }
}
