//! A request that a real Agent gets as well: what is kept of it until it is accepted, and what of the
//! Agent's answer goes back to the client.

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use crate::ingest::{Brought, Original, Passage, PayloadKind, TraceFormat, is_passed_on};
use crate::io::forward::{AgentAnswer, ForwardQueue};

use super::reply::Reply;
use super::route::{Target, path_below};
use super::server::Shared;

/// A request on its way to the Agent.
#[derive(Debug)]
pub(super) struct Passing<'a> {
    queue: &'a ForwardQueue,
    original: Original,
    passage: Passage,
    /// Whether its client reads rates in the answer.
    reads_rates: bool,
    /// When the client began to wait.
    begun: Instant,
}

impl<'a> Passing<'a> {
    /// What is to be passed on of a request; `None` if it stays here.
    pub(super) fn of(shared: &'a Shared, parts: &Parts, target: &Target) -> Option<Self> {
        let queue = shared.forward.as_ref()?;
        if matches!(target, Target::Reply(reply) if !(200..300).contains(&reply.status)) {
            return None;
        }
        let (plain, path) = path_below(parts.uri.path(), shared.token.as_ref())?;
        let passage = Passage::of_path(&plain);
        let mut vias = parts.headers.get_all("via").iter();
        if passage == Passage::Kept || vias.any(|via| queue.has_come_back(via.as_bytes())) {
            return None;
        }
        let headers = parts.headers.iter();
        let headers = headers.filter(|(name, _)| is_passed_on(name.as_str()));
        let path = match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        Some(Self {
            queue,
            original: Original {
                method: parts.method.as_str().into(),
                path: path.into(),
                headers: headers
                    .map(|(name, value)| (name.as_str().into(), value.as_bytes().into()))
                    .collect(),
                body: Bytes::new(),
                n_spans: 0,
            },
            passage,
            reads_rates: reads_rates(target),
            begun: Instant::now(),
        })
    }

    /// Takes the body, once it is read.
    pub(super) fn take_body(&mut self, body: Bytes) {
        self.original.body = body;
        self.begun = Instant::now();
    }

    /// Takes what was read in it.
    pub(super) fn take_note(&mut self, brought: &Brought) {
        if let Brought::Spans(received) = brought {
            let n_spans = received.payload.n_spans();
            self.original.n_spans = u64::try_from(n_spans).unwrap_or(u64::MAX);
        }
    }

    /// Passes on what was accepted. The answer is the Agent's, if it comes in time.
    pub(super) async fn pass(self, reply: Reply) -> Reply {
        let original = match self.passage {
            Passage::AsV04 => self.original.as_v04(),
            Passage::AsItCame | Passage::Kept => Some(self.original),
        };
        let Some(original) = original.filter(|_| (200..300).contains(&reply.status)) else {
            return reply;
        };
        if !self.reads_rates {
            self.queue.send(original);
            return reply;
        }
        let until = self.begun + self.queue.answer_wait_max();
        match self.queue.ask(original, until).await.and_then(rates) {
            Some((body, version)) => reply.of_agent(body, version),
            None => reply,
        }
    }
}

fn reads_rates(target: &Target) -> bool {
    use TraceFormat::{V03, V04, V05, V07, V10};
    let Target::Payload(PayloadKind::Traces(format)) = target else {
        return false;
    };
    matches!(format, V03 | V04 | V05 | V07 | V10)
}

/// The body with rates, and which version they are: an answer that says neither is not the client's.
fn rates(answer: AgentAnswer) -> Option<(Bytes, Option<HeaderValue>)> {
    let is_object = answer.body.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
    (answer.status == 200 && is_object).then_some((answer.body, answer.rates_version))
}
