//! A log line as JSON: what was read in it, and the line itself.

use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::span::DisplayJson;
use super::text::FloatJson;
use crate::json::{Kind, Raw};
use crate::logs::{JoinedBy, LogRecord};
use crate::store::{LogEntry, Store, TraceEntry};
use crate::trace::{SpanId, TraceId};

/// The `log` line of the headless stream. The trace is the one that was found, else the one that the
/// line names, if it names it whole.
pub fn log_event<'a>(line: &'a LogEntry, store: &'a Store) -> impl Serialize + 'a {
    #[derive(serde::Serialize)]
    struct LogEvent<'a> {
        event: &'static str,
        trace_id: Option<DisplayJson<TraceId>>,
        span_id: Option<DisplayJson<SpanId>>,
        level: Option<DisplayJson<crate::logs::Level>>,
        message: &'a str,
        time: Option<i64>,
        source: DisplayJson<crate::logs::LogSource>,
        joined_by: Option<DisplayJson<JoinedBy>>,
    }
    let record = line.record();
    let trace = line.joined().and_then(|joined| store.trace(joined.trace));
    let named = || Some(record.ids.trace).filter(|id| id.high() != 0);
    LogEvent {
        event: "log",
        trace_id: trace
            .map(TraceEntry::trace_id)
            .or_else(named)
            .map(DisplayJson),
        span_id: span_id(record, trace).map(DisplayJson),
        level: record.level.map(DisplayJson),
        message: record.message(),
        time: record.time.map(|time| time.0),
        source: DisplayJson(record.source),
        joined_by: line.joined().map(|joined| DisplayJson(joined.by)),
    }
}

/// The span that a line names: as the trace knows it, else as it is read first.
fn span_id(record: &LogRecord, trace: Option<&TraceEntry>) -> Option<SpanId> {
    let known = trace.and_then(|trace| {
        let mut spans = record.ids.spans();
        spans.find(|span| trace.span_with_id(*span).is_some())
    });
    known.or(Some(record.ids.span).filter(|span| *span != SpanId::NONE))
}

/// A line of an export.
pub(super) struct LogJson<'a> {
    record: &'a LogRecord,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    joined_by: Option<JoinedBy>,
}

impl<'a> LogJson<'a> {
    /// A line that is written with a trace, or with none: then it is not said to have joined one.
    pub(super) fn new(line: &'a LogEntry, trace: Option<&TraceEntry>) -> Self {
        let record = line.record();
        let joined_by = trace.and(line.joined()).map(|joined| joined.by);
        let named = Some(record.ids.trace).filter(|id| id.0 != 0);
        let trace_id = match joined_by {
            Some(JoinedBy::TraceId) => trace.map(TraceEntry::trace_id),
            _ => named,
        };
        Self {
            record,
            trace_id,
            span_id: span_id(record, trace),
            joined_by,
        }
    }
}

impl Serialize for LogJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &record.time.map(|time| time.0))?;
        map.serialize_entry("trace_id", &self.trace_id.map(DisplayJson))?;
        map.serialize_entry("span_id", &self.span_id.map(DisplayJson))?;
        map.serialize_entry("level", &record.level.map(DisplayJson))?;
        map.serialize_entry("message", record.message())?;
        map.serialize_entry("source", &DisplayJson(record.source))?;
        map.serialize_entry("joined_by", &self.joined_by.map(DisplayJson))?;
        map.serialize_entry("fields", &FieldsJson(record))?;
        map.serialize_entry("line", record.line())?;
        map.serialize_entry("at", &record.at.0)?;
        map.serialize_entry("container", &record.container)?;
        if record.n_cut > 0 {
            map.serialize_entry("n_cut", &record.n_cut)?;
        }
        map.end()
    }
}

struct FieldsJson<'a>(&'a LogRecord);

impl Serialize for FieldsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.fields();
        serializer.collect_map(fields.map(|(name, value)| (name, RawJson::whole(value))))
    }
}

/// A value as it was written: numbers with all of their digits, keys in their order. White space and
/// the spelling of strings are ours, so that nothing in it is obeyed by a terminal. What other readers
/// of JSON may refuse, and with it the whole file, is written otherwise: numbers beyond 64-bit floats
/// as floats, and what is nested very deep as its text. The line stands beside it as it came.
struct RawJson<'a> {
    value: Raw<'a>,
    depth_left: u32,
}

/// How deep values may nest in a file: strict readers give up at 128, and the file itself has some.
const DEPTH_MAX: u32 = 100;

impl<'a> RawJson<'a> {
    fn whole(value: Raw<'a>) -> Self {
        Self {
            value,
            depth_left: DEPTH_MAX,
        }
    }

    fn inner(&self, value: Raw<'a>) -> Self {
        Self {
            value,
            depth_left: self.depth_left.saturating_sub(1),
        }
    }
}

impl Serialize for RawJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.value;
        match value.kind() {
            Kind::Array | Kind::Object if self.depth_left == 0 => {
                serializer.serialize_str(value.text())
            }
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool => serializer.serialize_bool(value.text() == "true"),
            Kind::Text => serializer.serialize_str(&value.string().unwrap_or_default()),
            Kind::Array => serializer.collect_seq(value.items().map(|item| self.inner(item))),
            Kind::Object => {
                let entries = value.entries();
                serializer.collect_map(entries.map(|(name, value)| (name, self.inner(value))))
            }
            Kind::Number => match odd_number(value.text()) {
                Some(odd) => FloatJson(odd).serialize(serializer),
                None => serde_json::from_str::<&RawValue>(value.text())
                    .map_err(S::Error::custom)?
                    .serialize(serializer),
            },
        }
    }
}

/// Numbers that Python writes and JSON does not have, and those that no float holds.
fn odd_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_infinite()),
    }
}
