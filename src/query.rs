//! The filter language: one for the list of traces, the waterfall and the log lines. Reads a query
//! and matches; it draws nothing and keeps nothing.
//!
//! ```text
//! word  "two words"            in a name, a tag, an id, the text of a log line; * is anything
//! svc:api name:vllm.* resource:"GET /" type:llm    the whole name
//! key:value @key:value key:>=500 @key:<2           a tag of a span, a field of a line, a.b nested
//! dur>500ms dur:<=2s           how long the trace or the span took
//! err open orphan              the error flag, a line of error or worse; what is not complete
//! marked                       a trace that the user has marked
//! lvl>=warn lvl:error          how severe a line is
//! source:stderr                how a line or a trace came
//! container:ta-QK              where it ran; how the id begins, or its short form
//! req:1 req:>3                 the first request of its container, all after the third
//! cold warm restored prewarmed unknown cold_shared   whether it paid for the start of its container;
//!                              who waited beside the first one (cold_shared) was cold as well
//! oom timeout import_error outcome:cancelled         how it ended
//! joined unjoined              whether a line belongs to a trace
//! log:"out of memory"          a line, a trace with such a line
//! kept dropped prio:-1 dm:-3   what the client decided about sampling
//! sim:keep sim:drop sim:error  what a simulated Agent does, and which of its samplers
//! a b   a or b   a | b   -a   !a   (a or b) c
//! ```
//!
//! A term is true of a trace if the trace itself is so, or one of its spans or of its lines. Letters
//! are alike in upper and lower case. A trace started so if any of its processes did; of its spans the local
//! roots know, for the others it is a word. What a term cannot mean for a thing is false of it (`dur` of
//! a line), or an ordinary word (`orphan` of a line, `joined` or `marked` of a span).
//!
//! Any text has a reading: what is wrong is left out, and told by [`Query::fault`].

mod digits;
mod expression;
mod find;
mod lex;
mod matching;
mod parse;
mod pattern;
mod running;
mod sampling;
mod search;
mod term;
#[cfg(test)]
mod tests;
mod word;

use crate::store::{LogEntry, RowMark, SpanIndex, Store, TraceEntry};
use crate::trace::Span;
use expression::Expression;
pub use search::Search;

/// A query for the list of traces, to show how one is written.
pub const EXAMPLE_TRACES: &str = "err dur>500ms svc:api \"out of memory\"";
/// A query for the spans of a trace.
pub const EXAMPLE_SPANS: &str = "name:llm.* dur>50ms http.status_code:>=500";
/// A query for log lines.
pub const EXAMPLE_LOGS: &str = "lvl>=warn container:ta- \"out of memory\"";

/// How much of a text is repaired, one thing at a time, each of which reads all of it again.
const REPAIRS_MAX: usize = 16;

/// What is looked for. The empty query matches everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    text: String,
    expression: Expression,
    fault: Option<Fault>,
}

/// What is wrong with a query: where it stands in the text, in bytes, and in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first byte that is to blame.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What is wrong.
    pub words: &'static str,
    repair: Repair,
}

/// How a text becomes a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    /// Without what is wrong.
    LeaveOut,
    /// With this at its end.
    Close(char),
}

impl Query {
    /// Reads a query as it is written. What is wrong with one is said by the query itself.
    pub fn new(text: &str) -> Self {
        let (expression, fault) = parse::parse(text);
        Self {
            text: text.to_owned(),
            expression,
            fault,
        }
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it, also while it is only half written.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The query without what is wrong with it, and with what is open closed: `err dur>` is `err`.
    /// What a term finds is shown until the next one is written out. A text in which too much is
    /// wrong was pasted by mistake, and asks for nothing.
    #[must_use]
    pub fn sound(mut self) -> Self {
        let mut n_repairs = 0;
        while let Some(fault) = self.fault {
            n_repairs += 1;
            if n_repairs > REPAIRS_MAX {
                return Self::default();
            }
            let (before, rest) = self.text.split_at_checked(fault.start).unwrap_or_default();
            let after = rest.get(fault.end - fault.start..).unwrap_or_default();
            self = match fault.repair {
                Repair::LeaveOut => {
                    let text = format!("{} {}", before.trim_end(), after.trim_start());
                    Self::new(text.trim())
                }
                Repair::Close(with) => Self::new(&format!("{}{with}", self.text)),
            };
        }
        self
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.expression.is_empty()
    }

    /// Whether all that this query matches is matched by another: then only its matches need be
    /// looked at again. `false` says nothing.
    pub fn narrows(&self, other: &Self) -> bool {
        self.expression.implies(&other.expression)
    }

    /// Whether a trace matches: each term by the trace itself, by any of its spans, or by any of its
    /// log lines.
    pub fn matches_trace(&self, store: &Store, trace: &TraceEntry) -> bool {
        let lines = trace.logs().iter().filter_map(|key| store.log(*key));
        self.matches_trace_with(store, trace, &lines)
    }

    fn matches_trace_with<'a>(
        &self,
        store: &Store,
        trace: &TraceEntry,
        lines: &(impl Iterator<Item = &'a LogEntry> + Clone),
    ) -> bool {
        let has = |term: &term::Term| term.is_of_trace(store, trace, lines.clone());
        self.expression.holds(&has)
    }

    /// Whether a span matches at its place in a trace. The mark of its row in the tree says whether it is an
    /// orphan.
    pub fn matches_row(
        &self,
        store: &Store,
        trace: &TraceEntry,
        span: SpanIndex,
        mark: RowMark,
    ) -> bool {
        let has = |term: &term::Term| term.is_of_row(store, trace, span, mark);
        self.expression.holds(&has)
    }

    /// Whether a span matches by itself, whichever trace it is of: as far as its own tags say.
    pub fn matches_span(&self, span: Span<'_>, mark: RowMark) -> bool {
        self.expression.holds(&|term| term.is_of_span(span, mark))
    }

    /// Whether a log line matches by itself.
    pub fn matches_log(&self, entry: &LogEntry) -> bool {
        self.expression.holds(&|term| term.is_of_line(entry))
    }
}
