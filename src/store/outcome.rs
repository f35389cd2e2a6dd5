//! How requests ended, as far as their spans and lines tell. Modal says of an input that reached its timeout
//! only in a line of its own, which names the input and no trace: it is found by the tag of that name.

use std::collections::{HashMap, VecDeque};

use super::{LocalRoot, LogEntry, LogKey, Store, TraceEntry, TraceKey};
use crate::analysis::outcome::{self, OomFigures, Outcome};
use crate::logs::{JoinedBy, LogRecord};
use crate::trace::tag::{self, Marks};
use crate::trace::{Span, TraceChunk};

/// Of so many inputs is remembered which trace they are, or how they ended; of more, the newest.
const INPUTS_MAX: usize = 4_096;
/// A longer id is none.
const INPUT_BYTES_MAX: usize = 128;

/// What is known of inputs by their id.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    traces: Newest<TraceKey>,
    ended: Newest<Outcome>,
}

/// The newest of what was said by name.
#[derive(Debug)]
struct Newest<T> {
    by_name: HashMap<Box<str>, T>,
    oldest_first: VecDeque<Box<str>>,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            oldest_first: VecDeque::new(),
        }
    }
}

impl<T> Newest<T> {
    fn put(&mut self, name: &str, value: T) {
        if self.by_name.insert(name.into(), value).is_some() {
            return;
        }
        self.oldest_first.push_back(name.into());
        if self.oldest_first.len() > INPUTS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}

impl Store {
    /// How a trace ended: as its own root says if that names a class, else by the most telling of what its
    /// spans and lines say.
    pub fn outcome(&self, trace: &TraceEntry) -> Outcome {
        if let Some(told) = trace.told().and_then(|told| told.outcome) {
            return told;
        }
        let own = trace.own_root().and_then(|root| trace.span(root.span()));
        let of_root = own.and_then(outcome::of_span);
        let said = match of_root {
            Some(class) if class > Outcome::Error => of_root,
            // What was cancelled beside it was so because it failed.
            _ => {
                let others = trace.error_spans().filter_map(outcome::of_span);
                let is_cause = |class: &Outcome| of_root.is_none() || *class != Outcome::Cancelled;
                others.filter(is_cause).max().max(of_root)
            }
        };
        let has_ended = own.is_some_and(|root| !root.is_snapshot());
        said.max(trace.line_outcome()).unwrap_or(if has_ended {
            Outcome::Ok
        } else {
            Outcome::Unfinished
        })
    }

    /// How the part of a trace that a local root began has ended. What lines say is of the trace as a whole.
    pub fn root_outcome(&self, trace: &TraceEntry, root: &LocalRoot) -> Outcome {
        if trace.local_roots().len() < 2 {
            return self.outcome(trace);
        }
        let is_below = |span: &Span<'_>| {
            let index = trace.index_of(span.span_id(), span.start());
            let above = index.and_then(|index| trace.local_root_above(index));
            above.is_some_and(|above| above.span() == root.span())
        };
        let below = trace.error_spans().filter(is_below);
        let said = below.filter_map(outcome::of_span).max();
        said.unwrap_or(Outcome::Ok)
    }

    /// What is said of the memory where it ran out.
    pub fn oom_figures(&self, trace: &TraceEntry) -> Option<OomFigures> {
        trace
            .error_spans()
            .find_map(OomFigures::of_span)
            .or_else(|| {
                let lines = trace.logs().iter().filter_map(|key| self.log(*key));
                let failed =
                    lines.filter(|line| outcome::of_line(line.record()) == Some(Outcome::CudaOom));
                failed
                    .take(1)
                    .find_map(|line| OomFigures::read(line.record().line()))
            })
    }

    /// A line has joined a trace: it may tell of its end, unless it is only guessed to be of it.
    pub(super) fn line_came(&mut self, trace: TraceKey, line: LogKey) {
        let line = self.log(line).filter(|line| is_sure(line));
        let said = line.and_then(|line| outcome::of_line(line.record()));
        let known = self.trace(trace).and_then(TraceEntry::line_outcome);
        if said > known {
            self.change_outcome(trace, |entry| entry.set_line_outcome(said));
        }
    }

    /// A line has left a trace, and what it told with it.
    pub(super) fn line_left(&mut self, trace: TraceKey, line: LogKey) {
        let told = self
            .log(line)
            .and_then(|line| outcome::of_line(line.record()));
        let (Some(_), Some(entry)) = (told, self.trace(trace)) else {
            return;
        };
        let others = entry.logs().iter().filter_map(|key| self.log(*key));
        let others = others.filter(|line| is_sure(line));
        let said = others
            .filter_map(|line| outcome::of_line(line.record()))
            .max();
        self.change_outcome(trace, |entry| entry.set_line_outcome(said));
    }

    /// Modal says how an input ended.
    pub(super) fn hear_end(&mut self, record: &LogRecord, input: &str) {
        let Some(said) = outcome::of_line(record) else {
            return;
        };
        match self.inputs.traces.by_name.get(input).copied() {
            Some(trace) => self.end_input(trace, said),
            None if input.len() <= INPUT_BYTES_MAX => self.inputs.ended.put(input, said),
            None => {}
        }
    }

    /// A chunk may say which input its trace is.
    pub(super) fn note_input(&mut self, key: TraceKey, input: &str) {
        self.inputs.traces.put(input, key);
        if let Some(said) = self.inputs.ended.by_name.get(input).copied() {
            self.end_input(key, said);
        }
    }

    fn end_input(&mut self, trace: TraceKey, said: Outcome) {
        self.change_outcome(trace, |entry| entry.set_told_outcome(said));
    }

    /// What follows from how a trace ended has changed with it.
    fn change_outcome(&mut self, key: TraceKey, change: impl FnOnce(&mut TraceEntry)) {
        self.change(key, change);
        self.note_changed(key);
    }
}

impl TraceEntry {
    /// The spans that may say of an error: those with the flag, and where a tag names the class by hand all.
    fn error_spans(&self) -> impl Iterator<Item = Span<'_>> {
        let is_by_hand = self
            .chunks()
            .any(|chunk| chunk.marks().has(Marks::ERROR_CLASS));
        let any = is_by_hand || self.is_error();
        let spans = any.then(|| self.spans().map(|(_, span)| span));
        let spans = spans.into_iter().flatten();
        spans.filter(move |span| is_by_hand || span.is_error())
    }
}

/// Whether a line names the trace that it belongs to.
fn is_sure(line: &LogEntry) -> bool {
    let joined = line.joined();
    joined.is_some_and(|joined| joined.by != JoinedBy::ContainerTime)
}

/// The input that a chunk says it is.
pub(super) fn input_of(chunk: &TraceChunk) -> Option<Box<str>> {
    if !chunk.marks().has(Marks::INPUT) {
        return None;
    }
    let input = chunk
        .spans()
        .find_map(|span| span.meta_text(tag::INPUT_ID))?;
    let input = input
        .to_str()
        .filter(|id| !id.is_empty() && id.len() <= INPUT_BYTES_MAX);
    input.map(Into::into)
}
