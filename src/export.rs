//! Writing what was captured to a file, and reading it back. Decides nothing about which file.
//!
//! A format is a `Layout` and a row in [`FORMATS`]. An [`Export`] walks the store for it in steps,
//! so that the loop goes on receiving and drawing while a big capture is written.

mod arrival;
mod datadog;
mod forward;
mod json;
mod lines;
mod log;
mod open;
mod span;
mod start;
mod summary;
mod text;
mod told;
mod value;
mod went;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::io::{self, Write};

pub use forward::ForwardJson;
pub use json::trace_json;
pub use log::log_event;
pub use open::{FileForm, Kept, OpenError, Opened, open};
pub(crate) use summary::SimulatedJson;
pub use summary::trace_event;
pub use text::write_json;
pub use told::ToldJson;

use crate::store::{LogEntry, LogKey, Missing, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{Span, UnixNanos};
use lines::{LinesSoFar, NextLine};

/// A format an export can have.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name: the value of `--export-format`.
    pub name: &'static str,
    /// How its files end, without the dot.
    pub extension: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    layout: &'static dyn Layout,
}

/// Every format, the default first.
pub static FORMATS: [Format; 2] = [Format::JSON, Format::DATADOG];

impl Format {
    /// Our own: all that is known.
    pub const JSON: Self = Self {
        name: "json",
        extension: "json",
        purpose: "everything captured, to be opened again",
        layout: &json::Json,
    };

    /// The array of arrays of v0.4 spans.
    pub const DATADOG: Self = Self {
        name: "datadog",
        extension: "datadog.json",
        purpose: "v0.4 spans, to be sent to an agent",
        layout: &datadog::Datadog,
    };

    /// The format with a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// What an export covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    OneTrace,
    /// What was to go on and has not arrived.
    Missing,
}

/// How a format is laid out. The separators between traces, between spans and between lines, a comma
/// and a newline, are the walk's; everything else is the layout's.
trait Layout: std::fmt::Debug + Sync {
    /// The head; beside the store, what is covered and when.
    fn begin(&self, out: &mut Vec<u8>, store: &Store, head: (Scope, UnixNanos)) -> io::Result<()>;
    fn begin_trace(&self, out: &mut Vec<u8>, trace: &TraceEntry, store: &Store) -> io::Result<()>;
    fn span(
        &self,
        out: &mut Vec<u8>,
        trace: &TraceEntry,
        index: SpanIndex,
        span: Span<'_>,
    ) -> io::Result<()>;
    /// Whether it has a place for lines; one that has none is asked to write none.
    fn holds_lines(&self) -> bool;
    fn end_spans(&self, out: &mut Vec<u8>) -> io::Result<()>;
    /// A line, and the trace that it is written with.
    fn line(
        &self,
        out: &mut Vec<u8>,
        line: &LogEntry,
        trace: Option<&TraceEntry>,
    ) -> io::Result<()>;
    fn end_trace(&self, out: &mut Vec<u8>, n_lines: u64) -> io::Result<()>;
    fn end_traces(&self, out: &mut Vec<u8>) -> io::Result<()>;
    /// The end, after so many lines that belong to no trace.
    fn end(&self, out: &mut Vec<u8>, store: &Store, end: End) -> io::Result<()>;
}

/// What the end of an export follows.
#[derive(Clone, Copy, Debug)]
struct End {
    scope: Scope,
    /// Lines that belong to no trace.
    n_lines: u64,
}

/// Why an export did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be written.
    #[error("The export could not be written ({0}). Is there room, and may the place be written?")]
    Io(#[from] io::Error),
    /// The trace is gone.
    #[error("The trace is no longer held: it was evicted. Raise --memory to keep more.")]
    Evicted,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to be written; this is done.
    Working(Written),
    /// Everything is written.
    Done(Written),
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Traces, begun or finished.
    pub n_traces: u64,
    /// Spans.
    pub n_spans: u64,
    /// Log lines.
    pub n_lines: u64,
    /// Traces of which a part is missing, because they were evicted while they were written.
    pub n_cut: u64,
    /// Bytes.
    pub n_bytes: u64,
}

/// An export that is being written. Covers the traces that were held when it began, less those
/// evicted before their turn, and of each the spans it had at its turn; and the lines that had come
/// when it began, each once.
#[derive(Debug)]
pub struct Export {
    layout: &'static dyn Layout,
    scope: Scope,
    next: TraceKey,
    end: TraceKey,
    /// The traces between, if not all of them.
    only: Option<BTreeSet<TraceKey>>,
    current: Option<Current>,
    lines: LinesSoFar,
    stage: Stage,
    buffer: Vec<u8>,
    written: Written,
}

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Traces,
    /// The lines that belong to no trace.
    Lines,
    Done,
}

