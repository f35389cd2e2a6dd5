//! The rules for tags, metrics and links, each a function of the one entry.

use std::borrow::Cow;

use super::Rule;
use super::field::{
    self, BASE_SERVICE, Fixed, FixedText, PEER_SERVICE, env, is_status_code, named_service,
    repaired,
};
use super::text::truncate;
use crate::trace::{Span, SpanLink, Text, Value};

/// `truncator.go`, `MaxMetaKeyLen` and `MaxMetricsKeyLen`.
const KEY_BYTES_MAX: usize = 200;
/// `truncator.go`, `MaxMetaValLen`.
const VALUE_BYTES_MAX: usize = 25_000;

pub(super) const STATUS_CODE: &str = "http.status_code";
const LINK_NAME: &str = "link.name";

/// The value of a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum TagValue<'a> {
    /// A string, as nearly every tag's is.
    Text(Cow<'a, str>),
    /// What no format that the Agent takes can say there; as it was sent.
    Other(Value<'a>),
}

/// A tag as the Agent writes it, and why.
#[derive(Clone, Debug)]
pub(super) struct Tag<'a> {
    pub(super) key: FixedText<'a>,
    pub(super) value: Fixed<TagValue<'a>>,
}

/// `normalizer.go`, `normalize` for the tags it knows; `truncator.go`, `Truncate` for all.
pub(super) fn tag<'a>(key: Text<'a>, value: Value<'a>) -> Tag<'a> {
    let value = match value {
        Value::Text(text) => {
            let fixed = shorten_tag(
                key,
                known(key, text),
                VALUE_BYTES_MAX,
                Rule::MetaValueTruncate,
            );
            Fixed::new(TagValue::Text(fixed.value), fixed.rule)
        }
        other => Fixed::new(TagValue::Other(other), None),
    };
    Tag {
        key: tag_key(key),
        value,
    }
}

fn tag_key(key: Text<'_>) -> FixedText<'_> {
    shorten_tag(key, repaired(key), KEY_BYTES_MAX, Rule::MetaKeyTruncate)
}

/// Whether the Agent keeps a tag under a key. Mostly under the one it came with, which is quicker told.
pub(super) fn is_kept_as(sent: Text<'_>, key: &str) -> bool {
    if sent.as_bytes().len() > KEY_BYTES_MAX || !key.is_ascii() {
        return tag_key(sent).value == key;
    }
    sent == *key
}

fn shorten_tag<'a>(
    key: Text<'_>,
    fixed: FixedText<'a>,
    bytes_max: usize,
    rule: Rule,
) -> FixedText<'a> {
    if is_structured(key) {
        return fixed;
    }
    shorten(fixed, bytes_max, rule)
}

fn known<'a>(key: Text<'a>, value: Text<'a>) -> FixedText<'a> {
    match key.as_bytes() {
        b"peer.service" => named_service(value, PEER_SERVICE),
        b"_dd.base_service" => named_service(value, BASE_SERVICE),
        b"env" => env(value),
        _ => repaired(value),
    }
}

/// `truncator.go`, `Truncate` of `Metrics`.
pub(super) fn metric_key(key: Text<'_>) -> FixedText<'_> {
    shorten(repaired(key), KEY_BYTES_MAX, Rule::MetricKeyTruncate)
}

/// Cut texts end in three dots, which the limit does not count.
fn shorten(fixed: FixedText<'_>, bytes_max: usize, rule: Rule) -> FixedText<'_> {
    if fixed.value.len() <= bytes_max {
        return fixed;
    }
    let short = format!("{}...", truncate(&fixed.value, bytes_max));
    // What was cut before ends in its dots.
    let rule = if short == fixed.value {
        fixed.rule
    } else {
        Some(rule)
    };
    Fixed::new(Cow::Owned(short), rule)
}

/// `truncator.go`, `isStructuredMetaKey`: documents, of which a part would be worth nothing.
fn is_structured(key: Text<'_>) -> bool {
    let key = key.as_bytes();
    let formats: [&[u8]; 3] = [b".json", b".msgpack", b".protobuf"];
    key.starts_with(b"_dd.") && formats.iter().any(|format| key.ends_with(format))
}

/// Whether the Agent takes the status code away. Of several the last counts, as in its map.
pub(super) fn drops_status_code(span: Span<'_>) -> bool {
    let code = span.meta().find(STATUS_CODE);
    code.and_then(Value::as_text)
        .is_some_and(|code| !is_status_code(code))
}

/// A link to another span, its name as the Agent writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalizedLink<'a> {
    /// The link as it was sent.
    pub sent: SpanLink<'a>,
    /// What stands for its attribute `link.name`, if it has one.
    pub name: Option<Cow<'a, str>>,
}

/// `normalizer.go`, `normalizeSpanLinks`.
pub(super) fn link_name<'a>(link: &SpanLink<'a>) -> Option<FixedText<'a>> {
    let name = link.attributes.find(LINK_NAME)?.as_text()?;
    Some(field::link_name(name))
}
