//! Whether a term is true of a trace, a span or a log line.
//!
//! A term is true of a trace if the trace itself is so, or one of its spans or of its log lines is.
//! A line answers for itself alone: of durations and sampling it knows nothing. Nothing in here
//! follows nested values deeper than [`DEPTH_MAX`].

use std::borrow::Cow;

use super::lex::Operator;
use super::pattern::{ends_with, starts_with};
use super::running;
use super::term::{Container, Simulated, State, Term, Wanted};
use super::word::Word;
use crate::analysis::Outcome;
use crate::json::{Kind, Raw};
use crate::logs::{Level, LogRecord};
use crate::sampler::Fate;
use crate::store::{LogEntry, RowMark, Store, TraceEntry};
use crate::trace::{
    Attribute, Entries, SamplingFacts, SamplingMechanism, SamplingPriority, Span, Text, Value, tag,
};

/// How deep tags and fields are looked through.
pub(super) const DEPTH_MAX: usize = 8;
/// So many spans of a trace are asked for their container: tracers tag all of them or the first.
const SPANS_ASKED: usize = 16;

impl Term {
    /// Whether it is true of a trace with these lines.
    pub(super) fn is_of_trace<'a>(
        &self,
        store: &Store,
        trace: &TraceEntry,
        mut lines: impl Iterator<Item = &'a LogEntry>,
    ) -> bool {
        match self {
            Self::Word(word) | Self::State(State::Joined | State::Unjoined, word) => {
                word.is_in_trace(trace) || lines.any(|line| word.is_in_record(line.record()))
            }
            Self::State(state, _) => match state {
                State::Error => trace.is_error(),
                State::Orphan => trace.n_orphans() > 0,
                State::Marked => store.is_marked(trace.key()),
                State::Kept | State::Dropped => is_decided(*state, &trace.sampling()),
                State::Started(wanted) => running::is_any_started(trace, *wanted),
                State::Ended(wanted) => running::is_ended(store, trace, *wanted),
                State::Open | State::Joined | State::Unjoined => !trace.is_complete(),
            },
            Self::Duration(operator, nanos) => operator.holds(trace.duration().cmp(nanos)),
            Self::Priority(..) | Self::Mechanism(_) => self.is_of_sampling(&trace.sampling()),
            Self::Simulated(wanted) => wanted.is_of(trace),
            Self::Source(begins) => {
                let mut ways = trace.arrivals().iter().map(|arrival| arrival.via);
                ways.any(|via| via.to_string().starts_with(begins))
                    || lines.any(|line| self.is_of_line(line))
            }
            Self::Ended(wanted) => running::is_ended(store, trace, *wanted),
            Self::Request(..) => {
                let mut roots = trace.local_roots().iter();
                roots.any(|root| self.is_of_root(store, trace, root))
            }
            Self::Container(container) => {
                let mut spans = trace.spans().take(SPANS_ASKED);
                running::is_any_in(store, trace, container)
                    || spans.any(|(_, span)| self.is_of_span(span, RowMark::None))
                    || lines.any(|line| self.is_of_line(line))
            }
            Self::Level(..) | Self::Log(_) => lines.any(|line| self.is_of_line(line)),
            Self::Name(..) | Self::Tag(..) => {
                let mut spans = trace.spans();
                spans.any(|(_, span)| self.is_of_span(span, RowMark::None))
                    || lines.any(|line| self.is_of_line(line))
            }
        }
    }

    /// Whether it is true of a span; the mark of its row says whether it is an orphan.
    pub(super) fn is_of_span(&self, span: Span<'_>, mark: RowMark) -> bool {
        match self {
            Self::Word(word) | Self::State(State::Joined | State::Unjoined, word) => {
                word.is_in_span(span)
            }
            Self::State(state, word) => match state {
                State::Error => span.is_error(),
                State::Orphan => mark == RowMark::Orphan,
                State::Kept | State::Dropped => {
                    is_decided(*state, &SamplingFacts::read(std::iter::once(span)))
                }
                // How a process started its local root knows, and this may be none; a mark is a trace's.
                State::Started(_) | State::Marked => word.is_in_span(span),
                State::Ended(wanted) => running::is_span_ended(span, *wanted),
                State::Open | State::Joined | State::Unjoined => span.is_snapshot(),
            },
            Self::Name(field, pattern) => {
                let name = span.field_text(*field);
                name.is_some_and(|name| pattern.is_like(name))
            }
            Self::Tag(path, wanted) => tags(span)
                .any(|tags| any_at(tags, path, DEPTH_MAX, &|value| wanted.is_value(value))),
            Self::Duration(operator, nanos) => operator.holds(span.duration().cmp(nanos)),
            Self::Priority(..) | Self::Mechanism(_) => {
                self.is_of_sampling(&SamplingFacts::read(std::iter::once(span)))
            }
            Self::Container(container) => tag::CONTAINER
                .iter()
                .filter_map(|tag| span.meta_text(tag))
                .any(|id| container.is(id)),
            Self::Ended(wanted) => running::is_span_ended(span, *wanted),
            Self::Level(..)
            | Self::Source(_)
            | Self::Log(_)
            | Self::Simulated(_)
            | Self::Request(..) => false,
        }
    }

    /// Whether it is true of a log line.
    pub(super) fn is_of_line(&self, line: &LogEntry) -> bool {
        let record = line.record();
        match self {
            Self::State(State::Error, _) => record.level >= Some(Level::Error),
            Self::State(State::Joined, _) => line.joined().is_some(),
            Self::State(State::Unjoined, _) => line.joined().is_none(),
            // The letters of `oom` stand in every room; who writes out another of these looks for it.
            Self::State(State::Ended(wanted), word) if *wanted != Outcome::CudaOom => {
                running::tells_of(record, *wanted) || word.is_in_record(record)
            }
            Self::State(State::Ended(wanted), _) | Self::Ended(wanted) => {
                running::tells_of(record, *wanted)
            }
            Self::Word(word) | Self::Log(word) | Self::State(_, word) => word.is_in_record(record),
            Self::Name(field, pattern) => any_field(record, field.name(), &|value| {
                shown(value).is_some_and(|text| pattern.is_like(Text::from(&*text)))
            }),
            Self::Tag(path, wanted) => any_field(record, path, &|value| wanted.is_json(value)),
            Self::Level(operator, level) => record
                .level
                .is_some_and(|found| operator.holds(found.cmp(level))),
            Self::Source(begins) => record.source.to_string().starts_with(begins),
            Self::Container(container) => {
                let id = record.container.as_deref();
                id.is_some_and(|id| container.is(Text::from(id)))
            }
            Self::Duration(..)
            | Self::Priority(..)
            | Self::Mechanism(_)
            | Self::Simulated(_)
            | Self::Request(..) => false,
        }
    }

    fn is_of_sampling(&self, facts: &SamplingFacts<'_>) -> bool {
        match self {
            Self::Priority(operator, wanted) => {
                let priority = facts
                    .priority
                    .map(|SamplingPriority(number)| f64::from(number));
                priority.is_some_and(|priority| holds(*operator, priority, *wanted))
            }
            Self::Mechanism(number) => facts.mechanism() == Some(SamplingMechanism(*number)),
            _ => false,
        }
    }
}

