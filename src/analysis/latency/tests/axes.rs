//! The laws of an axis, and how its edges read.

use std::ops::Range;

use proptest::prelude::*;

use super::{both, durations};
use crate::analysis::latency::{Axis, Distribution, Scale};

const MS: i64 = 1_000_000;

#[track_caller]
fn check(durations_ms: &[i64], scale: Scale, n_buckets_max: usize, edges_ms: &[i64]) {
    let durations = durations_ms.iter().map(|ms| ms * MS).collect();
    let axis = Axis::over(&[&Distribution::of(durations)], scale, n_buckets_max);
    let starts = axis.buckets().iter().map(|bucket| bucket.start);
    let end = axis.buckets().last().map(|bucket| bucket.end);
    let edges: Vec<i64> = starts.chain(end).collect();
    let expected: Vec<i64> = edges_ms.iter().map(|ms| ms * MS).collect();
    assert_eq!(edges, expected);
}

#[test]
fn the_edges_of_a_linear_axis_are_steps_of_one_two_or_five() {
    let some = [312, 398, 1_240, 1_680, 1_940];
    check(&some, Scale::Linear, 1, &[0, 2_000]);
    check(&some, Scale::Linear, 2, &[0, 1_000, 2_000]);
    check(&some, Scale::Linear, 4, &[0, 500, 1_000, 1_500, 2_000]);
    let fine: Vec<i64> = (1..=10).map(|n| n * 200).collect();
    check(&some, Scale::Linear, 12, &fine);
}

#[test]
fn the_edges_of_a_log_axis_are_preferred_numbers() {
    let some = [312, 398, 1_240, 1_680, 1_940];
    check(
        &some,
        Scale::Log,
        9,
        &[300, 400, 500, 600, 800, 1_000, 1_200, 1_500, 2_000],
    );
    check(&some, Scale::Log, 7, &[200, 500, 1_000, 2_000]);
    check(&some, Scale::Log, 2, &[100, 1_000, 10_000]);
    check(&[0, 7, 90], Scale::Log, 5, &[0, 5, 10, 20, 50, 100]);
    check(&[0, 7, 90], Scale::Log, 1, &[0, 100]);
    check(&[1, 100_000], Scale::Log, 4, &[1, 100, 10_000, 1_000_000]);
}

#[test]
fn buckets_are_no_finer_than_their_names() {
    check(&[1_234], Scale::Linear, 50, &[1_220, 1_240]);
    check(&[100], Scale::Linear, 50, &[100, 101]);
    check(&[1_234], Scale::Log, 50, &[1_200, 1_500]);
}

#[test]
fn of_nothing_there_is_no_bucket() {
    for scale in [Scale::Linear, Scale::Log] {
        let axis = Axis::over(&[], scale, 10);
        assert_eq!(axis.buckets(), [] as [Range<i64>; 0]);
        assert_eq!(axis.bucket_of(5), None);
        let nothing = Distribution::of(Vec::new());
        assert_eq!(Axis::over(&[&nothing], scale, 10), axis);
        assert!(axis.counts(&Distribution::of(vec![1])).is_empty());
    }
}

#[test]
fn what_lies_beyond_an_axis_is_in_none_of_its_buckets() {
    let axis = Axis::over(&[&Distribution::of(vec![100, 190])], Scale::Linear, 10);
    assert_eq!(axis.bucket_of(99), None);
    assert_eq!(axis.bucket_of(100), Some(0));
    assert_eq!(axis.bucket_of(199), Some(9));
    assert_eq!(axis.bucket_of(200), None);
    let counts = axis.counts(&Distribution::of(vec![99, 100, 109, 200]));
    assert_eq!(counts, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

fn scales() -> impl Strategy<Value = Scale> {
    prop_oneof![Just(Scale::Linear), Just(Scale::Log)]
}

/// The same, and durations that only somebody who means harm sends.
fn any_durations() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        4 => durations(),
        1 => prop::collection::vec(prop_oneof![any::<i64>(), Just(i64::MAX), Just(0)], 0..9),
    ]
}

proptest! {
    #[test]
    fn every_duration_falls_in_exactly_one_bucket(
        held in any_durations(), other in any_durations(), gone in any_durations(),
        scale in scales(), n_buckets_max in 0_usize..40,
    ) {
        let parts = [Distribution::of(held.clone()), both(&other, &gone)];
        let axis = Axis::over(&[&parts[0], &parts[1]], scale, n_buckets_max);
        let buckets = axis.buckets();
        prop_assert!(buckets.len() <= n_buckets_max.max(1));
        prop_assert!(buckets.iter().all(|bucket| bucket.start < bucket.end));
        prop_assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
        for part in &parts {
            let counts = axis.counts(part);
            prop_assert_eq!(counts.len(), buckets.len());
            prop_assert_eq!(counts.iter().sum::<u64>(), part.n());
        }
        let mut counted = vec![0_u64; buckets.len()];
        for duration in &held {
            let told = axis.bucket_of(*duration).unwrap();
            let clamped = (*duration).clamp(0, i64::MAX - 1);
            let holding: Vec<usize> = (0..buckets.len()).filter(|at| buckets[*at].contains(&clamped)).collect();
            prop_assert_eq!(&holding, &[told]);
            counted[told] += 1;
        }
        prop_assert_eq!(counted, axis.counts(&parts[0]));
    }

    #[test]
    fn no_axis_begins_or_ends_with_room_for_nothing(
        held in any_durations(), scale in scales(), n_buckets_max in 2_usize..40,
    ) {
        let held = Distribution::of(held);
        let axis = Axis::over(&[&held], scale, n_buckets_max);
        let counts = axis.counts(&held);
        prop_assert!(counts.first() != Some(&0) && counts.last() != Some(&0), "{:?}", axis);
    }
}
