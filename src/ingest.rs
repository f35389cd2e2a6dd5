//! One request to what it brings: a payload for the store, or a rejection with its reason. Pure;
//! whoever has bytes (HTTP, a relay line, a file) calls [`receive`].

use crate::trace::{ChunkBuilder, TracerPayload, UnixNanos, Via};
use crate::wire::header::TraceHeaders;

/// What the shell hands to the loop.
#[derive(Debug)]
pub enum Inbound {
    /// A request that reached the agent, answered, with what it brought.
    Request(Box<Request>),
    /// Requests that were refused while the loop could not take even the word of it.
    Overflow(Overflow),
    /// Something the user should read, in one sentence.
    Notice(String),
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
    /// What an accepted trace payload brought.
    pub received: Option<Received>,
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

/// What kind of payload an endpoint takes; decides what a refusal counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestClass {
    /// Spans.
    Traces,
    /// Client-computed statistics.
    Stats,
    /// Log lines.
    Logs,
    /// Everything else: `/info`, telemetry, unknown paths.
    Other,
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
}

/// The shapes of a trace payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// Arrays of arrays of maps.
    V03,
    /// The same.
    V04,
    /// With a dictionary.
    V05,
    /// By content: v0.4-shaped, else v1.0.
    V10,
}

/// A request as the decoders need it.
#[derive(Debug)]
pub struct RequestBody<'a> {
    /// The shape its path stands for.
    pub format: TraceFormat,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// What the tracer says of itself.
    pub headers: TraceHeaders,
    /// The body.
    pub bytes: &'a [u8],
    /// When it came.
    pub at: UnixNanos,
    /// The way it came.
    pub via: Via,
}

/// Why a payload was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status of the answer.
    pub status: u16,
    /// What happened and what to do.
    pub reason: String,
}

/// Decodes a trace payload. A stand-in until the decoders are merged: it tells an array from
/// everything else and builds one span.
pub fn receive(body: &RequestBody<'_>, builder: &mut ChunkBuilder) -> Result<Received, Rejection> {
    if body.content_encoding.is_some() {
        return Err(Rejection {
            status: 501,
            reason: "compressed bodies are not taken".into(),
        });
    }
    let is_array = matches!(body.bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd | b'['));
    if !is_array {
        return Err(Rejection {
            status: 400,
            reason: "expected an array at byte 0".into(),
        });
    }
    builder.reset(1 << 26);
    let too_large = |error: crate::trace::TooLarge| Rejection {
        status: 413,
        reason: error.to_string(),
    };
    builder.begin_span().map_err(too_large)?;
    builder.raw(body.bytes).map_err(too_large)?;
    let chunks = builder.finish();
    Ok(Received {
        at: body.at,
        via: body.via,
        payload: TracerPayload {
            tracer: body.headers.tracer.clone(),
            chunks,
            n_chunks: 1,
        },
        client_dropped_p0_traces: body.headers.client_dropped_p0_traces,
        client_dropped_p0_spans: body.headers.client_dropped_p0_spans,
    })
}