/// Whether the client has decided so.
fn is_decided(state: State, facts: &SamplingFacts<'_>) -> bool {
    let wanted = state == State::Dropped;
    facts
        .priority
        .is_some_and(|said| said.is_reject() == wanted)
}

impl Simulated {
    fn is_of(self, trace: &TraceEntry) -> bool {
        // As the list shows it: what only a missing root can tell is unknown.
        let verdict = trace.settled_verdict();
        self.is(verdict.map_or(Fate::Unknown, |verdict| verdict.fate()))
    }

    pub(super) fn is(self, fate: Fate) -> bool {
        match self {
            Self::Kept => matches!(fate, Fate::Kept(_)),
            Self::Dropped => matches!(fate, Fate::Dropped | Fate::DroppedByRate),
            Self::As(wanted) => fate == wanted,
        }
    }
}

impl Word {
    fn is_in_trace(&self, trace: &TraceEntry) -> bool {
        self.is_in_trace_itself(trace) || self.is_in_spans(trace)
    }

    /// In its id, or in what is said of its sampling.
    pub(super) fn is_in_trace_itself(&self, trace: &TraceEntry) -> bool {
        self.is_in_trace_id(trace.trace_id()) || self.is_in_sampling(trace)
    }

    pub(super) fn is_in_spans(&self, trace: &TraceEntry) -> bool {
        trace.spans().any(|(_, span)| self.is_in_span(span))
    }

