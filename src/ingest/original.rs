//! A request as it came, for a real Agent to have as well. Made where the bytes still are; sent by
//! whoever has sockets.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::{Brought, PayloadKind, RequestBody, bring};
use crate::trace::{ChunkBuilder, TracerInfo, TracerPayload, UnixNanos, Via};
use crate::wire::endpoint::{self, Action, Endpoint, TraceFormat};
use crate::wire::header::TraceHeaders;
use crate::wire::outgoing::Chunks;

/// Where spans go that came by a way, or in a format, which an Agent does not take.
const V04: &str = "/v0.4/traces";

/// Said even where it is not known, as of what was printed: Datadog's test agent refuses payloads
/// without it, and to an Agent an empty one is none.
const TRACER_VERSION: &str = "Datadog-Meta-Tracer-Version";

/// Headers of one connection, which mean nothing on the next, and those that every sender writes itself.
const OF_CONNECTION: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a real Agent gets a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It does not: it has no such path, or what it answers must not reach the client.
    Kept,
    /// As it came.
    AsItCame,
    /// Its spans as v0.4.
    AsV04,
}

impl Passage {
    /// How the requests for an endpoint go.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        match endpoint.action {
            Action::Take(PayloadKind::Traces(TraceFormat::Otlp) | PayloadKind::Intake) => {
                Self::AsV04
            }
            Action::Take(PayloadKind::Logs) | Action::Info | Action::AcknowledgeOtlp(_) => {
                Self::Kept
            }
            // Whoever asks an Agent for its configuration is to get its answer.
            Action::Acknowledge { .. } if endpoint.path == "/v0.7/config" => Self::Kept,
            Action::Take(_) | Action::Acknowledge { .. } => Self::AsItCame,
        }
    }

    /// How the requests for a path go, which is plain and without a token.
    pub fn of_path(path: &str) -> Self {
        endpoint::find(path).map_or(Self::Kept, Self::of)
    }
}

/// Whether a header is part of what a client says, by its name in lower case.
pub fn is_passed_on(header: &str) -> bool {
    !OF_CONNECTION.contains(&header)
}

/// A request for a real Agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// `PUT`, `POST`.
    pub method: Box<str>,
    /// Path and query, without the token.
    pub path: Box<str>,
    /// The client's headers, in their order.
    pub headers: Vec<(Box<str>, Box<[u8]>)>,
    /// The body.
    pub body: Bytes,
    /// Spans in it.
    pub n_spans: u64,
}

impl Original {
    /// What it occupies in memory.
    pub fn heap_bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len() + 64);
        self.body.len() + self.path.len() + headers.sum::<usize>() + size_of::<Self>()
    }

    /// Spans as v0.4.
    pub fn of_spans(payload: &TracerPayload) -> Self {
        let mut printed = Printed::of(&payload.tracer);
        printed.push(payload);
        printed.into_original()
    }

    /// The same as v0.4, for an Agent that does not know its path; `None` if that says no more.
    pub fn as_v04(&self) -> Option<Self> {
        let path = self.path.split('?').next().unwrap_or_default();
        let action = endpoint::find(path)?.action;
        let Action::Take(kind @ (PayloadKind::Traces(_) | PayloadKind::Intake)) = action else {
            return None;
        };
        if path == V04 {
            return None;
        }
        let header = |name: &str| {
            let mut headers = self.headers.iter();
            let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| &**value)
        };
        let text = |name| header(name).and_then(|value| std::str::from_utf8(value).ok());
        let body = RequestBody {
            kind,
            content_type: text("content-type"),
            content_encoding: text("content-encoding"),
            headers: TraceHeaders::read(header),
            bytes: &self.body,
            at: UnixNanos::default(),
            via: Via::Http,
        };
        let Ok(Brought::Spans(received)) = bring(&body, &mut ChunkBuilder::default()) else {
            return None;
        };
        let spans = Self::of_spans(&received.payload);
        let is_body = |name: &str| {
            let about_body = ["content-type", "content-encoding", "x-datadog-trace-count"];
            about_body
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        };
        let said = self.headers.iter().filter(|(name, _)| !is_body(name));
        let said: Vec<_> = said.cloned().collect();
        let is_said = |name: &str| {
            said.iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let made = spans.headers.into_iter();
        let made = made.filter(|(name, _)| !is_said(name)).collect::<Vec<_>>();
        Some(Self {
            headers: said.into_iter().chain(made).collect(),
            ..spans
        })
    }
}

