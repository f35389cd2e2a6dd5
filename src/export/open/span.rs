//! Spans, straight into the packed form.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number::{AnyTraceId, DecimalId};
use super::value::{Mode, TagUse, TextSeed, ValueSeed, too_large};
use super::{Reading, Shape};
use crate::export::value::TagKind;
use crate::trace::{Attribute, Field};

/// Reads the spans of a trace or a chunk.
pub(super) struct SpansSeed<'r, 's>(pub(super) &'r mut Reading<'s>);

impl<'de> DeserializeSeed<'de> for SpansSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SpansSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut spans: A) -> Result<(), A::Error> {
        let reading = self.0;
        for number in 1.. {
            if spans
                .next_element_seed(SpanSeed(reading, number))?
                .is_none()
            {
                break;
            }
        }
        Ok(())
    }
}

/// Reads a span, and its number.
struct SpanSeed<'r, 's>(&'r mut Reading<'s>, u64);

impl<'de> DeserializeSeed<'de> for SpanSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.builder.begin_span().map_err(too_large)?;
        self.0.place.span = self.1;
        deserializer.deserialize_map(SpanVisitor(self.0))
    }
}

struct SpanVisitor<'r, 's>(&'r mut Reading<'s>);

/// A member of a span.
enum Member {
    Plain(Field),
    Packed(Attribute),
    Unknown,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;

        impl Visitor<'_> for MemberVisitor {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member of a span")
            }

            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                let field = Field::ALL.into_iter().find(|field| field.name() == name);
                let mut attributes = Attribute::ALL.into_iter();
                let attribute = attributes.find(|attribute| attribute.name() == name);
                Ok(match (field, attribute) {
                    (Some(field), _) => Member::Plain(field),
                    (None, Some(attribute)) => Member::Packed(attribute),
                    (None, None) => Member::Unknown,
                })
            }
        }

        deserializer.deserialize_identifier(MemberVisitor)
    }
}

impl<'de> Visitor<'de> for SpanVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(member) = map.next_key()? {
            match member {
                Member::Plain(field) => reading.plain_field(field, &mut map)?,
                Member::Packed(attribute) => {
                    let mode = match attribute {
                        Attribute::SpanLinks => Mode::Links,
                        Attribute::SpanEvents => Mode::Nested,
                        _ => Mode::Tags(TagKind::of(attribute)),
                    };
                    let tags = match reading.shape {
                        Shape::Chunks => TagUse::Untagged,
                        Shape::Modtrace | Shape::Unknown => TagUse::Tagged,
                    };
                    reading.builder.attribute(attribute);
                    map.next_value_seed(ValueSeed::new(&mut reading.builder, mode, tags))?;
                }
                Member::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    reading.n_ignored += 1;
                }
            }
        }
        reading.place.span = 0;
        Ok(())
    }
}

impl Reading<'_> {
    fn plain_field<'de, A: MapAccess<'de>>(
        &mut self,
        field: Field,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let bits = match field {
            Field::Service | Field::Name | Field::Resource | Field::Type => {
                match map.next_value_seed(TextSeed(&mut self.builder))? {
                    Some(text) => self.builder.set_text(field, text),
                    None => self.builder.set_null(field),
                }
                return Ok(());
            }
            Field::TraceId => {
                let id: Option<AnyTraceId> = map.next_value()?;
                id.map(|id| id.whole().low())
            }
            Field::SpanId | Field::ParentId => {
                let id: Option<DecimalId> = map.next_value()?;
                id.map(|id| id.0)
            }
            Field::Start | Field::Duration => {
                let nanos: Option<i64> = map.next_value()?;
                nanos.map(i64::cast_unsigned)
            }
            Field::Error => {
                let error: Option<i32> = map.next_value()?;
                error.map(|error| i64::from(error).cast_unsigned())
            }
        };
        match bits {
            Some(bits) => self.builder.set_number(field, bits),
            None => self.builder.set_null(field),
        }
        Ok(())
    }
}
