//! What every container wrote around the time of a span. A bounded look: lines are found by when
//! they arrived, and few arrive long after they were written.

use super::lines::LineMark;
use crate::store::{LogKey, SpanIndex, Store, TraceKey};
use crate::trace::UnixNanos;

/// How far around the span.
const AROUND_NS: i64 = 2_000_000_000;
/// How much later than written a line may arrive to be found.
const LATE_NS: i64 = 30_000_000_000;
/// No more lines are looked at.
const LOOKED_AT_MAX: usize = 20_000;
/// No more lines are shown.
const SHOWN_MAX: usize = 5_000;

/// The lines within two seconds of a span, in order of their time.
pub(super) fn around(store: &Store, trace: TraceKey, span: SpanIndex) -> Vec<LineMark> {
    let Some(entry) = store.trace(trace) else {
        return Vec::new();
    };
    let Some(span) = entry.span(span) else {
        return Vec::new();
    };
    let from = span.start().min(span.end()).plus(-AROUND_NS);
    let to = span.start().max(span.end()).plus(AROUND_NS);
    let first = first_arrived(store, from);
    let looked_at = store.logs_from(first).take(LOOKED_AT_MAX);
    let in_time = looked_at.take_while(|line| line.record().at <= to.plus(LATE_NS));
    let marks = in_time.map(LineMark::of);
    let near = marks.filter(|mark| (from..=to).contains(&mark.at));
    let mut near: Vec<LineMark> = near.take(SHOWN_MAX).collect();
    // The trace's own lines are there, however late they came.
    let own = entry.logs().iter().filter_map(|key| store.log(*key));
    let own = own.map(LineMark::of).take(SHOWN_MAX);
    near.extend(own.filter(|mark| (from..=to).contains(&mark.at)));
    near.sort_by_key(|mark| (mark.at, mark.key));
    near.dedup_by_key(|mark| mark.key);
    near
}

/// The first line that arrived at a moment or later. Keys are in order of arrival; a key whose line
/// has gone is passed over.
fn first_arrived(store: &Store, moment: UnixNanos) -> LogKey {
    let ends = (store.logs().next(), store.logs().next_back());
    let (Some(first), Some(last)) = ends else {
        return LogKey(0);
    };
    let (mut low, mut high) = (first.key().0, last.key().0);
    while low < high {
        let middle = low + (high - low) / 2;
        let line = store.logs_from(LogKey(middle)).next();
        if line.is_some_and(|line| line.record().at < moment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    LogKey(low)
}
