//! Traces made by hand, through the same builder that decoders use.

use crate::ingest::{Inbound, Lines, Received, Request, RequestClass, RequestRecord};
use crate::logs::{Level, LogRecord, LogSource};
use crate::trace::{
    Attribute, ChunkBuilder, Field, Now, SpanId, TraceChunk, TraceId, TracerInfo, TracerPayload,
    UnixNanos, Via,
};

/// When the tests take place.
pub(super) const NOON: i64 = 1_795_176_000_000_000_000;
pub(super) const MS: i64 = 1_000_000;

/// A moment some milliseconds after the start.
pub(super) fn at(millis: i64) -> Now {
    Now {
        wall: UnixNanos(NOON + millis * MS),
        uptime_ns: u64::try_from(millis * MS).unwrap(),
    }
}

/// A span to be made.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanSpec {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) resource: String,
    pub(super) start_ms: i64,
    pub(super) duration_ns: i64,
    pub(super) error: bool,
    pub(super) meta: Vec<(String, String)>,
    pub(super) metrics: Vec<(String, f64)>,
}

/// A root of a service, named and timed.
pub(super) fn root(id: u64, resource: &str, duration_ms: i64) -> SpanSpec {
    SpanSpec {
        id,
        service: "gen-api".into(),
        name: "fastapi.request".into(),
        resource: resource.into(),
        duration_ns: duration_ms * MS,
        metrics: vec![("_sampling_priority_v1".into(), 1.0)],
        ..SpanSpec::default()
    }
}

impl SpanSpec {
    /// A child of another span.
    pub(super) fn under(parent: u64, id: u64, name: &str, start_ms: i64, duration_ms: i64) -> Self {
        Self {
            id,
            parent,
            service: "vllm".into(),
            name: name.into(),
            resource: name.into(),
            start_ms,
            duration_ns: duration_ms * MS,
            ..Self::default()
        }
    }

    pub(super) fn tag(mut self, key: &str, value: &str) -> Self {
        self.meta.push((key.into(), value.into()));
        self
    }

    pub(super) fn metric(mut self, key: &str, value: f64) -> Self {
        self.metrics.retain(|(name, _)| name != key);
        self.metrics.push((key.into(), value));
        self
    }

    pub(super) fn failed(mut self, kind: &str, message: &str) -> Self {
        self.error = true;
        self.tag("error.type", kind).tag("error.message", message)
    }
}

/// A chunk of one trace; the trace id's low half is given, the high half is a tag of the first span.
pub(super) fn chunk(trace_low: u64, spans: &[SpanSpec]) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    for (place, span) in spans.iter().enumerate() {
        builder.begin_span().unwrap();
        for (field, text) in [
            (Field::Service, &span.service),
            (Field::Name, &span.name),
            (Field::Resource, &span.resource),
        ] {
            let text = builder.text(text.as_bytes()).unwrap();
            builder.set_text(field, text);
        }
        builder.set_number(Field::TraceId, trace_low);
        builder.set_number(Field::SpanId, span.id);
        builder.set_number(Field::ParentId, span.parent);
        let start = NOON.wrapping_add(span.start_ms.wrapping_mul(MS));
        builder.set_number(Field::Start, start.cast_unsigned());
        builder.set_number(Field::Duration, span.duration_ns.cast_unsigned());
        builder.set_number(Field::Error, u64::from(span.error));
        let mut meta = span.meta.clone();
        if place == 0 {
            meta.push(("_dd.p.tid".into(), "67b1a0c200000000".into()));
        }
        write_meta(&mut builder, &meta);
        write_metrics(&mut builder, &span.metrics);
    }
    builder.finish().pop().unwrap()
}

fn write_meta(builder: &mut ChunkBuilder, meta: &[(String, String)]) {
    let mut texts = Vec::new();
    for (key, value) in meta {
        let key = builder.text(key.as_bytes()).unwrap();
        texts.push((key, builder.text(value.as_bytes()).unwrap()));
    }
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    for (key, value) in texts {
        writer.key(key);
        writer.text(value);
    }
    writer.close(map);
}

fn write_metrics(builder: &mut ChunkBuilder, metrics: &[(String, f64)]) {
    let mut keys = Vec::new();
    for (key, value) in metrics {
        keys.push((builder.text(key.as_bytes()).unwrap(), *value));
    }
    let mut writer = builder.attribute(Attribute::Metrics);
    let map = writer.open_map();
    for (key, value) in keys {
        writer.key(key);
        writer.float(value);
    }
    writer.close(map);
}

/// A payload of traces as it comes from the agent.
pub(super) fn payload(chunks: Vec<TraceChunk>, now: Now) -> Inbound {
    payload_by(Via::Http, chunks, now)
}

/// A payload of traces that came some way.
pub(super) fn payload_by(via: Via, chunks: Vec<TraceChunk>, now: Now) -> Inbound {
    let n_chunks = chunks.len();
    let received = Received::new(
        now.wall,
        via,
        TracerPayload {
            tracer: TracerInfo::default().into(),
            chunks,
            n_chunks,
            form: crate::trace::PayloadForm::default(),
        },
    );
    let n_spans = received.payload.n_spans();
    let record = RequestRecord {
        via,
        note: format!("{n_chunks} chunks, {n_spans} spans").into(),
        ..record("PUT", "/v0.5/traces", 200, now)
    };
    Inbound::Request(Box::new(Request {
        record,
        brought: crate::ingest::Brought::Spans(received),
    }))
}

