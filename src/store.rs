//! Everything captured, within a budget: insert, look up, evict. One owner, no lock, no clock.
//!
//! Traces stand in order of first arrival under keys of our own, because ids on the wire repeat.
//! When the budget is reached whole traces go, the oldest first, and are counted. Colours and
//! display strings have no place here.
//!
//! ```text
//! entries  key ─▶ trace, in order; an evicted one leaves nothing behind
//! by_low   low half of the trace id ─▶ newest key ─older_twin─▶ next key …
//! logs     key ─▶ line, in order; those of a trace go with it
//! ```

mod by_low;
mod change;
mod container;
mod counters;
mod depart;
mod depart_lines;
mod departed;
mod entries;
mod entry;
mod evict;
mod fleet;
mod forwarding;
mod gone;
mod hear;
mod index;
mod join;
mod judge;
mod logs;
mod marks;
mod missing;
mod outcome;
mod restore;
mod root;
mod starts;
mod summary;
mod tape;
mod told;
mod tree;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

pub use container::{KnownBy, TraceContainer};
pub use counters::{Counters, Simulated};
use depart::Departure;
pub use depart_lines::Due;
pub use entry::{Arrival, TraceEntry};
pub use fleet::{Container, ContainerKey, Fleet, Liveness};
pub use forwarding::{Forwarding, ToldForward, UNSENT_BYTES_MAX, Went};
pub use gone::Gone;
pub use logs::{Joined, LogEntry, LogKey, ModalApp, ModalState};
pub use missing::Missing;
pub use restore::{Restored, ToldPlace, ToldRoot, ToldTrace};
pub use root::LocalRoot;
pub use summary::Summary;
pub use told::{Compared, Operation, OperationKey, Tally, Told, ToldClient, ToldSums};
pub use tree::{RowMark, SpanTree, TreeRow};
pub use wanted::Offer;

use crate::ingest::{Brought, Lines, Overflow, Received, Request, RequestRecord};
use crate::logs::LogRecord;
use crate::sampler::{self, Model, Process};
use crate::trace::{
    Dictionary, Hello, Now, RelaySource, Span, TraceChunk, TraceId, TracerInfo, UnixNanos,
};
use by_low::ByLow;
use container::{Shelf, Shelved};
use counters::raise;
use entries::Entries;
use entry::{Delivery, Inserted};
use logs::Logs;
use outcome::Inputs;
use starts::{Seen, Whence};

/// A trace, numbered by first arrival. Never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
/// Place in the lists of the store, for each trace.
const ENTRY_OVERHEAD_BYTES: usize = entries::PLACE_BYTES + 24;
/// How many traces with the same low half of their id are told apart: of more, which only somebody
/// who means harm sends, the newest.
const TWINS_MAX: usize = 64;
/// What clients told may take an eighth of the budget, and never more than this.
const TOLD_SHARE: usize = 8;
const TOLD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A chunk on its way into its trace.
#[derive(Debug)]
struct Came {
    id: TraceId,
    chunk: TraceChunk,
    container: Option<Shelved>,
    seen: Seen,
}

/// The captured traces, the log of requests and the counters.
#[derive(Debug)]
pub struct Store {
    entries: Entries,
    next_key: TraceKey,
    by_low: ByLow,
    held: Vec<TraceKey>,
    marks: BTreeSet<TraceKey>,
    tracers: VecDeque<Arc<TracerInfo>>,
    /// Those that chunks share their strings in; they go with the last of them.
    dictionaries: Vec<Weak<Dictionary>>,
    requests: VecDeque<RequestRecord>,
    n_recorded: u64,
    logs: Logs,
    shelf: Shelf,
    fleet: Fleet,
    gone: Gone,
    inputs: Inputs,
    /// The traces that have changed since the caller was told.
    changed: Vec<TraceKey>,
    #[expect(clippy::vec_box, reason = "moved out of its slot, not copied")]
    evicted: Vec<Box<TraceEntry>>,
    counters: Counters,
    told: Told,
    model: Model,
    forwarding: Forwarding,
    bytes: usize,
    memory_bytes_max: usize,
    revision: u64,
}

