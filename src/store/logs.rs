//! The log lines of the store: held, counted in bytes, and looked up by what may join them to a
//! trace. Which trace a line joins is decided by `store::join`.

mod lines;
mod modal;
mod places;
mod spans;
mod waiting;

use std::collections::{HashMap, VecDeque};

pub use modal::{ModalApp, ModalState};
pub(super) use places::{Extent, Places};

use super::{TraceEntry, TraceKey};
use crate::logs::{JoinedBy, LogRecord};
use crate::trace::{Now, SpanId, UnixNanos};
use lines::HeldLines;
pub(super) use lines::line_bytes;
use spans::RecentSpans;
use waiting::Waiting;

/// A log line, numbered by arrival. Never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogKey(pub u64);

/// The trace a line belongs to, and how that was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The trace.
    pub trace: TraceKey,
    /// How it was found.
    pub by: JoinedBy,
}

/// A line that is held.
#[derive(Debug)]
pub struct LogEntry {
    key: LogKey,
    record: LogRecord,
    joined: Option<Joined>,
    first_seen: Now,
}

impl LogEntry {
    /// Our own number for the line.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// The line.
    pub fn record(&self) -> &LogRecord {
        &self.record
    }

    /// The trace it belongs to.
    pub fn joined(&self) -> Option<Joined> {
        self.joined
    }

    /// When it came.
    pub fn first_seen(&self) -> Now {
        self.first_seen
    }
}

/// The lines, and what waits for spans.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lines: HeldLines,
    next_key: LogKey,
    /// No line before it is without a trace.
    oldest_loose: LogKey,
    loose_bytes: usize,
    waiting: Waiting,
    pub(super) places: Places,
    spans: Option<RecentSpans>,
    pub(super) modal: ModalApp,
}

impl Logs {
    /// Holds a line, which belongs to no trace yet.
    pub(super) fn push(&mut self, record: LogRecord, now: Now) -> LogKey {
        let key = self.next_key;
        self.next_key = LogKey(key.0.saturating_add(1));
        let entry = LogEntry {
            key,
            record,
            joined: None,
            first_seen: now,
        };
        self.loose_bytes += line_bytes(&entry);
        self.lines.push(entry);
        key
    }

    /// Gives a line up.
    pub(super) fn remove(&mut self, key: LogKey) {
        self.stop_waiting(key);
        if let Some(entry) = self.lines.remove(key)
            && entry.joined.is_none()
        {
            self.loose_bytes -= line_bytes(&entry);
        }
    }

    /// Says which trace a line belongs to. Returns what was said before, `None` if the line is gone.
    pub(super) fn set_joined(
        &mut self,
        key: LogKey,
        joined: Option<Joined>,
    ) -> Option<Option<Joined>> {
        let entry = self.lines.get_mut(key)?;
        let before = std::mem::replace(&mut entry.joined, joined);
        let bytes = line_bytes(entry);
        if before.is_none() {
            self.loose_bytes -= bytes;
        }
        if joined.is_none() {
            self.loose_bytes += bytes;
            self.oldest_loose = self.oldest_loose.min(key);
        }
        Some(before)
    }

    /// Gives the lines from a key on, none of which waits, new keys: in order of when they were read,
    /// but so that those of one trace, and those of none, keep their order. Returns the new keys, each
    /// with its trace.
    pub(super) fn arrange(&mut self, from: LogKey) -> Vec<(LogKey, Option<TraceKey>)> {
        let mut newest_of: HashMap<Option<TraceKey>, UnixNanos> = HashMap::new();
        let mut order = Vec::new();
        for entry in self.lines.range_from(from) {
            let trace = entry.joined.map(|joined| joined.trace);
            let newest = newest_of.entry(trace).or_insert(entry.record.at);
            *newest = entry.record.at.max(*newest);
            order.push((*newest, entry.key));
        }
        order.sort_unstable();
        let taken: Vec<_> = order
            .into_iter()
            .filter_map(|(_, key)| self.lines.remove(key))
            .collect();
        self.next_key = from;
        let mut moved = Vec::with_capacity(taken.len());
        for mut entry in taken {
            entry.key = self.next_key;
            self.next_key = LogKey(self.next_key.0.saturating_add(1));
            moved.push((entry.key, entry.joined.map(|joined| joined.trace)));
            self.lines.push(*entry);
        }
        self.oldest_loose = self.oldest_loose.min(from);
        moved
    }

    pub(super) fn get(&self, key: LogKey) -> Option<&LogEntry> {
        self.lines.get(key)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.lines.iter()
    }

