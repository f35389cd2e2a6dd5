//! What comes late, comes twice, or speaks for somebody else.

use super::*;
use crate::analysis::Outcome;

#[test]
fn what_ended_before_the_init_of_a_container_is_no_request() {
    let download = Work {
        name: "requests.get",
        ..request(2, -5_000, 900)
    };
    let steps = works(&[download, request(3, 4_010, 50), init(1, 0, 4_000)]);
    let store = taken(Store::new(PLENTY), &steps);
    assert_eq!(store.start_kind(root(&store, 2).0), None);
    check(&steps, 3, StartKind::Cold, "modal.init ended 10 ms before");
}

#[test]
fn a_process_without_a_name_may_work_before_it_loads_anything() {
    let unnamed = |work: Work| work.on(None);
    let steps = works(&[
        unnamed(request(2, -5_000, 900)),
        unnamed(init(1, 0, 4_000)),
        unnamed(request(3, 4_010, 50)),
    ]);
    let store = taken(Store::new(PLENTY), &steps);
    assert_eq!(
        store.start_kind(root(&store, 2).0),
        Some(StartKind::Unknown)
    );
}

/// A line of a trace, of one of its spans, that names a container.
fn line_of_span(trace: u64, span: u64, container: &str) -> LogRecord {
    record(&format!(
        r#"{{"event":"line","modal.task_id":"{container}","dd.trace_id":"{trace:032x}","dd.span_id":"{span}"}}"#
    ))
}

#[test]
fn a_line_of_a_worker_does_not_move_its_caller() {
    let caller = request(2, 0, 900).on(None);
    let mut store = taken(Store::new(PLENTY), &works(std::slice::from_ref(&caller)));
    // Its span has not come yet.
    store.insert_logs(vec![line_of_span(2, 999, "ta-W")], Now::default());
    let (_, own) = root(&store, 2);
    assert_eq!(own.known_by(), Some(KnownBy::RuntimeId));
    store.insert_logs(vec![line_of_span(2, caller.span, "ta-C")], Now::default());
    let (entry, own) = root(&store, 2);
    assert_eq!(own.known_by(), Some(KnownBy::Log));
    let container = store.container(entry).unwrap();
    assert_eq!(container.facts.task_id.as_deref(), Some("ta-C"));
    assert!(
        store
            .fleet()
            .containers()
            .all(|it| it.past().restored_by.is_none())
    );
}

#[test]
fn a_first_request_that_is_evicted_twice_is_one_and_ran_to_its_end() {
    let snapshot = request(2, 4_010, 1_000);
    let whole = request(2, 4_010, 60_000);
    let mut store = taken(Store::new(PLENTY), &works(&[init(1, 0, 4_000), snapshot]));
    let key = root(&store, 2).0.key();
    store.remove(Some(key));
    Step::Work(whole).take(&mut store);
    Step::Work(request(3, 30_000, 50)).take(&mut store);
    let key = root(&store, 2).0.key();
    store.remove(Some(key));
    Step::Work(request(4, 30_010, 50)).take(&mut store);
    let kind = |trace| store.start_kind(root(&store, trace).0);
    assert_eq!([kind(3), kind(4)], [Some(StartKind::ColdShared); 2]);
    assert_eq!(store.fleet().containers().next().unwrap().n_requests(), 3);
}

#[test]
fn a_newer_snapshot_of_a_root_is_read_again() {
    let running = request(2, 0, 10).measured("_dd.partial_version", 1.0);
    let mut store = taken(Store::new(PLENTY), &works(&[running]));
    let (entry, _) = root(&store, 2);
    assert_eq!(store.start_kind(entry), Some(StartKind::Unknown));
    assert_eq!(store.outcome(entry), Outcome::Unfinished);
    Step::Work(request(2, 0, 90).tagged("cold_start", "true")).take(&mut store);
    let (entry, _) = root(&store, 2);
    assert_eq!(store.start_kind(entry), Some(StartKind::Cold));
    assert_eq!(store.outcome(entry), Outcome::Ok);
}

#[test]
fn the_first_is_the_first_while_later_ones_are_evicted() {
    let steps = works(&[request(2, 0, 5), request(3, 10, 5), request(4, 20, 5)]);
    let mut store = taken(Store::new(PLENTY), &steps);
    let key = root(&store, 3).0.key();
    store.remove(Some(key));
    let number = |trace| {
        let (entry, own) = root(&store, trace);
        store.request_number(entry, own)
    };
    assert_eq!([number(2), number(4)], [Some(1), Some(3)]);
}

#[test]
fn of_more_processes_than_are_remembered_each_is_one_container() {
    let mut store = Store::new(PLENTY);
    for pid in 0..80 {
        for request_number in 0..2 {
            let trace = u64::from(pid) * 2 + request_number + 1;
            let work = request(trace, i64::try_from(trace).unwrap() * 10, 5).on(None);
            Step::Work(Work {
                pid: Some(pid),
                ..work
            })
            .take_unchecked(&mut store);
        }
    }
    assert_eq!(store.fleet().containers().count(), 80);
}
