//! What clients told comes back from a file, and harms nobody.

use super::*;
use crate::export::tests::round_trip::check_comes_back;
use crate::ingest::{Brought, Request};
use crate::stats::{
    ClientStats, ClientTelemetry, StatsBucket, StatsCounts, StatsGroup, StatsSource, TelemetrySums,
};

fn told() -> Store {
    let mut store = Store::new(PLENTY);
    let source = StatsSource {
        service: "api \u{1b}[31m".into(),
        runtime_id: "6e47260f-7055-4f56-aa91-166392544364".into(),
        language: "python".into(),
        ..StatsSource::default()
    };
    let mut counts = StatsCounts {
        hits: 120,
        errors: 1,
        top_level_hits: 119,
        duration: 7_000_000,
        ..StatsCounts::default()
    };
    for millis in 1..=119 {
        counts.ok.add(f64::from(millis) * 1e6, 1);
    }
    counts.error.add(0.0, 1);
    let group = |resource: &str| StatsGroup {
        service: "api".into(),
        name: "web.request".into(),
        resource: resource.into(),
        kind: "web".into(),
        counts: counts.clone(),
    };
    let bucket = StatsBucket {
        start: UnixNanos(10_000_000_000),
        duration: 10_000_000_000,
        groups: vec![group("GET /doc"), group("GET /\u{202e}x"), group("")],
    };
    let stats = ClientStats {
        body: Box::default(),
        source: source.clone(),
        buckets: vec![bucket],
    };
    let telemetry = ClientTelemetry {
        source: StatsSource {
            tracer_version: "4.1.2".into(),
            ..source
        },
        sums: TelemetrySums {
            spans_created: 7,
            ..TelemetrySums::default()
        },
        n_unreadable: 0,
    };
    for brought in [
        Brought::Stats(Box::new(stats)),
        Brought::Telemetry(Box::new(telemetry)),
    ] {
        let record = request("/v0.6/stats", 200);
        store.take_request(Request { record, brought }, Now::default());
    }
    store
}

#[test]
fn what_clients_told_comes_back() {
    let store = told();
    check_comes_back(&store);
    let again = opened(&export(&store, "json"));
    assert_eq!(again.told().compared(), store.told().compared());
    assert_eq!(again.told().sums(), store.told().sums());
    assert!(again.told().clients().eq(store.told().clients()));
}

#[test]
fn the_last_headless_line_has_quantiles_and_no_bins() {
    let mut line = Vec::new();
    write_json(&mut line, &ToldJson::summary(&told())).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        (&line["hits"], &line["hits_without_span"]),
        (&360.into(), &360.into())
    );
    let group = &line["told"][0];
    assert_eq!(
        (&group["compared_by"], &group["spans_arrived"]),
        (&"resource".into(), &0.into())
    );
    assert_eq!(group["ok"]["n"], 119);
    let p50 = group["ok"]["p50"].as_u64().unwrap();
    assert!((59_000_000..61_000_000).contains(&p50), "{p50}");
    assert!(group["ok"].get("bins").is_none());
    assert!(ToldJson::summary(&Store::new(PLENTY)).is_none());
}

#[test]
fn what_a_file_claims_is_bounded() {
    let file = export(&told(), "json");
    let huge = file.replace("\"hits\":120", "\"hits\":18446744073709551615");
    assert!(opened(&huge).told().is_empty());
    let strange = file.replace(
        "\"bins\":[[0,1]]",
        "\"bins\":[[65535,18446744073709551615],[65535,1],[3,0]]",
    );
    assert_ne!(strange, file);
    let store = opened(&strange);
    check_comes_back(&store);
    let nothing = file.replace("\"told\":[", "\"new\":7,\"told\":[{},");
    assert_eq!(opened(&nothing).told().compared().len(), 4);
}
