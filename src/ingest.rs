//! One request to what it brings: a payload for the store, or a rejection with its reason. Pure;
//! whoever has bytes (HTTP, a relay line, a file) calls [`receive`].

use crate::trace::{TracerPayload, UnixNanos, Via};

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
