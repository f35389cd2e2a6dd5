//! Distributions against computations that know neither ranks nor sketches, and the laws of axes.

mod axes;
mod comparing;
mod costs;

use proptest::prelude::*;

use super::{Distribution, GoneDurations};

/// An hour.
const HOUR_NS: i64 = 3_600_000_000_000;

fn sketch(durations: &[i64]) -> GoneDurations {
    let mut sketch = GoneDurations::new();
    for duration in durations {
        sketch.add(*duration);
    }
    sketch
}

/// Some held, some gone.
fn both(held: &[i64], gone: &[i64]) -> Distribution {
    Distribution::of(held.to_vec()).with_gone(&sketch(gone))
}

/// As the definition says it: counts for every value, and sorts nothing.
fn by_counting(durations: &[i64], per_cent: u8) -> Option<i64> {
    let wanted = durations.len() * usize::from(per_cent);
    let n_up_to = |limit: i64| durations.iter().filter(|one| **one <= limit).count();
    let candidates = durations.iter().copied();
    candidates.filter(|one| n_up_to(*one) * 100 >= wanted).min()
}

/// Durations of every magnitude, many of them equal, up to an hour.
fn durations() -> impl Strategy<Value = Vec<i64>> {
    let magnitudes = (0_u32..42, any::<u64>());
    let one = magnitudes.prop_map(|(bits, random)| {
        let longest = (1_u64 << bits) + 1;
        i64::try_from(random % longest).unwrap().min(HOUR_NS)
    });
    prop::collection::vec(prop_oneof![3 => one, 1 => 0_i64..4], 0..60)
}

/// Half a per cent, and half a nanosecond for the rounding.
#[track_caller]
fn check_about(told: Option<i64>, exact: Option<i64>) {
    let (told, exact) = match (told, exact) {
        (None, None) => return,
        (told, exact) => (told.unwrap(), exact.unwrap()),
    };
    assert!(
        (told - exact).abs() * 200 <= exact,
        "{told} is not about {exact}"
    );
}

#[test]
fn of_nothing_there_is_no_figure() {
    let nothing = Distribution::of(Vec::new());
    assert_eq!((nothing.n(), nothing.n_gone()), (0, 0));
    assert!(nothing.is_exact());
    assert_eq!(
        (nothing.min(), nothing.percentile(50), nothing.max()),
        (None, None, None)
    );
    assert_eq!(nothing.sum_ns(), 0);
    let still_nothing = nothing.clone().with_gone(&GoneDurations::new());
    assert_eq!(still_nothing, nothing);
}

#[test]
fn a_duration_of_a_clock_that_jumped_counts_as_none_or_as_the_longest() {
    let jumped = Distribution::of(vec![i64::MAX, -5, 7, i64::MIN]);
    assert_eq!(jumped.n(), 4);
    assert_eq!(jumped.percentile(50), Some(0));
    assert_eq!(jumped.percentile(75), Some(7));
    assert_eq!(jumped.max(), Some(i64::MAX - 1));
    assert_eq!(Distribution::of(vec![i64::MAX; 3]).sum_ns(), i64::MAX);
}

#[test]
fn what_is_evicted_is_marked_and_keeps_its_extremes() {
    let some = both(&[300, 100], &[123_456_789, 987_654_321, 50]);
    assert!(!some.is_exact());
    assert_eq!((some.n(), some.n_gone()), (5, 3));
    assert_eq!((some.min(), some.max()), (Some(50), Some(987_654_321)));
    assert_eq!(some.sum_ns(), 100 + 300 + 50 + 123_456_789 + 987_654_321);
    assert_eq!(some.percentile(0), Some(50));
    assert_eq!(some.percentile(60), Some(300));
    assert_eq!(some.percentile(100), Some(987_654_321));
}

#[test]
fn what_took_longer_than_an_hour_is_told_as_an_hour_but_for_the_longest() {
    let some = both(&[], &[-1, HOUR_NS + 5, i64::MAX]);
    assert_eq!((some.min(), some.max()), (Some(0), Some(i64::MAX - 1)));
    assert_eq!(some.percentile(0), Some(0));
    let longest = some.percentile(100);
    check_about(longest, Some(HOUR_NS));
}

#[test]
fn a_sketch_stays_within_its_bytes() {
    let mut sketch = GoneDurations::new();
    let before = sketch.bytes();
    for power in 0..63 {
        for part in 0..300_i64 {
            sketch.add((1_i64 << power).saturating_mul(300 + part) / 300);
        }
    }
    assert_eq!(sketch.n(), 63 * 300);
    assert!(before < 2 * 1024, "{before} of nothing");
    let after = sketch.bytes();
    assert!(
        (18 * 1024..=GoneDurations::BYTES_MAX).contains(&after),
        "{after}"
    );
}

proptest! {
    #[test]
    fn percentiles_are_those_that_counting_finds(durations in durations(), per_cent in 0_u8..=100) {
        let distribution = Distribution::of(durations.clone());
        prop_assert_eq!(distribution.percentile(per_cent), by_counting(&durations, per_cent));
        prop_assert_eq!(distribution.min(), durations.iter().copied().min());
        prop_assert_eq!(distribution.max(), durations.iter().copied().max());
        prop_assert_eq!(distribution.sum_ns(), durations.iter().sum::<i64>());
    }

    #[test]
    fn a_sketch_is_off_by_half_a_per_cent_at_most(
        held in durations(), gone in durations(), per_cent in 0_u8..=100,
    ) {
        let all = [held.clone(), gone.clone()].concat();
        let distribution = both(&held, &gone);
        check_about(distribution.percentile(per_cent), by_counting(&all, per_cent));
        prop_assert_eq!(distribution.n(), u64::try_from(all.len()).unwrap());
        prop_assert_eq!(distribution.n_gone(), u64::try_from(gone.len()).unwrap());
        prop_assert_eq!(distribution.is_exact(), gone.is_empty());
        prop_assert_eq!(distribution.min(), all.iter().copied().min());
        prop_assert_eq!(distribution.max(), all.iter().copied().max());
        prop_assert_eq!(distribution.sum_ns(), all.iter().sum::<i64>());
    }

    #[test]
    fn several_joined_are_as_all_at_once(parts in prop::collection::vec(durations(), 0..5)) {
        let each: Vec<_> = parts.iter().cloned().map(Distribution::of).collect();
        let each: Vec<&Distribution> = each.iter().collect();
        prop_assert_eq!(Distribution::joined(&each), Distribution::of(parts.concat()));
    }

    #[test]
    fn several_joined_keep_what_each_knows_of_evicted_ones(
        parts in prop::collection::vec((durations(), durations()), 1..4), per_cent in 0_u8..=100,
    ) {
        let each: Vec<_> = parts.iter().map(|(held, gone)| both(held, gone)).collect();
        let each: Vec<&Distribution> = each.iter().collect();
        let joined = Distribution::joined(&each);
        let all: Vec<i64> = parts.iter().flat_map(|(held, gone)| held.iter().chain(gone)).copied().collect();
        check_about(joined.percentile(per_cent), by_counting(&all, per_cent));
        prop_assert_eq!(joined.n(), u64::try_from(all.len()).unwrap());
        prop_assert_eq!(joined.n_gone(), each.iter().map(|part| part.n_gone()).sum::<u64>());
        prop_assert_eq!((joined.min(), joined.max()), (all.iter().copied().min(), all.iter().copied().max()));
        prop_assert_eq!(joined.sum_ns(), all.iter().sum::<i64>());
    }
}