/// A request without spans.
pub(super) fn record(method: &str, path: &str, status: u16, now: Now) -> RequestRecord {
    RequestRecord {
        at: now.wall,
        via: Via::Http,
        method: method.to_owned().into(),
        path: path.to_owned().into(),
        endpoint: path.to_owned().into(),
        class: if path.ends_with("traces") {
            RequestClass::Traces
        } else {
            RequestClass::Other
        },
        status,
        bytes: 2_100,
        client: "ddtrace-py 4.1.2".into(),
        note: "".into(),
        announced_chunks: 1,
    }
}

/// Six traces as a service might send them: slow with an error, fast, rejected, unfinished.
pub(super) fn story() -> Vec<TraceChunk> {
    let rule = |span: SpanSpec| {
        span.metric("_sampling_priority_v1", -1.0)
            .metric("_dd.rule_psr", 0.3)
            .tag("_dd.p.dm", "-3")
    };
    let rate = |span: SpanSpec| {
        span.metric("_sampling_priority_v1", 0.0)
            .metric("_dd.agent_psr", 0.5)
    };
    vec![
        chunk(101, &[rule(root(1, "POST /v1/embed", 187))]),
        chunk(
            102,
            &[SpanSpec::under(9, 2, "llm.generate", 40, 1_160).failed("TimeoutError", "")],
        ),
        chunk(103, &[rate(root(3, "GET /healthz", 3))]),
        chunk(
            104,
            &[
                root(4, "POST /v1/generate", 412).tag("document.id", "doc-7"),
                SpanSpec::under(4, 5, "redis.get", 10, 31),
            ],
        ),
        chunk(
            105,
            &[root(6, "POST /v1/embed", 202).failed("KeyError", "'pages'")],
        ),
        chunk(
            106,
            &[
                root(10, "POST /v1/generate", 1_940),
                SpanSpec::under(10, 11, "cold_start", 0, 1_160),
                SpanSpec::under(11, 12, "import torch", 0, 702),
                SpanSpec::under(10, 13, "llm.generate", 1_300, 611),
                SpanSpec::under(13, 14, "vllm.decode", 1_448, 462)
                    .failed("CudaOOM", "out of memory: tried to allocate 2.4 GiB")
                    .tag("model", "qwen2-7b"),
            ],
        ),
    ]
}

/// A line that a child printed.
pub(super) fn line(text: &str, now: Now) -> LogRecord {
    LogRecord::parse(text, LogSource::Stdout, now.wall)
}

/// Lines as they come from a child.
pub(super) fn lines(records: Vec<LogRecord>) -> Inbound {
    Inbound::Lines(Box::new(Lines {
        records,
        ..Lines::default()
    }))
}

/// A line as it was read, at a moment after the start, without ids.
pub(super) fn printed(text: &str, at_ms: i64) -> LogRecord {
    LogRecord::parse(text, LogSource::Stdout, at(at_ms).wall)
}

/// A line that says its level and its time, and names a span of a trace.
pub(super) fn joined(text: &str, level: Level, at_ms: i64, (trace, span): (u64, u64)) -> LogRecord {
    let mut record = printed(text, at_ms + 3_000);
    record.level = Some(level);
    record.time = Some(at(at_ms).wall);
    record.ids.trace = TraceId::from_halves(0x67b1_a0c2_0000_0000, trace);
    record.ids.span = SpanId(span);
    record
}

/// A traceback as structlog prints it.
pub(super) const TRACEBACK: &str = r#"{"event":"generate.failed","level":"error","exception":"Traceback (most recent call last):\n  File \"/app/serve.py\", line 41, in generate\n    out = self.llm.generate(prompt, params)\n  File \"/app/engine.py\", line 130, in generate\n    return self.step(batch)\n  File \"/app/engine.py\", line 212, in step\n    hidden = self.model(batch.tokens)\n  File \"/app/model.py\", line 88, in forward\n    kv = torch.empty(shape, device=self.device)\nCudaOOM: out of memory: tried to allocate 2.4 GiB","batch_size":16,"gpu":{"index":0,"total":"22.2 GiB"}}"#;

/// What the service of [`story`] printed: structlog of three levels and a traceback, a plain line,
/// one from stderr, one of a container, one that names a trace nobody has seen.
pub(super) fn log_story() -> Vec<LogRecord> {
    let of = |span| (106, span);
    let loaded = r#"{"event":"model.loaded","level":"info","weights":"4.1GB","secs":0.41}"#;
    let accepted = r#"{"event":"request.accepted","level":"info","tokens_in":812,"user":"u_19"}"#;
    let split =
        r#"{"event":"batch.split","level":"warning","from":16,"to":8,"reason":"kv cache 97%"}"#;
    let late = r#"{"event":"usage.inserted","level":"debug","rows":1}"#;
    let mut stderr = printed("UserWarning: TypedStorage is deprecated", 2_100);
    stderr.source = LogSource::Stderr;
    let mut other = joined(accepted, Level::Info, 200, (104, 4));
    other.container = Some("ta-01KAXR3M2W9PQK".into());
    let mut unseen = joined(
        r#"{"event":"request.accepted","level":"info"}"#,
        Level::Info,
        900,
        (7, 7),
    );
    unseen.container = Some("ta-01KAXR3M2W9P7M".into());
    vec![
        printed("Started server process [1]", 2_000),
        stderr,
        other,
        joined(loaded, Level::Info, 912, of(11)),
        joined(accepted, Level::Info, 1_402, of(13)),
        joined(split, Level::Warn, 1_611, of(14)),
        unseen,
        joined(TRACEBACK, Level::Error, 1_934, of(14)),
        joined(late, Level::Debug, 2_400, of(99)),
    ]
}
