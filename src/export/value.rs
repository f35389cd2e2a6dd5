//! Attribute values as JSON, such that each comes back with its type.
//!
//! JSON has no bytes, no NaN and no keys that are not text; those are tagged objects, named in
//! [`TAGS`]. A map that could be taken for one (its first key is a tag) and a map with a key that is
//! not UTF-8 are written as `{"$entries":[[key,value],…]}`. So an object whose first key is a tag
//! always is a tagged object, and reading is not a guess.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::text::{Base64, FloatJson, TextJson, tagged};
use crate::trace::{Attribute, Entries, Items, Value};

/// Every tag, whatever it stands for: a float that is no number; in a map of tags a string that is
/// not UTF-8, elsewhere bytes; elsewhere such a string; in a map of tags bytes; a string among bytes,
/// msgpack of a field without a name, a list, a map, the members of a map.
pub(super) const TAGS: [&str; 9] = [
    "$float", "$bytes", "$str", "$bin", "$text", "$msgpack", "$array", "$map", "$entries",
];

/// Which values a map of tags holds, and so which of them need no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    /// Strings and numbers: `meta` and `metrics`. Bytes are `$bin`.
    Plain,
    /// Bytes: `meta_struct`. They are base64 strings, and a string is `$text`.
    Bytes,
    /// Msgpack: fields that have no name in the model. `$msgpack`.
    Msgpack,
}

impl TagKind {
    /// What the maps of an attribute hold.
    pub(super) fn of(attribute: Attribute) -> Self {
        match attribute {
            Attribute::MetaStruct => Self::Bytes,
            Attribute::Unknown => Self::Msgpack,
            _ => Self::Plain,
        }
    }
}

/// Whether a map can be a JSON object without being taken for something else.
pub(super) fn is_plain(mut entries: Entries<'_>) -> bool {
    let first_is_tag = entries
        .next()
        .map(|(key, _)| key.to_str().is_none_or(|key| TAGS.contains(&key)));
    match first_is_tag {
        None => true,
        Some(true) => false,
        Some(false) => entries.all(|(key, _)| key.to_str().is_some()),
    }
}

/// The map of tags of an attribute; whatever else stands in its place, tagged.
pub(super) struct TagsJson<'a>(pub(super) Value<'a>, pub(super) TagKind);

impl Serialize for TagsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Map(entries) => {
                serialize_map(serializer, entries, |value| FlatJson(value, self.1))
            }
            other => FlatJson(other, TagKind::Plain).serialize(serializer),
        }
    }
}

/// A value where lists and maps are not expected, so that an object is always a tag.
pub(super) struct FlatJson<'a>(pub(super) Value<'a>, pub(super) TagKind);

impl Serialize for FlatJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Value::Bytes(bytes), TagKind::Bytes) => Base64(bytes).serialize(serializer),
            (Value::Bytes(bytes), TagKind::Msgpack) => {
                tagged(serializer, "$msgpack", &Base64(bytes))
            }
            (Value::Text(text), TagKind::Bytes) if text.to_str().is_some() => {
                tagged(serializer, "$text", &TextJson(text))
            }
            (Value::Array(items), _) => tagged(serializer, "$array", &ItemsJson(items)),
            (Value::Map(_), _) => tagged(serializer, "$map", &NestedJson(self.0)),
            (Value::Text(text), _) => TextJson(text).serialize(serializer),
            (Value::Bytes(bytes), _) => tagged(serializer, "$bin", &Base64(bytes)),
            (plain, _) => NestedJson(plain).serialize(serializer),
        }
    }
}

/// A value where anything may stand: lists are lists and maps are objects.
pub(super) struct NestedJson<'a>(pub(super) Value<'a>);

impl Serialize for NestedJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(bool),
            Value::Int(int) => serializer.serialize_i64(int),
            Value::Uint(uint) => serializer.serialize_u64(uint),
            Value::Float(float) => FloatJson(float).serialize(serializer),
            Value::Text(text) if text.to_str().is_none() => {
                tagged(serializer, "$str", &Base64(text.as_bytes()))
            }
            Value::Text(text) => TextJson(text).serialize(serializer),
            Value::Bytes(bytes) => tagged(serializer, "$bytes", &Base64(bytes)),
            Value::Array(items) => ItemsJson(items).serialize(serializer),
            Value::Map(entries) => serialize_map(serializer, entries, NestedJson),
        }
    }
}

struct ItemsJson<'a>(Items<'a>);

impl Serialize for ItemsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.map(NestedJson))
    }
}

fn serialize_map<'a, S: Serializer, J: Serialize>(
    serializer: S,
    entries: Entries<'a>,
    json: impl Fn(Value<'a>) -> J,
) -> Result<S::Ok, S::Error> {
    if is_plain(entries) {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in entries {
            map.serialize_entry(&TextJson(key), &json(value))?;
        }
        return map.end();
    }
    let pairs: Vec<_> = entries
        .map(|(key, value)| (TextJson(key), json(value)))
        .collect();
    tagged(serializer, "$entries", &pairs)
}
