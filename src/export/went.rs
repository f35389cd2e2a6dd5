//! Which spans of a trace have gone to Datadog: `null`, `"all"` or a list of ids, written and read back.
//! Decides nothing about what is to go.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::open::DecimalId;
use super::span::DisplayJson;
use crate::store::{SpanIndex, TraceEntry, Went};
use crate::trace::SpanId;

/// The word for every span.
const ALL: &str = "all";

/// Which spans of a trace, by their ids in order of arrival.
pub(super) struct WentJson(Went<Vec<SpanId>>);

impl WentJson {
    pub(super) fn new(went: Went<impl Iterator<Item = SpanIndex>>, trace: &TraceEntry) -> Self {
        Self(match went {
            Went::None => Went::None,
            Went::All => Went::All,
            Went::Only(spans) => Went::Only(ids(spans, trace)),
        })
    }

    pub(super) fn is_none(&self) -> bool {
        self.0 == Went::None
    }

    pub(super) fn into_went(self) -> Went<Vec<SpanId>> {
        self.0
    }
}

/// The ids of some spans. Of spans with equal ids the first are meant when they are read: one that comes
/// after another that is not among them is left out, so that it goes twice rather than the other never.
fn ids(some: impl Iterator<Item = SpanIndex>, trace: &TraceEntry) -> Vec<SpanId> {
    let mut some = some.peekable();
    let mut left_out = HashSet::new();
    let mut ids = Vec::new();
    for (index, span) in trace.spans() {
        let id = span.span_id();
        if some.next_if_eq(&index).is_none() {
            left_out.insert(id);
        } else if !left_out.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

impl Serialize for WentJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Went::None => serializer.serialize_none(),
            Went::All => serializer.serialize_str(ALL),
            Went::Only(ids) => serializer.collect_seq(ids.iter().map(|id| DisplayJson(*id))),
        }
    }
}

impl<'de> Deserialize<'de> for WentJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WentVisitor;

        impl<'de> Visitor<'de> for WentVisitor {
            type Value = WentJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, \"all\" or a list of span ids")
            }

            fn visit_unit<E: Error>(self) -> Result<WentJson, E> {
                Ok(WentJson(Went::None))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<WentJson, E> {
                match word {
                    ALL => Ok(WentJson(Went::All)),
                    _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WentJson, A::Error> {
                let mut ids = Vec::new();
                while let Some(DecimalId(id)) = list.next_element()? {
                    ids.push(SpanId(id));
                }
                Ok(WentJson(Went::Only(ids)))
            }
        }

        deserializer.deserialize_any(WentVisitor)
    }
}