    fn is_in_span(&self, span: Span<'_>) -> bool {
        let names = [
            span.resource(),
            span.name(),
            span.service(),
            span.span_type(),
        ];
        names.into_iter().any(|name| self.is_in(name))
            || self.is_in_span_id(span.span_id())
            || span
                .attributes()
                .any(|(_, value)| self.is_in_value(value, DEPTH_MAX))
    }

    fn is_in_value(&self, value: Value<'_>, depth_left: usize) -> bool {
        match value {
            Value::Text(text) => self.is_in(text),
            Value::Array(_) | Value::Map(_) if depth_left == 0 => false,
            Value::Array(mut items) => items.any(|item| self.is_in_value(item, depth_left - 1)),
            Value::Map(mut entries) => {
                entries.any(|(_, value)| self.is_in_value(value, depth_left - 1))
            }
            scalar => self.is_in_scalar(scalar),
        }
    }

    pub(super) fn is_in_scalar(&self, value: Value<'_>) -> bool {
        match value {
            Value::Bool(bool) => self.is_in_bool(bool),
            Value::Int(int) => self.is_in_int(int),
            Value::Uint(uint) => self.is_in_uint(uint),
            Value::Float(float) => self.is_in_float(float),
            _ => false,
        }
    }

    /// A line is looked through as it came; where it holds escapes, its texts are too. (`json.dumps`
    /// escapes all that is not ASCII.)
    pub(super) fn is_in_record(&self, record: &LogRecord) -> bool {
        let line = record.line();
        let ids = record.ids;
        self.is_in(Text::from(line))
            || ids.traces().any(|id| self.is_in_trace_id(id))
            || ids.spans().any(|id| self.is_in_span_id(id))
            || line.contains('\\')
                && (self.is_in(Text::from(record.message()))
                    || record
                        .object()
                        .is_some_and(|object| self.is_in_json(object, DEPTH_MAX)))
    }

    fn is_in_json(&self, value: Raw<'_>, depth_left: usize) -> bool {
        match value.kind() {
            Kind::Text => value
                .string()
                .is_some_and(|text| self.is_in(Text::from(&*text))),
            Kind::Array | Kind::Object if depth_left == 0 => false,
            Kind::Array => value
                .items()
                .any(|item| self.is_in_json(item, depth_left - 1)),
            Kind::Object => value
                .entries()
                .any(|(_, value)| self.is_in_json(value, depth_left - 1)),
            // Without escapes they stand in the line as they are.
            Kind::Null | Kind::Bool | Kind::Number => false,
        }
    }
}

