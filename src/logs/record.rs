//! A log line, read: the line itself, and what it says.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::structured::{self, Structured};
use super::{Level, LogIds, Prefix, Remark, Segment, segments, strip, text, traceback};
use crate::json::{Kind, Raw};
use crate::trace::UnixNanos;

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
        let stripped = strip(line);
        let prefix = Prefix::of(&stripped);
        let body = stripped.get(prefix.length..).unwrap_or_default();
        let pieces = segments(body);
        let mut record = match pieces.as_slice() {
            [Segment::Object(object)] | [Segment::Text(_), Segment::Object(object)] => {
                Self::of_object(&stripped, *object, source, at)
            }
            _ => Self::of_text(line, body, source, at),
        };
        record.time = record.time.or(prefix.time);
        if record.container.is_none() {
            record.container = prefix.container.map(Into::into);
        }
        record
    }

    /// A line in which a JSON object stands.
    pub(crate) fn of_object(line: &str, object: Raw<'_>, source: LogSource, at: UnixNanos) -> Self {
        if let Some(inner) = docker_line(object) {
            let mut record = Self::parse(inner.trim_end_matches('\n'), source, at);
            let envelope = Structured::read(object);
            record.time = record.time.or(envelope.time.map(|time| time.resolve(at)));
            return record;
        }
        let structured = Structured::read(object);
        let message = match structured.message {
            Some(value) => Part::of_value(value, line),
            None => Part::Whole,
        };
        let mut record = Self {
            at,
            time: structured.time.map(|time| time.resolve(at)),
            source,
            level: structured.level,
            ids: structured.ids,
            container: structured.container.map(Into::into),
            remark: None,
            n_cut: 0,
            object: place(object.text(), line),
            message,
            line: line.into(),
        };
        record.remark = Remark::of(record.message()).map(Box::new);
        record
    }

    /// A line of plain text; `body` is what is to be read of it.
    pub(crate) fn of_text(line: &str, body: &str, source: LogSource, at: UnixNanos) -> Self {
        // A progress bar writes over itself: the last state is what would be seen.
        let mut states = body.split('\r').rev().map(str::trim_end);
        let seen = states.find(|state| !state.is_empty()).unwrap_or(body);
        let remark = Remark::of_client(seen).or_else(|| Remark::of(seen));
        let message = match place(seen, line) {
            Some((0, end)) if usize::try_from(end) == Ok(line.len()) => Part::Whole,
            Some((start, end)) => Part::InLine(start, end),
            None => Part::Own(seen.into()),
        };
        Self {
            at,
            time: text::time(seen).map(|time| time.resolve(at)),
            source,
            level: Level::in_text(seen),
            ids: text::ids(seen),
            container: None,
            remark: remark.map(Box::new),
            n_cut: 0,
            line: line.into(),
            message,
            object: None,
        }
    }

    /// An item of Datadog's log intake. Whoever ships lines puts each into the member `message`; one
    /// that is JSON in itself is the line, and the item around it says what the line does not.
    pub fn parse_item(item: &str, at: UnixNanos) -> Self {
        let source = LogSource::Http;
        let Ok(item) = Raw::whole(item) else {
            return Self::parse(item, source, at);
        };
        let envelope = Self::of_object(item.text(), item, source, at);
        let inner = item.get("message").and_then(Raw::string);
        let inner = inner.as_deref().map(str::trim);
        let Some((inner, object)) = inner.and_then(|inner| Some((inner, whole_object(inner)?)))
        else {
            return envelope.with_ids_of_text();
        };
        let mut record = Self::of_object(inner, object, source, at);
        record.time = record.time.or(envelope.time);
        record.level = record.level.or(envelope.level);
        record.container = record.container.or(envelope.container);
        if record.ids == LogIds::default() {
            record.ids = envelope.ids;
        }
        record
    }

    /// An item that names no ids may hold a line of text that does.
    fn with_ids_of_text(mut self) -> Self {
        if self.ids == LogIds::default() {
            self.ids = text::ids(self.message());
        }
        self.level = self.level.or_else(|| Level::in_text(self.message()));
        self
    }

    /// The line as it was received; without its escape sequences if it is structured.
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

    /// Whether a JSON object stands in it.
    pub fn is_structured(&self) -> bool {
        self.object.is_some()
    }

    /// Its JSON object, if it is a structured line.
    pub(crate) fn object(&self) -> Option<Raw<'_>> {
        let (start, end) = self.object?;
        Raw::whole(self.slice(start, end)?).ok()
    }

    /// The members of a structured line that are not message, level, time or Datadog's ids, in their
    /// order: name and value as JSON. An exception is among them.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (Cow<'_, str>, Raw<'_>)> {
        let read = self
            .object()
            .map(|object| (object, Structured::read(object)));
        read.into_iter().flat_map(|(object, structured)| {
            object
                .entries()
                .filter(move |(key, _)| !structured::is_understood(key, &structured))
        })
    }

    /// The exception a line carries: text, possibly of many lines.
    pub fn exception(&self) -> Option<String> {
        let object = self.object()?;
        let own = object
            .entries()
            .filter(|(key, _)| traceback::is_key(key))
            .find_map(|(_, value)| traceback::text(value));
        let nested = || {
            let record = object
                .get("record")
                .and_then(|record| record.get("exception"));
            let error = || {
                object
                    .get("error")
                    .filter(|error| error.kind() == Kind::Object)
            };
            traceback::text(record.or_else(error)?)
        };
        own.or_else(nested)
    }

    /// Whether a member carries an exception, which [`LogRecord::exception`] gives as text.
    pub(crate) fn is_exception(key: &str) -> bool {
        traceback::is_key(key)
    }

    /// What it occupies in memory, allocator overhead included.
    pub fn heap_bytes(&self) -> usize {
        let boxed = |length: usize| if length == 0 { 0 } else { length + 16 };
        let message = match &self.message {
            Part::Own(text) => text.len(),
            Part::Whole | Part::InLine(..) => 0,
        };
        let container = self.container.as_ref().map_or(0, |id| id.len());
        let remark = self.remark.as_ref().map_or(0, |_| 128);
        size_of::<Self>() + boxed(self.line.len()) + boxed(message) + boxed(container) + remark
    }

    fn slice(&self, start: u32, end: u32) -> Option<&str> {
        let start = usize::try_from(start).ok()?;
        self.line.get(start..usize::try_from(end).ok()?)
    }
}

