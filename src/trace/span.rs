//! A span: the one form every wire format is decoded into, as a view of its chunk.

use super::record::{Record, Stored};
use super::value::Reader;
use super::{Entries, Presence, SpanId, Text, TraceChunk, TraceId, UnixNanos, Value, tag};

/// A plain field of a span, in the order of the v0.5 format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The service.
    Service,
    /// The operation.
    Name,
    /// What the operation works on.
    Resource,
    /// Low 64 bits of the trace id.
    TraceId,
    /// The span's own id.
    SpanId,
    /// The parent's id.
    ParentId,
    /// Start in Unix nanoseconds.
    Start,
    /// Duration in nanoseconds.
    Duration,
    /// 1 for an error.
    Error,
    /// What kind of work it is: `web`, `llm`, `template`.
    Type,
}

impl Field {
    /// Every field, in the order of the v0.5 format.
    pub const ALL: [Self; 10] = [
        Self::Service,
        Self::Name,
        Self::Resource,
        Self::TraceId,
        Self::SpanId,
        Self::ParentId,
        Self::Start,
        Self::Duration,
        Self::Error,
        Self::Type,
    ];

    /// Whether it holds an id.
    pub(crate) fn is_id(self) -> bool {
        matches!(self, Self::TraceId | Self::SpanId | Self::ParentId)
    }

    /// Its place in [`Field::ALL`].
    pub(super) fn place(self) -> usize {
        match self {
            Self::Service => 0,
            Self::Name => 1,
            Self::Resource => 2,
            Self::TraceId => 3,
            Self::SpanId => 4,
            Self::ParentId => 5,
            Self::Start => 6,
            Self::Duration => 7,
            Self::Error => 8,
            Self::Type => 9,
        }
    }

    /// Its name on the wire and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Name => "name",
            Self::Resource => "resource",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::ParentId => "parent_id",
            Self::Start => "start",
            Self::Duration => "duration",
            Self::Error => "error",
            Self::Type => "type",
        }
    }
}

/// A part of a span that is not one number or string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// String tags.
    Meta,
    /// Numeric tags.
    Metrics,
    /// Tags that are msgpack in themselves.
    MetaStruct,
    /// Links to spans of other traces.
    SpanLinks,
    /// Things that happened during the span.
    SpanEvents,
    /// Fields this program has no name for: a map from name to the msgpack bytes as they came.
    Unknown,
}

impl Attribute {
    /// Every attribute, in the order of exports.
    pub const ALL: [Self; 6] = [
        Self::Meta,
        Self::Metrics,
        Self::MetaStruct,
        Self::SpanLinks,
        Self::SpanEvents,
        Self::Unknown,
    ];

    /// Its name on the wire and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Metrics => "metrics",
            Self::MetaStruct => "meta_struct",
            Self::SpanLinks => "span_links",
            Self::SpanEvents => "span_events",
            Self::Unknown => "unknown_fields",
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Metrics => 1,
            Self::MetaStruct => 2,
            Self::SpanLinks => 3,
            Self::SpanEvents => 4,
            Self::Unknown => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|attribute| attribute.code() == code)
    }
}

/// A span as the tracer sent it. Cheap to copy; borrows from its [`TraceChunk`].
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    chunk: &'a TraceChunk,
    record: Record,
    /// Where its attributes end.
    end: u32,
}

impl<'a> Span<'a> {
    pub(super) fn new(chunk: &'a TraceChunk, record: Record, end: u32) -> Self {
        Self { chunk, record, end }
    }

    /// The trace it belongs to.
    pub fn trace_id(self) -> TraceId {
        self.chunk.trace_id()
    }

    /// Its own id.
    pub fn span_id(self) -> SpanId {
        SpanId(self.record.span_id)
    }

    /// Its parent's id; [`SpanId::NONE`] for a root.
    pub fn parent_id(self) -> SpanId {
        SpanId(self.record.parent_id)
    }

    /// Whether it names no parent, or itself.
    pub fn is_root(self) -> bool {
        self.record.parent_id == 0 || self.record.parent_id == self.record.span_id
    }

    /// When it began, by the clock of the machine it ran on.
    pub fn start(self) -> UnixNanos {
        UnixNanos(self.record.start)
    }

