//! What is wanted sent to Datadog of what is held: chosen by the user, opened, or come back for lack of room. Sends
//! nothing.

use std::collections::BTreeSet;

use super::depart::Departure;
use super::departed::Departed;
use super::{SpanIndex, Store, TraceEntry, TraceKey};
use crate::forward::{CountedBy, Ticket};
use crate::trace::{Now, Span, Value};

/// What would be sent of some traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Traces of which something would.
    pub n_traces: u64,
    /// Spans that would.
    pub n_spans: u64,
    /// About how many bytes, before they are compressed.
    pub n_bytes: u64,
    /// Spans of all the traces that are there already, or on their way.
    pub n_gone: u64,
}

/// So many spans are handed over at once, so that keys and frames have their turn: some ten milliseconds.
const SPANS_AT_ONCE: usize = 2_000;

/// What is wanted sent of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) wish: Wish,
    /// The spans from here on.
    pub(super) from: SpanIndex,
}

impl Wanted {
    pub(super) fn all(wish: Wish) -> Self {
        let from = SpanIndex(0);
        Self { wish, from }
    }
}

/// Why a trace is wanted sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The user chose it: nobody asks the sampler.
    Chosen,
    /// It was to go anyway, if the sampler says so: there was no room for it, or it was opened to be sent.
    AsItCame,
}

/// What the user wants sent.
impl Store {
    /// What would be sent of traces.
    pub fn offer(&self, keys: &[TraceKey]) -> Offer {
        let mut offer = Offer::default();
        for entry in keys.iter().filter_map(|key| self.trace(*key)) {
            let left = || entry.left().filter_map(|span| entry.span(span));
            let n_left = left().count();
            offer.n_traces += u64::from(n_left > 0);
            offer.n_spans += super::count(n_left);
            offer.n_gone += super::count(entry.n_spans() - n_left);
            offer.n_bytes += super::count(left().map(plain_bytes).sum());
        }
        offer
    }

    /// Has the rest of traces sent, the oldest first, as soon as there is room.
    pub fn want_sent(&mut self, keys: impl IntoIterator<Item = TraceKey>) {
        if self.forwarding.courier.is_some() {
            let chosen = keys.into_iter().map(|key| (key, Wanted::all(Wish::Chosen)));
            self.forwarding.wanted.extend(chosen);
        }
    }

    /// Has what was opened sent: of its traces what would have gone as it came and has not, and requests
    /// as they are.
    pub fn want_opened_sent(&mut self) {
        if self.forwarding.courier.is_some() {
            let opened = self.entries.iter().map(TraceEntry::key);
            self.forwarding.want_as_they_came(opened);
            self.forwarding.want_unsent();
        }
    }

    /// Takes spans back for which there is no room now: they go later.
    pub fn put_off(&mut self, tickets: &[Ticket]) {
        self.tell_each(tickets, Departed::give_back);
        let keys: BTreeSet<_> = tickets.iter().map(|ticket| ticket.trace).collect();
        let held = keys.into_iter().map(TraceKey);
        let held = held.filter(|key| self.entries.contains(*key));
        self.forwarding.want_as_they_came(held);
    }

    /// Hands over the next request that is wanted sent, or some spans of the next traces. Returns whether
    /// there was anything.
    pub fn depart_next(&mut self, now: Now) -> bool {
        if self.forwarding.resend_next() {
            return true;
        }
        let mut n_more = SPANS_AT_ONCE;
        let mut is_anything = false;
        while n_more > 0
            && let Some((key, wanted)) = self.forwarding.wanted.pop_first()
        {
            is_anything = true;
            let (n_handed, rest) = self.depart_more(key, wanted, n_more, now);
            n_more = n_more.saturating_sub(n_handed.max(1));
            if let Some(from) = rest {
                let rest = Wanted { from, ..wanted };
                self.forwarding.wanted.insert(key, rest);
            }
        }
        if is_anything
            && self.forwarding.wanted.is_empty()
            && let Some(courier) = self.courier_mut()
        {
            courier.flush();
        }
        is_anything
    }

    /// Hands over so many spans of what is wanted of a trace. Returns how many there were, and where to go
    /// on.
    fn depart_more(
        &mut self,
        key: TraceKey,
        wanted: Wanted,
        n_max: usize,
        now: Now,
    ) -> (usize, Option<SpanIndex>) {
        let (Some(entry), Some(which)) = (self.trace(key), self.forwarding.which()) else {
            return (0, None);
        };
        let verdict = match wanted.wish {
            Wish::Chosen => None,
            Wish::AsItCame => which.verdict(entry.verdict()),
        };
        let is_first = entry
            .departed()
            .is_none_or(|departed| !departed.has_begun());
        let is_counted = |span: &SpanIndex| {
            entry
                .departed()
                .is_some_and(|departed| departed.is_counted(*span))
        };
        let left = entry.left().filter(|span| *span >= wanted.from);
        let mut due: Vec<_> = left.take(n_max + 1).collect();
        let is_more = due.len() > n_max;
        let rest = if is_more { due.pop() } else { None };
        let n_handed = due.len();
        let (counted, uncounted) = due.into_iter().partition::<Vec<_>, _>(is_counted);
        let of = |spans: Vec<SpanIndex>, counted_by| {
            let parts = entry.parts(spans.into_iter()).into_iter();
            parts.map(move |part| {
                let facts = entry.facts_of(&part).cloned();
                let departure = Departure::later(entry, &part, counted_by, now);
                (part, departure, facts)
            })
        };
        let parts: Vec<_> = of(counted, CountedBy::Client)
            .chain(of(uncounted, CountedBy::Us))
            .collect();
        for (part, mut departure, facts) in parts {
            self.hand_over(key, &part, &mut departure, (facts.as_ref(), verdict));
        }
        if is_first {
            self.depart_lines_of(key, now);
        }
        (n_handed, rest)
    }
}

/// About what a span takes in a payload: names, keys and values, with what stands around each, and its share
/// of what stands around all of them. Checked with recorded payloads.
fn plain_bytes(span: Span<'_>) -> usize {
    /// Numbers of a span, its marks, and lengths.
    const SPAN_BYTES: usize = 90;
    let names = [
        span.service(),
        span.name(),
        span.resource(),
        span.span_type(),
    ];
    let names = names.iter().map(|name| name.as_bytes().len());
    let values = span.attributes().map(|(_, value)| value_bytes(value));
    SPAN_BYTES + names.chain(values).sum::<usize>()
}

fn value_bytes(value: Value<'_>) -> usize {
    /// A message in a message, with a key and a value in it.
    const ENTRY_BYTES: usize = 6;
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => size_of::<f64>(),
        Value::Text(text) => text.as_bytes().len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.map(|item| ENTRY_BYTES + value_bytes(item)).sum(),
        Value::Map(entries) => entries
            .map(|(key, value)| ENTRY_BYTES + key.as_bytes().len() + value_bytes(value))
            .sum(),
    }
}
