//! One request to what it brings: a payload for the store, or a rejection with its reason. Pure;
//! whoever has bytes (HTTP, a relay line, a file) calls [`bring`].

mod lines;
mod logs;
mod relayed;

pub(crate) use crate::wire::encoding::BODY_BYTES_MAX;
pub use crate::wire::endpoint::{RequestClass, TraceFormat};
pub use lines::{LineReader, Lines};

use crate::logs::LogRecord;
use crate::stats::{ClientStats, ClientTelemetry};
use crate::trace::{ChunkBuilder, Hello, RelaySource, TracerPayload, UnixNanos, Via};
use crate::wire::encoding::{self, EncodingError};
use crate::wire::header::TraceHeaders;
use crate::wire::{DecodeError, stats, telemetry, v04, v05};

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

/// Requests refused with 429 because the inbox was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Trace, stats and log payloads among them.
    pub payloads: u64,
    /// The chunks those announced in `X-Datadog-Trace-Count`.
    pub chunks: u64,
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
        let length = |number: usize, noun| counted(u64::try_from(number).unwrap_or(u64::MAX), noun);
        match self {
            Self::Nothing | Self::Hello(_) => String::new(),
            Self::Spans(received) => format!(
                "{}, {}",
                length(received.payload.n_chunks, "chunk"),
                length(received.payload.n_spans(), "span")
            ),
            Self::Logs(records) => length(records.len(), "line"),
            Self::Stats(stats) => {
                let (hits, errors) = stats.hits_and_errors();
                format!(
                    "{}, {}, {}",
                    length(stats.buckets.len(), "bucket"),
                    counted(hits, "hit"),
                    counted(errors, "error")
                )
            }
            Self::Telemetry(telemetry) => telemetry_summary(telemetry),
        }
    }
}

/// `1 chunk`, `2 chunks`.
fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// `150 spans created, 150 finished, 43 chunks dropped`; nothing where nothing was counted.
fn telemetry_summary(telemetry: &ClientTelemetry) -> String {
    let sums = &telemetry.sums;
    let mut parts = Vec::new();
    if sums.spans_created > 0 {
        parts.push(format!("{} created", counted(sums.spans_created, "span")));
    }
    if sums.spans_finished > 0 {
        parts.push(format!("{} finished", sums.spans_finished));
    }
    if sums.trace_chunks_sent > 0 {
        parts.push(format!("{} sent", counted(sums.trace_chunks_sent, "chunk")));
    }
    if sums.trace_chunks_dropped > 0 {
        let dropped = counted(sums.trace_chunks_dropped, "chunk");
        parts.push(format!("{dropped} dropped"));
    }
    if telemetry.n_unreadable > 0 {
        let unread = counted(telemetry.n_unreadable, "part");
        parts.push(format!("{unread} not readable, ignored"));
    }
    parts.join(", ")
}

/// A line of the request log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// When its answer was decided.
    pub at: UnixNanos,
    /// The way it came.
    pub via: Via,
    /// `GET`, `POST`, `PUT`.
    pub method: Box<str>,
    /// The path as asked, without the token.
    pub path: Box<str>,
    /// The endpoint that answered, as `/info` lists it; empty for a path nobody serves.
    pub endpoint: Box<str>,
    /// What the endpoint takes.
    pub class: RequestClass,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the body.
    pub bytes: u64,
    /// Who asked: `ddtrace-py 4.1.2`, else the user agent, possibly empty.
    pub client: Box<str>,
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
    /// The relay that passed them on.
    pub relay: Option<RelaySource>,
}

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Spans.
    Traces(TraceFormat),
    /// Log lines.
    Logs,
    /// What a client counted.
    Stats,
    /// What a client says of itself.
    Telemetry,
}

impl PayloadKind {
    /// The status of the answer to one that was taken.
    pub fn accepted_status(self) -> u16 {
        match self {
            Self::Traces(_) | Self::Stats => 200,
            Self::Logs | Self::Telemetry => 202,
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
    fn not_built(reason: impl Into<String>) -> Self {
        Self {
            status: 501,
            reason: reason.into(),
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
    if body.kind == PayloadKind::Telemetry {
        let read = unpacked.map_or_else(
            |_packed_badly| ClientTelemetry::unreadable(),
            |bytes| telemetry::read(&bytes),
        );
        return Ok(Brought::Telemetry(Box::new(read)));
    }
    let bytes = unpacked?;
    match body.kind {
        PayloadKind::Traces(format) => receive(format, body, &bytes, builder).map(Brought::Spans),
        PayloadKind::Logs => logs::records(&bytes, body.content_type, body.at).map(Brought::Logs),
        PayloadKind::Stats => {
            let mut stats = stats::decode(&bytes)?;
            stats.source.complete_from(&body.headers.tracer);
            Ok(Brought::Stats(Box::new(stats)))
        }
        PayloadKind::Telemetry => Ok(Brought::Nothing),
    }
}

fn receive(
    format: TraceFormat,
    body: &RequestBody<'_>,
    bytes: &[u8],
    builder: &mut ChunkBuilder,
) -> Result<Received, Rejection> {
    let mut payload = match Shape::of(format, body.content_type, bytes) {
        Shape::V04 => v04::decode(bytes, builder)?,
        Shape::V05 => v05::decode(bytes, builder)?,
        Shape::V10 => {
            return Err(Rejection::not_built(
                "trace payloads of v1.0 are not read yet. Set DD_TRACE_API_VERSION=v0.4 (Python) \
                 or DD_TRACE_AGENT_PROTOCOL_VERSION=0.4 (Node.js, Go) in the traced program",
            ));
        }
        Shape::Json => {
            return Err(Rejection::not_built(
                "trace payloads in JSON are not read yet. Send msgpack with \
                 content-type: application/msgpack",
            ));
        }
    };
    payload.tracer = body.headers.tracer.clone();
    Ok(Received {
        at: body.at,
        via: body.via,
        payload,
        client_dropped_p0_traces: body.headers.client_dropped_p0_traces,
        client_dropped_p0_spans: body.headers.client_dropped_p0_spans,
        client_computed_stats: body.headers.client_computed_stats,
        relay: None,
    })
}

/// What a body is, as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    V04,
    V05,
    V10,
    Json,
}

impl Shape {
    /// Clients send msgpack labelled as JSON and v0.4 to `/v1.0/traces`, so the content decides
    /// where it can. The bytes that begin a JSON text begin no msgpack array or map.
    fn of(format: TraceFormat, content_type: Option<&str>, bytes: &[u8]) -> Self {
        let first = bytes.first().copied();
        let says_json = content_type.is_some_and(is_json);
        match (format, first) {
            (TraceFormat::V05, _) => Self::V05,
            (_, Some(0x90..=0x9f | 0xdc | 0xdd | 0xc0)) => Self::V04,
            (TraceFormat::V10, Some(0x80..=0x8f | 0xde | 0xdf)) => Self::V10,
            (_, Some(b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n')) => Self::Json,
            _ if says_json => Self::Json,
            _ => Self::V04,
        }
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["application/json", "text/json"]
        .iter()
        .any(|json| essence.eq_ignore_ascii_case(json))
}

#[cfg(test)]
mod tests;
