//! The same spans give the same export in whatever format they come: every recorded payload, sent
//! again as v0.7 and as v1.0.

use serde_json::{Map, Value as Json, json};

use super::encode::{self, Repeats};
use super::recorded::{recorded, recorded_as};
use super::*;
use crate::trace::ChunkBuilder;
use crate::wire::{v07, v10};

/// Enough for one payload; a small store is made at once.
const SMALL: usize = 1 << 20;

/// The traces of an export.
fn traces(chunks: Vec<TraceChunk>) -> Vec<Json> {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunks);
    let file: Json = serde_json::from_str(&export(&store, "json")).unwrap();
    file["traces"].as_array().unwrap().clone()
}

/// What v1.0 cannot say apart: nil, nothing and an empty text or map; a number of either kind; the order
/// of keys.
fn as_v10_has_it(json: &Json) -> Json {
    let is_said = |value: &Json| {
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value == "";
        !value.is_null() && !is_empty
    };
    match json {
        Json::Number(number) if number.is_f64() => {
            // 1.0 is written as 1.
            let whole = number.as_f64().unwrap().to_string().parse::<i64>();
            whole.map_or_else(|_| json.clone(), Json::from)
        }
        Json::Array(items) => items.iter().map(as_v10_has_it).collect(),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), as_v10_has_it(value)));
            members
                .filter(|(_, value)| is_said(value))
                .collect::<Map<_, _>>()
                .into()
        }
        plain => plain.clone(),
    }
}

#[track_caller]
fn check_as_v10(body: &[u8], chunks: Vec<TraceChunk>) {
    let payload = v10::decode(body, &mut ChunkBuilder::default()).unwrap();
    assert_eq!(payload.n_chunks, chunks.len());
    let (twins, originals) = (traces(payload.chunks), traces(chunks));
    assert_eq!(twins.len(), originals.len());
    for (twin, original) in twins.iter().zip(&originals) {
        assert_eq!(as_v10_has_it(twin), as_v10_has_it(original));
    }
}

#[test]
fn every_recorded_payload_is_the_same_as_v07() {
    for chunks in recorded() {
        let body = encode::v07(&chunks);
        let payload = v07::decode(&body, &mut ChunkBuilder::default()).unwrap();
        assert_eq!(traces(payload.chunks), traces(chunks));
    }
}

#[test]
fn every_recorded_payload_is_the_same_as_v10() {
    for repeats in [Repeats::Never, Repeats::Always] {
        for chunks in recorded() {
            check_as_v10(&encode::v10(&chunks, repeats), chunks);
        }
    }
}

