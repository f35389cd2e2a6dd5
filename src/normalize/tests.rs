//! Spans as tracers may send them, and what the Agent makes of them. The vectors are those of
//! `pkg/trace/agent/normalizer_test.go`, `truncator_test.go` and
//! `pkg/trace/traceutil/normalize/normalize_test.go` in `DataDog/datadog-agent`, and what its code
//! says of their neighbours.

mod chunk;
mod laws;
mod span;
mod texts;

use super::*;
use crate::trace::{Attribute, ChunkBuilder, Field, TraceChunk};

/// 2026-11-20, when every request of these tests comes.
const RECEIVED: UnixNanos = UnixNanos(1_795_204_425_287_000_000);

const REQUEST: Request<'static> = Request {
    language: "",
    received: RECEIVED,
    has_top_level: false,
};

/// A span to be built; like the one of the Agent's own tests.
#[derive(Clone, Debug)]
struct Sent {
    service: Vec<u8>,
    name: Vec<u8>,
    resource: Vec<u8>,
    kind: Vec<u8>,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: i64,
    duration: i64,
    meta: Vec<(Vec<u8>, Vec<u8>)>,
    metrics: Vec<(Vec<u8>, f64)>,
    link_names: Vec<Vec<u8>>,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            service: b"django".to_vec(),
            name: b"django.controller".to_vec(),
            resource: b"GET /some/raclette".to_vec(),
            kind: b"http".to_vec(),
            trace_id: 424_242,
            span_id: 42,
            parent_id: 1_111,
            start: 1_448_466_874_000_000_000,
            duration: 10_000_000,
            meta: tags(&[("user", "leo"), ("pool", "fondue")]),
            metrics: vec![(b"cheese_weight".to_vec(), 100_000.0)],
            link_names: vec![b"name".to_vec()],
        }
    }
}

fn tags(tags: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    tags.iter()
        .map(|(key, value)| (bytes(key), bytes(value)))
        .collect()
}

impl Sent {
    fn add_to(&self, builder: &mut ChunkBuilder) {
        builder.begin_span().unwrap();
        let texts = [
            (Field::Service, &self.service),
            (Field::Name, &self.name),
            (Field::Resource, &self.resource),
            (Field::Type, &self.kind),
        ];
        for (field, text) in texts {
            let text = builder.text(text).unwrap();
            builder.set_text(field, text);
        }
        let numbers = [
            (Field::TraceId, self.trace_id),
            (Field::SpanId, self.span_id),
            (Field::ParentId, self.parent_id),
            (Field::Start, self.start.cast_unsigned()),
            (Field::Duration, self.duration.cast_unsigned()),
        ];
        for (field, number) in numbers {
            builder.set_number(field, number);
        }
        let map = builder.attribute(Attribute::Meta).open_map();
        for (key, value) in &self.meta {
            let (key, value) = (builder.text(key).unwrap(), builder.text(value).unwrap());
            builder.writer().key(key);
            builder.writer().text(value);
        }
        builder.writer().close(map);
        let map = builder.attribute(Attribute::Metrics).open_map();
        for (key, value) in &self.metrics {
            let key = builder.text(key).unwrap();
            builder.writer().key(key);
            builder.writer().float(*value);
        }
        builder.writer().close(map);
        self.add_links_to(builder);
    }

    fn add_links_to(&self, builder: &mut ChunkBuilder) {
        let array = builder.attribute(Attribute::SpanLinks).open_array();
        for name in &self.link_names {
            let keys = ["attributes", "link.name"].map(|key| builder.text(key.as_bytes()).unwrap());
            let [attributes, link_name] = keys;
            let name = builder.text(name).unwrap();
            let mut writer = builder.writer();
            let link = writer.open_map();
            writer.key(attributes);
            let map = writer.open_map();
            writer.key(link_name);
            writer.text(name);
            writer.close(map);
            writer.close(link);
        }
        builder.writer().close(array);
    }
}

/// The chunks that a request with these spans in one chunk becomes: one for each trace id.
fn chunks_of(spans: &[Sent]) -> Vec<TraceChunk> {
    let mut builder = ChunkBuilder::default();
    for span in spans {
        span.add_to(&mut builder);
    }
    builder.finish()
}

fn chunk_of(sent: &Sent) -> TraceChunk {
    chunks_of(std::slice::from_ref(sent)).pop().unwrap()
}

/// The corrections as `field: before -> after (reason)`.
fn told(corrections: &[Correction<'_>]) -> Vec<String> {
    corrections
        .iter()
        .map(|correction| {
            let after = correction.after.as_deref().unwrap_or("(removed)");
            let reason = correction.rule.reason().unwrap_or("-");
            let (field, before) = (&correction.field, &correction.before);
            format!("{field}: {before} -> {after} ({reason})")
        })
        .collect()
}
