//! What is answered, and what the request log says of it. Every answer that says yes has a body: a
//! tracer takes an empty one for a failure. Only in protobuf nothing is a whole message.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::ingest::{Brought, PayloadKind, Rejection, TraceFormat};
use crate::trace::printable;
use crate::wire::otlp;

use super::record::NOTE_BYTES_MAX;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// As it may be shown.
    pub(super) note: Box<str>,
    body: Bytes,
    content_type: HeaderValue,
    /// The methods to name in `Allow`.
    allow: &'static str,
    /// `Datadog-Rates-Payload-Version`, of rates that are not ours.
    rates_version: Option<HeaderValue>,
    /// Whether the connection ends with it, because the rest of the request was not read.
    ends_connection: bool,
}

impl Reply {
    /// An answer in JSON.
    pub(super) fn json(status: u16, body: Bytes, note: impl Into<Box<str>>) -> Self {
        Self {
            status,
            note: note.into(),
            body,
            content_type: JSON,
            allow: "",
            rates_version: None,
            ends_connection: false,
        }
    }

    /// A refusal, in one sentence that the client's log may show.
    pub(super) fn refusal(status: u16, reason: impl Into<Box<str>>) -> Self {
        // Names out of the body may be in it.
        let note = printable(&reason.into(), NOTE_BYTES_MAX);
        let body = format!("{note}\n").into();
        Self {
            content_type: TEXT,
            ..Self::json(status, body, note)
        }
    }

    /// The answer to a payload that was taken: the rates for spans, nothing for all else.
    pub(super) fn accepted(kind: PayloadKind, brought: &Brought, rates: Bytes) -> Self {
        let status = kind.accepted_status();
        let note = brought.summary();
        match kind {
            PayloadKind::Traces(TraceFormat::V01 | TraceFormat::V02) => Self {
                content_type: TEXT,
                ..Self::json(status, Bytes::from_static(b"OK\n"), note)
            },
            PayloadKind::Traces(_) => Self::json(status, rates, note),
            _ => Self::json(status, Bytes::from_static(b"{}"), note),
        }
    }

    /// The answer to OTLP that was taken, written as the request was.
    pub(super) fn otlp(encoding: otlp::Encoding, note: impl Into<Box<str>>) -> Self {
        let (content_type, body) = encoding.success();
        Self {
            content_type: HeaderValue::from_static(content_type),
            ..Self::json(200, Bytes::from_static(body), note)
        }
    }

    /// A refusal of OTLP.
    pub(super) fn otlp_refusal(encoding: otlp::Encoding, rejection: Rejection) -> Self {
        match encoding.refusal(&rejection.reason) {
            Some(body) => {
                let note = printable(&rejection.reason, NOTE_BYTES_MAX);
                Self::json(rejection.status, body.into(), note)
            }
            None => rejection.into(),
        }
    }

    pub(super) fn busy() -> Self {
        Self::refusal(
            429,
            "more arrives than can be taken in; it was refused, send it again later",
        )
    }

    /// The same answer with the rates of a real Agent.
    pub(super) fn of_agent(mut self, body: Bytes, rates_version: Option<HeaderValue>) -> Self {
        self.body = body;
        self.rates_version = rates_version;
        self
    }

    /// The same answer, with more for the request log than for the client.
    pub(super) fn noting(mut self, note: &str) -> Self {
        self.note = note.into();
        self
    }

    pub(super) fn naming_methods(mut self, allow: &'static str) -> Self {
        self.allow = allow;
        self
    }

    pub(super) fn ending_connection(mut self) -> Self {
        self.ends_connection = true;
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type);
        if !self.allow.is_empty() {
            headers.insert(ALLOW, HeaderValue::from_static(self.allow));
        }
        if let Some(version) = self.rates_version {
            headers.insert("datadog-rates-payload-version", version);
        }
        if self.ends_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Rejection> for Reply {
    fn from(rejection: Rejection) -> Self {
        Self::refusal(rejection.status, rejection.reason)
    }
}
