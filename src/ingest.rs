//! One request to what it brings: a payload for the store, or a rejection with its reason. Pure;
//! whoever has bytes (HTTP, a relay line, a file) calls [`bring`].

mod lines;
mod logs;
mod original;
mod relayed;

pub(crate) use crate::wire::encoding::BODY_BYTES_MAX;
pub(crate) use crate::wire::endpoint::AGENT_VERSION;
#[doc(hidden)]
pub use crate::wire::endpoint::{Action, ENDPOINTS};
pub use crate::wire::endpoint::{PayloadKind, RequestClass, TraceFormat};
pub use lines::{LineReader, Lines};
pub use original::{Keep, Original, Originals, Passage, is_passed_on};
#[doc(hidden)]
pub use relayed::bring_message;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::forward::Forwarded;
use crate::logs::LogRecord;
use crate::stats::{ClientStats, ClientTelemetry};
use crate::trace::{ChunkBuilder, Hello, RelaySource, TracerPayload, UnixNanos, Via, printable};
use crate::wire::encoding::{self, EncodingError};
use crate::wire::header::TraceHeaders;
use crate::wire::{DecodeError, json, log_writer, otlp, stats, telemetry, v04, v05, v07, v10};

/// What the shell hands to the loop.
#[derive(Debug)]
pub enum Inbound {
    /// A request that reached the agent, answered, with what it brought.
    Request(Box<Request>),
    /// Lines that were read, and what stood in them.
    Lines(Box<Lines>),
    /// Something became of the child.
    Child(ChildEvent),
    /// Requests that were refused while the loop could not take even the word of it.
    Overflow(Overflow),
    /// Something the user should read, in one sentence.
    Notice(String),
    /// What became of requests that were passed on.
    Forwarded(Forwarded),
}

/// What becomes of a program that we started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// It runs.
    Started {
        /// Its process.
        pid: u32,
    },
    /// It has ended, with the code a shell would give: its own, or 128 and the signal's number.
    Ended {
        /// That code.
        code: u8,
    },
    /// Nobody can write to its pipes any more, and they are read to the end.
    OutputEnded,
}

/// Requests refused with 429 because the inbox was full, and others that have no line of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Trace, stats and log payloads among them.
    pub payloads: u64,
    /// The chunks those announced in `X-Datadog-Trace-Count`.
    pub chunks: u64,
    /// What was no HTTP request at all, beside what has a line in the log of requests.
    pub unreadable: u64,
}

/// A request as the log of requests shows it, and the spans in it.
#[derive(Debug)]
pub struct Request {
    /// What is kept of every request.
    pub record: RequestRecord,
    /// What it brought, if it was accepted.
    pub brought: Brought,
}

impl Request {
    /// What it occupies in memory.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.brought.heap_bytes()
    }
}

/// What a request brings.
#[derive(Debug)]
pub enum Brought {
    /// Nothing that is kept.
    Nothing,
    /// Spans.
    Spans(Received),
    /// Log lines.
    Logs(Vec<LogRecord>),
    /// What a client counted of its spans.
    Stats(Box<ClientStats>),
    /// What a client says of itself.
    Telemetry(Box<ClientTelemetry>),
    /// A relay has begun to speak.
    Hello(Box<Hello>),
}

impl Brought {
    /// What it occupies in memory beside its own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Hello(_) | Self::Telemetry(_) => 0,
            Self::Stats(stats) => stats.heap_bytes(),
            Self::Spans(received) => received.payload.heap_bytes(),
            Self::Logs(records) => records.iter().map(LogRecord::heap_bytes).sum(),
        }
    }

    /// How much it is: `2 chunks, 9 spans`, `12 lines`, `6 buckets, 50 hits, 1 error`.
    pub fn summary(&self) -> String {
        let length = |number: usize, noun| Counted(u64::try_from(number).unwrap_or(u64::MAX), noun);
        match self {
            Self::Nothing | Self::Hello(_) => String::new(),
            Self::Spans(received) => format!(
                "{}, {}",
                length(received.payload.n_chunks, "chunk"),
                length(received.payload.n_spans(), "span")
            ),
            Self::Logs(records) => length(records.len(), "line").to_string(),
            Self::Stats(stats) => {
                let (hits, errors) = stats.hits_and_errors();
                format!(
                    "{}, {}, {}",
                    length(stats.buckets.len(), "bucket"),
                    Counted(hits, "hit"),
                    Counted(errors, "error")
                )
            }
            Self::Telemetry(telemetry) => telemetry_summary(telemetry),
        }
    }
}

/// `1 chunk`, `2 chunks`.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        let plural = if *number == 1 { "" } else { "s" };
        write!(f, "{number} {noun}{plural}")
    }
}