/// Spans out of lines, gathered so that not each line becomes a request.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    tracer: Arc<TracerInfo>,
    chunks: Chunks,
    n_spans: usize,
}

/// A request is not made larger than this by gathering.
const PRINTED_BYTES_MAX: usize = 1024 * 1024;

impl Printed {
    pub(crate) fn of(tracer: &Arc<TracerInfo>) -> Self {
        Self {
            tracer: Arc::clone(tracer),
            chunks: Chunks::default(),
            n_spans: 0,
        }
    }

    pub(crate) fn push(&mut self, payload: &TracerPayload) {
        self.chunks.push(payload);
        self.n_spans += payload.n_spans();
    }

    /// Whether spans of a tracer can go with these.
    fn takes(&self, tracer: &TracerInfo) -> bool {
        *self.tracer == *tracer && self.chunks.heap_bytes() < PRINTED_BYTES_MAX
    }

    fn into_original(self) -> Original {
        let tracer = &self.tracer;
        let count = self.chunks.n_chunks().to_string();
        let headers = [
            ("Content-Type", "application/msgpack"),
            ("Datadog-Meta-Lang", &*tracer.language),
            ("Datadog-Meta-Lang-Version", &*tracer.language_version),
            (TRACER_VERSION, &*tracer.tracer_version),
            ("Datadog-Container-ID", &*tracer.container_id),
            ("X-Datadog-Trace-Count", &*count),
        ];
        let headers = headers.into_iter();
        let headers = headers.filter(|(name, value)| *name == TRACER_VERSION || !value.is_empty());
        let headers = headers.map(|(name, value)| (name.into(), value.as_bytes().into()));
        Original {
            method: "PUT".into(),
            path: V04.into(),
            headers: headers.collect(),
            n_spans: u64::try_from(self.n_spans).unwrap_or(u64::MAX),
            body: self.chunks.into_body().into(),
        }
    }
}

/// Requests that stood in lines, to be passed on.
#[derive(Debug, Default)]
pub struct Originals {
    relayed: Vec<Original>,
    printed: Vec<Printed>,
}

impl Originals {
    /// Adds spans that a program printed.
    pub(super) fn print(&mut self, payload: &TracerPayload) {
        match self.printed.last_mut() {
            Some(printed) if printed.takes(&payload.tracer) => printed.push(payload),
            _ => {
                let mut printed = Printed::of(&payload.tracer);
                printed.push(payload);
                self.printed.push(printed);
            }
        }
    }

    /// Adds a request that a relay passed on.
    pub(super) fn relay(&mut self, original: Original) {
        self.relayed.push(original);
    }

    /// Adds what came after it.
    pub(super) fn append(&mut self, more: Self) {
        self.relayed.extend(more.relayed);
        self.printed.extend(more.printed);
    }

    /// What it occupies in memory.
    pub(super) fn heap_bytes(&self) -> usize {
        let relayed = self.relayed.iter().map(Original::heap_bytes);
        let printed = self
            .printed
            .iter()
            .map(|printed| printed.chunks.heap_bytes());
        relayed.sum::<usize>() + printed.sum::<usize>()
    }

    /// Takes them out.
    pub fn take(&mut self) -> impl Iterator<Item = Original> + use<> {
        let Self { relayed, printed } = mem::take(self);
        let printed = printed.into_iter().map(Printed::into_original);
        relayed.into_iter().chain(printed)
    }
}

/// Whether the requests in lines are kept as they came, to be passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What they bring is enough.
    #[default]
    Nothing,
    /// They are to be passed on.
    Originals,
}

#[cfg(test)]
mod tests;
