//! Everything captured, within a budget: insert, look up, evict. One owner, no lock, no clock.
//!
//! Traces stand in order of first arrival under keys of our own, because ids on the wire repeat.
//! When the budget is reached whole traces go, the oldest first, and are counted. Colours and
//! display strings have no place here.
//!
//! ```text
//! entries  key ─▶ trace, in order; an evicted one leaves nothing behind
//! by_low   low half of the trace id ─▶ newest key ─older_twin─▶ next key …
//! ```

mod counters;
mod entry;
mod index;
mod logs;
mod summary;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

pub use counters::Counters;
pub use entry::{Arrival, TraceEntry};
pub use logs::{Joined, LogEntry, LogKey, ModalApp, ModalState};
pub use summary::Summary;
pub use tree::{RowMark, SpanTree, TreeRow};

use crate::ingest::{Brought, Lines, Overflow, Received, Request, RequestRecord};
use crate::logs::LogRecord;
use crate::trace::{Now, TraceChunk, TraceId, TracerInfo};
use counters::raise;
use entry::{Delivery, Inserted};
use logs::Logs;

/// A trace, numbered by first arrival. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceKey(pub u64);

/// A span of a trace, numbered by first arrival. Stays the same while the trace grows, also when a
/// newer snapshot takes the span's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanIndex(pub u32);

impl SpanIndex {
    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

/// How many requests the log of requests keeps.
pub const REQUESTS_MAX: usize = 1_000;

/// A trace of this size is small: what a reservation at start is counted with.
const SMALL_TRACE_BYTES: usize = 2 * 1024;
/// The most places for ids reserved at start.
const RESERVED_ENTRIES_MAX: usize = 256 * 1024;
/// Place in the maps of the store, for each trace.
const ENTRY_OVERHEAD_BYTES: usize = 80;
/// How many traces with the same low half of their id are told apart: of more, which only somebody
/// who means harm sends, the newest.
const TWINS_MAX: usize = 64;
/// How far eviction looks for a complete trace before it takes the oldest, complete or not.
const EVICTION_LOOKAHEAD: usize = 64;

/// The captured traces, the log of requests and the counters.
#[derive(Debug)]
pub struct Store {
    entries: BTreeMap<TraceKey, Box<TraceEntry>>,
    next_key: TraceKey,
    by_low: HashMap<u64, TraceKey>,
    held: Vec<TraceKey>,
    tracers: VecDeque<Arc<TracerInfo>>,
    requests: VecDeque<RequestRecord>,
    logs: Logs,
    #[expect(clippy::vec_box, reason = "moved out of its slot, not copied")]
    evicted: Vec<Box<TraceEntry>>,
    counters: Counters,
    bytes: usize,
    memory_bytes_max: usize,
    revision: u64,
}

impl Store {
    /// An empty store that keeps at most so many bytes of spans, by its own count.
    pub fn new(memory_bytes_max: usize) -> Self {
        let reserved = (memory_bytes_max / SMALL_TRACE_BYTES).min(RESERVED_ENTRIES_MAX);
        Self {
            entries: BTreeMap::new(),
            next_key: TraceKey(0),
            by_low: HashMap::with_capacity(reserved),
            held: Vec::new(),
            tracers: VecDeque::new(),
            requests: VecDeque::new(),
            logs: Logs::default(),
            evicted: Vec::new(),
            counters: Counters::default(),
            bytes: 0,
            memory_bytes_max,
            revision: 0,
        }
    }

    /// Takes a request and what it brought. Returns the traces that changed, each once.
    pub fn take_request(&mut self, request: Request, now: Now) -> Vec<TraceKey> {
        self.record(request.record);
        match request.brought {
            Brought::Nothing => Vec::new(),
            Brought::Spans(received) => self.insert(received, now),
            Brought::Logs(records) => self.insert_logs(records, now),
            Brought::Hello(hello) => {
                self.logs.hello(*hello);
                Vec::new()
            }
        }
    }

