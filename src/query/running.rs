//! Whether a trace or a span ran in a container, started or ended as a term asks. The store tells what is
//! known of that; nothing is judged in here.

use super::matching::holds;
use super::term::{Container, State, Term};
use crate::analysis::StartKind;
use crate::analysis::outcome::{self, Outcome};
use crate::logs::LogRecord;
use crate::store::{LocalRoot, RowMark, SpanIndex, Store, TraceEntry};
use crate::trace::{Span, Text};

impl Term {
    /// Whether it is true of a span at its place in a trace. Of a start and of a container only the local
    /// root of a process knows more than the tags of a span say.
    pub(super) fn is_of_row(
        &self,
        store: &Store,
        trace: &TraceEntry,
        index: SpanIndex,
        mark: RowMark,
    ) -> bool {
        let Some(span) = trace.span(index) else {
            return false;
        };
        let root = trace.local_root(index);
        let known = root.is_some_and(|root| match self {
            Self::State(State::Started(wanted), _) => is_started(root, *wanted),
            Self::State(State::Ended(wanted), _) | Self::Ended(wanted) => {
                trace.local_roots().len() == 1 && store.outcome(trace) == *wanted
            }
            Self::Request(..) => self.is_of_root(store, trace, root),
            Self::Container(container) => ran_in(store, root, container),
            _ => false,
        });
        let is_said = || match self {
            // A local root knows what it is; the others may have the word in their texts.
            Self::State(State::Started(_), _) if root.is_some() => false,
            _ => self.is_of_span(span, mark),
        };
        known || is_said()
    }

    /// Whether the number of a request on its container is as asked.
    pub(super) fn is_of_root(&self, store: &Store, trace: &TraceEntry, root: &LocalRoot) -> bool {
        let Self::Request(operator, wanted) = self else {
            return false;
        };
        let number = store.request_number(trace, root);
        number.is_some_and(|number| holds(*operator, to_f64(number), *wanted))
    }
}

/// Whether any process of a trace started so. A trace whose local roots have not come did so in an unknown
/// way.
pub(super) fn is_any_started(trace: &TraceEntry, wanted: StartKind) -> bool {
    let mut roots = trace.local_roots().iter();
    roots.any(|root| is_started(root, wanted))
        || trace.local_roots().is_empty() && wanted == StartKind::Unknown
}

/// Who waited for the start of the first request was cold as well.
fn is_started(root: &LocalRoot, wanted: StartKind) -> bool {
    let kind = root.start_kind();
    let is_cold = || wanted == StartKind::Cold && kind.is_some_and(StartKind::is_cold);
    kind == Some(wanted) || is_cold()
}

/// Whether a trace ended so: as a whole, or, of what has a class, in any of its parts. An error without a
/// class stands beside each that has one, and would find all of them.
pub(super) fn is_ended(store: &Store, trace: &TraceEntry, wanted: Outcome) -> bool {
    store.outcome(trace) == wanted
        || wanted > Outcome::Error
            && trace.is_error()
            && trace.spans().any(|(_, span)| is_span_ended(span, wanted))
}

pub(super) fn is_span_ended(span: Span<'_>, wanted: Outcome) -> bool {
    outcome::of_span(span) == Some(wanted)
}

/// Whether a line tells of such an end.
pub(super) fn tells_of(record: &LogRecord, wanted: Outcome) -> bool {
    outcome::of_line(record) == Some(wanted)
}

/// Whether any process of a trace ran in a container.
pub(super) fn is_any_in(store: &Store, trace: &TraceEntry, wanted: &Container) -> bool {
    let mut roots = trace.local_roots().iter();
    let unfinished = store.fleet().without_root(trace.key());
    let is_wanted = |container: &crate::store::Container| wanted.is(Text::from(container.name()));
    roots.any(|root| ran_in(store, root, wanted)) || unfinished.into_iter().any(is_wanted)
}

fn ran_in(store: &Store, root: &LocalRoot, wanted: &Container) -> bool {
    let container = root
        .container()
        .and_then(|key| store.fleet().container(key));
    container.is_some_and(|container| wanted.is(Text::from(container.name())))
}

/// Nothing serves so many requests that a float could not count them.
fn to_f64(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
