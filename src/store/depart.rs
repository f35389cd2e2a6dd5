//! What goes on to Datadog, and when: each span once, as it comes or when the user says so, and the lines of
//! what goes. Makes no request, and sends none.

use std::sync::Arc;

use super::departed::Departed;
use super::entry::{Inserted, Part};
use super::{LogEntry, LogKey, SpanIndex, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, LinesGo, Taken, Which};
use crate::forward::logs::LogLine;
use crate::forward::{CountedBy, Outgoing, Places, Ticket, TopLevel};
use crate::ingest::Received;
use crate::logs::JoinedBy;
use crate::sampler::Verdict;
use crate::trace::{
    ChunkFacts, Now, PayloadForm, Span, SpanId, Text, TracerInfo, UnixNanos, Value, Via,
};

/// What is said of all chunks of a delivery.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    form: PayloadForm,
    received: UnixNanos,
    top_level: TopLevel,
    counted_by: CountedBy,
    /// Who sent it, with what chunks before said of that.
    tracer: Arc<TracerInfo>,
}

impl Departure {
    pub(super) fn of(received: &Received, tracer: &Arc<TracerInfo>) -> Self {
        let is_printed = matches!(received.via, Via::Stdout | Via::Stderr | Via::File);
        Self {
            form: received.payload.form,
            received: received.at,
            top_level: match received.client_computed_top_level {
                true => TopLevel::ByClient,
                false if is_printed => TopLevel::Unknown,
                false => TopLevel::ByUs,
            },
            counted_by: if received.client_computed_stats {
                CountedBy::Client
            } else {
                CountedBy::Us
            },
            tracer: Arc::clone(tracer),
        }
    }
}

impl Departure {
    /// Of spans that came some time ago. How their chunk came is no longer known, but for what follows from
    /// it; who sent it only of the first one of a trace.
    fn later(entry: &TraceEntry, part: &Part, counted_by: CountedBy, now: Now) -> Self {
        let facts = entry.facts_of(part);
        let says_priority = facts.is_some_and(|facts| facts.priority.is_some());
        Self {
            form: if says_priority {
                PayloadForm::V10
            } else {
                PayloadForm::Older
            },
            received: now.wall,
            top_level: TopLevel::Unknown,
            counted_by,
            tracer: entry.tracer_of(part),
        }
    }
}

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

impl Store {
    /// The same, with spans going on to Datadog.
    #[must_use]
    pub fn with_courier(mut self, courier: Courier) -> Self {
        self.forwarding.courier = Some(Box::new(courier));
        self
    }

    /// Whoever takes spans on, if they go anywhere.
    pub fn courier_mut(&mut self) -> Option<&mut Courier> {
        self.forwarding.courier.as_deref_mut()
    }

    /// Hands over the spans that a chunk brought: what is held has gone, unless it was a snapshot of a
    /// span that had not ended.
    pub(super) fn depart(
        &mut self,
        key: TraceKey,
        inserted: Inserted,
        (departure, facts): (&mut Departure, Option<&ChunkFacts>),
        verdict: Option<Verdict>,
    ) {
        let Some(which) = self.forwarding.which() else {
            return;
        };
        if !inserted.renewed.is_empty() {
            self.renew(key, &inserted.renewed);
        }
        if which == Which::ByHand {
            return;
        }
        let Some(entry) = self.trace(key) else { return };
        let n_new = u32::try_from(inserted.n_new).unwrap_or(u32::MAX);
        let all = u32::try_from(entry.n_spans()).unwrap_or(u32::MAX);
        let new = (all.saturating_sub(n_new)..all).map(SpanIndex);
        let renewed = inserted.renewed.into_iter();
        for part in entry.parts(renewed.chain(new)) {
            self.hand_over(key, &part, departure, (facts, verdict));
        }
    }

    fn renew(&mut self, key: TraceKey, renewed: &[SpanIndex]) {
        self.change(key, |entry| {
            if entry.departed().is_some() {
                let departed = entry.departed_mut();
                for span in renewed {
                    departed.renew(*span);
                }
            }
        });
    }

