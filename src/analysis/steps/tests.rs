//! Where the time goes, in figures that can be worked out by hand, and the laws of the sums.

use proptest::prelude::*;

use super::{Breakdown, Medians, SelfTimes, breakdown};

fn trace(spans: &[(&str, i64)]) -> SelfTimes {
    let spans = spans.iter();
    spans
        .map(|(name, self_ns)| ((*name).into(), *self_ns))
        .collect()
}

/// A line a step: name, waited, warm, difference, share in per cent.
fn lines(breakdown: &Breakdown) -> Vec<String> {
    let line = |name: &str, medians: &Medians| {
        let Medians {
            waited_ns,
            warm_ns,
            difference_ns,
            share,
        } = medians;
        format!(
            "{name} {waited_ns} {warm_ns} {difference_ns:+} {:.0}%",
            share * 100.0
        )
    };
    let steps = breakdown.steps.iter();
    let others = breakdown.others.iter().map(|others| line("others", others));
    steps
        .map(|step| line(&step.name, &step.medians))
        .chain(others)
        .collect()
}

#[test]
fn the_dearest_steps_come_first_and_the_rest_is_summed() {
    let cold = trace(&[
        ("handle", 300),
        ("redis", 20),
        ("import torch", 702),
        ("redis", 19),
        ("prefill", 201),
        ("load", 410),
    ]);
    let warm = trace(&[
        ("redis", 1),
        ("handle", 290),
        ("prefill", 84),
        ("decode", 5),
    ]);
    let found = breakdown(&[cold], &[warm], 3);
    assert_eq!(
        lines(&found),
        [
            "import torch 702 0 +702 55%",
            "load 410 0 +410 32%",
            "prefill 201 84 +117 9%",
            "others 339 296 +43 4%",
        ]
    );
    assert_eq!(found.n_others, 3);
}

#[test]
fn a_step_that_most_do_not_have_takes_no_time_at_the_median() {
    let (with, without) = (
        trace(&[("retry", 90), ("handle", 10)]),
        trace(&[("handle", 8)]),
    );
    let cold = [with.clone(), without.clone(), without.clone()];
    assert_eq!(
        lines(&breakdown(&cold, std::slice::from_ref(&without), 9)),
        ["handle 8 8 +0 0%", "retry 0 0 +0 0%"]
    );
    let cold = [with.clone(), with, without.clone()];
    assert_eq!(
        lines(&breakdown(&cold, &[without], 9)),
        ["retry 90 0 +90 98%", "handle 10 8 +2 2%"]
    );
}

#[test]
fn what_is_faster_cold_costs_nothing() {
    let found = breakdown(&[trace(&[("a", 5), ("b", 9)])], &[trace(&[("a", 7)])], 9);
    assert_eq!(lines(&found), ["b 9 0 +9 100%", "a 5 7 -2 0%"]);
    assert_eq!(found.others, None);
}

#[test]
fn without_a_group_its_times_are_none() {
    assert_eq!(breakdown(&[], &[], 5), Breakdown::default());
    let some = [trace(&[("a", 5), ("b", -9)])];
    assert_eq!(
        lines(&breakdown(&some, &[], 5)),
        ["a 5 0 +5 100%", "b 0 0 +0 0%"]
    );
    assert_eq!(lines(&breakdown(&[], &some, 0)), ["others 0 5 -5 0%"]);
    let huge = [trace(&[("a", i64::MAX), ("a", i64::MAX), ("b", i64::MAX)])];
    let found = breakdown(&huge, &[], 0);
    assert_eq!(found.others.unwrap().difference_ns, i64::MAX);
}

fn groups() -> impl Strategy<Value = Vec<SelfTimes>> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")];
    let span = (name.prop_map(Into::into), 0_i64..100);
    prop::collection::vec(prop::collection::vec(span, 0..7), 0..8)
}

/// The median of what each trace spends on a name: every trace asked anew.
fn median_by_sorting(traces: &[SelfTimes], name: &str) -> i64 {
    let of_trace = |trace: &SelfTimes| -> i64 {
        let spans = trace.iter().filter(|(known, _)| **known == *name);
        spans.map(|(_, self_ns)| self_ns).sum()
    };
    let mut sums: Vec<i64> = traces.iter().map(of_trace).collect();
    sums.sort_unstable();
    let middle = sums.len().saturating_sub(1) / 2;
    sums.get(middle).copied().unwrap_or(0)
}

proptest! {
    #[test]
    fn each_name_stands_once_with_its_medians_and_the_shares_add_up(
        waited in groups(), warm in groups(), n_steps_max in 0_usize..5,
    ) {
        let all = breakdown(&waited, &warm, usize::MAX);
        for step in &all.steps {
            prop_assert_eq!(step.medians.waited_ns, median_by_sorting(&waited, &step.name));
            prop_assert_eq!(step.medians.warm_ns, median_by_sorting(&warm, &step.name));
            prop_assert_eq!(step.medians.difference_ns, step.medians.waited_ns - step.medians.warm_ns);
        }
        let in_order = |pair: &[super::Step]| {
            let [first, second] = [&pair[0], &pair[1]].map(|step| (-step.medians.difference_ns, &step.name));
            first < second
        };
        prop_assert!(all.steps.windows(2).all(in_order), "{:?}", all);
        let names = waited.iter().chain(&warm).flatten().map(|(name, _)| name);
        let names: std::collections::BTreeSet<_> = names.collect();
        prop_assert_eq!(names.len(), all.steps.len());

        let found = breakdown(&waited, &warm, n_steps_max);
        prop_assert!(found.steps.len() <= n_steps_max);
        prop_assert_eq!(found.steps.len() + found.n_others, all.steps.len());
        let kept = found.steps.iter().map(|step| step.medians).chain(found.others);
        let (mut difference_ns, mut share) = (0, 0.0);
        for medians in kept {
            difference_ns += medians.difference_ns;
            share += medians.share;
        }
        prop_assert_eq!(difference_ns, all.steps.iter().map(|step| step.medians.difference_ns).sum::<i64>());
        let is_slower = all.steps.iter().any(|step| step.medians.difference_ns > 0);
        let expected = if is_slower { 1.0 } else { 0.0 };
        prop_assert!((share - expected).abs() < 1e-9, "{share}");
    }
}
