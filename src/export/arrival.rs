//! When and how the chunks of a trace came, and what was said of each: the members in an export, both
//! ways.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::store::Arrival;
use crate::trace::{ChunkFacts, Tags, UnixNanos};

/// A delivery. What was said of its chunk is there only if something was.
#[derive(Serialize, Deserialize)]
pub(super) struct ArrivalJson<'a> {
    at: i64,
    via: Cow<'a, str>,
    spans: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    origin: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_false")]
    dropped_trace: bool,
    #[serde(default, skip_serializing_if = "TextTags::is_empty")]
    tags: TextTags<'a>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> ArrivalJson<'a> {
    pub(super) fn new(arrival: &'a Arrival) -> Self {
        let facts = arrival.facts.as_deref();
        Self {
            at: arrival.at.0,
            via: arrival.via.to_string().into(),
            spans: arrival.n_spans,
            priority: facts.and_then(|facts| facts.priority),
            origin: facts.map(|facts| &*facts.origin).unwrap_or_default().into(),
            dropped_trace: facts.is_some_and(|facts| facts.dropped_trace),
            tags: facts.map_or_else(TextTags::default, |facts| TextTags::new(&facts.tags)),
        }
    }

    pub(super) fn into_arrival<E: Error>(self) -> Result<Arrival, E> {
        let unknown = |_| E::invalid_value(Unexpected::Str(&self.via), &"a way for spans to come");
        let facts = ChunkFacts {
            priority: self.priority,
            origin: self.origin.into(),
            dropped_trace: self.dropped_trace,
            tags: self.tags.into_tags(),
        };
        Ok(Arrival {
            at: UnixNanos(self.at),
            via: self.via.parse().map_err(unknown)?,
            n_spans: self.spans,
            facts: (facts != ChunkFacts::default()).then(|| Box::new(facts)),
        })
    }
}

/// Tags as an object, in their order, also where a key comes twice.
#[derive(Default)]
pub(super) struct TextTags<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> TextTags<'a> {
    pub(super) fn new(tags: &'a Tags) -> Self {
        let tags = tags.iter();
        let tags = tags.map(|(key, value)| (Cow::Borrowed(&**key), Cow::Borrowed(&**value)));
        Self(tags.collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_tags(self) -> Tags {
        let tags = self.0.into_iter();
        tags.map(|(key, value)| (key.into(), value.into()))
            .collect()
    }
}

impl Serialize for TextTags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for TextTags<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TagsVisitor;

        impl<'de> Visitor<'de> for TagsVisitor {
            type Value = TextTags<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut tags = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    tags.push((key.into(), value.into()));
                }
                Ok(TextTags(tags))
            }
        }

        deserializer.deserialize_map(TagsVisitor)
    }
}