    /// How long it took, in nanoseconds; as sent, so it can be negative.
    pub fn duration(self) -> i64 {
        match self.record.duration() {
            Stored::Here(duration) => duration,
            Stored::Hidden => {
                let hidden = self.packed().hidden_number(Field::Duration);
                hidden.unwrap_or_default()
            }
        }
    }

    /// When it ended; never before it began.
    pub fn end(self) -> UnixNanos {
        self.start().plus(self.duration().max(0))
    }

    /// The service.
    pub fn service(self) -> Text<'a> {
        self.text(Field::Service)
    }

    /// The operation.
    pub fn name(self) -> Text<'a> {
        self.text(Field::Name)
    }

    /// What the operation works on.
    pub fn resource(self) -> Text<'a> {
        self.text(Field::Resource)
    }

    /// The span type in the tracer's words: `llm`, `template`, `web`.
    pub fn span_type(self) -> Text<'a> {
        self.text(Field::Type)
    }

    fn text(self, field: Field) -> Text<'a> {
        match self.record.text(field) {
            None => Text::default(),
            Some(Stored::Here(text)) => self.chunk.text(text),
            Some(Stored::Hidden) => self
                .packed()
                .hidden_text(field)
                .map(|text| self.chunk.text(text))
                .unwrap_or_default(),
        }
    }

    fn packed(self) -> Reader<'a> {
        self.chunk.reader(self.record.attributes, self.end)
    }

    /// The error flag as sent: 0 or, for an error, 1.
    pub fn error(self) -> i32 {
        match self.record.error() {
            Stored::Here(error) => error,
            Stored::Hidden => {
                let hidden = self.packed().hidden_number(Field::Error);
                hidden
                    .and_then(|error| i32::try_from(error).ok())
                    .unwrap_or_default()
            }
        }
    }

    /// Whether the error flag is set.
    pub fn is_error(self) -> bool {
        self.record.is_error()
    }

    /// Whether a field was sent.
    pub fn presence(self, field: Field) -> Presence {
        self.record.presence(field)
    }

    /// A string field; `None` for the fields that are numbers.
    pub fn field_text(self, field: Field) -> Option<Text<'a>> {
        match field {
            Field::Service => Some(self.service()),
            Field::Name => Some(self.name()),
            Field::Resource => Some(self.resource()),
            Field::Type => Some(self.span_type()),
            _ => None,
        }
    }

    /// The bits of a number field; 0 for the fields that are strings.
    pub fn field_number(self, field: Field) -> u64 {
        match field {
            Field::TraceId => self.trace_id().low(),
            Field::SpanId => self.record.span_id,
            Field::ParentId => self.record.parent_id,
            Field::Start => self.record.start.cast_unsigned(),
            Field::Duration => self.duration().cast_unsigned(),
            Field::Error => i64::from(self.error()).cast_unsigned(),
            _ => 0,
        }
    }

    /// The attributes that were sent, in the order they came.
    pub fn attributes(self) -> impl Iterator<Item = (Attribute, Value<'a>)> {
        let mut reader = self.packed();
        std::iter::from_fn(move || {
            let code = reader.attribute_code()?;
            Some((Attribute::from_code(code)?, reader.value()?))
        })
    }

    /// One attribute, if it was sent. The last one, should it have come twice.
    pub fn attribute(self, attribute: Attribute) -> Option<Value<'a>> {
        self.attributes()
            .filter(|(found, _)| *found == attribute)
            .last()
            .map(|(_, value)| value)
    }

    /// The string tags in the order they came.
    pub fn meta(self) -> Entries<'a> {
        self.attribute(Attribute::Meta)
            .map(Value::entries)
            .unwrap_or_default()
    }

    /// The numeric tags in the order they came.
    pub fn metrics(self) -> Entries<'a> {
        self.attribute(Attribute::Metrics)
            .map(Value::entries)
            .unwrap_or_default()
    }

    /// A string tag.
    pub fn meta_text(self, key: &str) -> Option<Text<'a>> {
        self.meta().find(key)?.as_text()
    }

    /// A numeric tag.
    pub fn metric(self, key: &str) -> Option<f64> {
        self.metrics().find(key)?.as_f64()
    }

    /// The exception's message, under either of its names.
    pub fn error_message(self) -> Option<Text<'a>> {
        self.meta_text(tag::ERROR_MESSAGE)
            .or_else(|| self.meta_text(tag::ERROR_MSG))
    }

    /// The typed span links. (Formats without room for them carry JSON in the tag
    /// `_dd.span_links`, which is a tag like any other here.)
    pub fn links(self) -> impl Iterator<Item = SpanLink<'a>> {
        let links = self
            .attribute(Attribute::SpanLinks)
            .map(Value::items)
            .unwrap_or_default();
        links.map(|link| SpanLink::read(link.entries()))
    }

    /// The typed span events.
    pub fn events(self) -> impl Iterator<Item = SpanEvent<'a>> {
        let events = self
            .attribute(Attribute::SpanEvents)
            .map(Value::items)
            .unwrap_or_default();
        events.map(|event| SpanEvent::read(event.entries()))
    }

    /// Whether it is a snapshot of a span that has not ended.
    pub fn is_snapshot(self) -> bool {
        self.metric(tag::PARTIAL_VERSION)
            .is_some_and(|version| version >= 0.0)
    }

    /// Whether another span says the same, field by field. An id that was left out says 0.
    pub fn same_as(self, other: Span<'_>) -> bool {
        let fields = Field::ALL.into_iter().all(|field| {
            (field.is_id() || self.presence(field) == other.presence(field))
                && self.field_text(field).map(Text::as_bytes)
                    == other.field_text(field).map(Text::as_bytes)
                && self.field_number(field) == other.field_number(field)
        });
        fields && same_attributes(self, other)
    }
}