/// The trace that is being written.
#[derive(Clone, Copy, Debug)]
struct Current {
    key: TraceKey,
    next_span: u32,
    n_spans: u32,
    n_lines: u64,
    /// The lines, once the spans are written.
    lines: Option<CurrentLines>,
}

/// The lines of the trace that is being written.
#[derive(Clone, Copy, Debug)]
struct CurrentLines {
    next: LogKey,
    n_written: u64,
}

/// The buffer is handed on when it reaches this size.
const BUFFER_BYTES: usize = 64 * 1024;
/// A step whose spans are larger than this on average ends before it wrote all it might have.
const SPAN_BYTES: u64 = 2 * 1024;

impl Export {
    /// Begins an export of everything held. The counters in it are those of this moment.
    pub fn begin(
        format: &Format,
        store: &Store,
        exported_at: UnixNanos,
    ) -> Result<Self, ExportError> {
        let traces = (TraceKey(0), store.next_key());
        Self::begin_scope(format, store, exported_at, (Scope::Everything, traces))
    }

    /// Begins an export of one trace. The counters in it are those of the whole capture.
    pub fn begin_trace(
        format: &Format,
        store: &Store,
        exported_at: UnixNanos,
        key: TraceKey,
    ) -> Result<Self, ExportError> {
        store.trace(key).ok_or(ExportError::Evicted)?;
        let traces = (key, TraceKey(key.0.saturating_add(1)));
        Self::begin_scope(format, store, exported_at, (Scope::OneTrace, traces))
    }