impl Store {
    /// An empty store that keeps at most so many bytes of spans and lines, by its own count.
    pub fn new(memory_bytes_max: usize) -> Self {
        let places = (memory_bytes_max / SMALL_TRACE_BYTES).min(RESERVED_ENTRIES_MAX);
        // Tables of the standard library have a power of two of places, and use seven eighths.
        let reserved = places - places / 8;
        Self {
            entries: Entries::with_capacity(reserved),
            next_key: TraceKey(0),
            by_low: ByLow::with_capacity(reserved),
            held: Vec::new(),
            marks: BTreeSet::new(),
            tracers: VecDeque::new(),
            dictionaries: Vec::new(),
            requests: VecDeque::new(),
            n_recorded: 0,
            logs: Logs::default(),
            shelf: Shelf::default(),
            fleet: Fleet::default(),
            gone: Gone::default(),
            inputs: Inputs::default(),
            changed: Vec::new(),
            evicted: Vec::new(),
            counters: Counters::default(),
            told: Told::new((memory_bytes_max / TOLD_SHARE).min(TOLD_BYTES_MAX)),
            model: Model::default(),
            forwarding: Forwarding::default(),
            bytes: 0,
            memory_bytes_max,
            revision: 0,
        }
    }

    /// Takes a request and what it brought. Returns the traces that changed, each once.
    pub fn take_request(&mut self, request: Request, now: Now) -> Vec<TraceKey> {
        self.evicted.clear();
        self.add_request(request, now);
        self.take_changed(now)
    }

    /// Takes what lines brought. Returns the traces that changed, each once.
    pub fn take_lines(&mut self, lines: Lines, now: Now) -> Vec<TraceKey> {
        self.evicted.clear();
        raise(&mut self.counters.relay_messages, lines.relay_messages);
        raise(&mut self.counters.relay_lost, lines.relay_lost);
        raise(&mut self.counters.logs_dropped, lines.n_dropped);
        // Spans first: then fewer lines have to wait for them.
        for request in lines.requests {
            self.add_request(request, now);
        }
        for record in lines.records {
            self.add_log(record, now);
        }
        self.take_changed(now)
    }

    /// Takes log lines. Returns the traces that changed, each once: they gained lines, or lost some
    /// that had been guessed to be theirs.
    pub fn insert_logs(&mut self, records: Vec<LogRecord>, now: Now) -> Vec<TraceKey> {
        self.evicted.clear();
        for record in records {
            self.add_log(record, now);
        }
        self.take_changed(now)
    }

    fn add_request(&mut self, request: Request, now: Now) {
        self.record(request.record);
        match request.brought {
            Brought::Nothing => {}
            Brought::Spans(received) => self.add_spans(received, now),
            Brought::Logs(records) => {
                for record in records {
                    self.add_log(record, now);
                }
            }
            Brought::Stats(stats) => self.hear_stats(*stats, now.wall),
            Brought::Telemetry(telemetry) => self.hear_telemetry(*telemetry),
            Brought::Hello(hello) => self.hello(*hello, now.wall),
        }
    }

    /// Ends a step: what has waited too long waits no more, the budget is kept, and the caller is
    /// told what changed.
    fn take_changed(&mut self, now: Now) -> Vec<TraceKey> {
        self.logs.expire(now);
        self.evict();
        self.revision += 1;
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
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
        self.logs.range_from(key)
    }

    /// How many log lines are held.
    pub fn n_logs(&self) -> usize {
        self.logs.len()
    }

    /// The key of the line that comes next.
    pub fn next_log_key(&self) -> LogKey {
        self.logs.next_key()
    }

    /// The lines whose trace may still change, or that may still find one.
    pub(crate) fn waiting_logs(&self) -> impl Iterator<Item = LogKey> {
        self.logs.waiting()
    }

    /// What Modal's client has said of the app.
    pub fn modal(&self) -> &ModalApp {
        &self.logs.modal
    }

    /// Takes what a delivery brought. Returns the traces that changed, each once, in order of
    /// first arrival.
    pub fn insert(&mut self, received: Received, now: Now) -> Vec<TraceKey> {
        self.evicted.clear();
        self.add_spans(received, now);
        self.take_changed(now)
    }