/// `150 spans created, 150 finished, 43 chunks dropped`; nothing where nothing was counted.
fn telemetry_summary(telemetry: &ClientTelemetry) -> String {
    let sums = &telemetry.sums;
    let mut parts = Vec::new();
    if sums.spans_created > 0 {
        parts.push(format!("{} created", Counted(sums.spans_created, "span")));
    }
    if sums.spans_finished > 0 {
        parts.push(format!("{} finished", sums.spans_finished));
    }
    if sums.trace_chunks_sent > 0 {
        parts.push(format!("{} sent", Counted(sums.trace_chunks_sent, "chunk")));
    }
    if sums.trace_chunks_dropped > 0 {
        let dropped = Counted(sums.trace_chunks_dropped, "chunk");
        parts.push(format!("{dropped} dropped"));
    }
    if telemetry.n_unreadable > 0 {
        let unread = Counted(telemetry.n_unreadable, "part");
        parts.push(format!("{unread} not readable, ignored"));
    }
    parts.join(", ")
}

/// A line of the request log. What most lines say alike is shared: a line is made in one thread and
/// freed in another, which costs more than all else about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// When its answer was decided.
    pub at: UnixNanos,
    /// The way it came.
    pub via: Via,
    /// `GET`, `POST`, `PUT`.
    pub method: Cow<'static, str>,
    /// The path as asked, without the token.
    pub path: Cow<'static, str>,
    /// The endpoint that answered, as `/info` lists it; empty for a path nobody serves.
    pub endpoint: Cow<'static, str>,
    /// What the endpoint takes.
    pub class: RequestClass,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the body.
    pub bytes: u64,
    /// Who asked: `ddtrace-py 4.1.2`, else the user agent, possibly empty.
    pub client: Arc<str>,
    /// What came of it: `1 chunk, 9 spans`, or why it was refused and what to do.
    pub note: Box<str>,
    /// Chunks announced in `X-Datadog-Trace-Count`, 0 without the header.
    pub announced_chunks: u64,
}

impl RequestRecord {
    /// Whether it was a trace, stats or log payload that was not answered 2xx.
    pub fn is_refused_payload(&self) -> bool {
        self.class != RequestClass::Other && !(200..300).contains(&self.status)
    }
}

/// Spans on their way to the store.
#[derive(Debug)]
pub struct Received {
    /// When they came.
    pub at: UnixNanos,
    /// The way they came.
    pub via: Via,
    /// The spans.
    pub payload: TracerPayload,
    /// `Datadog-Client-Dropped-P0-Traces`: what the client sampled away before sending.
    pub client_dropped_p0_traces: u64,
    /// `Datadog-Client-Dropped-P0-Spans`.
    pub client_dropped_p0_spans: u64,
    /// `Datadog-Client-Computed-Stats`: the client counts these spans itself, and tells later.
    pub client_computed_stats: bool,
    /// `Datadog-Client-Computed-Top-Level`: the client marks the spans that enter a service.
    pub client_computed_top_level: bool,
    /// The relay that passed them on.
    pub relay: Option<RelaySource>,
}

impl Received {
    /// Spans of which no header says more.
    pub fn new(at: UnixNanos, via: Via, payload: TracerPayload) -> Self {
        Self {
            at,
            via,
            payload,
            client_dropped_p0_traces: 0,
            client_dropped_p0_spans: 0,
            client_computed_stats: false,
            client_computed_top_level: false,
            relay: None,
        }
    }
}

/// The request of a payload, read to its end.
#[derive(Debug)]
pub struct RequestBody<'a> {
    /// What its endpoint takes.
    pub kind: PayloadKind,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// The other headers.
    pub headers: TraceHeaders,
    /// The body.
    pub bytes: &'a [u8],
    /// When it came.
    pub at: UnixNanos,
    /// The way it came.
    pub via: Via,
}

/// A content type longer than this is cut in what is told of it.
const CONTENT_TYPE_BYTES_MAX: usize = 64;

/// Why a request brings nothing, and how to answer it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// The status of the answer.
    pub status: u16,
    /// What is wrong and what to do, for the answer and the request log.
    pub reason: String,
}

impl Rejection {
    fn unknown_type(content_type: Option<&str>) -> Self {
        let content_type = printable(content_type.unwrap_or_default(), CONTENT_TYPE_BYTES_MAX);
        Self {
            status: 415,
            reason: format!(
                "OTLP is not read as {content_type}. Send application/x-protobuf \
                 (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf) or application/json"
            ),
        }
    }
}

impl From<EncodingError> for Rejection {
    fn from(error: EncodingError) -> Self {
        Self {
            status: error.status(),
            reason: error.to_string(),
        }
    }
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self {
            status: 400,
            reason: error.to_string(),
        }
    }
}

