//! JSON into attribute values: the way back of `export/value.rs`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};

use super::number::{AnyTraceId, DecimalId};
use crate::export::text::decode_base64;
use crate::export::value::{TAGS, TagKind};
use crate::trace::{ATTRIBUTE_DEPTH_MAX, ChunkBuilder, StrId, TooLarge};

/// What stands at a place, and so what an object or a string there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A map of tags.
    Tags(TagKind),
    /// A value in such a map: objects are tags.
    Flat(TagKind),
    /// Anything.
    Nested,
    /// A list of links.
    Links,
    /// A link.
    Link,
}

impl Mode {
    /// What the members of an object here are.
    fn member(self) -> Self {
        match self {
            Self::Tags(kind) => Self::Flat(kind),
            _ => Self::Nested,
        }
    }

    /// What the elements of a list here are, if a list may be here.
    fn element(self) -> Option<Self> {
        match self {
            Self::Nested => Some(Self::Nested),
            Self::Links => Some(Self::Link),
            Self::Tags(_) | Self::Flat(_) | Self::Link => None,
        }
    }
}

/// Reads one value into the attribute that was begun. It calls itself as deep as a constant lets it.
pub(super) struct ValueSeed<'b> {
    builder: &'b mut ChunkBuilder,
    mode: Mode,
    tags: TagUse,
    depth_left: usize,
}

/// Whether an object whose first key is a tag is a tagged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagUse {
    /// In our files.
    Tagged,
    /// In those of others, who know no tags.
    Untagged,
}

impl<'b> ValueSeed<'b> {
    pub(super) fn new(builder: &'b mut ChunkBuilder, mode: Mode, tags: TagUse) -> Self {
        Self {
            builder,
            mode,
            tags,
            depth_left: ATTRIBUTE_DEPTH_MAX,
        }
    }

    /// For a value of the same depth, read another way.
    fn as_mode(&mut self, mode: Mode) -> ValueSeed<'_> {
        ValueSeed {
            builder: self.builder,
            mode,
            tags: self.tags,
            depth_left: self.depth_left,
        }
    }

    /// For a value inside this one.
    fn inner<E: Error>(&mut self, mode: Mode) -> Result<ValueSeed<'_>, E> {
        let depth_left = self.depth_left.checked_sub(1);
        Ok(ValueSeed {
            builder: self.builder,
            mode,
            tags: self.tags,
            depth_left: depth_left.ok_or_else(|| E::custom("nested too deep"))?,
        })
    }

    fn text<E: Error>(&mut self, bytes: &[u8]) -> Result<(), E> {
        let text = self.builder.text(bytes).map_err(too_large)?;
        self.builder.writer().text(text);
        Ok(())
    }

    fn bytes<E: Error>(&mut self, base64: &str) -> Result<(), E> {
        let bytes = self.builder.raw(&base64_bytes(base64)?);
        self.builder.writer().bytes(bytes.map_err(too_large)?);
        Ok(())
    }

    /// The value of a tagged object.
    fn tagged<'de, A: MapAccess<'de>>(&mut self, tag: &str, map: &mut A) -> Result<(), A::Error> {
        match tag {
            "$float" => {
                let float = float(&map.next_value::<String>()?)?;
                self.builder.writer().float(float);
            }
            "$bytes" if self.mode == Mode::Nested => self.bytes(&map.next_value::<String>()?)?,
            "$bytes" | "$str" => self.text(&base64_bytes(&map.next_value::<String>()?)?)?,
            "$text" => self.text(map.next_value::<String>()?.as_bytes())?,
            "$bin" | "$msgpack" => self.bytes(&map.next_value::<String>()?)?,
            "$entries" => {
                let member = self.mode.member();
                map.next_value_seed(EntriesSeed(self.as_mode(member)))?;
            }
            _ => map.next_value_seed(self.as_mode(Mode::Nested))?,
        }
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom(format!(
                "an object with the tag {tag} has further members"
            ))),
        }
    }

    /// A map, of which the first key was read.
    fn members<'de, A: MapAccess<'de>>(
        mut self,
        first: Option<StrId>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let mode = self.mode.member();
        let opened = self.builder.writer().open_map();
        let mut next = first;
        while let Some(key) = next {
            self.builder.writer().key(key);
            map.next_value_seed(self.inner(mode)?)?;
            next = map
                .next_key_seed(KeySeed::later(self.builder))?
                .map(|key| key.id);
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    /// A link, of which the first key was read.
    fn link<'de, A: MapAccess<'de>>(
        mut self,
        first: Option<Key>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let opened = self.builder.writer().open_map();
        let (mut high, mut high_is_said) = (0, false);
        let mut next = first;
        while let Some(Key { id, name }) = next {
            self.builder.writer().key(id);
            match name {
                Name::TraceId => {
                    let trace_id = map.next_value::<AnyTraceId>()?.whole();
                    high = trace_id.high();
                    self.builder.writer().uint(trace_id.low());
                }
                Name::TraceIdHigh | Name::SpanId => {
                    high_is_said |= matches!(name, Name::TraceIdHigh);
                    let DecimalId(id) = map.next_value()?;
                    self.builder.writer().uint(id);
                }
                Name::Tag(_) | Name::Other => {
                    map.next_value_seed(self.inner(Mode::Nested)?)?;
                }
            }
            next = map.next_key_seed(KeySeed::later(self.builder))?;
        }
        if high != 0 && !high_is_said {
            let key = self.builder.text(b"trace_id_high").map_err(too_large)?;
            self.builder.writer().key(key);
            self.builder.writer().uint(high);
        }
        self.builder.writer().close(opened);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Tags(_) => "an object of tags",
            Mode::Flat(TagKind::Plain) => "a string, a number, or a tagged value",
            Mode::Flat(TagKind::Bytes) => "base64 or a tagged value",
            Mode::Flat(TagKind::Msgpack) => "a tagged value",
            Mode::Nested => "a value",
            Mode::Links => "a list of links",
            Mode::Link => "a link",
        })
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.builder.writer().null();
        Ok(())
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<(), E> {
        self.builder.writer().bool(bool);
        Ok(())
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<(), E> {
        self.builder.writer().int(int);
        Ok(())
    }

    fn visit_u64<E: Error>(self, uint: u64) -> Result<(), E> {
        self.builder.writer().uint(uint);
        Ok(())
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<(), E> {
        self.builder.writer().float(float);
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        match self.mode {
            Mode::Flat(TagKind::Bytes) => self.bytes(text),
            _ => self.text(text.as_bytes()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let Some(mode) = self.mode.element() else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        let opened = self.builder.writer().open_array();
        while list.next_element_seed(self.inner(mode)?)?.is_some() {}
        self.builder.writer().close(opened);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let first = map.next_key_seed(KeySeed::first(self.builder, self.tags))?;
        match (first, self.mode) {
            (
                Some(Key {
                    name: Name::Tag(tag),
                    ..
                }),
                _,
            ) => self.tagged(tag, &mut map),
            (_, Mode::Flat(_) | Mode::Links) => Err(A::Error::invalid_type(Unexpected::Map, &self)),
            (first, Mode::Link) => self.link(first, &mut map),
            (first, Mode::Tags(_) | Mode::Nested) => {
                self.members(first.map(|key| key.id), &mut map)
            }
        }
    }
}

/// `[[key, value], …]`: the members of a map.
struct EntriesSeed<'b>(ValueSeed<'b>);

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut pairs: A) -> Result<(), A::Error> {
        let mode = self.0.mode;
        let opened = self.0.builder.writer().open_map();
        while pairs
            .next_element_seed(PairSeed(self.0.inner(mode)?))?
            .is_some()
        {}
        self.0.builder.writer().close(opened);
        Ok(())
    }
}

/// `[key, value]`.
struct PairSeed<'b>(ValueSeed<'b>);

