//! One request to its answer. Nothing is answered with yes before it is in the inbox, and nothing
//! is answered at all without a record of it.

use std::cell::RefCell;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};

use crate::ingest::{self, Brought, Inbound, PayloadKind, Rejection, RequestBody, TraceFormat};
use crate::io::clock;
use crate::sampler::Process;
use crate::trace::{ChunkBuilder, UnixNanos, Via};
use crate::wire::header::TraceHeaders;
use crate::wire::otlp::Encoding;

use super::body::{self, Problem};
use super::connection::Connection;
use super::passing::Passing;
use super::record::{self, Pending};
use super::reply::Reply;
use super::route::{Asked, Route, Target};
use super::server::Shared;

/// Answers a request.
pub(super) async fn answer(
    (shared, connection): (&Shared, &Connection),
    via: Via,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, mut body) = request.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE);
    let asked = Asked {
        content_type: content_type.and_then(|text| text.to_str().ok()),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        is_cross_site: parts
            .headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site"),
    };
    let route = Route::of(&asked, shared.token.as_ref());
    let headers = connection.headers(|name| parts.headers.get(name).map(HeaderValue::as_bytes));
    let via = route.via(via);
    let begun = record::begun(&route, asked.method, &headers, via);
    let mut pending = Pending::new(begun, &shared.inbox);
    let waits_for_us = parts.headers.contains_key(EXPECT);
    let mut passing = Passing::of(shared, &parts, &route.target);

    let taking = async {
        let reply = match route.target {
            Target::Payload(kind) => {
                let payload = Payload {
                    kind,
                    via,
                    headers,
                    head: parts.headers,
                };
                let taking = (&mut body, &mut pending, &mut passing);
                return take((shared, connection), payload, taking).await;
            }
            Target::Info => Reply::json(200, shared.info.clone(), ""),
            Target::Reply(reply) => reply,
        };
        // Nobody looks at the body; what is answered was decided before.
        match &mut passing {
            None => body::discard(&mut body, &shared.limits, &mut pending).await?,
            Some(passing) => {
                let held =
                    body::keep(&mut body, &shared.limits, &shared.budget, &mut pending).await?;
                passing.take_body(held.bytes.clone());
            }
        }
        Ok((reply, Brought::Nothing))
    };
    let outcome = tokio::select! {
        biased;
        outcome = taking => outcome,
        () = connection.giving_way() => Err(Problem::CrowdedOut),
    };
    connection.end_body();
    let (reply, brought) = match outcome {
        Ok(taken) => taken,
        Err(problem) => {
            if problem.is_ours() && !waits_for_us {
                body::linger(body, &shared.limits);
            }
            (problem.reply(&shared.limits), Brought::Nothing)
        }
    };
    if let Some(passing) = &mut passing {
        passing.take_note(&brought);
    }
    let mut reply = deliver(shared, pending, reply, brought).await;
    if let Some(passing) = passing {
        reply = passing.pass(reply).await;
    }
    reply.into_response()
}

type Outcome = Result<(Reply, Brought), Problem>;

/// Reads and decodes spans, log lines, or what a client counted.
async fn take(
    (shared, connection): (&Shared, &Connection),
    payload: Payload,
    (body, pending, passing): (&mut Incoming, &mut Pending<'_>, &mut Option<Passing<'_>>),
) -> Outcome {
    let held = body::keep(body, &shared.limits, &shared.budget, pending).await?;
    connection.end_body();
    if let Some(passing) = passing {
        passing.take_body(held.bytes.clone());
    }
    let at = clock::wall();
    let is_large = held.bytes.len() > shared.limits.decode_inline_bytes_max;
    // How large a packed body is comes out when it is unpacked.
    let is_packed = payload.head.contains_key(CONTENT_ENCODING);
    let otlp = payload.otlp(&held.bytes);
    let kind = payload.kind;
    let decoded = if is_large || is_packed {
        let bytes = held.bytes.clone();
        let decoding = tokio::task::spawn_blocking(move || payload.decode(&bytes, at));
        decoding
            .await
            .unwrap_or_else(|_panicked| Err(decoder_failed()))
    } else {
        payload.decode(&held.bytes, at)
    };
    Ok(match (decoded, otlp) {
        (Ok(brought), Some(otlp)) => (Reply::otlp(otlp, brought.summary()), brought),
        (Err(rejection), Some(otlp)) => (Reply::otlp_refusal(otlp, rejection), Brought::Nothing),
        (Ok(brought), None) => {
            let rates = shared.rates.borrow().body(|| process_of(&brought));
            (Reply::accepted(kind, &brought, rates), brought)
        }
        (Err(rejection), None) => (Reply::from(rejection), Brought::Nothing),
    })
}

/// Who sent spans.
fn process_of(brought: &Brought) -> Process {
    match brought {
        Brought::Spans(received) => Process::of(&received.payload, received.relay),
        _ => Process::default(),
    }
}

/// Hands the record and what came with it over; what there is no room for is refused.
async fn deliver(
    shared: &Shared,
    pending: Pending<'_>,
    mut reply: Reply,
    brought: Brought,
) -> Reply {
    let decoded_bytes = brought.heap_bytes();
    let Ok(slot) = shared.inbox.reserve(decoded_bytes).await else {
        // What brings nothing is answered as decided: it only misses its line in the log.
        let reply = match brought {
            Brought::Nothing => reply,
            _ => Reply::busy(),
        };
        pending.overflow(reply.status);
        return reply;
    };
    let note = std::mem::take(&mut reply.note);
    if let Some(record) = pending.finish(reply.status, note) {
        slot.send(Inbound::Request(Box::new(ingest::Request {
            record,
            brought,
        })));
    }
    reply
}

/// What is known of a payload before its bytes.
#[derive(Debug)]
struct Payload {
    kind: PayloadKind,
    via: Via,
    headers: TraceHeaders,
    head: HeaderMap,
}

thread_local! {
    /// Warm from one payload to the next. The threads for large bodies end when they are idle, and
    /// their memory with them.
    static BUILDER: RefCell<ChunkBuilder> = RefCell::default();
}

impl Payload {
    /// How OTLP is to be answered: as it is written.
    fn otlp(&self, bytes: &[u8]) -> Option<Encoding> {
        let is_otlp = self.kind == PayloadKind::Traces(TraceFormat::Otlp);
        is_otlp.then(|| Encoding::of(text(&self.head, CONTENT_TYPE), bytes))?
    }

    fn decode(self, bytes: &[u8], at: UnixNanos) -> Result<Brought, Rejection> {
        let body = RequestBody {
            kind: self.kind,
            content_type: text(&self.head, CONTENT_TYPE),
            content_encoding: text(&self.head, CONTENT_ENCODING),
            headers: self.headers,
            bytes,
            at,
            via: self.via,
        };
        BUILDER.with_borrow_mut(|builder| ingest::bring(&body, builder))
    }
}

fn text(head: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value: Option<&HeaderValue> = head.get(name);
    value.and_then(|value| value.to_str().ok())
}

fn decoder_failed() -> Rejection {
    Rejection {
        status: 500,
        reason: "the decoder failed; this is a bug, please report it".into(),
    }
}
