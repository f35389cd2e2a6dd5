//! Attributes: a flat list of keys, types and values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::error::{DecodeError, Problem};
use super::super::msgpack::{Item, wrong_type};
use super::super::said::Room;
use super::super::value::Use;
use super::{Mark, Payload, StringIndex};
use crate::trace::{Attribute, Tags, TooLarge};

/// How deep arrays and lists may stand in each other.
pub(super) const DEPTH_MAX: usize = 32;
/// A name for what lies deep in an attribute of the payload is no longer than this.
const NAME_BYTES_MAX: usize = 4 * 1024;

/// An attribute that has been read, or of which the place is known.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    pub(super) key: StringIndex,
    pub(super) value: TagValue<'a>,
}

/// The value of an attribute.
#[derive(Clone, Copy)]
pub(super) enum TagValue<'a> {
    Text(StringIndex),
    Bool(bool),
    Float(f64),
    Int(i64),
    Bytes(&'a [u8]),
    /// Values with their types, unread.
    Array(Mark<'a>),
    /// Attributes, unread.
    List(Mark<'a>),
}

impl TagValue<'_> {
    /// Where v0.4 has it. What it has no place for stands with the strings.
    pub(super) fn attribute(self) -> Attribute {
        match self {
            Self::Float(_) | Self::Int(_) => Attribute::Metrics,
            Self::Bytes(_) => Attribute::MetaStruct,
            _ => Attribute::Meta,
        }
    }
}

/// A type of values.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bool,
    Float,
    Int,
    Bytes,
    Array,
    List,
}