impl<'de> DeserializeSeed<'de> for PairSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PairSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        let key = pair.next_element_seed(TextSeed(self.0.builder))?.flatten();
        let key = key.ok_or_else(|| A::Error::custom("a pair without a key"))?;
        self.0.builder.writer().key(key);
        pair.next_element_seed(self.0)?
            .ok_or_else(|| A::Error::custom("a key without a value"))?;
        match pair.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("a pair of more than two")),
        }
    }
}

/// A string: text, tagged bytes, or `None` for null.
pub(super) struct TextSeed<'b>(pub(super) &'b mut ChunkBuilder);

impl<'de> DeserializeSeed<'de> for TextSeed<'_> {
    type Value = Option<StrId>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextSeed<'_> {
    type Value = Option<StrId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.0.text(text.as_bytes()).map(Some).map_err(too_large)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if map.next_key::<String>()?.as_deref() != Some("$bytes") {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        let bytes = base64_bytes(&map.next_value::<String>()?)?;
        match map.next_key::<IgnoredAny>()? {
            None => self.0.text(&bytes).map(Some).map_err(too_large),
            Some(_) => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

/// The key of a member.
#[derive(Clone, Copy)]
struct Key {
    id: StrId,
    name: Name,
}

#[derive(Clone, Copy)]
enum Name {
    Tag(&'static str),
    TraceId,
    TraceIdHigh,
    SpanId,
    Other,
}

struct KeySeed<'b> {
    builder: &'b mut ChunkBuilder,
    can_be_tag: bool,
}

impl<'b> KeySeed<'b> {
    fn first(builder: &'b mut ChunkBuilder, tags: TagUse) -> Self {
        Self {
            builder,
            can_be_tag: tags == TagUse::Tagged,
        }
    }

    fn later(builder: &'b mut ChunkBuilder) -> Self {
        Self {
            builder,
            can_be_tag: false,
        }
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        let tag = TAGS.iter().find(|tag| self.can_be_tag && **tag == key);
        if let Some(tag) = tag {
            return Ok(Key {
                id: StrId::default(),
                name: Name::Tag(tag),
            });
        }
        let name = match key {
            "trace_id" => Name::TraceId,
            "trace_id_high" => Name::TraceIdHigh,
            "span_id" => Name::SpanId,
            _ => Name::Other,
        };
        let id = self.builder.text(key.as_bytes()).map_err(too_large)?;
        Ok(Key { id, name })
    }
}

fn base64_bytes<E: Error>(base64: &str) -> Result<Vec<u8>, E> {
    decode_base64(base64).ok_or_else(|| E::invalid_value(Unexpected::Str(base64), &"base64"))
}

fn float<E: Error>(name: &str) -> Result<f64, E> {
    Ok(match name {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => {
            let expected = &"NaN, Infinity or -Infinity";
            return Err(E::invalid_value(Unexpected::Str(name), expected));
        }
    })
}

pub(super) fn too_large<E: Error>(problem: TooLarge) -> E {
    E::custom(problem)
}