    pub(super) fn range_from(&self, key: LogKey) -> impl Iterator<Item = &LogEntry> {
        self.lines.range_from(key)
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn next_key(&self) -> LogKey {
        self.next_key
    }

    /// What all lines occupy. The indexes beside them have a fixed size: three mebibytes at most.
    pub(super) fn bytes(&self) -> usize {
        self.lines.bytes()
    }

    /// What the lines that belong to no trace occupy.
    pub(super) fn loose_bytes(&self) -> usize {
        self.loose_bytes
    }

    /// The oldest line that belongs to no trace. Each line is passed over once.
    pub(super) fn oldest_loose(&mut self) -> Option<LogKey> {
        let mut from = self.lines.range_from(self.oldest_loose);
        let found = from.find(|entry| entry.joined.is_none());
        let found = found.map(LogEntry::key);
        self.oldest_loose = found.unwrap_or(self.next_key);
        found
    }

    /// The lines whose trace may still change.
    pub(super) fn waiting(&self) -> impl Iterator<Item = LogKey> {
        self.waiting.keys()
    }

    /// Lets a line wait for what it names.
    pub(super) fn wait(&mut self, key: LogKey) {
        let Some(entry) = self.lines.get(key) else {
            return;
        };
        let uptime_ns = entry.first_seen.uptime_ns;
        self.waiting.add(key, &entry.record, uptime_ns);
        if is_guessed(&entry.record) {
            self.places.wait(key, &entry.record);
        }
    }

    /// Puts a line that was woken back, if it still waits.
    pub(super) fn wait_on(&mut self, key: LogKey) {
        if self.waiting.contains(key)
            && let Some(entry) = self.lines.get(key)
        {
            self.waiting.add_ids(key, &entry.record);
        }
    }

    pub(super) fn stop_waiting(&mut self, key: LogKey) {
        if self.waiting.contains(key)
            && let Some(entry) = self.lines.get(key)
        {
            self.waiting.remove(key, &entry.record);
            self.places.stop_waiting(key, &entry.record);
        }
    }

    /// Ends the waiting of lines that have waited long enough: they stay as they are.
    pub(super) fn expire(&mut self, now: Now) {
        while let Some(key) = self.waiting.overdue(now.uptime_ns) {
            self.stop_waiting(key);
        }
    }

    /// Takes out the lines that wait for a chunk: for its trace, or for one of its spans.
    pub(super) fn woken_by(
        &mut self,
        low: u64,
        spans: impl Iterator<Item = SpanId>,
    ) -> VecDeque<LogKey> {
        let mut woken = self.waiting.take_for_trace(low);
        if self.waiting.is_for_spans() {
            for span in spans {
                woken.extend(self.waiting.take_for_span(span).into_iter().flatten());
            }
        }
        woken
    }

    /// Remembers the spans of a chunk, if anything asks for spans at all.
    pub(super) fn remember_spans(&mut self, trace: TraceKey, spans: impl Iterator<Item = SpanId>) {
        if let Some(recent) = &mut self.spans {
            spans.for_each(|span| recent.add(span, trace));
        }
    }

    /// Whether spans are remembered by their id.
    pub(super) fn remembers_spans(&self) -> bool {
        self.spans.is_some()
    }

    /// Begins to remember spans, with the newest of those that are there; the newest trace first.
    pub(super) fn begin_remembering<'a>(&mut self, traces: impl Iterator<Item = &'a TraceEntry>) {
        let mut newest = Vec::new();
        let mut n_left = RecentSpans::capacity();
        for trace in traces {
            if n_left == 0 {
                break;
            }
            n_left = n_left.saturating_sub(trace.n_spans());
            newest.push(trace);
        }
        let mut recent = RecentSpans::new();
        for trace in newest.into_iter().rev() {
            for (_, span) in trace.spans() {
                recent.add(span.span_id(), trace.key());
            }
        }
        self.spans = Some(recent);
    }

    /// The newest trace that has a span with this id, if it is remembered.
    pub(super) fn trace_of(&self, span: SpanId) -> Option<TraceKey> {
        self.spans.as_ref()?.find(span)
    }

    /// The trace that a line without ids can be guessed to belong to.
    pub(super) fn guess(&self, record: &LogRecord) -> Option<TraceKey> {
        is_guessed(record).then(|| self.places.guess(record))?
    }
}

/// Whether a line says nothing by which it could be joined but its container.
fn is_guessed(record: &LogRecord) -> bool {
    record.container.is_some() && !names_ids(record)
}

/// Whether a line names a trace or a span.
pub(super) fn names_ids(record: &LogRecord) -> bool {
    record.ids != crate::logs::LogIds::default()
}

#[cfg(test)]
impl super::Store {
    /// What Modal's client has said, for tests that do not let it speak.
    pub(crate) fn modal_mut(&mut self) -> &mut ModalApp {
        &mut self.logs.modal
    }

    /// The counters, for tests that need no more than a number.
    pub(crate) fn counters_mut(&mut self) -> &mut super::Counters {
        &mut self.counters
    }
}