    /// Takes what lines brought. Returns the traces that changed, each once.
    pub fn take_lines(&mut self, lines: Lines, now: Now) -> Vec<TraceKey> {
        raise(&mut self.counters.relay_messages, lines.relay_messages);
        raise(&mut self.counters.relay_lost, lines.relay_lost);
        raise(&mut self.counters.logs_dropped, lines.n_dropped);
        let mut touched = self.insert_logs(lines.records, now);
        for request in lines.requests {
            touched.extend(self.take_request(request, now));
        }
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Takes log lines. Returns the traces they joined, each once.
    pub fn insert_logs(&mut self, records: Vec<LogRecord>, now: Now) -> Vec<TraceKey> {
        let mut touched = Vec::new();
        for record in records {
            raise(&mut self.counters.logs_received, 1);
            self.revision += 1;
            let trace = self.find(record.ids.trace).map(TraceEntry::key);
            let key = self.logs.push(record, trace, now);
            if let Some(entry) = trace.and_then(|key| self.entry_mut(key)) {
                entry.add_log(key);
                raise(&mut self.counters.logs_joined, 1);
            } else {
                raise(&mut self.counters.logs_unjoined, 1);
            }
            touched.extend(trace);
        }
        self.revision += 1;
        touched.dedup();
        touched
    }

    /// A log line, unless it was evicted.
    pub fn log(&self, key: LogKey) -> Option<&LogEntry> {
        self.logs.get(key)
    }

    /// The log lines in order of arrival, the oldest first.
    pub fn logs(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.logs.iter()
    }

    /// The log lines from a key on, in order of arrival.
    pub fn logs_from(&self, key: LogKey) -> impl Iterator<Item = &LogEntry> {
        self.logs.iter().skip_while(move |entry| entry.key() < key)
    }

    /// How many log lines are held.
    pub fn n_logs(&self) -> usize {
        self.logs.len()
    }

    /// What Modal's client has said of the app.
    pub fn modal(&self) -> &ModalApp {
        self.logs.modal()
    }

    /// Takes what a delivery brought. Returns the traces it touched, each once, in order of
    /// first arrival.
    pub fn insert(&mut self, received: Received, now: Now) -> Vec<TraceKey> {
        let Received {
            at, via, payload, ..
        } = received;
        raise(&mut self.counters.chunks_received, count(payload.n_chunks));
        raise(
            &mut self.counters.client_dropped_p0_traces,
            received.client_dropped_p0_traces,
        );
        raise(
            &mut self.counters.client_dropped_p0_spans,
            received.client_dropped_p0_spans,
        );
        let tracer = self.shared_tracer(payload.tracer);
        let mut touched: Vec<TraceKey> = Vec::new();
        for chunk in payload.chunks {
            if chunk.is_empty() {
                continue;
            }
            let arrival = Arrival {
                at,
                via,
                n_spans: count_u32(chunk.len()),
            };
            let delivery = Delivery {
                arrivals: &[arrival],
                tracer: &tracer,
                now,
            };
            let key = self.insert_chunk(chunk.trace_id(), chunk, delivery);
            if touched.last() != Some(&key) {
                touched.push(key);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        self.evict();
        self.revision += 1;
        touched
    }

    /// Notes a request: in the log of requests and in the counters.
    pub fn record(&mut self, record: RequestRecord) {
        self.counters.count_request(&record);
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(record);
        self.revision += 1;
    }

    /// Counts requests that were refused because the loop had no room even for their records.
    pub fn overflow(&mut self, overflow: Overflow) {
        raise(&mut self.counters.payloads_refused, overflow.payloads);
        raise(&mut self.counters.chunks_undecodable, overflow.chunks);
        self.revision += 1;
    }

    /// Puts back a trace of an export, under the id it had there: a chunk alone may not know the
    /// high half. Its spans are counted, its deliveries are not.
    pub fn restore(
        &mut self,
        id: TraceId,
        chunk: TraceChunk,
        arrivals: &[Arrival],
        tracer: TracerInfo,
    ) {
        if chunk.is_empty() {
            return;
        }
        let tracer = self.shared_tracer(tracer);
        let seen = |arrival: Option<&Arrival>| Now {
            wall: arrival.map(|arrival| arrival.at).unwrap_or_default(),
            uptime_ns: 0,
        };
        let delivery = Delivery {
            arrivals,
            tracer: &tracer,
            now: seen(arrivals.first()),
        };
        let key = self.insert_chunk(id, chunk, delivery);
        if let Some(entry) = self.entry_mut(key) {
            entry.set_last_seen(seen(arrivals.last()));
        }
        self.evict();
        self.revision += 1;
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

    /// Says which traces are evicted last: those on the screen and those the user marked.
    pub fn hold(&mut self, held: Vec<TraceKey>) {
        self.held = held;
    }

    /// A trace, unless it was evicted.
    pub fn trace(&self, key: TraceKey) -> Option<&TraceEntry> {
        self.entries.get(&key).map(Box::as_ref)
    }

    /// The traces in order of first arrival, the oldest first.
    pub fn traces(&self) -> impl DoubleEndedIterator<Item = &TraceEntry> {
        self.entries.values().map(Box::as_ref)
    }

    /// The newest trace with this id, comparing all 128 bits.
    pub fn find(&self, id: TraceId) -> Option<&TraceEntry> {
        self.twins(id.low()).find(|entry| entry.trace_id() == id)
    }

    /// The traces that the last insert evicted: the last chance to look at them.
    pub fn evicted(&self) -> impl Iterator<Item = &TraceEntry> {
        self.evicted.iter().map(Box::as_ref)
    }

    /// The oldest trace that is held among those from a key on.
    pub fn trace_from(&self, key: TraceKey) -> Option<&TraceEntry> {
        self.entries
            .range(key..)
            .next()
            .map(|(_, entry)| entry.as_ref())
    }

    /// The key of the trace that comes next.
    pub fn next_key(&self) -> TraceKey {
        self.next_key
    }

    /// How many traces are held.
    pub fn n_traces(&self) -> usize {
        self.entries.len()
    }

    /// The newest requests, the oldest of them first.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> + ExactSizeIterator {
        self.requests.iter()
    }

    /// The counters of everything since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes held, by our own count.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The budget.
    pub fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }

    /// Changes whenever anything in the store does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn insert_chunk(&mut self, id: TraceId, chunk: TraceChunk, delivery: Delivery<'_>) -> TraceKey {
        raise(&mut self.counters.spans_received, count(chunk.len()));
        self.revision += 1;
        let revision = self.revision;
        let key = self.key_for(id, delivery.now);
        let Some(entry) = self.entry_mut(key) else {
            return key;
        };
        let (bytes, was_complete) = (entry.bytes(), entry.is_complete());
        let is_new = entry.n_spans() == 0;
        let inserted = entry.insert(chunk, delivery);
        entry.set_revision(revision);
        let (after, is_complete) = (entry.bytes(), entry.is_complete());
        self.bytes = (self.bytes + after).saturating_sub(bytes);
        self.count_inserted(inserted);
        if !is_new {
            *self.counters.traces(was_complete) -= 1;
        }
        raise(self.counters.traces(is_complete), 1);
        key
    }

    fn count_inserted(&mut self, inserted: Inserted) {
        raise(&mut self.counters.spans_shown, inserted.n_new);
        raise(&mut self.counters.spans_duplicate, inserted.n_duplicate);
    }

    /// The trace a chunk belongs to. A chunk that does not say the high half of its id (only the
    /// first span of a chunk carries it, and some writers forget) joins the newest trace with its
    /// low half, and the other way round.
    fn key_for(&mut self, id: TraceId, now: Now) -> TraceKey {
        let exact = self.twins(id.low()).find(|entry| entry.trace_id() == id);
        let unsaid = |entry: &&TraceEntry| id.high() == 0 || entry.trace_id().high() == 0;
        let found = exact
            .or_else(|| self.twins(id.low()).find(unsaid))
            .map(TraceEntry::key);
        match found {
            Some(key) => {
                if let (true, Some(entry)) = (id.high() != 0, self.entry_mut(key)) {
                    entry.set_trace_id(id);
                }
                key
            }
            None => self.add_entry(id, now),
        }
    }

    fn add_entry(&mut self, id: TraceId, now: Now) -> TraceKey {
        let key = self.next_key;
        self.next_key = TraceKey(key.0.saturating_add(1));
        let older_twin = self.by_low.insert(id.low(), key);
        let entry = TraceEntry::new(key, id, older_twin, now);
        self.bytes += entry.bytes() + ENTRY_OVERHEAD_BYTES;
        self.entries.insert(key, Box::new(entry));
        key
    }

    /// The traces with this low half, the newest first.
    fn twins(&self, low: u64) -> impl Iterator<Item = &TraceEntry> {
        let newest = self.by_low.get(&low).and_then(|key| self.trace(*key));
        std::iter::successors(newest, |entry| self.trace(entry.older_twin()?)).take(TWINS_MAX)
    }

    fn evict(&mut self) {
        self.evicted.clear();
        while self.bytes > self.memory_bytes_max && !self.entries.is_empty() {
            self.remove(self.next_to_evict());
        }
    }

    /// The oldest complete trace that nobody looks at; if the oldest ones are all unfinished, the
    /// oldest of them; if everything is looked at, the oldest.
    fn next_to_evict(&self) -> Option<TraceKey> {
        let unheld = || {
            self.traces()
                .filter(|entry| !self.held.contains(&entry.key()))
        };
        let complete = unheld()
            .take(EVICTION_LOOKAHEAD)
            .find(|entry| entry.is_complete());
        let chosen = complete
            .or_else(|| unheld().next())
            .or_else(|| self.traces().next());
        chosen.map(TraceEntry::key)
    }

    fn remove(&mut self, key: Option<TraceKey>) {
        let Some(entry) = key.and_then(|key| self.entries.remove(&key)) else {
            return;
        };
        self.bytes = self
            .bytes
            .saturating_sub(entry.bytes() + ENTRY_OVERHEAD_BYTES);
        raise(&mut self.counters.traces_evicted, 1);
        raise(&mut self.counters.spans_evicted, count(entry.n_spans()));
        self.counters.spans_shown -= count(entry.n_spans());
        *self.counters.traces(entry.is_complete()) -= 1;
        self.unlink(&entry);
        self.evicted.push(entry);
    }

    /// Takes a trace that was removed out of the chain of its twins.
    fn unlink(&mut self, removed: &TraceEntry) {
        let low = removed.trace_id().low();
        if self.by_low.get(&low) == Some(&removed.key()) {
            match removed.older_twin() {
                Some(older) => self.by_low.insert(low, older),
                None => self.by_low.remove(&low),
            };
            return;
        }
        let newer = self
            .twins(low)
            .find(|entry| entry.older_twin() == Some(removed.key()));
        if let Some(newer) = newer.map(TraceEntry::key)
            && let Some(newer) = self.entry_mut(newer)
        {
            newer.set_older_twin(removed.older_twin());
        }
    }

    fn entry_mut(&mut self, key: TraceKey) -> Option<&mut TraceEntry> {
        self.entries.get_mut(&key).map(Box::as_mut)
    }

    /// One copy of each tracer's description, among the last few that sent.
    fn shared_tracer(&mut self, tracer: TracerInfo) -> Arc<TracerInfo> {
        const TRACERS_MAX: usize = 32;
        if let Some(known) = self.tracers.iter().find(|known| ***known == tracer) {
            return Arc::clone(known);
        }
        if self.tracers.len() >= TRACERS_MAX {
            self.tracers.pop_front();
        }
        let tracer = Arc::new(tracer);
        self.tracers.push_back(Arc::clone(&tracer));
        tracer
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn count_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
