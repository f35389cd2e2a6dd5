//! Payloads that real tracers sent.

use std::fs;
use std::path::Path;

use super::round_trip::check_comes_back;
use super::*;
use crate::trace::ChunkBuilder;
use crate::wire::{v04, v05};

/// What every recorded trace payload holds, in order of their names.
pub(crate) fn recorded() -> Vec<Vec<TraceChunk>> {
    recorded_where(|_| true)
}

/// What the recorded payload with this name holds.
pub(super) fn recorded_as(name: &str) -> Vec<TraceChunk> {
    recorded_where(|other| other == name).pop().unwrap()
}

fn recorded_where(is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<TraceChunk>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut builder = ChunkBuilder::default();
    let mut payloads = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "msgpack")
        {
            continue;
        }
        if !is_wanted(path.file_stem().unwrap().to_str().unwrap()) {
            continue;
        }
        let meta = fs::read(path.with_extension("msgpack.meta.json")).unwrap();
        let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
        let body = fs::read(&path).unwrap();
        let payload = match meta["path"].as_str().unwrap() {
            "/v0.4/traces" => v04::decode(&body, &mut builder).unwrap(),
            "/v0.5/traces" => v05::decode(&body, &mut builder).unwrap(),
            _ => continue,
        };
        payloads.push((path, payload.chunks));
    }
    payloads.sort_by(|(a, _), (b, _)| a.cmp(b));
    payloads.into_iter().map(|(_, chunks)| chunks).collect()
}

#[test]
fn every_recorded_payload_comes_back_byte_by_byte() {
    let mut all = Store::new(PLENTY);
    let payloads = recorded();
    assert!(payloads.len() > 20, "only {} payloads", payloads.len());
    for chunks in payloads {
        deliver(&mut all, chunks);
    }
    assert!(all.counters().spans_shown > 100);
    check_comes_back(&all);
}

#[test]
fn every_recorded_payload_is_whole_in_a_datadog_export() {
    let mut all = Store::new(PLENTY);
    for chunks in recorded() {
        deliver(&mut all, chunks);
    }
    let again = opened(&export(&all, "datadog"));
    for (before, after) in all.traces().zip(again.traces()) {
        assert_eq!(before.trace_id(), after.trace_id());
        assert_eq!(before.n_spans(), after.n_spans());
        for ((_, span), (_, twin)) in before.spans().zip(after.spans()) {
            assert_eq!(span.span_id(), twin.span_id());
            assert!(span.metrics().eq(twin.metrics()));
            assert!(span.links().eq(twin.links()));
            assert!(span.events().eq(twin.events()));
            let tags = span.meta().count();
            assert!((tags..=tags + 1).contains(&twin.meta().count()));
        }
    }
}
