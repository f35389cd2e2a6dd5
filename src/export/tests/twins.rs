//! The same spans give the same export in whatever format they come: every recorded payload, sent
//! again as v0.7 and as v1.0.

use serde_json::{Map, Value as Json};

use super::encode::{self, Repeats};
use super::recorded::recorded;
use super::*;
use crate::trace::ChunkBuilder;
use crate::wire::{v07, v10};

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
            let float = number.as_f64().unwrap();
            if float.fract() == 0.0 && float.abs() < 1e15 {
                return Json::from(float as i64);
            }
            json.clone()
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
#[ignore = "scratch"]
fn libdatadog() {
    let mut n = 0;
    for file in std::fs::read_dir("/tmp/v1enc/out").unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "v04") {
            continue;
        }
        let body = std::fs::read(&path).unwrap();
        let original = crate::wire::v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
        eprintln!("{}", path.display());
        let body = std::fs::read(path.with_extension("v1")).unwrap();
        let payload = v10::decode(&body, &mut ChunkBuilder::default()).unwrap();
        let strip = |chunks| {
            let mut traces = traces(chunks);
            for trace in &mut traces {
                for span in trace["spans"].as_array_mut().unwrap().iter_mut().skip(1) {
                    if let Some(meta) = span.get_mut("meta") {
                        meta.as_object_mut().unwrap().remove("_dd.p.tid");
                    }
                }
            }
            traces
        };
        let (twins, originals) = (strip(payload.chunks), strip(original.chunks));
        assert_eq!(twins.len(), originals.len());
        for (twin, original) in twins.iter().zip(&originals) {
            assert_eq!(as_v10_has_it(twin), as_v10_has_it(original));
        }
        n += 1;
    }
    eprintln!("{n} payloads");
}
