//! How lines find their traces, whichever comes first.
//!
//! ```text
//! names a trace that is here                          trace_id         final
//! else names a span of a trace that is here           span_id          until the trace it names comes
//! else, without ids: the only trace of its container  container_time   until there is another
//!      that was open at its time
//! else                                                -
//! ```
//!
//! What is not final waits, for a minute and with ten thousand others, and is looked at again when
//! a chunk comes that could change it. So spans and lines join in the same way in any order. What is
//! still without a trace then stays so.

use std::collections::VecDeque;

use super::container::{Shelved, is_name};
use super::counters::raise;
use super::logs::{Extent, Joined, LogKey, names_ids};
use super::{LogEntry, ModalState, Store, TraceEntry, TraceKey};
use crate::logs::{JoinedBy, LogRecord, LogSource, Remark};
use crate::trace::{Now, TraceId};

/// How many containers a trace is looked up by.
const CONTAINERS_OF_A_TRACE_MAX: usize = 4;

impl Store {
    /// Takes a line and joins it if it can be.
    pub(super) fn add_log(&mut self, record: LogRecord, now: Now) {
        raise(&mut self.counters.logs_received, 1);
        raise(&mut self.counters.logs_unjoined, 1);
        if record.remark.is_some() {
            self.hear(&record, now);
        }
        let may_ask_for_spans = record.ids.spans().next().is_some();
        if may_ask_for_spans && !self.logs.remembers_spans() && self.named_trace(&record).is_none()
        {
            let newest_first = self.entries.iter().rev();
            self.logs.begin_remembering(newest_first);
        }
        let joined = self.trace_for(&record);
        let is_final = is_final(&record, joined);
        let key = self.logs.push(record, now);
        if !is_final {
            self.logs.wait(key);
        }
        if joined.is_some() {
            let woken = self.set_joined(key, joined);
            self.reconsider(woken);
        }
    }

    fn hear(&mut self, record: &LogRecord, now: Now) {
        let Some(remark) = record.remark.as_deref() else {
            return;
        };
        match remark {
            Remark::Modal(status) => {
                let before = self.logs.modal.generation();
                self.logs.modal.hear(status, record.at, now);
                let n_new = self.logs.modal.generation() - before;
                let is_of_app = self.logs.modal.state != ModalState::Unseen;
                // A file is read from its beginning: what it tells may be long ago.
                if is_of_app && record.source != LogSource::File {
                    self.hear_app(n_new);
                }
            }
            Remark::Unsent { traces, .. } => {
                raise(&mut self.counters.client_unsent_traces, *traces);
            }
            Remark::Restoring => {
                if let Some(container) = &record.container {
                    self.hear_restore(container, record.at);
                }
            }
            Remark::Ended { input, .. } => {
                if let Some(input) = input {
                    self.hear_end(record, input);
                }
            }
            Remark::DatadogInit => {}
        }
    }

    /// The trace a line belongs to, as far as can be told now.
    fn trace_for(&self, record: &LogRecord) -> Option<Joined> {
        let joined = |by| move |trace| Joined { trace, by };
        let by_trace = || self.named_trace(record);
        let by_span = || {
            let mut spans = record.ids.spans();
            let held = |trace: &TraceKey| self.entries.contains(*trace);
            spans.find_map(|span| self.logs.trace_of(span).filter(held))
        };
        let by_place = || self.logs.guess(record);
        by_trace()
            .map(joined(JoinedBy::TraceId))
            .or_else(|| by_span().map(joined(JoinedBy::SpanId)))
            .or_else(|| by_place().map(joined(JoinedBy::ContainerTime)))
    }

    /// The trace whose id a line names.
    fn named_trace(&self, record: &LogRecord) -> Option<TraceKey> {
        let mut readings = record.ids.traces();
        readings.find_map(|id| self.twin_for(id))
    }

    /// The newest trace with an id: all of it, else its low half, where the one or the other does
    /// not say the high half: only the first span of a chunk carries it, and some writers forget.
    pub(super) fn twin_for(&self, id: TraceId) -> Option<TraceKey> {
        let exact = self.twins(id.low()).find(|entry| entry.trace_id() == id);
        let unsaid = |entry: &&TraceEntry| id.high() == 0 || entry.trace_id().high() == 0;
        exact
            .or_else(|| self.twins(id.low()).find(unsaid))
            .map(TraceEntry::key)
    }

    /// Looks again at lines that a chunk has woken.
    pub(super) fn reconsider(&mut self, woken: impl IntoIterator<Item = LogKey>) {
        let mut woken: VecDeque<LogKey> = woken.into_iter().collect();
        while let Some(key) = woken.pop_front() {
            let Some(entry) = self.logs.get(key) else {
                continue;
            };
            let (before, found) = (entry.joined(), self.trace_for(entry.record()));
            let is_same_way = |joined: Joined| found.is_some_and(|found| found.by == joined.by);
            let is_kept =
                before.is_some_and(|joined| joined.by == JoinedBy::SpanId && is_same_way(joined));
            if is_final(entry.record(), found) {
                self.logs.stop_waiting(key);
            } else {
                self.logs.wait_on(key);
            }
            if found != before && !is_kept {
                woken.extend(self.set_joined(key, found));
            }
        }
    }

