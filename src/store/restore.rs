//! Putting back what an export holds: as it was, and counted once.

use std::collections::HashMap;

use super::counters::raise;
use super::departed::Departed;
use super::entry::Delivery;
use super::logs::{Joined, LogKey};
use super::starts::Whence;
use super::{
    Arrival, Came, Counters, KnownBy, REQUESTS_MAX, SpanIndex, Store, TraceEntry, TraceKey, Went,
};
use crate::analysis::{Outcome, StartKind};
use crate::ingest::RequestRecord;
use crate::logs::{LogRecord, Remark};
use crate::sampler::Verdict;
use crate::trace::{ContainerFacts, Now, SpanId, TraceChunk, TraceId, TracerInfo, UnixNanos};

/// What an export says of a trace beside its spans.
#[derive(Debug, Default)]
pub struct Restored<'a> {
    /// When and how it came.
    pub arrivals: &'a [Arrival],
    /// Who sent it.
    pub tracer: TracerInfo,
    /// What the simulated Agent made of it.
    pub verdict: Option<Verdict>,
    /// Where it ran.
    pub container: Option<(ContainerFacts, KnownBy)>,
    /// What is said of it as a whole.
    pub told: ToldTrace,
    /// Its local roots, where it has several.
    pub roots: Vec<ToldRoot>,
    /// Which of its spans arrived at Datadog.
    pub forwarded: Went<Vec<SpanId>>,
    /// Which of its spans were counted there.
    pub counted: Went<Vec<SpanId>>,
}

/// What an export says of a trace as a whole, that need not follow from its spans alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldTrace {
    /// Whether it paid for the start of its container, and why.
    pub start: Option<(StartKind, Box<str>)>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Whether it says where it ran.
    pub place: ToldPlace,
}

/// Whether an export says where a trace ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToldPlace {
    /// It names its container, or its process.
    #[default]
    Somewhere,
    /// It says that nothing is known.
    Nowhere,
}

impl ToldTrace {
    pub(super) fn heap_bytes(&self) -> usize {
        let start = self.start.as_ref();
        size_of::<Self>() + 16 + start.map_or(0, |(_, why)| why.len() + 16)
    }
}

/// What an export says of a local root.
#[derive(Clone, Debug, Default)]
pub struct ToldRoot {
    /// The span.
    pub span_id: SpanId,
    /// When it began, since ids repeat.
    pub began: UnixNanos,
    /// Where it ran.
    pub container: Option<(ContainerFacts, KnownBy)>,
    /// Whether it paid for the start of its container, and why.
    pub start: Option<(StartKind, Box<str>)>,
}

impl Store {
    /// Puts back a trace of an export, under the id it had there: a chunk alone may not know the
    /// high half. Its spans are counted, its deliveries are not.
    pub fn restore(
        &mut self,
        id: TraceId,
        chunk: TraceChunk,
        said: Restored<'_>,
    ) -> Option<TraceKey> {
        let arrivals = said.arrivals;
        if chunk.is_empty() {
            return None;
        }
        self.evicted.clear();
        let tracer = self.shared_tracer(&said.tracer);
        let delivery = Delivery {
            arrivals,
            tracer: &tracer,
            now: Now::default(),
            relay: None,
        };
        let at = arrivals.first().map(|arrival| arrival.at);
        let whence = Whence {
            at: at.unwrap_or_default(),
            relay: None,
            tracer: &tracer,
        };
        let container = said.container;
        let container = container.map(|(facts, by)| self.shelf.restored(facts, by));
        let known = container.as_ref().map(|shelved| &*shelved.known);
        let mut seen = self.see(&chunk, whence, known);
        let known = self.home(id, &seen);
        if !said.roots.is_empty() {
            seen.without_roots();
        }
        let key = known.unwrap_or_else(|| self.add_entry(id, delivery.now));
        let came = Came {
            id,
            chunk,
            container,
            seen,
        };
        let n_before = self.trace(key).map_or(0, TraceEntry::n_spans);
        self.insert_chunk(key, came, delivery);
        if said.forwarded != Went::None {
            self.change(key, |entry| entry.departed_mut().begin());
        }
        self.restore_went(key, n_before, &said.forwarded, Departed::tell);
        self.restore_went(key, n_before, &said.counted, Departed::count);
        self.restore_roots(key, said.roots, whence.at);
        self.restore_told_trace(key, said.told);
        self.set_verdict(key, known, said.verdict);
        self.evict();
        self.changed.clear();
        self.revision += 1;
        self.entries.contains(key).then_some(key)
    }