    /// Hands over spans of one chunk. Those that do not go stay; all are counted from then on.
    fn hand_over(
        &mut self,
        key: TraceKey,
        part: &Part,
        departure: &mut Departure,
        (facts, verdict): (Option<&ChunkFacts>, Option<Verdict>),
    ) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let mut taken = Taken::default();
        if let Some(entry) = self.trace(key)
            && let Some(chunk) = entry.chunk_of(part)
        {
            let outgoing = Outgoing {
                chunk,
                facts,
                tracer: &departure.tracer,
                form: departure.form,
                received: departure.received,
                trace: key.0,
                places: Places::Only(&part.places),
                top_level: departure.top_level,
                counted_by: departure.counted_by,
                verdict,
            };
            taken = courier.take(outgoing, departure.received);
        }
        self.forwarding.courier = Some(courier);
        if let Some(client) = taken.client {
            departure.tracer = Arc::new(client);
        }
        self.change(key, |entry| {
            let departed = entry.departed_mut();
            for (_, span) in &part.places {
                departed.hand(SpanIndex(*span));
                departed.count(SpanIndex(*span));
            }
            for Ticket { span, .. } in taken.stayed {
                departed.stay(SpanIndex(span));
            }
        });
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
            let chosen = keys.into_iter().map(|key| (key, Wish::Chosen));
            self.forwarding.wanted.extend(chosen);
        }
    }

    /// Has what was opened sent: of its traces what would have gone as it came and has not, and requests
    /// as they are.
    pub fn want_opened_sent(&mut self) {
        if self.forwarding.courier.is_some() {
            let keys = self.traces().map(TraceEntry::key);
            let opened: Vec<_> = keys.collect();
            self.forwarding.want_as_they_came(opened);
            self.forwarding.want_unsent();
        }
    }

    /// Takes spans back for which there is no room now: they go later.
    pub fn put_off(&mut self, tickets: &[Ticket]) {
        self.tell_each(tickets, Departed::give_back);
        let keys: Vec<_> = tickets
            .iter()
            .map(|ticket| TraceKey(ticket.trace))
            .collect();
        let held = keys.into_iter().filter(|key| self.trace(*key).is_some());
        let held: Vec<_> = held.collect();
        self.forwarding.want_as_they_came(held);
    }

    /// Hands over the next request that is wanted sent, or the rest of the next trace. Returns whether
    /// there was one.
    pub fn depart_next(&mut self, now: Now) -> bool {
        if self.forwarding.resend_next() {
            return true;
        }
        let Some((key, wish)) = self.forwarding.wanted.pop_first() else {
            return false;
        };
        self.depart_rest(key, wish, now);
        if self.forwarding.wanted.is_empty()
            && let Some(courier) = self.courier_mut()
        {
            courier.flush();
        }
        true
    }

    fn depart_rest(&mut self, key: TraceKey, wish: Wish, now: Now) {
        let (Some(entry), Some(which)) = (self.trace(key), self.forwarding.which()) else {
            return;
        };
        let verdict = match wish {
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
        let (counted, uncounted) = entry.left().partition::<Vec<_>, _>(is_counted);
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
    }

    /// Hands over the lines of a trace whose turn has passed, if any of its spans goes.
    fn depart_lines_of(&mut self, key: TraceKey, now: Now) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let entry = self.trace(key).filter(|entry| {
            let departed = entry.departed();
            departed.is_some_and(Departed::has_begun)
        });
        if let (LinesGo::WithTheirTraces, Some(entry)) = (courier.lines_go(), entry) {
            let lines = entry.logs().iter();
            let passed = lines.take_while(|line| **line < self.forwarding.next_line);
            for line in passed.filter_map(|line| self.log(*line)) {
                if is_named(line) {
                    take_line(&mut courier, line, entry, now);
                }
            }
        }
        self.forwarding.courier = Some(courier);
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

/// Which lines go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Those whose spans have had time to come.
    Settled,
    /// All: nothing more comes.
    All,
}

/// Spans mostly come after the lines that name them, within so long.
const SETTLE_NS: u64 = 5_000_000_000;

impl Store {
    /// Hands over the lines that came since the last time and name a trace or a span that goes. A line
    /// placed by time alone is a guess, and stays.
    pub fn depart_lines(&mut self, due: Due, now: Now) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let mut next = self.forwarding.next_line;
        for line in self.logs_from(next) {
            let age_ns = now.uptime_ns.saturating_sub(line.first_seen().uptime_ns);
            if due == Due::Settled && age_ns < SETTLE_NS {
                break;
            }
            next = LogKey(line.key().0.saturating_add(1));
            if courier.lines_go() == LinesGo::WithTheirTraces
                && let Some(entry) = self.trace_of(line, courier.which())
            {
                take_line(&mut courier, line, entry, now);
            }
        }
        self.forwarding.next_line = next;
        self.forwarding.courier = Some(courier);
    }

    /// Lines that are here have had their turn: they were opened, and go with their traces if those do.
    pub fn pass_lines(&mut self) {
        self.forwarding.next_line = self.next_log_key();
    }

    /// The trace that a line names, if that goes.
    fn trace_of(&self, line: &LogEntry, which: Which) -> Option<&TraceEntry> {
        let joined = line.joined().filter(|_| is_named(line))?;
        let entry = self.trace(joined.trace)?;
        let is_kept = || entry.verdict().is_some_and(|verdict| verdict.is_kept());
        let has_begun = || entry.departed().is_some_and(Departed::has_begun);
        let goes = match which {
            Which::All => true,
            Which::Sampled => is_kept() || has_begun(),
            Which::ByHand => has_begun(),
        };
        goes.then_some(entry)
    }
}

/// Whether a line names its trace or its span.
fn is_named(line: &LogEntry) -> bool {
    line.joined()
        .is_some_and(|joined| joined.by != JoinedBy::ContainerTime)
}

fn take_line(courier: &mut Courier, line: &LogEntry, entry: &TraceEntry, now: Now) {
    let named = entry.log_span(line.record());
    let named = named.and_then(|index| entry.span(index));
    let Some(span) = named.or_else(|| entry.head()) else {
        return;
    };
    let tracer = entry.tracer();
    let said = |key: &str| span.meta_text(key).unwrap_or_default();
    let or = |said: Text<'_>, other: &str| {
        if said.is_empty() {
            other.to_owned()
        } else {
            said.to_lossy().into_owned()
        }
    };
    courier.take_line(
        &LogLine {
            record: line.record(),
            trace_id: entry.trace_id(),
            span_id: named.map_or(SpanId::NONE, Span::span_id),
            service: &span.service().to_lossy(),
            env: &or(said("env"), &tracer.env),
            version: &or(said("version"), &tracer.app_version),
            language: &tracer.language,
        },
        now.wall,
    );
}