    /// Moves a line to the trace it belongs to, or out of the one it was in. Returns the lines that
    /// the container it names makes joinable.
    pub(super) fn set_joined(&mut self, key: LogKey, joined: Option<Joined>) -> Vec<LogKey> {
        let Some(before) = self.logs.get(key).map(LogEntry::joined) else {
            return Vec::new();
        };
        self.logs.set_joined(key, joined);
        self.note_joined(key, before, joined);
        match (before, joined) {
            (None, Some(_)) => {
                self.counters.logs_unjoined = self.counters.logs_unjoined.saturating_sub(1);
                raise(&mut self.counters.logs_joined, 1);
            }
            (Some(_), None) => {
                self.counters.logs_joined = self.counters.logs_joined.saturating_sub(1);
                raise(&mut self.counters.logs_unjoined, 1);
            }
            _ => {}
        }
        if let Some(before) = before {
            self.change_lines(before.trace, |entry| entry.remove_log(key));
            self.line_left(before.trace, key);
        }
        let Some(joined) = joined else {
            return Vec::new();
        };
        self.change_lines(joined.trace, |entry| entry.add_log(key));
        self.line_came(joined.trace, key);
        self.learn_container(key, joined)
    }

    /// Changes the lines of a trace, and what follows from it.
    pub(super) fn change_lines(&mut self, key: TraceKey, change: impl FnOnce(&mut TraceEntry)) {
        self.revision += 1;
        let revision = self.revision;
        self.change(key, |entry| {
            change(entry);
            entry.set_logs_revision(revision);
        });
        self.note_touched(key);
    }

    /// A line that has found its trace for good says in which container that was.
    fn learn_container(&mut self, key: LogKey, joined: Joined) -> Vec<LogKey> {
        let line = self.logs.get(key).zip(self.trace(joined.trace));
        let Some((record, entry)) = line.map(|(line, entry)| (line.record(), entry)) else {
            return Vec::new();
        };
        if !is_final(record, Some(joined)) {
            return Vec::new();
        }
        let is_known = |name: &str| entry.containers().iter().any(|known| **known == *name);
        if record.container.as_deref().is_none_or(is_known) {
            return Vec::new();
        }
        let container = self.shelf.of_line(record);
        let woken = self.locate(joined.trace, container);
        self.place_by_lines(joined.trace);
        woken
    }

    /// Notes how far a trace reaches in its containers, and one more of them if it is named. Returns
    /// the lines that may join it for that, or leave it.
    pub(super) fn locate(&mut self, key: TraceKey, container: Option<Shelved>) -> Vec<LogKey> {
        if let Some(container) = container {
            self.add_container(key, container);
        }
        let Some(entry) = self.entries.get(key) else {
            return Vec::new();
        };
        let extent = Extent {
            trace: key,
            start: entry.summary().start,
            end: entry.summary().end,
        };
        let mut woken = Vec::new();
        for container in entry.containers() {
            woken.append(&mut self.logs.places.note(container, extent));
        }
        woken
    }

    fn add_container(&mut self, key: TraceKey, container: Shelved) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let name = container.known.name();
        let is_known = |name: &str| entry.containers().iter().any(|known| **known == *name);
        let is_full = entry.containers().len() >= CONTAINERS_OF_A_TRACE_MAX;
        let is_new = |name: &&str| is_name(name) && !is_full && !is_known(name);
        if let Some(name) = name.filter(is_new) {
            let name = self.logs.places.name(name);
            self.change(key, |entry| entry.add_container(name));
        }
        let entry = self.entries.get(key);
        let before = entry.and_then(TraceEntry::known_container);
        let before = before.map(|known| known.by);
        if before.is_none_or(|before| container.known.by < before) {
            self.change(key, |entry| entry.set_container(container));
        }
    }

    /// Gives up the lines of a trace that is going, and what was known of where it ran.
    pub(super) fn remove_lines(&mut self, entry: &TraceEntry) {
        for key in entry.logs() {
            self.logs.remove(*key);
        }
        raise(
            &mut self.counters.logs_evicted,
            super::count(entry.logs().len()),
        );
        for container in entry.containers() {
            self.logs.places.forget(container, entry.key());
        }
    }

    /// Gives up the oldest line that belongs to no trace.
    pub(super) fn remove_loose_line(&mut self) -> bool {
        let Some(key) = self.logs.oldest_loose() else {
            return false;
        };
        self.logs.remove(key);
        raise(&mut self.counters.logs_evicted, 1);
        true
    }
}

/// Whether nothing that comes can change where a line belongs.
pub(super) fn is_final(record: &LogRecord, joined: Option<Joined>) -> bool {
    match joined.map(|joined| joined.by) {
        Some(JoinedBy::TraceId) => true,
        Some(JoinedBy::SpanId) => record.ids.traces().next().is_none(),
        Some(JoinedBy::ContainerTime) => false,
        None => !names_ids(record) && record.container.is_none(),
    }
}
