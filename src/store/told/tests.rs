//! What clients told, compared with the spans that arrived.

use proptest::prelude::*;

use super::*;
use crate::stats::StatsCounts;

const SECOND: i64 = 1_000_000_000;

fn key(service: &str) -> OperationKey {
    OperationKey {
        service: service.into(),
        name: "web.request".into(),
    }
}

fn group(resource: &str, hits: u64) -> StatsGroup {
    let OperationKey { service, name } = key("api");
    StatsGroup {
        service,
        name,
        resource: resource.into(),
        counts: StatsCounts {
            hits,
            ..StatsCounts::default()
        },
        ..StatsGroup::default()
    }
}

/// What a process counted in the ten seconds that begin with one.
fn bucket(process: &str, second: i64, groups: Vec<StatsGroup>) -> ClientStats {
    ClientStats {
        body: Box::default(),
        source: StatsSource {
            runtime_id: process.into(),
            ..StatsSource::default()
        },
        buckets: vec![StatsBucket {
            start: UnixNanos(second * SECOND),
            duration: 10 * SECOND,
            groups,
        }],
    }
}

fn spans(resource: &str, ended: i64, n: usize) -> Vec<Arrived> {
    let span = Arrived {
        operation: key("api"),
        resource: resource.into(),
        end: UnixNanos(ended * SECOND + 5),
    };
    vec![span; n]
}

fn told() -> Told {
    let mut told = Told::new(1 << 20);
    told.delivered(true, true);
    told
}

#[track_caller]
fn check_missing(told: &Told, expected: &[(Option<&str>, u64, u64)]) {
    let found = told.compared();
    let found: Vec<_> = found
        .iter()
        .filter(|it| it.n_missing() > 0 && told.is_compared())
        .map(|it| (it.resource, it.hits, it.n_arrived))
        .collect();
    assert_eq!(found, expected);
    let n_missing = expected.iter().map(|(_, hits, arrived)| hits - arrived);
    assert_eq!(told.n_missing(), n_missing.sum::<u64>());
}

#[test]
fn hits_without_a_span_are_told_resource_by_resource() {
    let mut told = told();
    told.arrived("a", spans("GET /doc", 3, 7));
    told.arrived("a", spans("GET /x", 4, 2));
    check_missing(&told, &[]);
    told.hear(bucket(
        "a",
        0,
        vec![
            group("GET /doc", 120),
            group("GET /x", 2),
            group("GET /y", 1),
        ],
    ));
    check_missing(&told, &[(Some("GET /doc"), 120, 7), (Some("GET /y"), 1, 0)]);
    told.arrived("a", spans("GET /doc", 9, 113));
    told.arrived("a", spans("GET /y", 9, 1));
    check_missing(&told, &[]);
}

#[test]
fn spans_of_a_time_not_told_of_wait() {
    let mut told = told();
    told.arrived("a", spans("GET /doc", 3, 5));
    told.arrived("a", spans("GET /doc", 13, 50));
    told.hear(bucket("a", 0, vec![group("GET /doc", 6)]));
    check_missing(&told, &[(Some("GET /doc"), 6, 5)]);
    told.hear(bucket("a", 10, vec![group("GET /doc", 50)]));
    check_missing(&told, &[(Some("GET /doc"), 56, 55)]);
}

#[test]
fn another_process_that_has_not_told_makes_up_for_nothing() {
    let mut told = told();
    told.hear(bucket("b-1", 0, vec![group("GET /other", 1)]));
    told.arrived("b1", spans("GET /other", 5, 1));
    told.arrived("b1", spans("GET /doc", 15, 9));
    told.hear(bucket("a", 10, vec![group("GET /doc", 4)]));
    check_missing(&told, &[(Some("GET /doc"), 4, 0)]);
    told.arrived("a", spans("GET /doc", 15, 4));
    check_missing(&told, &[]);
}

#[test]
fn a_process_whose_statistics_have_another_id_is_compared() {
    let mut told = told();
    told.arrived("3431449ad23a483db0a675a73232c4a3", spans("GET /doc", 3, 8));
    told.hear(bucket(
        "6e47260f-7055-4f56-aa91-166392544364",
        0,
        vec![group("GET /doc", 50)],
    ));
    check_missing(&told, &[(Some("GET /doc"), 50, 8)]);
}

