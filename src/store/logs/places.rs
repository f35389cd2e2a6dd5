//! Which traces a container had when, for lines that name their container and no ids: if exactly one
//! trace of the container was open at the line's time, the line is guessed to be of it.
//!
//! A guess stands as long as it is the only one: a trace that comes later and covers the line too
//! makes it ambiguous, and undoes it, while the line still waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::LogKey;
use crate::logs::LogRecord;
use crate::store::TraceKey;
use crate::trace::UnixNanos;

/// How many containers are looked after: of more, the newest.
const CONTAINERS_MAX: usize = 1_024;
/// How many traces of a container are remembered: of more, those that ended last.
const TRACES_MAX: usize = 256;

/// The containers by name.
#[derive(Debug, Default)]
pub(in crate::store) struct Places {
    by_name: HashMap<Arc<str>, Place>,
    oldest_first: VecDeque<Arc<str>>,
}

/// A container.
#[derive(Debug, Default)]
struct Place {
    extents: Vec<Extent>,
    /// Traces that ended up to here may have been forgotten: nothing is guessed before.
    forgotten_until: Option<UnixNanos>,
    /// The lines that wait for a trace of the container, by their time.
    waiting: BTreeSet<(UnixNanos, LogKey)>,
}

/// When a trace was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Extent {
    pub(in crate::store) trace: TraceKey,
    pub(in crate::store) start: UnixNanos,
    pub(in crate::store) end: UnixNanos,
}

impl Extent {
    fn covers(&self, time: UnixNanos) -> bool {
        (self.start..=self.end).contains(&time)
    }
}

/// The time by which a line is guessed.
fn time(record: &LogRecord) -> UnixNanos {
    record.time.unwrap_or(record.at)
}

impl Places {
    /// The container of a name, by a name that traces can share.
    pub(in crate::store) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some((known, _)) = self.by_name.get_key_value(name) {
            return Arc::clone(known);
        }
        if self.oldest_first.len() >= CONTAINERS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        let name: Arc<str> = name.into();
        self.oldest_first.push_back(Arc::clone(&name));
        self.by_name.insert(Arc::clone(&name), Place::default());
        name
    }

    /// Notes how far a trace reaches by now. Returns the lines whose guess may have changed.
    pub(in crate::store) fn note(&mut self, container: &str, extent: Extent) -> Vec<LogKey> {
        self.by_name
            .get_mut(container)
            .map(|place| place.note(extent))
            .unwrap_or_default()
    }

    /// A trace is gone.
    pub(in crate::store) fn forget(&mut self, container: &str, trace: TraceKey) {
        if let Some(place) = self.by_name.get_mut(container) {
            place.extents.retain(|extent| extent.trace != trace);
        }
    }

    /// The only trace of the line's container that was open at its time.
    pub(super) fn guess(&self, record: &LogRecord) -> Option<TraceKey> {
        let place = self.by_name.get(record.container.as_deref()?)?;
        place.only(time(record))
    }

    pub(super) fn wait(&mut self, key: LogKey, record: &LogRecord) {
        let Some(container) = &record.container else {
            return;
        };
        self.name(container);
        if let Some(place) = self.by_name.get_mut(&**container) {
            place.waiting.insert((time(record), key));
        }
    }

    pub(super) fn stop_waiting(&mut self, key: LogKey, record: &LogRecord) {
        let container = record.container.as_deref();
        let place = container.and_then(|container| self.by_name.get_mut(container));
        if let Some(place) = place {
            place.waiting.remove(&(time(record), key));
        }
    }
}

impl Place {
    fn note(&mut self, extent: Extent) -> Vec<LogKey> {
        let known = self
            .extents
            .iter_mut()
            .rev()
            .find(|known| known.trace == extent.trace);
        let before = known.as_deref().copied();
        if let Some(known) = known {
            *known = extent;
        } else {
            self.make_room();
            self.extents.push(extent);
        }
        // Lines within both are covered as they were; a trace that grows with every span would
        // otherwise wake all lines of its time again and again.
        let after = (extent.start, extent.end);
        match before.map(|before| (before.start, before.end)) {
            Some(before) if before == after => Vec::new(),
            Some(before) if before.0 <= before.1 && after.0 <= after.1 => {
                let mut touched = self.waiting_within(before.0.min(after.0), before.0.max(after.0));
                touched.extend(self.waiting_within(before.1.min(after.1), before.1.max(after.1)));
                touched
            }
            Some(before) => self.waiting_within(before.0.min(after.0), before.1.max(after.1)),
            None => self.waiting_within(after.0, after.1),
        }
    }

    fn waiting_within(&self, start: UnixNanos, end: UnixNanos) -> Vec<LogKey> {
        if start > end {
            return Vec::new();
        }
        let touched = self
            .waiting
            .range((start, LogKey(0))..=(end, LogKey(u64::MAX)));
        touched.map(|(_, key)| *key).collect()
    }

    /// Forgets the trace that ended first, if there are too many.
    fn make_room(&mut self) {
        if self.extents.len() < TRACES_MAX {
            return;
        }
        let ends = self.extents.iter().enumerate();
        let first = ends.min_by_key(|(_, extent)| extent.end);
        if let Some((place, extent)) = first.map(|(place, extent)| (place, *extent)) {
            self.extents.remove(place);
            self.forgotten_until = self.forgotten_until.max(Some(extent.end));
        }
    }

    fn only(&self, time: UnixNanos) -> Option<TraceKey> {
        if self.forgotten_until.is_some_and(|until| time <= until) {
            return None;
        }
        let mut covering = self.extents.iter().filter(|extent| extent.covers(time));
        let only = covering.next()?;
        covering.next().is_none().then_some(only.trace)
    }
}