#[test]
fn a_payload_cut_anywhere_or_with_any_bit_flipped_is_a_payload_or_an_error() {
    let names = ["span-events-native-v04-412", "span-links-v04-412"];
    let mut builder = ChunkBuilder::default();
    for name in names {
        let chunks = recorded_as(name);
        let bodies = [encode::v07(&chunks), encode::v10(&chunks, Repeats::Never)];
        for mut body in bodies {
            for end in 0..body.len() {
                let cut = body.get(..end).unwrap();
                assert!(v07::decode(cut, &mut builder).is_err());
                assert!(v10::decode(cut, &mut builder).is_err());
            }
            for bit in 0..body.len() * 8 {
                body[bit / 8] ^= 1 << (bit % 8);
                let payloads = [
                    v07::decode(&body, &mut builder),
                    v10::decode(&body, &mut builder),
                ];
                for payload in payloads.into_iter().flatten() {
                    // Whatever it says now, it is written and read back.
                    let (mut store, mut again) = (Store::new(SMALL), Store::new(SMALL));
                    deliver(&mut store, payload.chunks);
                    let file = export(&store, "json");
                    open(file.as_bytes(), &mut again, Now::default()).unwrap();
                    assert_eq!(export(&again, "json"), file);
                }
                body[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

/// What a payload of v0.7 or v1.0 brings, sent by a tracer with headers.
#[track_caller]
fn check_comes_back_whole(payload: TracerPayload, arrival: &Json, tracer: &Json) {
    let headers = TracerInfo {
        language: "python".into(),
        language_version: "3.11.7".into(),
        ..TracerInfo::default()
    };
    let mut store = Store::new(PLENTY);
    let received = Received::new(
        UnixNanos(7),
        Via::Relay,
        TracerPayload {
            tracer: TracerInfo::clone(&payload.tracer).or(&headers).into(),
            ..payload
        },
    );
    store.insert(received, Now::default());
    let file: Json = serde_json::from_str(&export(&store, "json")).unwrap();
    assert_eq!(file["traces"][0]["arrivals"][0], *arrival);
    assert_eq!(file["traces"][0]["tracer"], *tracer);
    round_trip::check_comes_back(&store);
    let again = opened(&export(&store, "json"));
    for (before, after) in store.traces().zip(again.traces()) {
        assert_eq!(before.arrivals(), after.arrivals());
        assert_eq!(before.tracer(), after.tracer());
        assert_eq!(before.sampling(), after.sampling());
        assert_eq!(before.sampling().priority.unwrap().0, 2);
    }
}

#[test]
fn what_is_said_of_a_chunk_and_of_a_payload_comes_back() {
    let body = json!({
        "container_id": "c1", "runtime_id": "r", "env": "prod", "hostname": "\u{1b}[31mh",
        "app_version": "1.2", "tags": { "_dd.tags.container": "a:b,c:d", "$map": "x" },
        "chunks": [{
            "priority": 2, "origin": "rum", "dropped_trace": true, "tags": { "z": "1", "_dd.p.dm": "-4" },
            "spans": [{ "trace_id": 5, "span_id": 6, "start": 1 }],
        }],
    });
    let body = rmp_serde::to_vec(&body).unwrap();
    check_comes_back_whole(
        v07::decode(&body, &mut ChunkBuilder::default()).unwrap(),
        &json!({
            "at": 7, "via": "relay", "spans": 1, "priority": 2, "origin": "rum", "dropped_trace": true,
            "tags": { "z": "1", "_dd.p.dm": "-4" },
        }),
        &json!({
            "language": "python", "language_version": "3.11.7", "tracer_version": "", "container_id": "c1",
            "runtime_id": "r", "env": "prod", "hostname": "\u{1b}[31mh", "app_version": "1.2",
            "tags": { "_dd.tags.container": "a:b,c:d", "$map": "x" },
        }),
    );
    // Language "go", one chunk with priority 2 and Go's own tag, one span.
    let body = b"\x83\x03\xa2go\x07\xa1e\x0b\x91\x83\x01\x02\x03\x93\xa7service\x01\xa1s\x04\x91\x82\x04\x06\x06\x01";
    check_comes_back_whole(
        v10::decode(body, &mut ChunkBuilder::default()).unwrap(),
        &json!({ "at": 7, "via": "relay", "spans": 1, "tags": { "service": "s" } }),
        &json!({ "language": "go", "language_version": "3.11.7", "tracer_version": "", "env": "e" }),
    );
}

#[test]
fn what_only_v10_can_say_is_tagged_and_comes_back() {
    // bytes, an array of text, bytes and a list, a list; and an event with bytes.
    let attributes = b"\x99\xa1b\x05\xc4\x02\x00\xff\xa1a\x06\x96\x01\xa1t\x05\xc4\x02a\xff\x07\x93\xa1k\x02\xc3\xa1m\x07\x93\xa1n\x04\x01";
    let event = b"\x91\x81\x03\x93\xa1x\x05\xc4\x01z";
    let body = [
        &b"\x81\x0b\x91\x81\x04\x91\x83\x04\x01\x09"[..],
        attributes,
        b"\x0c",
        event,
    ]
    .concat();
    let payload = v10::decode(&body, &mut ChunkBuilder::default()).unwrap();
    let mut store = Store::new(PLENTY);
    deliver(&mut store, payload.chunks);
    let file: Json = serde_json::from_str(&export(&store, "json")).unwrap();
    let span = &file["traces"][0]["spans"][0];
    assert_eq!(span["meta_struct"], json!({ "b": "AP8=" }));
    let array = json!(["t", { "$bytes": "Yf8=" }, { "k": true }]);
    assert_eq!(
        span["meta"],
        json!({ "a": { "$array": array }, "m": { "$map": { "n": 1 } } })
    );
    assert_eq!(
        span["span_events"][0]["attributes"],
        json!({ "x": { "$bytes": "eg==" } })
    );
    round_trip::check_comes_back(&store);
    // An agent refuses a whole payload for an event with anything else than values that name their type.
    let chunks: Json = serde_json::from_str(&export(&store, "datadog")).unwrap();
    let span = &chunks[0][0];
    assert_eq!(span["meta_struct"], json!({ "b": "AP8=" }));
    assert_eq!(span["meta"]["m"], r#"{"n":1}"#);
    assert_eq!(span["span_events"][0]["attributes"], json!({}));
}
