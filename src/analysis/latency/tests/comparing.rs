//! Intervals of percentiles against binomials worked out step by step, and how often they err.

use super::both;
use crate::analysis::latency::compare::Ranks;
use crate::analysis::latency::{Certainty, Distribution, compare};

/// How likely each number of hits in n trials is, one trial after the other.
fn by_trials(n: u64, share: f64) -> Vec<f64> {
    let mut chances = vec![1.0];
    for _ in 0..n {
        let missed = chances.iter().map(|chance| chance * (1.0 - share));
        let mut next: Vec<f64> = missed.chain([0.0]).collect();
        for (n_hits, chance) in chances.iter().enumerate() {
            next[n_hits + 1] += chance * share;
        }
        chances = next;
    }
    chances
}

/// The ranks as the definition has them: the highest r that fewer hits reach with 2.5 % at most, and the
/// lowest s that as many hits reach with 2.5 % at most.
fn by_definition(n: u64, share: f64) -> (Option<u64>, Option<u64>) {
    let chances = by_trials(n, share);
    let places = 1..=chances.len() - 1;
    let below = |rank: &usize| chances[..*rank].iter().sum::<f64>() <= 0.025;
    let at_least = |rank: &usize| chances[*rank..].iter().sum::<f64>() <= 0.025;
    let number = |rank: usize| u64::try_from(rank).unwrap();
    let lower = places.clone().rev().find(below).map(number);
    (lower, places.clone().find(at_least).map(number))
}

#[track_caller]
fn check_ranks(n: u64, per_cent: u8, expected: (Option<u64>, Option<u64>)) {
    let ranks = Ranks::of(n, per_cent);
    assert_eq!(
        (ranks.lower, ranks.upper),
        expected,
        "p{per_cent} of {n} requests"
    );
}

#[test]
fn the_ranks_are_those_of_the_tables() {
    check_ranks(5, 50, (None, None));
    check_ranks(6, 50, (Some(1), Some(6)));
    check_ranks(10, 50, (Some(2), Some(9)));
    check_ranks(20, 50, (Some(6), Some(15)));
    check_ranks(100, 50, (Some(40), Some(61)));
    check_ranks(71, 95, (Some(63), None));
    check_ranks(72, 95, (Some(64), Some(72)));
    check_ranks(7, 0, (None, Some(1)));
    check_ranks(7, 100, (Some(7), None));
    check_ranks(7, 255, (Some(7), None));
}

#[test]
fn the_ranks_are_those_that_trial_after_trial_gives() {
    for n in (1..=130).chain([199, 333, 500]) {
        for per_cent in [1, 5, 25, 50, 75, 90, 95, 99] {
            let expected = by_definition(n, f64::from(per_cent) / 100.0);
            check_ranks(n, per_cent, expected);
        }
    }
}

#[test]
fn the_ranks_of_a_million_are_those_of_the_normal_distribution() {
    // 1.96 times the root of n p (1 - p) on either side.
    let ranks = Ranks::of(1_000_000, 50);
    let (lower, upper) = (ranks.lower.unwrap(), ranks.upper.unwrap());
    assert!((499_018..=499_022).contains(&lower), "{lower}");
    assert!((500_979..=500_983).contains(&upper), "{upper}");
}

/// Numbers that look random and are always the same: `SplitMix64`.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Up to but without this.
    fn below(&mut self, limit: u64) -> i64 {
        i64::try_from(self.next() % limit).unwrap()
    }

    /// As requests of a service take: most of them near each other, one in twelve cold.
    fn requests(&mut self, n: i64, slower_ns: i64) -> Vec<i64> {
        let mut one = || {
            let spread = self.below(60) + self.below(60) + self.below(60) * self.below(4);
            let cold = if self.below(12) == 0 { 1_300 } else { 0 };
            300 + spread + cold + slower_ns
        };
        (0..n).map(|_| one()).collect()
    }
}

const TRIALS: i32 = 500;

/// In how many trials two samples of one distribution are told to differ, and in how many
/// the interval of the difference misses 0.
fn errors(per_cent: u8, n: (u64, u64)) -> (i32, i32) {
    let mut numbers = Numbers(7);
    let (mut n_sure, mut n_missed) = (0, 0);
    for _ in 0..TRIALS {
        let n_before = 1 + numbers.below(n.0);
        let n_after = 1 + numbers.below(n.1);
        let before = Distribution::of(numbers.requests(n_before, 0));
        let after = Distribution::of(numbers.requests(n_after, 0));
        let difference = compare(&before, &after, per_cent).unwrap();
        n_sure += i32::from(difference.certainty == Certainty::Sure);
        let misses = |(lower, upper)| lower > 0 || upper < 0;
        n_missed += i32::from(difference.interval_ns.is_some_and(misses));
    }
    (n_sure, n_missed)
}

