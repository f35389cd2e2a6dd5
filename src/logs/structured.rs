//! What the members of a JSON line mean, in the dialects of structlog, the standard library's JSON
//! formatters, loguru, pino, ECS and Datadog's own log intake. One pass over the members.

use std::borrow::Cow;

use super::id::{self, LogIds};
use super::level::{Level, Numbers};
use super::time::{self, Written};
use crate::json::{Kind, Raw};
use crate::trace::UnixNanos;

/// The members that hold the message; the first that is there counts.
const MESSAGE_KEYS: [&str; 5] = ["event", "message", "msg", "text", "log"];
/// The members that hold the level.
const LEVEL_KEYS: [&str; 9] = [
    "level",
    "severity",
    "levelname",
    "log_level",
    "log.level",
    "loglevel",
    "lvl",
    "level_name",
    "status",
];
/// The members that hold the time.
const TIME_KEYS: [&str; 9] = [
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "asctime",
    "datetime",
    "created",
    "date",
    "t",
];
/// Objects that may hold ids, or everything else.
const NESTED_KEYS: [&str; 10] = [
    "dd",
    "datadog",
    "extra",
    "record",
    "modal",
    "trace",
    "span",
    "context",
    "otel",
    "attributes",
];
/// How deep those are looked into: loguru's `record.extra`.
const DEPTH_MAX: usize = 3;

/// What the members say.
#[derive(Clone, Debug, Default)]
pub(super) struct Structured<'a> {
    pub(super) message: Option<Raw<'a>>,
    pub(super) level: Option<Level>,
    pub(super) time: Option<Moment>,
    pub(super) ids: LogIds,
    pub(super) container: Option<Cow<'a, str>>,
    message_rank: Option<usize>,
    level_rank: Option<usize>,
    time_rank: Option<usize>,
    /// A level that is a number, before it is known whose.
    level_number: Option<i64>,
    /// Whether it was said which process and which host: pino and bunyan always do.
    has_pid: bool,
    has_hostname: bool,
}

/// A point in time, or one whose zone is still to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Known(UnixNanos),
    Written(Written),
}

impl Moment {
    pub(super) fn resolve(self, read_at: UnixNanos) -> UnixNanos {
        match self {
            Self::Known(nanos) => nanos,
            Self::Written(written) => written.resolve(read_at),
        }
    }
}

/// Whether a member is understood, and so is none of the fields.
pub(super) fn is_understood(key: &str, structured: &Structured<'_>) -> bool {
    let is_rank = |keys: &[&str], rank: Option<usize>| {
        rank.is_some_and(|rank| keys.get(rank).is_some_and(|known| *known == key))
    };
    is_rank(&MESSAGE_KEYS, structured.message_rank)
        || is_rank(&LEVEL_KEYS, structured.level_rank)
        || is_rank(&TIME_KEYS, structured.time_rank)
        || key == "dd"
        || key.starts_with("dd.")
}

impl<'a> Structured<'a> {
    /// Reads the members of an object.
    pub(super) fn read(object: Raw<'a>) -> Self {
        let mut structured = Self::default();
        structured.members(object, "", DEPTH_MAX);
        let numbers = if structured.has_pid && structured.has_hostname {
            Numbers::Pino
        } else {
            Numbers::Python
        };
        let numbered = structured
            .level_number
            .and_then(|number| Level::numbered(number, numbers));
        structured.level = structured.level.or(numbered);
        structured
    }

    fn members(&mut self, object: Raw<'a>, parent: &str, depth_left: usize) {
        for (key, value) in object.entries() {
            self.member(&key, value, parent);
            let is_open = depth_left > 0 && value.kind() == Kind::Object;
            if is_open && NESTED_KEYS.contains(&&*key) {
                self.members(value, &key, depth_left - 1);
            }
        }
    }

    fn member(&mut self, key: &str, value: Raw<'a>, parent: &str) {
        // What an object beside the message is called like a message is none; loguru's record is
        // the line itself.
        if matches!(parent, "" | "record") {
            self.has_pid |= key == "pid";
            self.has_hostname |= key == "hostname";
            self.message(key, value);
            self.level(key, value);
            self.time(key, value);
        }
        let is_id = key.len() >= 2 && value.kind() != Kind::Object;
        if is_id {
            self.id(key, value, parent);
        }
        if let "modal.task_id" | "modal_task_id" | "task_id" | "container_id" = key
            && self.container.is_none()
            && let Some(id) = value.string()
            && id.starts_with("ta-")
        {
            self.container = Some(id);
        }
    }

    fn message(&mut self, key: &str, value: Raw<'a>) {
        let Some(rank) = MESSAGE_KEYS.iter().position(|known| *known == key) else {
            return;
        };
        let is_better = self.message_rank.is_none_or(|known| rank < known);
        if is_better && matches!(value.kind(), Kind::Text | Kind::Number) {
            self.message = Some(value);
            self.message_rank = Some(rank);
        }
    }

    fn level(&mut self, key: &str, value: Raw<'a>) {
        let Some(rank) = LEVEL_KEYS.iter().position(|known| *known == key) else {
            return;
        };
        if self.level_rank.is_some_and(|known| known < rank) {
            return;
        }
        if value.kind() == Kind::Number {
            self.level_number = value.number().and_then(|number| number.parse().ok());
            self.level_rank = self.level_number.map(|_| rank).or(self.level_rank);
            return;
        }
        let name = match value.kind() {
            Kind::Object => value.get("name").and_then(Raw::string),
            _ => value.string(),
        };
        if let Some(level) = name.and_then(|name| Level::spelled(&name)) {
            self.level = Some(level);
            self.level_rank = Some(rank);
        }
    }

    fn time(&mut self, key: &str, value: Raw<'a>) {
        let Some(rank) = TIME_KEYS.iter().position(|known| *known == key) else {
            return;
        };
        if self.time_rank.is_some_and(|known| known < rank) {
            return;
        }
        if let Some(time) = moment(value) {
            self.time = Some(time);
            self.time_rank = Some(rank);
        }
    }

    fn id(&mut self, key: &str, value: Raw<'a>, parent: &str) {
        let read = || {
            let text = value
                .string()
                .or_else(|| value.number().map(Cow::Borrowed))?;
            id::parse(&text)
        };
        match (parent, key) {
            (
                _,
                "dd.trace_id" | "trace_id" | "traceId" | "trace.id" | "otelTraceID" | "dd_trace_id"
                | "datadog.trace_id" | "dd.traceId",
            )
            | ("trace", "id") => {
                if let Some(id) = read() {
                    self.ids.add_trace(id);
                }
            }
            (
                _,
                "dd.span_id" | "span_id" | "spanId" | "span.id" | "otelSpanID" | "dd_span_id"
                | "datadog.span_id" | "dd.spanId",
            )
            | ("span", "id") => {
                if let Some(id) = read() {
                    self.ids.add_span(id);
                }
            }
            _ => {}
        }
    }
}

/// A time as loggers write it: a text, a number, or loguru's object.
fn moment(value: Raw<'_>) -> Option<Moment> {
    match value.kind() {
        Kind::Text => {
            let text = value.string()?;
            match time::iso(text.trim()) {
                Some((written, _)) => Some(Moment::Written(written)),
                None => time::epoch(text.trim()).map(Moment::Known),
            }
        }
        Kind::Number => time::epoch(value.number()?).map(Moment::Known),
        Kind::Object => moment(value.get("timestamp")?),
        _ => None,
    }
}
