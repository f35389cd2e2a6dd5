//! Which traces a screen has still to read, that keeps a few facts of each: all of them at first, some in each
//! frame, and from then on those that came or grew. What is kept of them is the screen's.

use super::{Flow, ViewContext};
use crate::store::{Store, TraceEntry, TraceKey};

/// Traces that may wait to be read again; beyond that all are.
const TOUCHED_MAX: usize = 100_000;
/// Traces that are read in a frame.
const READ_MAX: usize = 10_000;

/// The traces that are to be read.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    touched: Vec<TraceKey>,
    n_evicted: u64,
    /// The first trace that has not been read.
    next: TraceKey,
}

/// What is kept of the traces that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It holds.
    Valid,
    /// It is to be given up: too much has changed, or some of them have gone.
    Outdated,
}

/// How far the screen has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many traces have been read, and more are to be.
    Reading(usize),
    /// All have been.
    Done,
}

impl Unread {
    /// Says which traces came or grew. Of too many all are read anew: what is kept is outdated.
    pub(crate) fn touch(&mut self, touched: &[TraceKey]) -> Kept {
        let known = touched.iter().filter(|key| **key < self.next);
        self.touched.extend(known);
        if self.touched.len() <= TOUCHED_MAX {
            return Kept::Valid;
        }
        self.touched = Vec::new();
        self.next = TraceKey(0);
        Kept::Outdated
    }

    /// Reads what came or grew, as far as a frame has time for it. What is kept of traces that have been
    /// evicted since is outdated.
    pub(crate) fn read(&mut self, store: &Store, mut add: impl FnMut(&TraceEntry)) -> Kept {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        let entries = touched.into_iter().filter_map(|key| store.trace(key));
        entries.for_each(&mut add);
        for _ in 0..READ_MAX {
            let Some(entry) = store.trace_from(self.next) else {
                break;
            };
            add(entry);
            self.next = TraceKey(entry.key().0.saturating_add(1));
        }
        let n_evicted = store.counters().traces_evicted;
        if std::mem::replace(&mut self.n_evicted, n_evicted) == n_evicted {
            Kept::Valid
        } else {
            Kept::Outdated
        }
    }

    /// How far that is, once something of so many traces is kept.
    pub(crate) fn progress(&self, store: &Store, n_kept: usize) -> Progress {
        match store.trace_from(self.next) {
            Some(_) => Progress::Reading(n_kept),
            None => Progress::Done,
        }
    }
}

/// Whether what was counted of the store, as it was then and when, is to be counted again: never more often
/// than the interval, and while the view is paused only what it has never shown.
pub(crate) fn is_due(
    counted: Option<(u64, u64)>,
    interval_ns: u64,
    context: &ViewContext<'_>,
) -> bool {
    let Some((revision, at)) = counted else {
        return true;
    };
    let is_past = context.now.uptime_ns >= at.saturating_add(interval_ns);
    let is_live = context.flow == Flow::Live;
    is_live && is_past && revision != context.store.revision()
}
