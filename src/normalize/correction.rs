//! What the Agent changes about a span, told for a reader: told from the rules that normalise it, never
//! by a second opinion.

use std::borrow::Cow;

use super::field::FixedText;
use super::tags::{STATUS_CODE, Tag, TagValue, drops_status_code, link_name, metric_key};
use super::{Normalized, Rule};
use crate::trace::{Text, Value};

/// One thing that the Agent changes about a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction<'a> {
    /// What is changed: `service`, `meta.env`, `meta key`, `link.name`.
    pub field: Cow<'a, str>,
    /// What the tracer sent, whole, with U+FFFD for what is not UTF-8.
    pub before: Cow<'a, str>,
    /// What the Agent writes, whole; `None` where it takes the tag away.
    pub after: Option<Cow<'a, str>>,
    /// Why.
    pub rule: Rule,
}

pub(super) fn corrections<'a>(normalized: &Normalized<'a>) -> Vec<Correction<'a>> {
    let span = normalized.sent;
    let mut corrections = Vec::new();
    let texts = [
        ("service", span.service(), &normalized.service),
        ("name", span.name(), &normalized.name),
        ("resource", span.resource(), &normalized.resource),
        ("type", span.span_type(), &normalized.span_type),
    ];
    for (field, sent, fixed) in texts {
        corrections.extend(text(field, sent, fixed.clone()));
    }
    corrections.extend(numbers(normalized));
    corrections.extend(status_code(normalized));
    for (key, value, tag) in normalized.tags() {
        corrections.extend(tag_value(key, value, &tag));
        corrections.extend(text("meta key", key, tag.key));
    }
    for (key, _) in span.metrics() {
        corrections.extend(text("metrics key", key, metric_key(key)));
    }
    for link in span.links() {
        let sent = link.attributes.find("link.name");
        let sent = sent.and_then(Value::as_text).unwrap_or_default();
        corrections.extend(link_name(&link).and_then(|name| text("link.name", sent, name)));
    }
    corrections
}

fn text<'a>(
    field: impl Into<Cow<'a, str>>,
    sent: Text<'a>,
    fixed: FixedText<'a>,
) -> Option<Correction<'a>> {
    Some(Correction {
        rule: fixed.rule?,
        field: field.into(),
        before: sent.to_lossy(),
        after: Some(fixed.value),
    })
}

fn numbers<'a>(normalized: &Normalized<'a>) -> impl Iterator<Item = Correction<'a>> + use<'a> {
    let span = normalized.sent;
    let (parent_id, start) = (span.parent_id(), span.start());
    let parent = (parent_id != normalized.parent_id).then(|| {
        let pair = (parent_id.to_string(), normalized.parent_id.to_string());
        ("parent_id", pair, Rule::ParentIsItself)
    });
    let start = (start != normalized.start).then(|| {
        // Nanoseconds as on the wire: a start in seconds is known by its length.
        let pair = (start.0.to_string(), normalized.start.0.to_string());
        ("start", pair, Rule::InvalidStartDate)
    });
    let duration = (span.duration() != normalized.duration).then(|| {
        let pair = (span.duration().to_string(), normalized.duration.to_string());
        ("duration", pair, Rule::InvalidDuration)
    });
    let changed = [parent, start, duration].into_iter().flatten();
    changed.map(|(field, (before, after), rule)| Correction {
        field: field.into(),
        before: before.into(),
        after: Some(after.into()),
        rule,
    })
}

fn status_code<'a>(normalized: &Normalized<'a>) -> Option<Correction<'a>> {
    if !drops_status_code(normalized.sent) {
        return None;
    }
    let code = normalized.sent.meta_text(STATUS_CODE)?;
    Some(Correction {
        field: tag_field(Text::from(STATUS_CODE)),
        before: code.to_lossy(),
        after: None,
        rule: Rule::InvalidHttpStatusCode,
    })
}

fn tag_value<'a>(key: Text<'a>, sent: Value<'a>, tag: &Tag<'a>) -> Option<Correction<'a>> {
    let TagValue::Text(after) = &tag.value.value else {
        return None;
    };
    Some(Correction {
        rule: tag.value.rule?,
        field: tag_field(key),
        before: sent.as_text()?.to_lossy(),
        after: Some(after.clone()),
    })
}

fn tag_field(key: Text<'_>) -> Cow<'static, str> {
    Cow::Owned(format!("meta.{key}"))
}
