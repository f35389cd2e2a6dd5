//! Lines that may yet find a trace, or a better one: the newest ten thousand of the last minute.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::LogKey;
use crate::logs::LogRecord;
use crate::trace::SpanId;

/// How many lines wait at most.
pub(super) const WAITING_MAX: usize = 10_000;
/// How long a line waits at most.
const WAITING_NS: u64 = 60_000_000_000;

/// The lines that wait, and for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Each line with the time at which it came.
    since: BTreeMap<LogKey, u64>,
    /// By the low half of each trace that a line may mean.
    by_trace: HashMap<u64, VecDeque<LogKey>>,
    /// By each span that a line may mean.
    by_span: HashMap<SpanId, VecDeque<LogKey>>,
}

impl Waiting {
    pub(super) fn add(&mut self, key: LogKey, record: &LogRecord, uptime_ns: u64) {
        self.since.insert(key, uptime_ns);
        self.add_ids(key, record);
    }

    pub(super) fn contains(&self, key: LogKey) -> bool {
        self.since.contains_key(&key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = LogKey> {
        self.since.keys().copied()
    }

    /// Puts a line that was woken back to where it waited.
    pub(super) fn add_ids(&mut self, key: LogKey, record: &LogRecord) {
        for trace in record.ids.traces() {
            add_once(self.by_trace.entry(trace.low()).or_default(), key);
        }
        for span in record.ids.spans() {
            add_once(self.by_span.entry(span).or_default(), key);
        }
    }

    pub(super) fn remove(&mut self, key: LogKey, record: &LogRecord) {
        if self.since.remove(&key).is_none() {
            return;
        }
        for trace in record.ids.traces() {
            remove_from(&mut self.by_trace, &trace.low(), key);
        }
        for span in record.ids.spans() {
            remove_from(&mut self.by_span, &span, key);
        }
    }

    /// The line that has waited too long, or longest of too many.
    pub(super) fn overdue(&self, uptime_ns: u64) -> Option<LogKey> {
        let (key, since) = self.since.first_key_value()?;
        let is_due = uptime_ns.saturating_sub(*since) > WAITING_NS;
        (is_due || self.since.len() > WAITING_MAX).then_some(*key)
    }

    /// Takes out the lines that wait for a trace with this low half.
    pub(super) fn take_for_trace(&mut self, low: u64) -> VecDeque<LogKey> {
        if self.by_trace.is_empty() {
            return VecDeque::new();
        }
        self.by_trace.remove(&low).unwrap_or_default()
    }

    /// Whether any line waits for a span.
    pub(super) fn is_for_spans(&self) -> bool {
        !self.by_span.is_empty()
    }

    /// Takes out the lines that wait for a span.
    pub(super) fn take_for_span(&mut self, span: SpanId) -> Option<VecDeque<LogKey>> {
        self.by_span.remove(&span)
    }
}

fn add_once(keys: &mut VecDeque<LogKey>, key: LogKey) {
    match keys.back() {
        Some(last) if *last >= key => {
            if let Err(place) = keys.binary_search(&key) {
                keys.insert(place, key);
            }
        }
        _ => keys.push_back(key),
    }
}

fn remove_from<K: std::hash::Hash + Eq>(
    map: &mut HashMap<K, VecDeque<LogKey>>,
    id: &K,
    key: LogKey,
) {
    let Some(keys) = map.get_mut(id) else {
        return;
    };
    if let Ok(place) = keys.binary_search(&key) {
        keys.remove(place);
    }
    if keys.is_empty() {
        map.remove(id);
    }
}
