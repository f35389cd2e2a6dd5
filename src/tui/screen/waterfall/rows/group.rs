//! What equal siblings have in common: how many, how long, which the parent waited on. Computed once
//! for each revision of the trace; which container a member ran in is not its business.

use super::GroupId;
use crate::analysis::percentile::{P50, P95, percentile};
use crate::store::{SpanIndex, TraceEntry};
use crate::trace::{Span, UnixNanos};

/// Equal siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    /// In display order.
    pub(crate) members: Vec<SpanIndex>,
    /// When the first began and the last ended.
    pub(crate) start: UnixNanos,
    pub(crate) end: UnixNanos,
    /// Nanoseconds that a member took.
    pub(crate) p50: i64,
    pub(crate) p95: i64,
    pub(crate) max: i64,
    pub(crate) n_errors: usize,
    /// Members that may still run.
    pub(crate) n_open: usize,
    /// The member whose end the parent waited for, if they ran beside each other.
    pub(crate) awaited: Option<Awaited>,
    /// The first member with an error.
    error: Option<SpanIndex>,
}

/// The member that ended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    pub(crate) span: SpanIndex,
    pub(crate) duration: i64,
    /// Whether no other took longer; else it ended last because it began late.
    pub(crate) is_slowest: bool,
}

impl Awaited {
    /// What it is called. `last` is no praise for a member that only began late.
    pub(crate) fn word(self) -> &'static str {
        if self.is_slowest { "slowest" } else { "last" }
    }
}

impl Group {
    /// Looks at all members once. The parent is `None` where it is not here.
    pub(super) fn new(
        id: GroupId,
        members: Vec<SpanIndex>,
        parent: Option<Span<'_>>,
        trace: &TraceEntry,
    ) -> Self {
        let spans = || {
            let spans = members.iter().copied();
            spans.filter_map(|index| Some((index, trace.span(index)?)))
        };
        let mut durations: Vec<i64> = spans().map(|(_, span)| span.duration()).collect();
        durations.sort_unstable();
        let at = |per_mille| percentile(&durations, per_mille).unwrap_or(0);
        let max = durations.last().copied().unwrap_or(0);
        let n_errors = spans().filter(|(_, span)| span.is_error()).count();
        let n_open = spans().filter(|(_, span)| span.is_snapshot()).count();
        let start = spans().map(|(_, span)| span.start()).min();
        let end = spans().map(|(_, span)| span.end()).max();
        let error = spans().find(|(_, span)| span.is_error());
        // What outlives its parent is not what that waited for; if it is here and has ended.
        let limit = parent.filter(|parent| !parent.is_snapshot());
        let limit = limit.map_or(UnixNanos(i64::MAX), Span::end);
        Self {
            id,
            start: start.unwrap_or_default(),
            end: end.unwrap_or_default(),
            p50: at(P50),
            p95: at(P95),
            max,
            n_errors,
            n_open,
            awaited: awaited(spans, limit, max),
            error: error.map(|(index, _)| index),
            members,
        }
    }

    /// The member whose details stand for the group: one with an error, else the one waited for.
    pub(crate) fn face(&self) -> Option<SpanIndex> {
        let awaited = self.awaited.map(|awaited| awaited.span);
        self.error.or(awaited).or(self.members.first().copied())
    }
}

/// The last to end within the parent; where none does, the last to end at all. Of members that ran one
/// after the other the parent waited for each, so that none stands out.
fn awaited<'a, I: Iterator<Item = (SpanIndex, Span<'a>)>>(
    spans: impl Fn() -> I,
    limit: UnixNanos,
    max: i64,
) -> Option<Awaited> {
    let last_within = |limit: UnixNanos| {
        let within = spans().filter(|(_, span)| span.end() <= limit);
        // Of equal ends the first in display order is taken.
        within.reduce(|last, next| {
            if next.1.end() > last.1.end() {
                next
            } else {
                last
            }
        })
    };
    let last = last_within(limit).or_else(|| last_within(UnixNanos(i64::MAX)));
    let (index, span) = last?;
    let mut others = spans().filter(|(other, _)| *other != index);
    let has_company = others.any(|(_, other)| other.end() > span.start());
    has_company.then(|| Awaited {
        span: index,
        duration: span.duration(),
        is_slowest: span.duration() >= max,
    })
}
