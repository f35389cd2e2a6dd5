//! What equal siblings have in common: how many, how long, which the parent waited on. Computed once
//! for each revision of the trace; which container a member ran in is not its business.

use super::{GroupId, place};
use crate::analysis::percentile::{P50, P95, percentile};
use crate::store::SpanIndex;
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
    pub(crate) waited_for: Option<Awaited>,
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
    /// Looks at each member once, among the spans of the trace. The parent is `None` where it is not
    /// here.
    pub(super) fn new(
        id: GroupId,
        members: Vec<SpanIndex>,
        parent: Option<Span<'_>>,
        spans: &[Span<'_>],
    ) -> Self {
        // What outlives its parent is not what that waited for; if it is here and has ended.
        let limit = parent.filter(|parent| !parent.is_snapshot());
        let mut ends = Ends::new(limit.map_or(UnixNanos(i64::MAX), Span::end));
        let mut durations: Vec<i64> = Vec::with_capacity(members.len());
        let mut start: Option<UnixNanos> = None;
        let (mut n_errors, mut n_open, mut error) = (0, 0, None);
        for index in &members {
            let Some(span) = spans.get(place(*index)) else {
                continue;
            };
            let member = Member {
                span: *index,
                start: span.start(),
                duration: span.duration(),
                end: span.end(),
            };
            durations.push(member.duration);
            start = Some(start.map_or(member.start, |start| start.min(member.start)));
            ends.add(member);
            n_open += usize::from(span.is_snapshot());
            if span.is_error() {
                n_errors += 1;
                error = error.or(Some(*index));
            }
        }
        durations.sort_unstable();
        let at = |per_mille| percentile(&durations, per_mille).unwrap_or(0);
        let max = durations.last().copied().unwrap_or(0);
        Self {
            id,
            start: start.unwrap_or_default(),
            end: ends.last.map(|last| last.end).unwrap_or_default(),
            p50: at(P50),
            p95: at(P95),
            max,
            n_errors,
            n_open,
            waited_for: ends.waited_for(max),
            error,
            members,
        }
    }

    /// The member whose details stand for the group: one with an error, else the one waited for.
    pub(crate) fn face(&self) -> Option<SpanIndex> {
        let waited_for = self.waited_for.map(|waited_for| waited_for.span);
        self.error.or(waited_for).or(self.members.first().copied())
    }
}

#[derive(Clone, Copy)]
struct Member {
    span: SpanIndex,
    start: UnixNanos,
    duration: i64,
    end: UnixNanos,
}

/// The members that end last; of equal ends the first in display order.
struct Ends {
    limit: UnixNanos,
    last_within: Option<Member>,
    last: Option<Member>,
    next_to_last: Option<Member>,
}

impl Ends {
    fn new(limit: UnixNanos) -> Self {
        Self {
            limit,
            last_within: None,
            last: None,
            next_to_last: None,
        }
    }

    fn add(&mut self, member: Member) {
        let is_later = |than: Option<Member>| than.is_none_or(|than| member.end > than.end);
        if member.end <= self.limit && is_later(self.last_within) {
            self.last_within = Some(member);
        }
        if is_later(self.last) {
            self.next_to_last = self.last.replace(member);
        } else if is_later(self.next_to_last) {
            self.next_to_last = Some(member);
        }
    }

    /// The last to end within the parent; where none does, the last to end at all. Of members that ran
    /// one after the other the parent waited for each, so that none stands out.
    fn waited_for(&self, max: i64) -> Option<Awaited> {
        let member = self.last_within.or(self.last)?;
        let mut latest = self.last.into_iter().chain(self.next_to_last);
        let other = latest.find(|other| other.span != member.span)?;
        (other.end > member.start).then_some(Awaited {
            span: member.span,
            duration: member.duration,
            is_slowest: member.duration >= max,
        })
    }
}