    /// Puts back what is said of the spans of a trace from a place on. Of those with equal ids the first
    /// ones are meant.
    fn restore_went(
        &mut self,
        key: TraceKey,
        n_before: usize,
        went: &Went<Vec<SpanId>>,
        tell: impl Fn(&mut Departed, SpanIndex),
    ) {
        let Some(entry) = self.trace(key) else { return };
        let spans = entry.spans().skip(n_before);
        let indices: Vec<SpanIndex> = match went {
            Went::None => return,
            Went::All => spans.map(|(index, _)| index).collect(),
            Went::Only(ids) => {
                let mut told: HashMap<SpanId, usize> = HashMap::new();
                for id in ids {
                    *told.entry(*id).or_default() += 1;
                }
                let mut is_told = |id: SpanId| match told.get_mut(&id) {
                    Some(n_left) if *n_left > 0 => {
                        *n_left -= 1;
                        true
                    }
                    _ => false,
                };
                let told = spans.filter(|(_, span)| is_told(span.span_id()));
                told.map(|(index, _)| index).collect()
            }
        };
        if indices.is_empty() {
            return;
        }
        self.change(key, |entry| {
            let departed = entry.departed_mut();
            for span in indices {
                tell(departed, span);
            }
        });
    }

    /// Adds the counters of an export to ours, before or after its traces. What is held is counted
    /// already; of the spans an export counts only those that it does not hold are added, so that
    /// the law stands whatever the file says.
    pub fn restore_counters(&mut self, counters: &Counters) {
        let mut theirs = counters.clone();
        (theirs.traces_open, theirs.traces_complete) = (0, 0);
        theirs.spans_shown = 0;
        theirs.spans_received = theirs.spans_evicted.saturating_add(theirs.spans_duplicate);
        self.counters.add(&theirs);
        self.revision += 1;
    }

    /// Puts back the log of requests of an export, uncounted.
    pub fn restore_requests(&mut self, requests: impl IntoIterator<Item = RequestRecord>) {
        self.requests.extend(requests);
        let excess = self.requests.len().saturating_sub(REQUESTS_MAX);
        self.requests.drain(..excess);
        self.revision += 1;
    }

    /// Puts back a line of an export as it was joined there. It is counted, and waits for nothing; if
    /// its trace is evicted already, it has gone with it.
    pub fn restore_log(&mut self, record: LogRecord, joined: Option<Joined>) {
        self.evicted.clear();
        let now = Now {
            wall: record.at,
            uptime_ns: 0,
        };
        raise(&mut self.counters.logs_received, 1);
        raise(&mut self.counters.logs_unjoined, 1);
        if let Some(Remark::Modal(status)) = record.remark.as_deref() {
            self.logs.modal.hear(status, record.at, now);
        }
        if let Some(Remark::Ended {
            input: Some(input), ..
        }) = record.remark.as_deref()
        {
            self.hear_end(&record, input);
        }
        let key = self.logs.push(record, now);
        if joined.is_some() {
            self.set_joined(key, joined);
        }
        let is_lost = joined.is_some_and(|joined| self.trace(joined.trace).is_none());
        if is_lost {
            self.logs.remove(key);
            raise(&mut self.counters.logs_evicted, 1);
        }
        self.evict();
        self.changed.clear();
        self.revision += 1;
    }

    /// Puts the lines from a key on into the order in which they were read once: an export has those
    /// of each trace together, in their order, which stays.
    pub fn arrange_logs(&mut self, from: LogKey) {
        let moved = self.logs.arrange(from);
        let mut traces: Vec<TraceKey> = moved.iter().filter_map(|(_, joined)| *joined).collect();
        traces.sort_unstable();
        traces.dedup();
        for trace in traces {
            self.change_lines(trace, |entry| entry.drop_logs_from(from));
        }
        for (key, joined) in moved {
            if let Some(trace) = joined {
                self.change_lines(trace, |entry| entry.add_log(key));
            }
        }
        self.changed.clear();
    }
}
