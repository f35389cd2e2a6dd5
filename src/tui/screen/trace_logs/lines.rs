//! The lines of one trace in order of their time: numbers only, taken from the store once for each
//! line, so that ten thousand of them cost a frame nothing.

use crate::logs::Level;
use crate::store::{LogEntry, LogKey, Store, TraceEntry, TraceKey};
use crate::trace::{SpanId, UnixNanos};
use crate::tui::screen::log_row::moment;

/// What order, letters and scopes need to know of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineMark {
    pub(crate) key: LogKey,
    /// When it was written, else when it arrived.
    pub(crate) at: UnixNanos,
    pub(crate) level: Option<Level>,
    /// The span it names, and what else its text can mean.
    spans: [SpanId; 2],
}

impl LineMark {
    pub(crate) fn of(entry: &LogEntry) -> Self {
        let record = entry.record();
        let mut spans = record.ids.spans();
        let mut next = || spans.next().unwrap_or(SpanId::NONE);
        Self {
            key: entry.key(),
            at: moment(record),
            level: record.level,
            spans: [next(), next()],
        }
    }

    /// Whether it names a span.
    pub(crate) fn names(self, span: SpanId) -> bool {
        span != SpanId::NONE && self.spans.contains(&span)
    }

    fn order(&self) -> (UnixNanos, LogKey) {
        (self.at, self.key)
    }
}

/// The lines of a trace.
#[derive(Debug, Default)]
pub(crate) struct TraceLines {
    marks: Vec<LineMark>,
    /// The first and the last line of the trace as they were taken, and how many there were.
    taken: Option<(LogKey, LogKey, usize)>,
    /// Which lines of which trace those are.
    revision: Option<(TraceKey, u64)>,
    version: u64,
}

impl TraceLines {
    /// Takes the lines that came since, or all again if some have gone.
    pub(crate) fn refresh(&mut self, trace: &TraceEntry, store: &Store) {
        let revision = Some((trace.key(), trace.logs_revision()));
        if self.revision == revision {
            return;
        }
        self.revision = revision;
        let keys = trace.logs();
        let ends = keys.first().copied().zip(keys.last().copied());
        let now = ends.map(|(first, last)| (first, last, keys.len()));
        let is_same = |first, last, n_taken: usize| {
            let still = n_taken.checked_sub(1).and_then(|place| keys.get(place));
            keys.first() == Some(&first) && still == Some(&last)
        };
        let n_known = match self.taken {
            Some((first, last, n_taken))
                if n_taken < keys.len() && is_same(first, last, n_taken) =>
            {
                n_taken
            }
            // One of them has gone, or another has taken its place.
            _ => 0,
        };
        if n_known == 0 {
            self.marks.clear();
        }
        let new = keys.get(n_known..).unwrap_or_default();
        let new = new.iter().filter_map(|key| store.log(*key));
        self.marks.extend(new.map(LineMark::of));
        // Mostly they come in order.
        let before = n_known.saturating_sub(1).min(self.marks.len());
        let unchecked = self.marks.get(before..).unwrap_or_default();
        if !unchecked.is_sorted_by_key(LineMark::order) {
            self.marks.sort_by_key(LineMark::order);
        }
        self.taken = now;
        self.version += 1;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if self.taken.is_some() {
            self.marks.clear();
            (self.taken, self.revision) = (None, None);
            self.version += 1;
        }
    }

    /// The lines in order of their time.
    pub(crate) fn marks(&self) -> &[LineMark] {
        &self.marks
    }

    /// Changes whenever a line comes or goes.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The line after another in time, and after the last the first.
    pub(crate) fn after(&self, key: Option<LogKey>) -> Option<LogKey> {
        let place = self.marks.iter().position(|mark| Some(mark.key) == key);
        let next = place.and_then(|place| self.marks.get(place + 1));
        next.or(self.marks.first()).map(|mark| mark.key)
    }
}