impl Wanted {
    fn is_value(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (_, Value::Text(text)) => self.is_text(text),
            (_, Value::Array(mut items)) => items.any(|item| self.is_scalar(item)),
            (_, value) => self.is_scalar(value),
        }
    }

    fn is_scalar(&self, value: Value<'_>) -> bool {
        let text = match value {
            Value::Text(text) => return self.is_text(text),
            Value::Bool(bool) => bool.to_string(),
            Value::Int(int) => int.to_string(),
            Value::Uint(uint) => uint.to_string(),
            Value::Float(float) => float.to_string(),
            Value::Null => "null".to_owned(),
            Value::Bytes(_) | Value::Array(_) | Value::Map(_) => return false,
        };
        self.is_number(value.as_f64()) || self.is_text(Text::from(text.as_str()))
    }

    fn is_json(&self, value: Raw<'_>) -> bool {
        let is_scalar = |value: Raw<'_>| {
            let number = value.number().and_then(|number| number.parse().ok());
            self.is_number(number)
                || shown(value).is_some_and(|text| self.is_text(Text::from(&*text)))
        };
        match value.kind() {
            Kind::Array => value.items().any(is_scalar),
            _ => is_scalar(value),
        }
    }

    fn is_number(&self, found: Option<f64>) -> bool {
        let Some(found) = found else { return false };
        match self {
            Self::Like(_, wanted) => *wanted == Some(found),
            Self::Number(operator, wanted) => holds(*operator, found, *wanted),
        }
    }

    /// A number that was sent as a text is compared as a number.
    fn is_text(&self, text: Text<'_>) -> bool {
        match self {
            Self::Like(pattern, _) => pattern.is_like(text),
            Self::Number(..) => {
                let number = text.to_str().and_then(|text| text.trim().parse().ok());
                self.is_number(number)
            }
        }
    }
}

impl Container {
    pub(super) fn is(&self, id: Text<'_>) -> bool {
        match self {
            Self::Like(pattern) => pattern.is_like(id),
            Self::Named(wanted) => {
                let id = id.as_bytes();
                let short = wanted.strip_prefix("ta-").unwrap_or(wanted);
                let rest = starts_with(id, "ta-").unwrap_or(id);
                starts_with(id, wanted).is_some()
                    || starts_with(rest, short).is_some()
                    || !short.is_empty() && ends_with(rest, short)
            }
        }
    }
}

pub(super) fn holds(operator: Operator, found: f64, wanted: f64) -> bool {
    found
        .partial_cmp(&wanted)
        .is_some_and(|ordering| operator.holds(ordering))
}

fn tags(span: Span<'_>) -> impl Iterator<Item = Entries<'_>> {
    let tags = span.attributes().filter(|(attribute, _)| {
        matches!(
            attribute,
            Attribute::Meta | Attribute::Metrics | Attribute::MetaStruct
        )
    });
    tags.map(|(_, value)| value.entries())
}

/// Whether a value with this name is so: `modal.region` is a member of that name, or `region` in
/// `modal`.
fn any_at(
    mut entries: Entries<'_>,
    path: &str,
    depth_left: usize,
    is_wanted: &impl Fn(Value<'_>) -> bool,
) -> bool {
    entries.any(|(name, value)| match path_after(name.as_bytes(), path) {
        Some("") => is_wanted(value),
        Some(rest) if depth_left > 0 => any_at(value.entries(), rest, depth_left - 1, is_wanted),
        _ => false,
    })
}

/// The same of a structured line, where the tracer's own fields stand under `dd` as well.
fn any_field(record: &LogRecord, path: &str, is_wanted: &impl Fn(Raw<'_>) -> bool) -> bool {
    let Some(object) = record.object() else {
        return false;
    };
    any_member(object, path, DEPTH_MAX, is_wanted)
        || any_member(object, &format!("dd.{path}"), DEPTH_MAX, is_wanted)
}

fn any_member(
    object: Raw<'_>,
    path: &str,
    depth_left: usize,
    is_wanted: &impl Fn(Raw<'_>) -> bool,
) -> bool {
    object
        .entries()
        .any(|(name, value)| match path_after(name.as_bytes(), path) {
            Some("") => is_wanted(value),
            Some(rest) if depth_left > 0 => any_member(value, rest, depth_left - 1, is_wanted),
            _ => false,
        })
}

/// What is left of a path after its first names, upper and lower case alike.
fn path_after<'p>(name: &[u8], path: &'p str) -> Option<&'p str> {
    let (begins, rest) = path.split_at_checked(name.len())?;
    if !begins.as_bytes().eq_ignore_ascii_case(name) {
        return None;
    }
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('.')
}

/// A value as it reads; `None` for arrays and objects.
fn shown(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        Kind::Text => value.string(),
        Kind::Array | Kind::Object => None,
        Kind::Null | Kind::Bool | Kind::Number => Some(Cow::Borrowed(value.text())),
    }
}