    fn add_spans(&mut self, received: Received, now: Now) {
        let tracer = self.shared_tracer(&received.payload.tracer);
        let mut departure = Departure::of(&received, &tracer);
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
        let is_counted = received.client_computed_stats;
        self.delivered(is_counted, !payload.chunks.is_empty());
        let process = Process::of(&payload, received.relay);
        let whence = Whence {
            at,
            relay: received.relay,
            tracer: &tracer,
        };
        let judged = sampler::Delivery {
            at,
            language: &tracer.language,
            env: &tracer.env,
            form: payload.form,
        };
        let n_dropped = received.client_dropped_p0_traces;
        let mut turn = self
            .model
            .begin(judged, process, payload.n_chunks, n_dropped);
        for mut chunk in payload.chunks {
            if chunk.is_empty() {
                continue;
            }
            let id = chunk.trace_id();
            let container = self.container_of(&chunk, received.relay);
            let known = container.as_ref().map(|shelved| &*shelved.known);
            let seen = self.see(&chunk, whence, known);
            let known = self.home(id, &seen);
            let verdict = self.judge(known, &mut turn, &chunk, via);
            if is_counted {
                self.count_arrived(&chunk);
            }
            let arrival = Arrival {
                at,
                via,
                n_spans: count_u32(chunk.len()),
                // Its spans may go while it is still told how they came.
                facts: chunk.take_facts(),
            };
            let delivery = Delivery {
                arrivals: std::slice::from_ref(&arrival),
                tracer: &tracer,
                now,
                relay: received.relay,
            };
            let key = known.unwrap_or_else(|| self.add_entry(id, now));
            let came = Came {
                id,
                chunk,
                container,
                seen,
            };
            let inserted = self.insert_chunk(key, came, delivery);
            self.add_verdict(key, known, verdict);
            let facts = arrival.facts.as_deref();
            self.depart(key, inserted, (&mut departure, facts), verdict);
        }
    }

    /// Notes a request: in the log of requests and in the counters.
    pub fn record(&mut self, record: RequestRecord) {
        self.counters.count_request(&record);
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(record);
        self.n_recorded += 1;
        self.revision += 1;
    }

    /// Counts requests that were refused because the loop had no room even for their records.
    pub fn overflow(&mut self, overflow: Overflow) {
        raise(&mut self.counters.payloads_refused, overflow.payloads);
        raise(&mut self.counters.chunks_undecodable, overflow.chunks);
        self.counters.count_unreadable(overflow.unreadable);
        self.revision += 1;
    }

    /// Says which traces are on the screen: they are evicted last, as those are that the user marked.
    pub fn hold(&mut self, held: Vec<TraceKey>) {
        self.held = held;
    }

    /// A trace, unless it was evicted.
    pub fn trace(&self, key: TraceKey) -> Option<&TraceEntry> {
        self.entries.get(key)
    }

    /// The traces in order of first arrival, the oldest first.
    pub fn traces(&self) -> impl DoubleEndedIterator<Item = &TraceEntry> {
        self.entries.iter()
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
        self.entries.first_from(key)
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

    /// How many lines the log of requests has had.
    pub(crate) fn n_recorded(&self) -> u64 {
        self.n_recorded
    }

    /// The counters of everything since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes held, by our own count.
    pub fn bytes(&self) -> usize {
        self.bytes + self.logs.bytes() + self.told.bytes() + self.shared_bytes()
    }

    /// The strings that the chunks here share; none once the last of them has gone.
    fn shared_bytes(&self) -> usize {
        if self.n_traces() == 0 {
            return 0;
        }
        let dictionaries = self.dictionaries.iter().filter_map(Weak::upgrade);
        dictionaries.map(|strings| strings.heap_bytes()).sum()
    }

    /// The budget.
    pub fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }

    /// Changes whenever anything in the store does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Adds a chunk to the trace it belongs to. One that says the high half of its id says it for the
    /// trace, which may have come without.
    fn insert_chunk(&mut self, key: TraceKey, came: Came, delivery: Delivery<'_>) -> Inserted {
        let Came {
            id,
            chunk,
            container,
            seen,
        } = came;
        raise(&mut self.counters.spans_received, count(chunk.len()));
        self.revision += 1;
        let revision = self.revision;
        let span_ids = || chunk.spans().map(Span::span_id);
        let woken = self.logs.woken_by(id.low(), span_ids());
        self.logs.remember_spans(key, span_ids());
        self.remember_dictionary(&chunk);
        let Some(entry) = self.entry_mut(key) else {
            return Inserted::default();
        };
        if id.high() != 0 {
            entry.set_trace_id(id);
        }
        let (bytes, was_complete) = (entry.bytes(), entry.is_complete());
        let is_new = entry.n_spans() == 0;
        let inserted = entry.insert(chunk, delivery);
        entry.set_revision(revision);
        let (after, is_complete) = (entry.bytes(), entry.is_complete());
        self.bytes = (self.bytes + after).saturating_sub(bytes);
        self.count_inserted(&inserted);
        if !is_new {
            *self.counters.traces(was_complete) -= 1;
        }
        raise(self.counters.traces(is_complete), 1);
        self.note_touched(key);
        self.reconsider(woken);
        let woken = self.locate(key, container);
        self.reconsider(woken);
        self.settle(key, seen);
        inserted
    }

    /// The container of a chunk: the relay's that passed it on, else the one its tags name.
    fn container_of(&mut self, chunk: &TraceChunk, relay: Option<RelaySource>) -> Option<Shelved> {
        let of_relay = relay.and_then(|relay| self.shelf.of_relay(relay));
        of_relay.or_else(|| self.shelf.of_chunk(chunk))
    }

    /// A relay has said who it is, possibly after it passed on spans.
    pub(crate) fn hello(&mut self, hello: Hello, at: UnixNanos) {
        let source = hello.source;
        self.hear_relay(&hello, at);
        if !self.shelf.hello(hello) {
            return;
        }
        let of_relay = self.traces().filter(|entry| entry.relay() == Some(source));
        let keys: Vec<TraceKey> = of_relay.map(TraceEntry::key).collect();
        for key in keys {
            let container = self.shelf.of_relay(source);
            let woken = self.locate(key, container);
            self.reconsider(woken);
        }
    }

    fn remember_dictionary(&mut self, chunk: &TraceChunk) {
        let Some(strings) = chunk.dictionary() else {
            return;
        };
        let is_same = |known: &Weak<Dictionary>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(strings));
        if !self.dictionaries.iter().rev().any(is_same) {
            self.dictionaries.retain(|known| known.strong_count() > 0);
            self.dictionaries.push(Arc::downgrade(strings));
        }
    }

    fn count_inserted(&mut self, inserted: &Inserted) {
        raise(&mut self.counters.spans_shown, inserted.n_new);
        raise(&mut self.counters.spans_duplicate, inserted.n_duplicate);
    }

    fn add_entry(&mut self, id: TraceId, now: Now) -> TraceKey {
        let key = self.next_key;
        self.next_key = TraceKey(key.0.saturating_add(1));
        let older_twin = self.by_low.insert(&self.entries, id.low(), key);
        let entry = TraceEntry::new(key, id, older_twin, now);
        self.bytes += entry.bytes() + ENTRY_OVERHEAD_BYTES;
        self.entries.push(Box::new(entry));
        key
    }

    /// The traces with this low half, the newest first.
    fn twins(&self, low: u64) -> impl Iterator<Item = &TraceEntry> {
        let newest = self.by_low.get(&self.entries, low);
        let newest = newest.and_then(|key| self.trace(key));
        std::iter::successors(newest, |entry| self.trace(entry.older_twin()?)).take(TWINS_MAX)
    }

    fn entry_mut(&mut self, key: TraceKey) -> Option<&mut TraceEntry> {
        self.entries.get_mut(key)
    }

    /// One copy of each tracer's description, among the last few that sent.
    fn shared_tracer(&mut self, tracer: &TracerInfo) -> Arc<TracerInfo> {
        const TRACERS_MAX: usize = 32;
        if let Some(known) = self.tracers.iter().find(|known| ***known == *tracer) {
            return Arc::clone(known);
        }
        if self.tracers.len() >= TRACERS_MAX {
            self.tracers.pop_front();
        }
        let tracer = Arc::new(tracer.clone());
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
