//! Recorded payloads, decoded by us and by Python's `msgpack` library: both must say the same, field
//! by field. See `tests/fixtures/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modtrace_tui::ingest::{Brought, PayloadKind, Received, RequestBody, TraceFormat, bring};
use modtrace_tui::trace::{ChunkBuilder, Field, Presence, Span, TraceChunk, UnixNanos, Value, Via};
use modtrace_tui::wire::header::TraceHeaders;
use serde_json::Value as Json;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The names of all recorded payloads: `docproc-v04-412-1.msgpack`.
pub(crate) fn names() -> Vec<String> {
    let files = fs::read_dir(fixtures().join("payloads")).expect("the payloads are there");
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".msgpack")).collect();
    names.sort();
    names
}

fn json(path: &Path) -> Json {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recorded request, received as the agent does it.
pub(crate) fn replay(name: &str, builder: &mut ChunkBuilder) -> (Received, TraceHeaders) {
    let payloads = fixtures().join("payloads");
    let request = json(&payloads.join(format!("{name}.meta.json")));
    let format = match request["path"].as_str() {
        Some("/v0.4/traces") => TraceFormat::V04,
        Some("/v0.5/traces") => TraceFormat::V05,
        path => panic!("{name}: what is sent to {path:?}?"),
    };
    let header = |name: &str| {
        let headers = request["headers"].as_array().into_iter().flatten();
        let mut values = headers.filter_map(|pair| {
            pair[0]
                .as_str()?
                .eq_ignore_ascii_case(name)
                .then(|| pair[1].as_str())?
        });
        values.next()
    };
    let headers = TraceHeaders::read(|name| header(name).map(str::as_bytes));
    let body = RequestBody {
        kind: PayloadKind::Traces(format),
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
        headers: headers.clone(),
        bytes: &fs::read(payloads.join(name)).unwrap(),
        at: UnixNanos(0),
        via: Via::Http,
    };
    let Ok(Brought::Spans(received)) = bring(&body, builder) else {
        panic!("{name} brings no spans");
    };
    (received, headers)
}

#[test]
fn recorded_payloads_decode_to_what_another_library_reads_in_them() {
    let names = names();
    assert!(names.len() > 50, "only {} payloads", names.len());
    let mut builder = ChunkBuilder::default();
    for name in names {
        let expected = json(&fixtures().join("expected").join(format!("{name}.json")));
        let expected = expected.as_array().unwrap();
        let (received, headers) = replay(&name, &mut builder);
        assert_eq!(received.payload.n_chunks, expected.len(), "{name}");
        assert_eq!(headers.announced_chunks, expected.len() as u64, "{name}");
        let full: Vec<_> = expected
            .iter()
            .filter(|chunk| *chunk != &Json::Array([].into()))
            .collect();
        assert_eq!(received.payload.chunks.len(), full.len(), "{name}");
        for (chunk, expected) in received.payload.chunks.iter().zip(full) {
            check_chunk(&name, chunk, expected.as_array().unwrap());
        }
    }
}

#[test]
fn what_recorded_headers_say_is_read() {
    let (received, headers) = replay("p0-dropped-empty-412.msgpack", &mut ChunkBuilder::default());
    assert_eq!(
        (
            received.client_dropped_p0_traces,
            received.client_dropped_p0_spans
        ),
        (1, 1)
    );
    assert!(headers.client_computed_stats);
    assert_eq!(&*headers.client, "ddtrace-py 4.1.2");
    assert_eq!(&*received.payload.tracer.language_version, "3.11.7");
    assert_eq!(received.payload.n_spans(), 0);
}

#[track_caller]
fn check_chunk(name: &str, chunk: &TraceChunk, expected: &[Json]) {
    assert_eq!(chunk.len(), expected.len(), "{name}");
    for (index, (span, expected)) in chunk.spans().zip(expected).enumerate() {
        if let Err(field) = compare(span, expected) {
            panic!("{name}: field {field} of span {index}:\n{span:?}\nis not\n{expected}");
        }
    }
}

/// The first field in which a span differs from its reading.
fn compare(span: Span<'_>, expected: &Json) -> Result<(), String> {
    let expected = expected.as_object().unwrap();
    for field in Field::ALL {
        let same = match (expected.get(field.name()), span.presence(field)) {
            (None, Presence::Absent) | (Some(Json::Null), Presence::Null) => true,
            (Some(sent), Presence::Present) => match span.field_text(field) {
                Some(text) => sent.as_str().map(str::as_bytes) == Some(text.as_bytes()),
                None => whole(sent) == Some(number(span, field)),
            },
            _ => false,
        };
        if !same {
            return Err(field.name().into());
        }
    }
    let is_plain = |name: &str| Field::ALL.iter().any(|field| field.name() == name);
    let mut sent = expected.iter().filter(|(name, _)| !is_plain(name));
    for (attribute, value) in span.attributes() {
        match sent.next() {
            Some((name, sent)) if name == attribute.name() && same_value(sent, value) => {}
            _ => return Err(attribute.name().into()),
        }
    }
    sent.next().map_or(Ok(()), |(name, _)| Err(name.clone()))
}

/// Ids have no sign, times have one.
fn number(span: Span<'_>, field: Field) -> i128 {
    let bits = span.field_number(field);
    match field {
        Field::TraceId | Field::SpanId | Field::ParentId => bits.into(),
        _ => bits.cast_signed().into(),
    }
}

fn whole(sent: &Json) -> Option<i128> {
    match sent {
        Json::Number(number) => number.to_string().parse().ok(),
        _ => sent.get("$int")?.as_str()?.parse().ok(),
    }
}

fn same_value(sent: &Json, value: Value<'_>) -> bool {
    match value {
        Value::Null => sent.is_null(),
        Value::Bool(bool) => *sent == bool,
        Value::Int(int) => whole(sent) == Some(int.into()),
        Value::Uint(uint) => whole(sent) == Some(uint.into()),
        Value::Float(float) => {
            let sent = sent.get("$float").and_then(Json::as_str);
            sent.is_some_and(|sent| sent.parse::<f64>().unwrap().to_bits() == float.to_bits())
        }
        Value::Text(text) => sent.as_str().map(str::as_bytes) == Some(text.as_bytes()),
        Value::Bytes(bytes) => {
            let sent = sent.get("$bytes").and_then(Json::as_str);
            sent.is_some_and(|sent| STANDARD.decode(sent).unwrap() == bytes)
        }
        Value::Array(items) => {
            let sent = sent.as_array();
            sent.is_some_and(|sent| {
                sent.len() == items.count() && sent.iter().zip(items).all(|(a, b)| same_value(a, b))
            })
        }
        Value::Map(entries) => {
            let sent = sent.as_object();
            sent.is_some_and(|sent| {
                sent.len() == entries.count()
                    && sent
                        .iter()
                        .zip(entries)
                        .all(|((key, a), (name, b))| name == key.as_str() && same_value(a, b))
            })
        }
    }
}