/// Decodes the body of a payload.
pub fn bring(body: &RequestBody<'_>, builder: &mut ChunkBuilder) -> Result<Brought, Rejection> {
    let unpacked = encoding::unpack(body.bytes, body.content_encoding, BODY_BYTES_MAX);
    let bytes = match (unpacked, body.kind) {
        (Ok(bytes), _) => bytes,
        (Err(_packed_badly), PayloadKind::Telemetry) => {
            return Ok(Brought::Telemetry(Box::new(ClientTelemetry::unreadable())));
        }
        (Err(error), _) => return Err(error.into()),
    };
    let payload = match body.kind {
        PayloadKind::Traces(format) => decode(format, body.content_type, &bytes, builder)?,
        PayloadKind::Intake if is_agentless(&bytes) => json::decode_traces(&bytes, builder)?,
        PayloadKind::Logs | PayloadKind::Intake => {
            return logs::records(&bytes, body.content_type, body.at).map(Brought::Logs);
        }
        PayloadKind::Stats => {
            let mut stats = stats::decode(&bytes)?;
            stats.source.complete_from(&body.headers.tracer);
            stats.body = (*bytes).into();
            return Ok(Brought::Stats(Box::new(stats)));
        }
        PayloadKind::Telemetry => {
            return Ok(Brought::Telemetry(Box::new(telemetry::read(&bytes))));
        }
    };
    Ok(Brought::Spans(receive(payload, body)))
}

/// Whether what came without an Agent are spans, as its first member tells.
fn is_agentless(bytes: &[u8]) -> bool {
    /// More than anybody's white space.
    const HEAD_BYTES: usize = 256;
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    log_writer::begins_traces(&String::from_utf8_lossy(head))
}

fn receive(mut payload: TracerPayload, body: &RequestBody<'_>) -> Received {
    let of_headers = &body.headers.tracer;
    payload.tracer = if payload.tracer.is_empty() {
        Arc::clone(of_headers)
    } else {
        Arc::unwrap_or_clone(payload.tracer).or(of_headers).into()
    };
    let via = match body.kind {
        PayloadKind::Traces(format) => format.via(body.via),
        _ => body.via,
    };
    Received {
        at: body.at,
        via,
        payload,
        client_dropped_p0_traces: body.headers.client_dropped_p0_traces,
        client_dropped_p0_spans: body.headers.client_dropped_p0_spans,
        client_computed_stats: body.headers.client_computed_stats,
        client_computed_top_level: body.headers.client_computed_top_level,
        relay: None,
    }
}

fn decode(
    format: TraceFormat,
    content_type: Option<&str>,
    bytes: &[u8],
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, Rejection> {
    Ok(match (Shape::of(format, content_type, bytes), format) {
        (Shape::Json, TraceFormat::V01) => json::decode_spans(bytes, builder)?,
        (Shape::Json, _) => json::decode_chunks(bytes, builder)?,
        (_, TraceFormat::V01 | TraceFormat::V02) => {
            return Err(Rejection {
                status: 415,
                reason: "unsupported media type: v0.1 and v0.2 are JSON only. Send \
                         application/json, or msgpack to /v0.4/traces"
                    .into(),
            });
        }
        (Shape::V04, _) => v04::decode(bytes, builder)?,
        (Shape::V05, _) => v05::decode(bytes, builder)?,
        (Shape::V07, _) => v07::decode(bytes, builder)?,
        (Shape::V10, _) => v10::decode(bytes, builder)?,
        (Shape::Otlp(Some(encoding)), _) => otlp::decode(bytes, encoding, builder)?,
        (Shape::Otlp(None), _) => return Err(Rejection::unknown_type(content_type)),
    })
}

/// What a body is, as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    V04,
    V05,
    V07,
    V10,
    Json,
    /// OTLP, and how it is written; none where that is neither of its two ways.
    Otlp(Option<otlp::Encoding>),
}

impl Shape {
    /// Clients send msgpack labelled as JSON and v0.4 to `/v1.0/traces`, so the content decides
    /// where it can. The bytes that begin a JSON text begin no msgpack array or map.
    fn of(format: TraceFormat, content_type: Option<&str>, bytes: &[u8]) -> Self {
        let first = bytes.first().copied();
        let says = |types| content_type.is_some_and(|content_type| is_one_of(content_type, types));
        let says_json = says(&["application/json", "text/json"]);
        let says_msgpack = says(&["application/msgpack"]);
        match (format, first) {
            (TraceFormat::Otlp, _) => Self::Otlp(otlp::Encoding::of(content_type, bytes)),
            (TraceFormat::V05, _) => Self::V05,
            (_, Some(0x90..=0x9f | 0xdc | 0xdd | 0xc0)) => Self::V04,
            (TraceFormat::V07, Some(0x80..=0x8f | 0xde | 0xdf)) => Self::V07,
            (TraceFormat::V10, Some(0x80..=0x8f | 0xde | 0xdf)) => Self::V10,
            (_, Some(b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n')) => Self::Json,
            _ if says_json => Self::Json,
            // JSON only: what does not claim to be msgpack either is JSON that is broken.
            (TraceFormat::V01 | TraceFormat::V02, _) if !says_msgpack => Self::Json,
            _ => Self::V04,
        }
    }
}

fn is_one_of(content_type: &str, types: &[&str]) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    types
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
