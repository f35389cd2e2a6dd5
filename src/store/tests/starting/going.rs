//! The durations of requests whose traces go: counted once, by how they started, within bounds.

use super::*;
use crate::analysis::latency::{Distribution, GoneDurations};
use crate::trace::Text;

fn evict(store: &mut Store, trace: u64) {
    let key = root(store, trace).0.key();
    store.remove(Some(key));
}

fn n_gone(store: &Store, service: &str, kind: StartKind) -> u64 {
    let gone = store.gone().of(service.into(), "handle".into(), kind);
    gone.map_or(0, GoneDurations::n)
}

#[test]
fn an_evicted_request_keeps_its_duration_by_how_it_started() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 4_010, 1_900),
        request(3, 6_000, 400),
        request(4, 7_000, 300),
        request(5, 8_000, 350).of_service("other").on(None),
    ]);
    let mut store = taken(Store::new(PLENTY), &steps);
    assert_eq!(store.gone().n(), 0);
    for trace in 1..=4 {
        evict(&mut store, trace);
    }
    // The init of a container is no request.
    assert_eq!((store.gone().n(), store.gone().n_untold()), (3, 0));
    let resources: Vec<(Text<'_>, Text<'_>)> = store.gone().resources().collect();
    assert_eq!(resources, [("gen".into(), "handle".into())]);
    assert_eq!(n_gone(&store, "gen", StartKind::Cold), 1);
    assert_eq!(n_gone(&store, "gen", StartKind::Unknown), 0);
    assert_eq!(n_gone(&store, "other", StartKind::Warm), 0);
    let warm = store
        .gone()
        .of("gen".into(), "handle".into(), StartKind::Warm);
    let warm = Distribution::default().with_gone(warm.unwrap());
    assert_eq!((warm.n(), warm.is_exact()), (2, false));
    assert_eq!(
        (warm.min(), warm.max(), warm.sum_ns()),
        (Some(300 * MS), Some(400 * MS), 700 * MS)
    );
    evict(&mut store, 5);
    assert_eq!(store.gone().n(), 4);
    let others: Vec<Text<'_>> = store
        .gone()
        .resources()
        .map(|(service, _)| service)
        .collect();
    assert_eq!(others, ["gen".into(), "other".into()] as [Text<'_>; 2]);
}

#[test]
fn the_budget_feeds_the_sketches() {
    let mut store = Store::new(128 * 1024);
    let steps: Vec<Step> = (1..600)
        .map(|trace| Step::Work(request(trace, i64::try_from(trace).unwrap() * 100, 50)))
        .collect();
    store = taken(store, &steps);
    let n_evicted = store.counters().traces_evicted;
    assert!(n_evicted > 100, "{n_evicted}");
    assert_eq!(store.gone().n(), n_evicted);
}

#[test]
fn names_without_end_are_counted_together_within_bounds() {
    let mut gone = Gone::default();
    for name in 0..5_000 {
        // A sketch is largest when it has seen an hour.
        gone.add(
            "api".into(),
            format!("GET /user/{name}").as_str().into(),
            StartKind::Warm,
            i64::MAX,
        );
    }
    let long = "x".repeat(2_000);
    let mut short = Gone::default();
    short.add("api".into(), long.as_str().into(), StartKind::Cold, 5);
    assert_eq!((short.n(), short.n_untold()), (1, 1));
    assert_eq!(short.others(StartKind::Cold).map(GoneDurations::n), Some(1));
    assert_eq!(short.resources().count(), 0);

    assert_eq!(gone.resources().count(), 256);
    assert_eq!((gone.n(), gone.n_untold()), (5_000, 5_000 - 256));
    let others = gone.others(StartKind::Warm).map(GoneDurations::n);
    assert_eq!(others, Some(gone.n_untold()));
    assert_eq!(gone.others(StartKind::Cold).map(GoneDurations::n), None);
    // A resource that is told apart stays so.
    gone.add("api".into(), "GET /user/3".into(), StartKind::Warm, 7);
    assert_eq!(gone.n_untold(), 5_000 - 256);
    let third = gone.of("api".into(), "GET /user/3".into(), StartKind::Warm);
    assert_eq!(third.map(GoneDurations::n), Some(2));
    // Another kind of it is another sketch, for which there is no place.
    gone.add("api".into(), "GET /user/3".into(), StartKind::Cold, 7);
    assert_eq!(gone.n_untold(), 5_001 - 256);
    let bytes = gone.bytes();
    assert!((4 << 20..=5_500_000).contains(&bytes), "{bytes}");
}
