//! What of a delivery goes on to Datadog: each span once, when it comes. Holds nothing itself.

use super::{LogEntry, LogKey, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, LinesGo, Which};
use crate::forward::logs::LogLine;
use crate::forward::{CountedBy, Outgoing, Places, TopLevel};
use crate::ingest::Received;
use crate::logs::JoinedBy;
use crate::sampler::Verdict;
use crate::trace::{Now, PayloadForm, Span, SpanId, Text, TraceChunk, TracerInfo, UnixNanos, Via};

/// What is said of all chunks of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    form: PayloadForm,
    received: UnixNanos,
    top_level: TopLevel,
    counted_by: CountedBy,
}

impl Departure {
    pub(super) fn of(received: &Received) -> Self {
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
        }
    }
}

impl Store {
    /// The same, with spans going on to Datadog as they come.
    #[must_use]
    pub fn with_courier(mut self, courier: Courier) -> Self {
        self.courier = Some(Box::new(courier));
        self
    }

    /// Whoever takes spans on, if they go anywhere.
    pub fn courier_mut(&mut self) -> Option<&mut Courier> {
        self.courier.as_deref_mut()
    }

    /// Hands over the spans of a chunk that are not held: before it is inserted. What is held has gone,
    /// unless it was a snapshot of a span that had not ended.
    pub(super) fn depart(
        &mut self,
        known: Option<TraceKey>,
        (departure, tracer): (Departure, &TracerInfo),
        chunk: &TraceChunk,
        verdict: Option<Verdict>,
    ) {
        let Some(mut courier) = self.courier.take() else {
            return;
        };
        let entry = known.and_then(|key| self.trace(key));
        let new = new_places(entry, chunk);
        let outgoing = Outgoing {
            chunk,
            facts: chunk.facts(),
            tracer,
            form: departure.form,
            received: departure.received,
            places: match &new {
                None => Places::All,
                Some(places) => Places::Only(places),
            },
            top_level: departure.top_level,
            counted_by: departure.counted_by,
            verdict: courier.which().verdict(verdict),
        };
        if new.as_ref().is_none_or(|places| !places.is_empty()) {
            courier.take(outgoing, departure.received);
        }
        self.courier = Some(courier);
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
        let Some(mut courier) = self.courier.take() else {
            return;
        };
        let mut next = self.next_departing;
        if courier.lines_go() == LinesGo::WithTheirTraces {
            for line in self.logs_from(next) {
                let age_ns = now.uptime_ns.saturating_sub(line.first_seen().uptime_ns);
                if due == Due::Settled && age_ns < SETTLE_NS {
                    break;
                }
                next = LogKey(line.key().0.saturating_add(1));
                if let Some(entry) = self.trace_of(line, courier.which()) {
                    take_line(&mut courier, line, entry, now);
                }
            }
        }
        self.next_departing = next;
        self.courier = Some(courier);
    }

    /// The trace that a line names, if that goes.
    fn trace_of(&self, line: &LogEntry, which: Which) -> Option<&TraceEntry> {
        let joined = line
            .joined()
            .filter(|joined| joined.by != JoinedBy::ContainerTime)?;
        let entry = self.trace(joined.trace)?;
        let is_kept = || entry.verdict().is_some_and(|verdict| verdict.is_kept());
        (which == Which::All || is_kept()).then_some(entry)
    }
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

/// The places of spans that have not come before; `None` if that is true of all.
fn new_places(entry: Option<&TraceEntry>, chunk: &TraceChunk) -> Option<Vec<usize>> {
    let has_gone = |span: Span<'_>| {
        let held = entry.and_then(|entry| entry.held(span));
        held.is_some_and(|held| !held.is_snapshot() || held.same_as(span))
    };
    let mut seen = std::collections::HashSet::with_capacity(chunk.len());
    let mut is_new =
        |span: Span<'_>| seen.insert((span.span_id(), span.start())) && !has_gone(span);
    let places: Vec<usize> = chunk
        .spans()
        .enumerate()
        .filter(|(_, span)| is_new(*span))
        .map(|(place, _)| place)
        .collect();
    (places.len() < chunk.len()).then_some(places)
}
