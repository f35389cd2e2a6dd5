//! What the Agent makes of a span before it samples and sends it: a pure function from a span, as the
//! tracer sent it, to its normalised form and the corrections between the two.
//!
//! The store keeps what was sent. Whoever simulates or replaces the Agent works on [`Normalized`];
//! whoever shows the difference asks it for [`Normalized::corrections`]. Nothing is copied that stays
//! as it is, and tags are corrected only while they are read.
//!
//! After `DataDog/datadog-agent`, `pkg/trace/agent/normalizer.go` (`normalizeTrace`, `normalize`),
//! `truncator.go` (`Truncate`) and `agent.go` (`Process`), in that order; each rule names its own
//! place. Left out: obfuscation of queries and URLs, the feature `component2name`, tags that an
//! Agent is configured to add or replace, and the two rules in which v1.0 differs (no trace id is
//! looked at; a span that is its own parent becomes a root whatever its trace).

mod chunk;
mod correction;
mod field;
mod rule;
mod tags;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use crate::trace::{Span, SpanId, Text, TraceId, UnixNanos, Value, tag};
pub(crate) use chunk::root_place;
pub use chunk::{NormalizedChunk, normalize_chunk};
pub use correction::Correction;
use field::FixedText;
pub use rule::{Dropped, Rule};
pub use tags::{NormalizedLink, TagValue};
use tags::{STATUS_CODE, Tag, drops_status_code, is_kept_as, link_name, metric_key, tag};

/// What the Agent knows beside the spans: from the headers of the request and its own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The client's language, which names a service that has no name.
    pub language: &'a str,
    /// When it came, which stands for a start that cannot be.
    pub received: UnixNanos,
    /// Whether the client marks the spans at which it entered a service
    /// (`Datadog-Client-Computed-Top-Level`); if not, the Agent does.
    pub has_top_level: bool,
}

/// A span as the Agent keeps it.
#[derive(Clone, Debug)]
pub struct Normalized<'a> {
    sent: Span<'a>,
    service: FixedText<'a>,
    name: FixedText<'a>,
    resource: FixedText<'a>,
    span_type: FixedText<'a>,
    parent_id: SpanId,
    start: UnixNanos,
    duration: i64,
}

/// Normalises one span (`normalizer.go`, `normalize`; then `truncator.go`, `Truncate`).
///
/// # Errors
///
/// The Agent drops a span without ids, and with it all that came in its chunk.
pub fn normalize<'a>(span: Span<'a>, request: Request<'_>) -> Result<Normalized<'a>, Dropped> {
    if span.trace_id().low() == 0 {
        return Err(Dropped::TraceIdZero);
    }
    if span.span_id() == SpanId::NONE {
        return Err(Dropped::SpanIdZero);
    }
    let name = field::span_name(span.name());
    let resource = field::resource(span.resource(), &name.value);
    let duration = field::duration(span.start(), span.duration());
    let parent_id = span.parent_id();
    let is_own_parent = parent_id == span.span_id() && parent_id.0 == span.trace_id().low();
    Ok(Normalized {
        sent: span,
        service: field::service(span.service(), request.language),
        name,
        resource,
        span_type: field::span_type(span.span_type()),
        parent_id: if is_own_parent {
            SpanId::NONE
        } else {
            parent_id
        },
        start: field::start(span.start(), duration, request.received),
        duration,
    })
}

/// The names of what a client counted itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupNames<'a> {
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) resource: &'a str,
}

/// Service, operation and resource of such a group as the Agent keeps them (`normalizer.go`,
/// `normalizeStatsGroup`).
pub(crate) fn group_names(sent: &GroupNames<'_>, language: &str) -> [String; 3] {
    let service = field::service(Text::from(sent.service), language);
    let name = field::span_name(Text::from(sent.name));
    let resource = field::resource(Text::from(sent.resource), &name.value);
    let resource = resource.value.into_owned();
    [
        service.value.into_owned(),
        name.value.into_owned(),
        resource,
    ]
}

