//! Whatever comes first, the same is said in the end.

use proptest::collection::vec;
use proptest::sample::Index;

use super::*;

const TASKS: [&str; 3] = ["ta-A", "ta-B", "ta-C"];
const RUNTIMES: [&str; 4] = ["r-A", "r-B", "r-C", "r-D"];
const TAGS: [(&str, &str); 4] = [
    ("cold_start", "True"),
    ("cold_start", "False"),
    ("modal.warm", "True"),
    ("modal.model_load_ms", "9000"),
];

/// What may be said of some work.
fn work() -> impl Strategy<Value = Work> {
    let place = (0..4_usize, 0..4_usize, any::<bool>());
    (0..6_000_i64, 0..900_i64, place, 0..12_usize, 0..10_u8).prop_map(
        |(start_ms, duration_ms, (task, runtime, by_relay), tag, init_one)| {
            let work = Work {
                task: TASKS.get(task).copied(),
                runtime: RUNTIMES.get(runtime).copied(),
                relay: (by_relay && task == 1).then_some(1),
                tags: TAGS.get(tag).copied().into_iter().collect(),
                ..request(0, start_ms, duration_ms)
            };
            if init_one == 0 {
                Work {
                    name: "modal.init",
                    ..work
                }
            } else {
                work
            }
        },
    )
}

/// Everything that is said of the starts, by trace.
fn said(store: &Store) -> Vec<(u64, String)> {
    let mut said: Vec<_> = store
        .traces()
        .map(|entry| {
            let root = entry.own_root().unwrap();
            let container = root
                .container()
                .and_then(|key| store.fleet().container(key));
            let label = container.map(crate::store::Container::label);
            let words = format!(
                "{:?} {:?} {:?} {:?} {:?}",
                root.start_kind(),
                store.evidence(entry, root),
                store.request_number(entry, root),
                label,
                root.known_by()
            );
            (entry.trace_id().low(), words)
        })
        .collect();
    said.sort();
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_arrival_changes_a_verdict(
        works in vec((work(), any::<Index>()), 1..14),
        lines in vec((0..14_u64, 0..3_usize, any::<Index>()), 0..4),
        hello in (any::<bool>(), 0..6_000_i64, any::<Index>()),
    ) {
        let mut steps: Vec<(Step, Index)> = Vec::new();
        for (number, (work, index)) in (1_u64..).zip(works) {
            steps.push((Step::Work(Work { trace: number, span: number * 10, ..work }), index));
        }
        let mut lined = std::collections::BTreeSet::new();
        for (trace, task, index) in lines {
            if lined.insert(trace) {
                steps.push((Step::Line(trace, TASKS[task]), index));
            }
        }
        let (has_hello, process_start, index) = hello;
        if has_hello {
            steps.push((Step::Hello(1, Some("ta-B"), process_start, Some(false)), index));
        }
        let in_order: Vec<Step> = steps.iter().map(|(step, _)| step.clone()).collect();
        steps.sort_by_key(|(_, index)| index.index(usize::MAX));
        let shuffled: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
        let (one, other) = (taken(Store::new(PLENTY), &in_order), taken(Store::new(PLENTY), &shuffled));
        prop_assert_eq!(said(&one), said(&other));
    }
}
