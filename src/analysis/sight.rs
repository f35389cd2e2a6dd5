//! What a chunk shows of the work of a process: where it began, whether it was a start, and what it says
//! of itself. Reads a chunk once; which container that was is not its to say.

use smallvec::SmallVec;

use super::Said;
use crate::trace::{Span, SpanId, Text, TraceChunk, UnixNanos, tag};

/// Of more spans than this, parents are found by a table.
const SCANNED_SPANS_MAX: usize = 48;
/// More init spans than this, no container has.
const INITS_MAX: usize = 8;

/// The spans that are the work of a start or of an end, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleNames {
    /// Of a start.
    pub init: Vec<String>,
    /// Of an end.
    pub exit: Vec<String>,
}

impl Default for LifecycleNames {
    fn default() -> Self {
        Self {
            init: vec!["modal.init".to_owned()],
            exit: vec!["modal.exit".to_owned()],
        }
    }
}

impl LifecycleNames {
    pub(crate) fn lifecycle(&self, name: Text<'_>) -> Lifecycle {
        let name = name.as_bytes();
        let is_in = |names: &[String]| names.iter().any(|known| known.as_bytes() == name);
        if is_in(&self.init) {
            Lifecycle::Init
        } else if is_in(&self.exit) {
            Lifecycle::Exit
        } else {
            Lifecycle::Request
        }
    }
}

/// The start of a container, as a span of it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InitSpan {
    /// When it began.
    pub start: UnixNanos,
    /// When it ended.
    pub end: UnixNanos,
    /// The span.
    pub span_id: SpanId,
    /// Whether it is work of its own, and not part of a request.
    pub part: InitPart,
}

/// What an init span is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InitPart {
    /// Of nothing: a local root.
    Own,
    /// Of other work: a model that is loaded within a request, say.
    Nested,
}

/// What a local root stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Init,
    Exit,
    Request,
}

/// A local root of a chunk: the span with which a process begins its part of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenRoot {
    pub(crate) span_id: SpanId,
    pub(crate) start: UnixNanos,
    pub(crate) lifecycle: Lifecycle,
}

/// What a chunk shows.
#[derive(Debug, Default)]
pub(crate) struct Sighting<'a> {
    pub(crate) roots: SmallVec<[SeenRoot; 1]>,
    pub(crate) inits: SmallVec<[InitSpan; 1]>,
    /// When the container ended, if it says so.
    pub(crate) exit: Option<UnixNanos>,
    pub(crate) said: Said,
    /// The process, as its tracer names it, and its number.
    pub(crate) runtime_id: Option<Text<'a>>,
    pub(crate) process_id: Option<f64>,
    /// When the last span ended.
    pub(crate) end: UnixNanos,
}

impl<'a> Sighting<'a> {
    /// Looks at a chunk.
    pub(crate) fn of(chunk: &'a TraceChunk, names: &LifecycleNames) -> Self {
        let mut sighting = Self {
            said: Said::read(chunk),
            end: chunk.spans().map(Span::end).max().unwrap_or_default(),
            ..Self::default()
        };
        let ids = Ids::of(chunk);
        for span in chunk.spans() {
            let lifecycle = names.lifecycle(span.name());
            match lifecycle {
                Lifecycle::Init if sighting.inits.len() < INITS_MAX => {
                    sighting.inits.push(init_span(span, InitPart::Nested));
                }
                Lifecycle::Exit => sighting.exit = sighting.exit.max(Some(span.end())),
                _ => {}
            }
            if span.is_root() || !ids.contain(span.parent_id()) {
                sighting.enter(span, lifecycle);
            }
        }
        sighting
    }

    /// A span that no other of the chunk began. Of a trace that is flushed in parts, those of the later
    /// parts have their parents elsewhere; a local root says so by the number of its process.
    fn enter(&mut self, span: Span<'a>, lifecycle: Lifecycle) {
        let process_id = span.metric(tag::LOCAL_ROOT);
        let is_local_root = span.is_root() || process_id.is_some() || is_entry(span);
        if !is_local_root {
            return;
        }
        if lifecycle == Lifecycle::Init
            && let Some(init) = self.inits.last_mut()
        {
            *init = init_span(span, InitPart::Own);
        }
        self.process_id = self.process_id.or(process_id);
        self.runtime_id = self.runtime_id.or_else(|| span.meta_text(tag::RUNTIME_ID));
        self.roots.push(SeenRoot {
            span_id: span.span_id(),
            start: span.start(),
            lifecycle,
        });
    }
}

/// Work that came from elsewhere, as OpenTelemetry marks it: those clients number no processes.
fn is_entry(span: Span<'_>) -> bool {
    let kind = span.meta_text(tag::SPAN_KIND).map(Text::as_bytes);
    matches!(kind, Some(b"server" | b"consumer"))
}

pub(crate) fn init_span(span: Span<'_>, part: InitPart) -> InitSpan {
    InitSpan {
        start: span.start(),
        end: span.end(),
        span_id: span.span_id(),
        part,
    }
}

/// The ids of a chunk: few are compared one by one.
struct Ids<'a> {
    chunk: &'a TraceChunk,
    table: Option<std::collections::HashSet<SpanId>>,
}

impl<'a> Ids<'a> {
    fn of(chunk: &'a TraceChunk) -> Self {
        let ids = || chunk.spans().map(Span::span_id).collect();
        let table = (chunk.len() > SCANNED_SPANS_MAX).then(ids);
        Self { chunk, table }
    }

    fn contain(&self, id: SpanId) -> bool {
        match &self.table {
            Some(table) => table.contains(&id),
            None => self.chunk.contains(id),
        }
    }
}