    fn begin_scope(
        format: &Format,
        store: &Store,
        exported_at: UnixNanos,
        (scope, (next, end)): (Scope, (TraceKey, TraceKey)),
    ) -> Result<Self, ExportError> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES * 2);
        let head = (scope, exported_at);
        format.layout.begin(&mut buffer, store, head)?;
        Ok(Self {
            layout: format.layout,
            scope,
            next,
            end,
            only: None,
            current: None,
            lines: LinesSoFar::new(store),
            stage: Stage::Traces,
            buffer,
            written: Written::default(),
        })
    }

    /// Writes on: at most so many spans and lines (a trace counts as two more), fewer if they are
    /// large.
    /// After an error the file is no export.
    pub fn step(
        &mut self,
        store: &Store,
        out: &mut dyn Write,
        n_spans_max: usize,
    ) -> Result<Progress, ExportError> {
        let mut n_left = u64::try_from(n_spans_max).unwrap_or(u64::MAX).max(1);
        let bytes_max = n_left.saturating_mul(SPAN_BYTES);
        let bytes_before = self.written.n_bytes;
        while n_left > 0 && self.stage != Stage::Done {
            self.advance(store)?;
            n_left -= 1;
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush(out)?;
            }
            if self.written.n_bytes - bytes_before > bytes_max {
                break;
            }
        }
        self.flush(out)?;
        Ok(if self.stage == Stage::Done {
            Progress::Done(self.written)
        } else {
            Progress::Working(self.written)
        })
    }

    /// Writes the next piece: the head of a trace, a span, a line, or the end.
    fn advance(&mut self, store: &Store) -> io::Result<()> {
        match (self.stage, self.current) {
            (Stage::Traces, None) => self.advance_trace(store),
            (Stage::Traces, Some(current)) => match current.lines {
                None => self.advance_span(store, current),
                Some(lines) => self.advance_line(store, current, lines),
            },
            (Stage::Lines, _) => self.advance_loose_line(store),
            (Stage::Done, _) => Ok(()),
        }
    }

    fn advance_span(&mut self, store: &Store, current: Current) -> io::Result<()> {
        let trace = store.trace(current.key);
        let span = trace.and_then(|trace| {
            let is_left = current.next_span < current.n_spans;
            let span = is_left.then(|| trace.span(SpanIndex(current.next_span)))??;
            Some((trace, span))
        });
        let Some((trace, span)) = span else {
            let is_cut = current.next_span < current.n_spans;
            self.written.n_cut += u64::from(is_cut);
            self.current = Some(Current {
                n_lines: if is_cut { 0 } else { current.n_lines },
                lines: Some(CurrentLines {
                    next: LogKey(0),
                    n_written: 0,
                }),
                ..current
            });
            return self.layout.end_spans(&mut self.buffer);
        };
        self.separate(current.next_span == 0);
        self.layout
            .span(&mut self.buffer, trace, SpanIndex(current.next_span), span)?;
        self.written.n_spans += 1;
        self.current = Some(Current {
            next_span: current.next_span + 1,
            ..current
        });
        Ok(())
    }

    fn advance_line(
        &mut self,
        store: &Store,
        current: Current,
        lines: CurrentLines,
    ) -> io::Result<()> {
        let trace = store.trace(current.key);
        let more = trace.filter(|_| current.n_lines > 0);
        let line = more.and_then(|trace| self.lines.next_of_trace(store, trace, lines.next));
        let Some(line) = line else {
            let is_cut = trace.is_none() && lines.n_written < current.n_lines;
            self.written.n_cut += u64::from(is_cut);
            self.current = None;
            return self.layout.end_trace(&mut self.buffer, lines.n_written);
        };
        self.separate(lines.n_written == 0);
        self.layout.line(&mut self.buffer, line, trace)?;
        self.lines.wrote(line.key());
        self.written.n_lines += 1;
        self.current = Some(Current {
            lines: Some(CurrentLines {
                next: LogKey(line.key().0.saturating_add(1)),
                n_written: lines.n_written + 1,
            }),
            ..current
        });
        Ok(())
    }

    fn advance_trace(&mut self, store: &Store) -> io::Result<()> {
        let next = store.trace_from(self.next);
        let Some(trace) = next.filter(|trace| trace.key() < self.end) else {
            self.stage = Stage::Lines;
            return self.layout.end_traces(&mut self.buffer);
        };
        self.next = TraceKey(trace.key().0.saturating_add(1));
        let only = self.only.as_ref();
        if only.is_some_and(|only| !only.contains(&trace.key())) {
            return Ok(());
        }
        self.separate(self.written.n_traces == 0);
        self.layout.begin_trace(&mut self.buffer, trace, store)?;
        self.written.n_traces += 1;
        self.current = Some(Current {
            key: trace.key(),
            next_span: 0,
            n_spans: u32::try_from(trace.n_spans()).unwrap_or(u32::MAX),
            n_lines: if self.layout.holds_lines() {
                self.lines.n_of_trace(trace)
            } else {
                0
            },
            lines: None,
        });
        Ok(())
    }

    /// Looks at the next few lines, and writes the first that belongs to no trace.
    fn advance_loose_line(&mut self, store: &Store) -> io::Result<()> {
        let is_asked = self.scope == Scope::Everything && self.layout.holds_lines();
        let next = if is_asked {
            self.lines.next_loose(store)
        } else {
            NextLine::End
        };
        match next {
            NextLine::This(line) => {
                self.separate(self.lines.n_loose() == 0);
                self.layout.line(&mut self.buffer, line, None)?;
                self.lines.wrote_loose();
                self.written.n_lines += 1;
                Ok(())
            }
            NextLine::Later => Ok(()),
            NextLine::End => {
                self.stage = Stage::Done;
                let end = End {
                    scope: self.scope,
                    n_lines: self.lines.n_loose(),
                };
                self.layout.end(&mut self.buffer, store, end)
            }
        }
    }

    fn separate(&mut self, is_first: bool) {
        let separator: &[u8] = if is_first { b"\n" } else { b",\n" };
        self.buffer.extend_from_slice(separator);
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.buffer)?;
        self.written.n_bytes += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, store: &Store, out: &mut dyn Write) -> Result<Written, ExportError> {
        loop {
            if let Progress::Done(written) = self.step(store, out, usize::MAX)? {
                return Ok(written);
            }
        }
    }
}

/// Writes everything held, at once.
pub fn write_all(
    format: &Format,
    store: &Store,
    exported_at: UnixNanos,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    Export::begin(format, store, exported_at)?.finish(store, out)
}

/// Writes one trace, at once.
pub fn write_trace(
    format: &Format,
    store: &Store,
    exported_at: UnixNanos,
    key: TraceKey,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    Export::begin_trace(format, store, exported_at, key)?.finish(store, out)
}

/// Writes what was to go to Datadog and has not arrived, at once, in our own format: traces with their
/// lines, and requests. The counters in it are those of the whole capture.
pub fn write_missing(
    store: &Store,
    missing: &Missing,
    exported_at: UnixNanos,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    let traces = (TraceKey(0), store.next_key());
    let scope = (Scope::Missing, traces);
    let export = Export::begin_scope(&Format::JSON, store, exported_at, scope)?;
    let only = Some(missing.traces.clone());
    Export { only, ..export }.finish(store, out)
}
