//! The log lines of the store, and how they find their traces.

use std::collections::VecDeque;

use super::TraceKey;
use crate::logs::{JoinedBy, LogRecord};
use crate::trace::{Hello, Now, UnixNanos};

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

/// What Modal's client has said of the app it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModalApp {
    /// `ap-…`.
    pub id: Option<Box<str>>,
    /// Its page on modal.com.
    pub page: Option<Box<str>>,
    /// Where its web functions can be called.
    pub web_urls: Vec<Box<str>>,
    /// When it was published again after a change, the oldest first.
    pub reloads: Vec<(UnixNanos, Now)>,
    /// How far it is.
    pub state: ModalState,
}

/// How far a Modal app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModalState {
    /// Modal's client has said nothing.
    #[default]
    Unseen,
    /// It is being built.
    Building,
    /// Its functions can be called.
    Serving,
    /// It stops; last lines are on their way.
    Disconnecting,
    /// It has stopped.
    Stopped,
}

/// The lines, and what waits for spans.
#[derive(Debug, Default)]
pub(super) struct Logs {
    entries: VecDeque<LogEntry>,
    next_key: LogKey,
    modal: ModalApp,
    hellos: Vec<Hello>,
}

impl Logs {
    pub(super) fn push(&mut self, record: LogRecord, trace: Option<TraceKey>, now: Now) -> LogKey {
        let key = self.next_key;
        self.next_key = LogKey(key.0 + 1);
        self.entries.push_back(LogEntry {
            key,
            record,
            joined: trace.map(|trace| Joined {
                trace,
                by: JoinedBy::TraceId,
            }),
            first_seen: now,
        });
        key
    }

    pub(super) fn get(&self, key: LogKey) -> Option<&LogEntry> {
        let place = self
            .entries
            .binary_search_by_key(&key, LogEntry::key)
            .ok()?;
        self.entries.get(place)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn modal(&self) -> &ModalApp {
        &self.modal
    }

    pub(super) fn hello(&mut self, hello: Hello) {
        self.hellos.push(hello);
    }
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
