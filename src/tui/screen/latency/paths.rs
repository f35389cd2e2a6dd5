//! How long each operation of a request took by itself, read from the spans of the newest requests of a
//! group; read once, and again when their traces grow.

use std::collections::{HashMap, HashSet};

use super::cards::RootKey;
use crate::analysis::overlap::uncovered;
use crate::analysis::steps::SelfTimes;
use crate::store::{Store, TraceEntry};
use crate::trace::{Span, SpanId};

/// Of a trace no more spans are read.
const SPANS_MAX: usize = 1_000;

/// What has been read.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: HashMap<RootKey, (u64, SelfTimes)>,
}

impl Paths {
    /// The self times of requests, as far as they are still held.
    pub(super) fn read(&mut self, keys: &[RootKey], store: &Store) -> Vec<SelfTimes> {
        let mut all = Vec::new();
        for key in keys {
            let Some(entry) = store.trace(key.trace) else {
                continue;
            };
            let known = self.known.get(key);
            if known.is_none_or(|(revision, _)| *revision != entry.revision()) {
                self.known
                    .insert(*key, (entry.revision(), self_times(entry, *key)));
            }
            all.extend(self.known.get(key).map(|(_, times)| times.clone()));
        }
        all
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, keys: &[&[RootKey]]) {
        let kept: HashSet<RootKey> = keys.iter().flat_map(|keys| keys.iter().copied()).collect();
        self.known.retain(|key, _| kept.contains(key));
    }
}

/// The request and all below it: what of its time none of its children covers.
fn self_times(entry: &TraceEntry, key: RootKey) -> SelfTimes {
    let Some(root) = entry.span(key.span) else {
        return SelfTimes::new();
    };
    let mut children = HashMap::<SpanId, Vec<Span<'_>>>::new();
    for (_, span) in entry.spans().take(SPANS_MAX) {
        children.entry(span.parent_id()).or_default().push(span);
    }
    for children in children.values_mut() {
        children.sort_by_key(|child| child.start());
    }
    let mut times = SelfTimes::new();
    let mut seen = HashSet::from([root.span_id()]);
    let mut next = vec![root];
    while let Some(span) = next.pop() {
        let own = children.get(&span.span_id()).map(Vec::as_slice);
        let own = own.unwrap_or_default();
        times.push((
            span.name().to_lossy().into(),
            uncovered(span, own.iter().copied()),
        ));
        // A circle of spans ends where it began.
        next.extend(own.iter().filter(|child| seen.insert(child.span_id())));
    }
    times
}
