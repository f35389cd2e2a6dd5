//! A log line, read: the line itself, and what it says.

use std::fmt;
use std::str::FromStr;

use super::{Level, modal};
use crate::json::Raw;
use crate::trace::{SpanId, TraceId, UnixNanos};

/// Where a line was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// A child's stdout.
    Stdout,
    /// A child's stderr.
    Stderr,
    /// A file that is followed.
    File,
    /// Our own stdin.
    Stdin,
    /// `POST /api/v2/logs`.
    Http,
}

impl LogSource {
    /// Every source with its name in exports.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Stdout, "stdout"),
        (Self::Stderr, "stderr"),
        (Self::File, "file"),
        (Self::Stdin, "stdin"),
        (Self::Http, "http"),
    ];
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(source, _)| source == self);
        f.pad(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for LogSource {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known
            .map(|(source, _)| *source)
            .ok_or_else(|| format!("{name:?} is no source of lines"))
    }
}

/// How a line was found to belong to a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinedBy {
    /// It names the trace.
    TraceId,
    /// It names a span of the trace.
    SpanId,
    /// It was printed by the trace's container in the trace's time: a guess.
    ContainerTime,
}

impl JoinedBy {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::TraceId, "trace_id"),
        (Self::SpanId, "span_id"),
        (Self::ContainerTime, "container_time"),
    ];
}

impl fmt::Display for JoinedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(by, _)| by == self);
        f.pad(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for JoinedBy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known
            .map(|(by, _)| *by)
            .ok_or_else(|| format!("{name:?} is no way to join a line"))
    }
}

/// The ids a line names. One text can be two numbers: sixteen digits may be decimal or hex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogIds {
    /// All 128 bits, or the low 64 with the high half 0; 0 when the line names no trace.
    pub trace: TraceId,
    /// What else the text of the trace id can mean, 0 if nothing.
    pub trace_or: TraceId,
    /// The span; 0 when the line names none.
    pub span: SpanId,
    /// What else the text of the span id can mean, 0 if nothing.
    pub span_or: SpanId,
}

impl LogIds {
    /// The readings of the trace id, the likelier first.
    pub fn traces(self) -> impl Iterator<Item = TraceId> {
        [self.trace, self.trace_or]
            .into_iter()
            .filter(|id| id.0 != 0)
    }

    /// The readings of the span id, the likelier first.
    pub fn spans(self) -> impl Iterator<Item = SpanId> {
        [self.span, self.span_or]
            .into_iter()
            .filter(|id| *id != SpanId::NONE)
    }
}

/// What a line says that this program understands beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Modal's client speaks of itself.
    Modal(modal::Status),
    /// A tracer could not reach its agent: `failed to send, dropping N traces to intake at …`.
    Unsent {
        /// How many traces it dropped, those it skipped to mention included.
        traces: u64,
        /// The address it tried.
        url: Box<str>,
        /// Why, in its words.
        reason: Box<str>,
    },
    /// datadog-init speaks of itself; harmless.
    DatadogInit,
}

/// A line and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When it was read.
    pub at: UnixNanos,
    /// When it was written, as it says itself.
    pub time: Option<UnixNanos>,
    /// Where it was read.
    pub source: LogSource,
    /// How severe it is, as it says itself.
    pub level: Option<Level>,
    /// The ids it names.
    pub ids: LogIds,
    /// The container it names, or that the log command put before it: `ta-…`.
    pub container: Option<Box<str>>,
    /// What more is understood of it.
    pub remark: Option<Box<Remark>>,
    /// Bytes that were cut off its end, because a line has a limit.
    pub n_cut: u64,
    line: Box<str>,
    message: Part,
    /// Where in the line its JSON object stands.
    object: Option<(u32, u32)>,
}

/// A text that stands in the line, or one of its own where escapes had to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    InLine(u32, u32),
    Own(Box<str>),
}

impl LogRecord {
    /// Reads a line, or the part of one that is one record. `line` has no line end.
    pub fn parse(line: &str, source: LogSource, at: UnixNanos) -> Self {
        let object = Raw::whole(line).ok();
        let object = object.filter(|raw| raw.kind() == crate::json::Kind::Object);
        let event = object.and_then(|object| object.get("event")?.string());
        let end = u32::try_from(line.len()).unwrap_or(u32::MAX);
        Self {
            at,
            time: None,
            source,
            level: None,
            ids: LogIds::default(),
            container: None,
            remark: None,
            n_cut: 0,
            line: line.into(),
            message: event.map_or(Part::Whole, |event| Part::Own(event.into())),
            object: object.map(|_| (0, end)),
        }
    }

    /// The line as it was received.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// What it says: the member `event`, `message` or `msg`, or the whole text. Comes from
    /// strangers, like everything in a line.
    pub fn message(&self) -> &str {
        match &self.message {
            Part::Whole => &self.line,
            Part::InLine(start, end) => self.slice(*start, *end).unwrap_or_default(),
            Part::Own(text) => text,
        }
    }

    /// Its JSON object, if it is a structured line.
    pub(crate) fn object(&self) -> Option<Raw<'_>> {
        let (start, end) = self.object?;
        Raw::whole(self.slice(start, end)?).ok()
    }

    /// The members of a structured line that are not message, level, time or ids, in their order:
    /// name and value as JSON.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, Raw<'_>)> {
        let known = ["event", "level", "timestamp", "dd"];
        let entries = self.object().into_iter().flat_map(Raw::entries);
        entries.filter(move |(name, _)| !known.iter().any(|known| name.starts_with(known)))
    }

    /// The exception a line carries: text, possibly of many lines.
    pub fn exception(&self) -> Option<String> {
        let exception = self.object()?.get("exception")?.string()?;
        Some(exception.into_owned())
    }

    /// What it occupies in memory, allocator overhead included.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.line.len() + 16
    }

    fn slice(&self, start: u32, end: u32) -> Option<&str> {
        let start = usize::try_from(start).ok()?;
        self.line.get(start..usize::try_from(end).ok()?)
    }
}
