//! A span as JSON, exactly as the client said it: what was left out stays out, nil stays null, keys
//! keep their order. Only ids are rewritten, from numbers that other programs would round to
//! strings.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::text::TextJson;
use super::value::{FlatJson, NestedJson, TagKind, TagsJson, is_plain};
use crate::trace::{Attribute, Entries, Field, Presence, Span, Text, TraceId, Value};

/// A span of the format `json`. The ids are always there: an id that was left out is 0.
pub(super) struct SpanJson<'a>(pub(super) Span<'a>);

/// The plain fields in the order of the format, after the ids.
const FIELDS: [Field; 7] = [
    Field::Service,
    Field::Name,
    Field::Resource,
    Field::Type,
    Field::Start,
    Field::Duration,
    Field::Error,
];

impl Serialize for SpanJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("span_id", &DisplayJson(span.span_id()))?;
        map.serialize_entry("parent_id", &DisplayJson(span.parent_id()))?;
        for field in FIELDS {
            match (span.presence(field), span.field_text(field)) {
                (Presence::Absent, _) => {}
                (Presence::Null, _) => map.serialize_entry(field.name(), &())?,
                (Presence::Present, Some(text)) => {
                    map.serialize_entry(field.name(), &TextJson(text))?;
                }
                (Presence::Present, None) => {
                    let number = span.field_number(field).cast_signed();
                    map.serialize_entry(field.name(), &number)?;
                }
            }
        }
        for (attribute, value) in span.attributes() {
            map.serialize_entry(attribute.name(), &AttributeJson(attribute, value))?;
        }
        map.end()
    }
}

struct AttributeJson<'a>(Attribute, Value<'a>);

impl Serialize for AttributeJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Attribute::SpanLinks, Value::Array(links)) => {
                serializer.collect_seq(links.map(LinkJson))
            }
            (Attribute::SpanLinks, other) => FlatJson(other, TagKind::Plain).serialize(serializer),
            (Attribute::SpanEvents, events) => NestedJson(events).serialize(serializer),
            (attribute, tags) => TagsJson(tags, TagKind::of(attribute)).serialize(serializer),
        }
    }
}

/// A link, its ids as strings; anything that is no well-formed link is tagged.
struct LinkJson<'a>(Value<'a>);

impl Serialize for LinkJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let link = match self.0 {
            Value::Map(link) if is_plain(link) => link,
            other => return FlatJson(other, TagKind::Plain).serialize(serializer),
        };
        let (Ok(low), Ok(high), Ok(_)) = (
            link_id(link, "trace_id"),
            link_id(link, "trace_id_high"),
            link_id(link, "span_id"),
        ) else {
            return FlatJson(self.0, TagKind::Plain).serialize(serializer);
        };
        let trace_id = TraceId::from_halves(high.unwrap_or(0), low.unwrap_or(0));
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in link {
            match (key, value.as_id()) {
                (Text(b"trace_id"), _) => {
                    map.serialize_entry("trace_id", &DisplayJson(trace_id))?;
                }
                (Text(b"trace_id_high" | b"span_id"), Some(id)) => {
                    map.serialize_entry(&TextJson(key), &DisplayJson(id))?;
                }
                _ => map.serialize_entry(&TextJson(key), &NestedJson(value))?,
            }
        }
        map.end()
    }
}

/// A member of a link that cannot be written as an id string and come back.
struct OddId;

/// An id of a link, if it is there at most once and is no negative number.
fn link_id(link: Entries<'_>, name: &str) -> Result<Option<u64>, OddId> {
    let mut found = link.filter(|(key, _)| *key == name);
    let id = match found.next() {
        None => None,
        Some((_, Value::Int(int))) => Some(u64::try_from(int).map_err(|_negative| OddId)?),
        Some((_, Value::Uint(uint))) => Some(uint),
        Some(_) => return Err(OddId),
    };
    match found.next() {
        None => Ok(id),
        Some(_) => Err(OddId),
    }
}

/// An id as the string it is shown as.
pub(super) struct DisplayJson<T>(pub(super) T);

impl<T: std::fmt::Display> Serialize for DisplayJson<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