#[test]
fn of_what_has_not_changed_it_is_rarely_sure_that_it_has() {
    for (per_cent, n) in [
        (50, (400, 400)),
        (50, (40, 900)),
        (90, (300, 300)),
        (95, (400, 400)),
    ] {
        let (n_sure, n_missed) = errors(per_cent, n);
        assert!(
            n_sure * 100 <= TRIALS * 2,
            "p{per_cent}: sure in {n_sure} of {TRIALS}"
        );
        assert!(
            n_missed * 10 <= TRIALS,
            "p{per_cent}: {n_missed} of {TRIALS}"
        );
    }
}

#[test]
fn of_what_has_changed_it_is_sure_where_there_are_enough() {
    let mut numbers = Numbers(11);
    let mut n_sure = |n: i64| {
        let mut trial = || {
            let before = Distribution::of(numbers.requests(n, 0));
            let after = Distribution::of(numbers.requests(n, 60));
            compare(&before, &after, 50).unwrap().certainty == Certainty::Sure
        };
        (0..200).filter(|_| trial()).count()
    };
    assert_eq!(n_sure(5), 0, "of five nothing can be said");
    assert!(n_sure(300) >= 199);
}

#[test]
fn a_difference_has_an_interval_once_there_are_enough() {
    let before = Distribution::of((1..=20).map(|n| n * 10).collect());
    let after = Distribution::of((1..=20).map(|n| n * 10 + 500).collect());
    let difference = compare(&before, &after, 50).unwrap();
    assert_eq!((difference.before_ns, difference.after_ns), (100, 600));
    // From the 6th and the 15th of each.
    assert_eq!(difference.interval_ns, Some((560 - 150, 650 - 60)));
    assert_eq!(difference.certainty, Certainty::Sure);
    // No end above, but the sides are apart for all that.
    let few = Distribution::of(vec![1; 72]);
    let slow = Distribution::of(vec![9; 71]);
    let difference = compare(&few, &slow, 95).unwrap();
    assert_eq!(difference.interval_ns, None);
    assert_eq!(difference.certainty, Certainty::Sure);
    // The lower end of a low percentile is open too, but nothing takes less than no time.
    let (low, high) = (Distribution::of(vec![50; 9]), Distribution::of(vec![70; 9]));
    let difference = compare(&low, &high, 10).unwrap();
    assert_eq!(difference.interval_ns, Some((-50, 70)));
}

#[test]
fn nothing_is_compared_with_nothing() {
    let (some, none) = (Distribution::of(vec![1]), Distribution::of(Vec::new()));
    assert_eq!(compare(&some, &none, 50), None);
    assert_eq!(compare(&none, &some, 50), None);
}

#[track_caller]
fn check_needed(before: &[i64], after: &[i64], per_cent: u8, expected: Option<u64>) {
    let (before, after) = (before.to_vec(), after.to_vec());
    let difference = compare(
        &Distribution::of(before),
        &Distribution::of(after),
        per_cent,
    );
    let certainty = difference.unwrap().certainty;
    assert_eq!(certainty, Certainty::NotEnough { n_needed: expected });
}

#[test]
fn it_says_how_many_are_needed() {
    // Six are the fewest that bound a median, and 72 the fewest that bound a p95.
    check_needed(&[100; 3], &[200; 3], 50, Some(6));
    check_needed(&[100; 3], &[200; 3], 95, Some(72));
    check_needed(&[100; 3], &[200; 500], 50, Some(6));
    check_needed(&[100; 3], &[100; 3], 50, None);
    check_needed(&[100; 30], &[100; 30], 50, None);
    // Nothing ends the highest above.
    check_needed(&[100; 3], &[200; 3], 100, None);
}

#[test]
fn with_as_many_as_are_needed_it_is_sure() {
    let mut numbers = Numbers(3);
    let mut n_told = 0;
    for _ in 0..60 {
        let before = numbers.requests(12, 0);
        let after = numbers.requests(9, 25);
        let sure_of = |times: usize| {
            let of = |sample: &[i64]| Distribution::of(sample.repeat(times));
            compare(&of(&before), &of(&after), 50).unwrap().certainty
        };
        let Certainty::NotEnough { n_needed: Some(n) } = sure_of(1) else {
            continue;
        };
        n_told += 1;
        // The same sample again and again is distributed as it is.
        let times = usize::try_from(n.div_ceil(9)).unwrap();
        assert_eq!(sure_of(times + 1), Certainty::Sure, "{n} are not enough");
        if let Some(fewer) = (times / 2).checked_sub(1).filter(|times| *times > 0) {
            let certainty = sure_of(fewer);
            assert!(
                matches!(certainty, Certainty::NotEnough { .. }),
                "{n} are too many"
            );
        }
    }
    assert!(n_told > 30, "{n_told}");
}

#[test]
fn evicted_ones_count_as_the_others_do() {
    let gone_before = both(&[], &[100; 40]);
    let after = both(&[200; 3], &[200; 37]);
    let difference = compare(&gone_before, &after, 50).unwrap();
    assert_eq!(difference.certainty, Certainty::Sure);
    assert_eq!(difference.interval_ns, Some((100, 100)));
}