#[test]
fn resources_that_the_client_changes_are_compared_as_one() {
    let mut told = told();
    for number in 0..9 {
        told.arrived("a", spans(&format!("SELECT {number}"), 3, 1));
    }
    told.hear(bucket("a", 0, vec![group("SELECT ?", 10)]));
    check_missing(&told, &[(None, 10, 9)]);
    assert!(
        told.operations()
            .all(|(_, operation)| operation.has_other_resources())
    );
}

#[test]
fn nothing_is_compared_if_spans_come_that_nobody_counts() {
    let mut told = Told::new(1 << 20);
    told.delivered(false, true);
    told.hear(bucket("a", 0, vec![group("GET /doc", 50)]));
    assert!(!told.is_compared());
    check_missing(&told, &[]);
    // Without any span it is plain what is missing, and with a delivery that says so too.
    told.delivered(true, false);
    check_missing(&told, &[(Some("GET /doc"), 50, 0)]);
}

#[test]
fn what_is_kept_has_limits_and_what_went_is_counted() {
    let mut told = told();
    let groups = (0..GROUPS_MAX + 10).map(|number| group(&format!("{number}"), 1));
    told.hear(bucket("a", 0, groups.collect()));
    assert_eq!(told.sums().n_groups_evicted, 10 + evicted_for_room(&told));
    assert_eq!(told.sums().hits, told.n_missing());
    for number in 0..CLIENTS_MAX + 5 {
        told.hear(bucket(&format!("{number}"), 0, Vec::new()));
    }
    assert_eq!(told.clients().count(), CLIENTS_MAX);
    assert_eq!(told.sums().n_clients_evicted, 6);
    for second in 0..30_000 {
        told.arrived("never", spans("late", 100 + second, 1));
    }
    assert!(told.bytes() <= 1 << 20 && told.sums().n_spans_untold > 10_000);
}

/// Groups that went because of their bytes.
fn evicted_for_room(told: &Told) -> u64 {
    let held = told
        .operations()
        .map(|(_, operation)| operation.resources().count());
    let held = u64::try_from(held.sum::<usize>()).unwrap();
    u64::try_from(GROUPS_MAX).unwrap() - held
}

proptest! {
    #[test]
    fn in_whatever_order_it_is_told_the_same_is_missing(
        deeds in prop::collection::vec((0..3_usize, 0..4_u8, 0..30_i64, 0..4_u64), 0..40)
            .prop_shuffle(),
    ) {
        let processes = ["a", "b", "c"];
        let mut told = [told(), told()];
        for (process, resource, second, n) in &deeds {
            let resource = format!("GET /{resource}");
            let stats = || bucket(processes[*process], second / 10 * 10, vec![group(&resource, n * 2)]);
            let spans = || spans(&resource, *second, usize::try_from(*n).unwrap());
            told[0].hear(stats());
            told[0].arrived(processes[*process], spans());
            told[1].arrived(processes[*process], spans());
            told[1].hear(stats());
        }
        // What is told of last ends the waiting of all.
        for told in &mut told {
            for process in processes {
                told.hear(bucket(process, 90, Vec::new()));
            }
            let sums: u64 = told.compared().iter().map(Compared::n_missing).sum();
            prop_assert_eq!(sums, told.n_missing());
            prop_assert!(told.n_missing() <= told.sums().hits);
        }
        prop_assert_eq!(told[0].compared(), told[1].compared());
        let tallies = told.each_ref().map(|told| {
            let operations = told.operations().map(|(_, operation)| operation.resources());
            operations.flatten().map(|(it, tally)| (it.to_owned(), tally.clone())).collect::<Vec<_>>()
        });
        prop_assert_eq!(&tallies[0], &tallies[1]);
    }

    #[test]
    fn bytes_are_counted_back_to_nothing(
        deeds in prop::collection::vec((0..9_u8, any::<bool>(), 0..30_i64), 0..60),
    ) {
        let mut told = Told::new(4_000);
        told.delivered(true, true);
        for (resource, is_told, second) in deeds {
            let resource = format!("GET /{resource}");
            if is_told {
                let mut group = group(&resource, 3);
                group.counts.ok.add(second as f64 * 1e6, 3);
                told.hear(bucket("a", second, vec![group]));
            } else {
                told.arrived("a", spans(&resource, second, 2));
            }
            prop_assert!(told.bytes() <= 4_000);
        }
        while !told.by_age.is_empty() {
            told.forget_oldest();
        }
        while told.waiting.forget_oldest().is_some() {}
        prop_assert_eq!(told.bytes(), 0);
        prop_assert_eq!(told.operations.len(), 0);
    }
}
