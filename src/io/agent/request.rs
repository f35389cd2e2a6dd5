//! One request to its answer. Nothing is answered with yes before it is in the inbox, and nothing
//! is answered at all without a record of it.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue};
use hyper::{Request, Response};

use crate::ingest::{self, Brought, Inbound, PayloadKind, Rejection, RequestBody};
use crate::io::clock;
use crate::trace::{ChunkBuilder, UnixNanos, Via};
use crate::wire::header::TraceHeaders;

use super::body::{self, Problem};
use super::record::{self, Pending};
use super::reply::Reply;
use super::route::{Asked, Route, Target};
use super::server::Shared;

/// Answers a request.
pub(super) async fn answer(
    shared: Rc<Shared>,
    via: Via,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, mut body) = request.into_parts();
    let asked = Asked {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        is_cross_site: parts
            .headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site"),
    };
    let route = Route::of(&asked, shared.token.as_ref());
    let headers = TraceHeaders::read(|name| parts.headers.get(name).map(HeaderValue::as_bytes));
    let begun = record::begun(&route, asked.method, &headers, via);
    let mut pending = Pending::new(begun, shared.inbox.clone());
    let waits_for_us = parts.headers.contains_key(EXPECT);

    let outcome = match route.target {
        Target::Payload(kind) => {
            let payload = Payload {
                kind,
                via,
                headers,
                head: parts.headers,
            };
            take(&shared, payload, &mut body, &mut pending).await
        }
        Target::Info => {
            let reply = Reply::json(200, shared.info.clone(), "");
            refuse_or(reply, &shared, &mut body, &mut pending).await
        }
        Target::Reply(reply) => refuse_or(reply, &shared, &mut body, &mut pending).await,
    };
    let (reply, brought) = match outcome {
        Ok(taken) => taken,
        Err(problem) => {
            if problem != Problem::Broken && !waits_for_us {
                body::linger(body, &shared.limits);
            }
            (problem.reply(&shared.limits), Brought::Nothing)
        }
    };
    deliver(&shared, pending, reply, brought)
        .await
        .into_response()
}

type Outcome = Result<(Reply, Brought), Problem>;

/// Reads a body nobody looks at, and answers with what was decided before.
async fn refuse_or(
    reply: Reply,
    shared: &Shared,
    body: &mut Incoming,
    pending: &mut Pending,
) -> Outcome {
    body::discard(body, &shared.limits, pending).await?;
    Ok((reply, Brought::Nothing))
}

/// Reads and decodes spans, log lines, or what a client counted.
async fn take(
    shared: &Shared,
    payload: Payload,
    body: &mut Incoming,
    pending: &mut Pending,
) -> Outcome {
    let held = body::keep(body, &shared.limits, &shared.budget, pending).await?;
    let kind = payload.kind;
    let at = clock::wall();
    let is_large = held.bytes.len() > shared.limits.decode_inline_bytes_max;
    // How large a packed body is comes out when it is unpacked.
    let is_packed = payload.head.contains_key(CONTENT_ENCODING);
    let decoded = if is_large || is_packed {
        let bytes = held.bytes.clone();
        let decoding = tokio::task::spawn_blocking(move || payload.decode(&bytes, at));
        decoding
            .await
            .unwrap_or_else(|_panicked| Err(decoder_failed()))
    } else {
        payload.decode(&held.bytes, at)
    };
    Ok(match decoded {
        Ok(brought) => {
            let rates = shared.rates.borrow().clone();
            (Reply::accepted(kind, &brought, rates), brought)
        }
        Err(rejection) => (Reply::from(rejection), Brought::Nothing),
    })
}

/// Hands the record and what came with it over; what there is no room for is refused.
async fn deliver(shared: &Shared, pending: Pending, reply: Reply, brought: Brought) -> Reply {
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
    if let Some(record) = pending.finish(reply.status, &reply.note) {
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
    fn decode(self, bytes: &[u8], at: UnixNanos) -> Result<Brought, Rejection> {
        let text = |name| {
            self.head
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let body = RequestBody {
            kind: self.kind,
            content_type: text(CONTENT_TYPE),
            content_encoding: text(CONTENT_ENCODING),
            headers: self.headers.clone(),
            bytes,
            at,
            via: self.via,
        };
        BUILDER.with_borrow_mut(|builder| ingest::bring(&body, builder))
    }
}

fn decoder_failed() -> Rejection {
    Rejection {
        status: 500,
        reason: "the decoder failed; this is a bug, please report it".into(),
    }
}