/// An environment as the Agent keeps it (`pkg/trace/traceutil/normalize`, `NormalizeTagValue`).
pub fn env(sent: Text<'_>) -> Cow<'_, str> {
    field::env(sent).value
}

impl<'a> Normalized<'a> {
    /// The span as it was sent. Error flag, events and `meta_struct` are as there.
    pub fn sent(&self) -> Span<'a> {
        self.sent
    }

    /// The trace it belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.sent.trace_id()
    }

    /// Its own id.
    pub fn span_id(&self) -> SpanId {
        self.sent.span_id()
    }

    /// Its parent's id; [`SpanId::NONE`] for a root.
    pub fn parent_id(&self) -> SpanId {
        self.parent_id
    }

    /// The service; never empty.
    pub fn service(&self) -> &str {
        &self.service.value
    }

    /// The operation; never empty.
    pub fn name(&self) -> &str {
        &self.name.value
    }

    /// What the operation works on; never empty.
    pub fn resource(&self) -> &str {
        &self.resource.value
    }

    /// The span type.
    pub fn span_type(&self) -> &str {
        &self.span_type.value
    }

    /// When it began. Never before 2000, unless it was taken from the arrival and lasted that long.
    pub fn start(&self) -> UnixNanos {
        self.start
    }

    /// How long it took, in nanoseconds; never negative.
    pub fn duration(&self) -> i64 {
        self.duration
    }

    /// The error flag as sent.
    pub fn error(&self) -> i32 {
        self.sent.error()
    }

    /// The string tags, in the order they came; of a key that comes twice the last one counts.
    pub fn meta(&self) -> impl Iterator<Item = (Cow<'a, str>, TagValue<'a>)> + use<'a> {
        let tags = self.tags().map(|(_, _, tag)| tag);
        tags.map(|tag| (tag.key.value, tag.value.value))
    }

    /// A string tag, by the key under which the Agent keeps it.
    pub fn meta_text(&self, key: &str) -> Option<Cow<'a, str>> {
        let sent = self.sent.meta();
        let sent = sent.filter(|(name, _)| is_kept_as(*name, key));
        let (name, value) = sent.last()?;
        if key == STATUS_CODE && drops_status_code(self.sent) {
            return None;
        }
        match tag(name, value).value.value {
            TagValue::Text(text) => Some(text),
            TagValue::Other(_) => None,
        }
    }

    fn tags(&self) -> impl Iterator<Item = (Text<'a>, Value<'a>, Tag<'a>)> + use<'a> {
        let drops_status_code = drops_status_code(self.sent);
        let kept = self
            .sent
            .meta()
            .filter(move |(key, _)| !(drops_status_code && *key == STATUS_CODE));
        kept.map(|(key, value)| (key, value, tag(key, value)))
    }

    /// The numeric tags, in the order they came; of a key that comes twice the last one counts.
    pub fn metrics(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + use<'a> {
        let metrics = self.sent.metrics();
        metrics.map(|(key, value)| (metric_key(key).value, value))
    }

    /// A numeric tag, by the key that was sent.
    pub fn metric(&self, key: &str) -> Option<f64> {
        self.sent.metric(key)
    }

    /// The typed span links.
    pub fn links(&self) -> impl Iterator<Item = NormalizedLink<'a>> + use<'a> {
        self.sent.links().map(|sent| NormalizedLink {
            name: link_name(&sent).map(|name| name.value),
            sent,
        })
    }

    /// Whether statistics are made of it even if it enters no service
    /// (`pkg/trace/traceutil/span.go`, `IsMeasured`).
    pub fn is_measured(&self) -> bool {
        self.metric(tag::MEASURED) == Some(1.0)
    }

    /// Whether it is a snapshot of a span that still runs, of which no statistics are made
    /// (`span.go`, `IsPartialSnapshot`).
    pub fn is_snapshot(&self) -> bool {
        self.sent.is_snapshot()
    }

    /// What the Agent changes, field by field. Empty for an ordinary span, which is then equal to
    /// the one that was sent.
    pub fn corrections(&self) -> Vec<Correction<'a>> {
        correction::corrections(self)
    }
}
