//! Spans on their way: built, decoded, sent, and read again as an intake does. Helpers for the tests of
//! the modules below, and those of what they share.

use std::io::Read as _;
use std::path::Path;

use libdd_trace_protobuf::pb;
use prost::Message as _;
use serde_json::Value as Json;

use super::*;
use crate::trace::ChunkBuilder;
use crate::wire::{v04, v05};

/// 2026-11-20, when every request of these tests comes.
pub(super) const NOW: UnixNanos = UnixNanos(1_795_204_425_000_000_000);

pub(super) fn agent() -> AgentFacts {
    AgentFacts::simulated(&sampler::Settings::default(), "7.79.0")
}

/// Chunks, from v0.4 written as JSON.
#[track_caller]
pub(super) fn chunks(traces: &Json) -> Vec<TraceChunk> {
    let body = rmp_serde::to_vec_named(traces).unwrap();
    let payload = v04::decode(&body, &mut ChunkBuilder::default()).unwrap();
    payload.chunks
}

/// A span of a minute ago that is its trace's root.
pub(super) fn span(trace_id: u64, span_id: u64) -> Json {
    serde_json::json!({
        "service": "api", "name": "request", "resource": "GET /", "type": "web",
        "trace_id": trace_id, "span_id": span_id, "parent_id": 0,
        "start": NOW.0, "duration": 1_000_000, "error": 0,
        "meta": {}, "metrics": {"_sampling_priority_v1": 1},
    })
}

pub(super) fn tracer(language: &str) -> TracerInfo {
    TracerInfo {
        language: language.into(),
        ..TracerInfo::default()
    }
}

pub(super) fn placed((place, span): (usize, u32)) -> Placed {
    Placed {
        place,
        span,
        version: 0,
    }
}

/// All of a chunk, as it is sent by default.
pub(super) fn all<'a>(chunk: &'a TraceChunk, tracer: &'a TracerInfo) -> Outgoing<'a> {
    Outgoing {
        chunk,
        facts: chunk.facts(),
        tracer,
        form: PayloadForm::Older,
        received: NOW,
        trace: chunk.trace_id().low(),
        places: Places::All { first: 0 },
        top_level: TopLevel::Unknown,
        counted_by: CountedBy::Us,
        verdict: None,
    }
}

pub(super) fn inflated(request: &IntakeRequest) -> Vec<u8> {
    let coding = request
        .headers
        .iter()
        .find(|(name, _)| *name == "Content-Encoding");
    let mut plain = Vec::new();
    match coding.map(|(_, coding)| &**coding) {
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(&*request.body);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some("zstd") => plain = zstd::decode_all(&*request.body).unwrap(),
        other => panic!("{other:?} is no coding of the intake"),
    }
    assert_eq!(plain.len(), request.plain_bytes);
    plain
}

pub(super) fn traces(request: &IntakeRequest) -> pb::AgentPayload {
    assert_eq!(request.intake, Intake::Traces);
    pb::AgentPayload::decode(&*inflated(request)).unwrap()
}

pub(super) fn stats(request: &IntakeRequest) -> pb::StatsPayload {
    assert_eq!(request.intake, Intake::Stats);
    rmp_serde::from_slice(&inflated(request)).unwrap()
}

/// What a real tracer sent.
pub(super) struct Recorded {
    pub(super) name: String,
    pub(super) tracer: TracerInfo,
    pub(super) top_level: TopLevel,
    pub(super) chunks: Vec<TraceChunk>,
}

impl Recorded {
    pub(super) fn outgoing(&self) -> Vec<Outgoing<'_>> {
        let chunks = self.chunks.iter();
        let outgoing = chunks.map(|chunk| Outgoing {
            top_level: self.top_level,
            ..all(chunk, &self.tracer)
        });
        outgoing.collect()
    }
}

/// What real tracers sent, payload by payload.
pub(super) fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut payloads = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "msgpack") {
            continue;
        }
        let meta = std::fs::read(path.with_extension("msgpack.meta.json")).unwrap();
        let meta: Json = serde_json::from_slice(&meta).unwrap();
        let body = std::fs::read(&path).unwrap();
        let mut builder = ChunkBuilder::default();
        let payload = match meta["path"].as_str().unwrap() {
            "/v0.4/traces" => v04::decode(&body, &mut builder).unwrap(),
            "/v0.5/traces" => v05::decode(&body, &mut builder).unwrap(),
            _ => continue,
        };
        let headers = meta["headers"].as_array().unwrap();
        let header = |name: &str| -> Box<str> {
            let mut headers = headers.iter();
            let found = headers.find(|header| header[0] == name);
            found
                .map_or("", |header| header[1].as_str().unwrap())
                .into()
        };
        let tracer = TracerInfo {
            language: header("datadog-meta-lang"),
            language_version: header("datadog-meta-lang-version"),
            tracer_version: header("datadog-meta-tracer-version"),
            ..TracerInfo::default()
        };
        let top_level = match &*header("datadog-client-computed-top-level") {
            "" => TopLevel::ByUs,
            _ => TopLevel::ByClient,
        };
        payloads.push(Recorded {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            tracer,
            top_level,
            chunks: payload.chunks,
        });
    }
    payloads.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(payloads.len() > 20, "only {} payloads", payloads.len());
    payloads
}

#[test]
fn tags_are_read_as_they_are_written_and_the_last_of_a_key_counts() {
    let tags = AddedTags::parse(["team:search", "url:http://a:1", "env:lap", "team: core "]);
    let tags = tags.unwrap();
    let read: Vec<_> = tags.iter().collect();
    assert_eq!(
        read,
        [("url", "http://a:1"), ("env", "lap"), ("team", "core")]
    );
    assert_eq!(tags.env(), Some("lap"));
    assert_eq!(AddedTags::default().env(), None);
}

#[test]
fn what_is_no_tag_is_told_in_one_sentence() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = AddedTags::parse([text]).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(error.ends_with('.') && error.len() < 200, "{error}");
    }
    check("team", "has no colon");
    check(":search", "is empty");
    check("team:", "is empty");
    check("my team:search", "characters that no tag has");
    check("team:a\u{1b}[2J", "characters that no tag has");
    check("_dd.origin:rum", "begins with _");
    check(&format!("a:{}", "b".repeat(2_000)), "too long");
}

#[test]
fn places_are_found_among_those_that_go() {
    let all = Places::All { first: 30 };
    assert_eq!(all.at(7).map(|placed| placed.span), Some(37));
    let those = [(1, 4), (3, 2), (8, 9)].map(placed);
    let places = Places::Only(&those);
    let found: Vec<Placed> = (0..10).filter_map(|place| places.at(place)).collect();
    assert_eq!(found, those);
}

#[test]
fn a_key_shows_no_more_than_its_end() {
    let digits = "0123456789abcdef0123456789aba91f";
    let key = Secret::new(digits);
    assert_eq!(format!("{key:?}"), "..a91f");
    assert_eq!(format!("{:#?}", Some(&key)).matches("a91f").count(), 1);
    assert_eq!(key.expose(), digits);
    // Too short to be a key, and so to be shown in part.
    assert_eq!(format!("{:?}", Secret::new("a91f")), "..");
}
