//! What cold starts cost, in figures that can be worked out by hand.

use crate::analysis::latency::{Distribution, TimeShare, cold_cost};

#[track_caller]
fn near(told: f64, expected: f64) {
    assert!((told - expected).abs() < 1e-9, "{told}, not {expected}");
}

#[test]
fn cold_starts_cost_what_the_p95_would_be_lower_without_them() {
    let waited = Distribution::of(vec![1_600, 1_680, 1_940]);
    let warm = Distribution::of((1..=37).map(|n| 300 + n).collect());
    let cost = cold_cost(&waited, &warm).unwrap();
    // Of 40 the 38th, which is the first that waited; of 37 warm ones the 36th.
    near(cost.share_of_p95, (1_600.0 - 336.0) / 1_600.0);
    assert_eq!(cost.extra_p50_ns, 1_680 - 319);
    near(cost.factor_p50, 1_680.0 / 319.0);
}

#[test]
fn cold_starts_that_are_rare_cost_nothing_of_the_p95() {
    let warm = Distribution::of(vec![300; 100]);
    let cost = cold_cost(&Distribution::of(vec![1_600]), &warm).unwrap();
    near(cost.share_of_p95, 0.0);
    near(cost.factor_p50, 1_600.0 / 300.0);
}

#[test]
fn a_start_that_saves_time_has_a_cost_below_zero() {
    let slow = Distribution::of(vec![400; 10]);
    let cost = cold_cost(&Distribution::of(vec![100; 500]), &slow).unwrap();
    near(cost.share_of_p95, -3.0);
    assert_eq!(cost.extra_p50_ns, -300);
}

#[test]
fn without_both_there_is_no_cost() {
    let (some, none) = (Distribution::of(vec![1]), Distribution::of(Vec::new()));
    assert_eq!(cold_cost(&some, &none), None);
    assert_eq!(cold_cost(&none, &some), None);
    let no_time = Distribution::of(vec![0]);
    let cost = cold_cost(&no_time, &no_time).unwrap();
    near(cost.share_of_p95, 0.0);
    near(cost.factor_p50, 0.0);
}

#[test]
fn the_time_of_starts_and_requests_is_shared_out() {
    let mut share = TimeShare::default();
    assert_eq!(share.init_share(), None);
    share.add(TimeShare {
        init_ns: 700,
        load_ns: 400,
        infer_ns: 100,
        request_ns: 200,
    });
    share.add(TimeShare {
        init_ns: -5,
        load_ns: 0,
        infer_ns: 50,
        request_ns: 100,
    });
    near(share.init_share().unwrap(), 0.7);
    near(share.load_share().unwrap(), 0.4);
    near(share.infer_share().unwrap(), 0.15);
    share.add(TimeShare {
        request_ns: i64::MAX,
        ..TimeShare::default()
    });
    assert_eq!(share.request_ns, i64::MAX);
}