fn same_attributes(a: Span<'_>, b: Span<'_>) -> bool {
    let mut others = b.attributes();
    a.attributes().all(|(attribute, value)| {
        others
            .next()
            .is_some_and(|(other, twin)| other == attribute && twin == value)
    }) && others.next().is_none()
}

/// A link to a span of another trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanLink<'a> {
    /// The trace linked to.
    pub trace_id: TraceId,
    /// The span linked to.
    pub span_id: SpanId,
    /// What the link says of itself.
    pub attributes: Entries<'a>,
    /// The W3C trace state, possibly empty.
    pub tracestate: Text<'a>,
    /// The W3C trace flags; bit 31 says that they are set.
    pub flags: Option<u64>,
}

impl<'a> SpanLink<'a> {
    fn read(link: Entries<'a>) -> Self {
        let id = |key| link.find(key).and_then(Value::as_id);
        // In the lines that ddtrace prints, ids are hex, all of the trace's in one.
        let hex = |key| {
            let text = link.find(key)?.as_text()?.to_str()?;
            u128::from_str_radix(text, 16).ok()
        };
        Self {
            trace_id: hex("trace_id").map_or_else(
                || {
                    TraceId::from_halves(
                        id("trace_id_high").unwrap_or(0),
                        id("trace_id").unwrap_or(0),
                    )
                },
                TraceId,
            ),
            span_id: hex("span_id").map_or_else(
                || SpanId(id("span_id").unwrap_or(0)),
                |id| SpanId(TraceId(id).low()),
            ),
            attributes: link
                .find("attributes")
                .map(Value::entries)
                .unwrap_or_default(),
            tracestate: link
                .find("tracestate")
                .and_then(Value::as_text)
                .unwrap_or_default(),
            flags: id("flags"),
        }
    }
}

/// Something that happened during a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanEvent<'a> {
    /// When.
    pub time: UnixNanos,
    /// What.
    pub name: Text<'a>,
    /// Typed values by name: maps with a `type` and the member that it names, as in
    /// `pkg/proto/datadog/trace/span.proto` (`AttributeAnyValue`) of `DataDog/datadog-agent`.
    pub attributes: Entries<'a>,
}

impl<'a> SpanEvent<'a> {
    /// When it happened, from how it was sent: tracers whose language has only floats send one.
    pub(crate) fn nanos(sent: Value<'_>) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; what is no number is 0"
        )]
        let from_float = || sent.as_f64().map(|nanos| nanos as u64);
        sent.as_id().or_else(from_float)
    }

    fn read(event: Entries<'a>) -> Self {
        let nanos = event
            .find("time_unix_nano")
            .and_then(Self::nanos)
            .unwrap_or(0);
        Self {
            time: UnixNanos(i64::try_from(nanos).unwrap_or(i64::MAX)),
            name: event
                .find("name")
                .and_then(Value::as_text)
                .unwrap_or_default(),
            attributes: event
                .find("attributes")
                .map(Value::entries)
                .unwrap_or_default(),
        }
    }
}