impl<'a> Payload<'a, '_> {
    /// Attributes into a list. Those inside of others are left for later.
    pub(super) fn attributes(&mut self, tags: &mut Vec<Tag<'a>>) -> Result<(), DecodeError> {
        let n_tags = self.groups(3)?;
        let all = tags.len().saturating_add(n_tags);
        if all.saturating_mul(size_of::<Tag<'_>>()) > self.limit_bytes {
            let limit_bytes = self.limit_bytes;
            let problem = Problem::TooLarge(TooLarge { limit_bytes });
            return Err(DecodeError::new(problem, self.decoder.reader.offset()));
        }
        for _ in 0..n_tags {
            let key = self.string()?;
            let value = self.value_or_mark();
            let value = value.map_err(|error| error.in_key(self.strings.text(key)))?;
            tags.push(Tag { key, value });
        }
        Ok(())
    }

    pub(super) fn kind(&mut self) -> Result<Kind, DecodeError> {
        let start = self.decoder.reader.offset();
        Ok(match self.decoder.reader.id()? {
            1 => Kind::Text,
            2 => Kind::Bool,
            3 => Kind::Float,
            4 => Kind::Int,
            5 => Kind::Bytes,
            6 => Kind::Array,
            7 => Kind::List,
            found => return Err(DecodeError::new(Problem::AttributeType { found }, start)),
        })
    }

    fn value_or_mark(&mut self) -> Result<TagValue<'a>, DecodeError> {
        let kind = self.kind()?;
        self.value_of(kind)
    }

    pub(super) fn value_of(&mut self, kind: Kind) -> Result<TagValue<'a>, DecodeError> {
        let start = self.decoder.reader.offset();
        Ok(match kind {
            Kind::Text => TagValue::Text(self.string()?),
            Kind::Bool => TagValue::Bool(self.decoder.reader.bool()?),
            Kind::Int => TagValue::Int(self.decoder.reader.i64()?),
            Kind::Float => TagValue::Float(match self.decoder.reader.item()? {
                Item::Float(float) => float,
                Item::Int(int) => int as f64,
                Item::Uint(uint) => uint as f64,
                other => return Err(wrong_type("a number", other, start)),
            }),
            Kind::Bytes => TagValue::Bytes(match self.decoder.reader.item()? {
                Item::Bytes(bytes) => bytes,
                other => return Err(wrong_type("bytes", other, start)),
            }),
            Kind::Array => TagValue::Array(self.pass()?),
            Kind::List => TagValue::List(self.pass()?),
        })
    }

    /// Writes the value of an attribute, with its type.
    pub(super) fn write(&mut self, value: TagValue<'a>) -> Result<(), DecodeError> {
        match value {
            TagValue::Text(text) => {
                let text = self.id(text, Use::Plain)?;
                self.decoder.builder.writer().text(text);
            }
            TagValue::Bool(bool) => self.decoder.builder.writer().bool(bool),
            TagValue::Float(float) => self.decoder.builder.writer().float(float),
            TagValue::Int(int) => self.decoder.builder.writer().int(int),
            TagValue::Bytes(bytes) => {
                let bytes = self.decoder.keep(bytes)?;
                self.decoder.builder.writer().bytes(bytes);
            }
            TagValue::Array(mark) => self.at(mark, |payload| payload.write_array(DEPTH_MAX))?,
            TagValue::List(mark) => self.at(mark, |payload| payload.write_list(DEPTH_MAX))?,
        }
        Ok(())
    }

    /// Writes what follows its type, one level deeper. It calls itself as deep as a constant lets it.
    pub(super) fn write_next(&mut self, kind: Kind, depth_left: usize) -> Result<(), DecodeError> {
        match kind {
            Kind::Array => self.write_array(depth_left),
            Kind::List => self.write_list(depth_left),
            plain => {
                let value = self.value_of(plain)?;
                self.write(value)
            }
        }
    }

    fn write_array(&mut self, depth_left: usize) -> Result<(), DecodeError> {
        let depth_left = self.deeper(depth_left)?;
        let n_items = self.groups(2)?;
        let opened = self.decoder.builder.writer().open_array();
        for index in 0..n_items {
            let item = self.kind();
            item.and_then(|kind| self.write_next(kind, depth_left))
                .map_err(|error| error.in_element(index))?;
        }
        self.decoder.builder.writer().close(opened);
        self.check()
    }

    fn write_list(&mut self, depth_left: usize) -> Result<(), DecodeError> {
        let depth_left = self.deeper(depth_left)?;
        let n_tags = self.groups(3)?;
        let opened = self.decoder.builder.writer().open_map();
        for _ in 0..n_tags {
            let key = self.string()?;
            let id = self.id(key, Use::Key)?;
            self.decoder.builder.writer().key(id);
            let value = self.kind();
            value
                .and_then(|kind| self.write_next(kind, depth_left))
                .map_err(|error| error.in_key(self.strings.text(key)))?;
        }
        self.decoder.builder.writer().close(opened);
        self.check()
    }

    /// Whether what was written so far is within the limit.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        let check = self.decoder.builder.check();
        check.map_err(|problem| self.decoder.too_large(problem))
    }

    fn deeper(&self, depth_left: usize) -> Result<usize, DecodeError> {
        depth_left.checked_sub(1).ok_or_else(|| {
            let problem = Problem::TooDeep { max: DEPTH_MAX };
            DecodeError::new(problem, self.decoder.reader.offset())
        })
    }

    /// The attributes of the payload as texts. What lies in others is named `key.0`, `key.name`.
    pub(super) fn flat_tags(&mut self, room: &mut Room) -> Result<Tags, DecodeError> {
        let mut tags = Vec::new();
        self.flat_list(&mut Vec::new(), &mut tags, room, DEPTH_MAX)?;
        Ok(tags.into())
    }

    fn flat_list(
        &mut self,
        name: &mut Vec<u8>,
        tags: &mut Vec<(Box<str>, Box<str>)>,
        room: &mut Room,
        depth_left: usize,
    ) -> Result<(), DecodeError> {
        let depth_left = self.deeper(depth_left)?;
        let length = name.len();
        for _ in 0..self.groups(3)? {
            let key = self.string()?;
            self.extend(name, self.strings.text(key))?;
            self.flat(name, tags, room, depth_left)
                .map_err(|error| error.in_key(self.strings.text(key)))?;
            name.truncate(length);
        }
        Ok(())
    }

    fn flat(
        &mut self,
        name: &mut Vec<u8>,
        tags: &mut Vec<(Box<str>, Box<str>)>,
        room: &mut Room,
        depth_left: usize,
    ) -> Result<(), DecodeError> {
        let kind = self.kind()?;
        let value = match kind {
            Kind::List => return self.flat_list(name, tags, room, depth_left),
            Kind::Array => {
                let depth_left = self.deeper(depth_left)?;
                let length = name.len();
                for index in 0..self.groups(2)? {
                    self.extend(name, index.to_string().as_bytes())?;
                    self.flat(name, tags, room, depth_left)
                        .map_err(|error| error.in_element(index))?;
                    name.truncate(length);
                }
                return Ok(());
            }
            plain => self.value_of(plain)?,
        };
        let text = match value {
            TagValue::Bool(bool) => bool.to_string(),
            TagValue::Float(float) => float.to_string(),
            TagValue::Int(int) => int.to_string(),
            TagValue::Bytes(bytes) => {
                room.take(bytes.len(), self.decoder.reader.offset())?;
                STANDARD.encode(bytes)
            }
            _ => String::new(),
        };
        let text = match value {
            TagValue::Text(index) => self.strings.text(index),
            _ => text.as_bytes(),
        };
        tags.push(room.tag((name, text), self.decoder.reader.offset())?);
        Ok(())
    }

    fn extend(&self, name: &mut Vec<u8>, part: &[u8]) -> Result<(), DecodeError> {
        if name.len() + part.len() > NAME_BYTES_MAX {
            let limit_bytes = NAME_BYTES_MAX;
            let problem = Problem::TooLarge(TooLarge { limit_bytes });
            return Err(DecodeError::new(problem, self.decoder.reader.offset()));
        }
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(part);
        Ok(())
    }
}