impl Part {
    /// The text of a JSON value, where it stands if it stands there as it reads.
    fn of_value(value: Raw<'_>, line: &str) -> Self {
        let inner = match value.string() {
            None => value.text(),
            Some(Cow::Borrowed(inner)) => inner,
            Some(Cow::Owned(text)) => return Self::Own(text.into()),
        };
        place(inner, line).map_or_else(
            || Self::Own(inner.into()),
            |(start, end)| Self::InLine(start, end),
        )
    }
}

/// Where a part of a line stands in it; `None` if it is a part of another text.
fn place(part: &str, line: &str) -> Option<(u32, u32)> {
    let start = part.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    let is_within = line
        .get(start..end)
        .is_some_and(|found| std::ptr::eq(found, part));
    if !is_within {
        return None;
    }
    Some((start.try_into().ok()?, end.try_into().ok()?))
}

fn whole_object(text: &str) -> Option<Raw<'_>> {
    let value = Raw::whole(text).ok()?;
    (value.kind() == Kind::Object).then_some(value)
}

/// The line in a line of Docker's `json-file` logs.
fn docker_line(object: Raw<'_>) -> Option<String> {
    let mut entries = object.entries();
    let (first, log) = entries.next()?;
    let is_docker = first == "log" && object.get("stream").is_some();
    if !is_docker {
        return None;
    }
    log.string().map(Cow::into_owned)
}

#[cfg(test)]
mod tests;
