//! Msgpack values into the attributes of the span that is being built: what every format with
//! maps writes the same way. Decides nothing about fields.

use super::error::{DecodeError, Problem};
use super::msgpack::{Item, Reader, too_deep, wrong_type};
use crate::trace::{
    ATTRIBUTE_DEPTH_MAX, Attribute, ChunkBuilder, Field, Role, StrId, TooLarge, TraceChunk,
};

/// A reader and the builder that takes what is read.
#[derive(Debug)]
pub(super) struct Decoder<'a, 'b> {
    pub(super) reader: Reader<'a>,
    pub(super) builder: &'b mut ChunkBuilder,
}

/// What the values of a map of tags may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum TagKind {
    /// Strings: `meta`.
    Text,
    /// Numbers: `metrics`.
    Number,
    /// Bytes: `meta_struct`.
    Bytes,
}

/// The twin of a string of a payload's table: one for all chunks, or that of the chunk that used it
/// last, by that chunk's number from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twin {
    chunk: u32,
    id: StrId,
}

impl Twin {
    /// A string of a payload's table as one of a chunk: added at its first use, found again at the
    /// others without hashing anything.
    pub(super) fn id(
        &mut self,
        (chunk, builder): (u32, &mut ChunkBuilder),
        text: &[u8],
        role: Role,
    ) -> Result<StrId, TooLarge> {
        if self.chunk != chunk && !self.id.is_shared() {
            self.id = builder.text_as(role, text)?;
            self.chunk = chunk;
        }
        if let Role::Key = role {
            builder.key_again(self.id);
        }
        Ok(self.id)
    }
}

impl<'a, 'b> Decoder<'a, 'b> {
    /// Begins a payload, which may take so many bytes once it is decoded.
    pub(super) fn begin(body: &'a [u8], builder: &'b mut ChunkBuilder, limit_bytes: usize) -> Self {
        builder.reset(limit_bytes);
        Self {
            reader: Reader::new(body),
            builder,
        }
    }

    /// A string of the wire as one of the chunk.
    pub(super) fn intern(&mut self, text: &[u8]) -> Result<StrId, DecodeError> {
        self.builder
            .text(text)
            .map_err(|problem| self.too_large(problem))
    }

    /// The key of a tag that stands alone.
    pub(super) fn key(&mut self, name: &[u8]) -> Result<StrId, DecodeError> {
        let key = self.builder.key(None, name);
        key.map_err(|problem| self.too_large(problem))
    }

    /// Bytes of the wire, kept in the chunk without a look for twins.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Result<StrId, DecodeError> {
        self.builder
            .raw(bytes)
            .map_err(|problem| self.too_large(problem))
    }

    #[cold]
    pub(super) fn too_large(&self, problem: TooLarge) -> DecodeError {
        DecodeError::new(Problem::TooLarge(problem), self.reader.offset())
    }

    /// The length of an array; none where nil stands for it.
    pub(super) fn array_or_nil(&mut self) -> Result<usize, DecodeError> {
        if self.reader.nil() {
            Ok(0)
        } else {
            self.reader.array()
        }
    }

    pub(super) fn begin_span(&mut self) -> Result<(), DecodeError> {
        self.builder
            .begin_span()
            .map_err(|problem| self.too_large(problem))
    }

    /// A field that is a number, or nil.
    pub(super) fn number_field(&mut self, field: Field) -> Result<(), DecodeError> {
        if self.reader.nil() {
            self.builder.set_null(field);
            return Ok(());
        }
        let bits = match field {
            Field::Start | Field::Duration => self.reader.i64()?.cast_unsigned(),
            Field::Error => i64::from(self.reader.i32_or_bool()?).cast_unsigned(),
            _ => self.reader.id()?,
        };
        self.builder.set_number(field, bits);
        Ok(())
    }

    /// Ends the chunk, and adds what it became to the others.
    pub(super) fn finish(&mut self, chunks: &mut Vec<TraceChunk>) -> Result<(), DecodeError> {
        chunks.append(&mut self.builder.finish());
        self.builder
            .check()
            .map_err(|problem| self.too_large(problem))
    }

    /// A map of tags, or nil.
    pub(super) fn tags(&mut self, attribute: Attribute, kind: TagKind) -> Result<(), DecodeError> {
        if self.reader.nil() {
            self.builder.attribute(attribute).null();
            return Ok(());
        }
        let n_tags = self.reader.map()?;
        let opened = self.builder.attribute(attribute).open_map();
        let mut previous = None;
        for _ in 0..n_tags {
            let key = self.reader.key()?;
            let id = self.builder.key(previous, key);
            let id = id.map_err(|problem| self.too_large(problem))?;
            self.builder.writer().key(id);
            self.tag(id, kind).map_err(|error| error.in_key(key))?;
            previous = Some(id);
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    fn tag(&mut self, key: StrId, kind: TagKind) -> Result<(), DecodeError> {
        match kind {
            TagKind::Text if !self.reader.nil() => {
                let text = self.reader.text()?;
                let text = self.builder.value_of(key, text);
                let text = text.map_err(|problem| self.too_large(problem))?;
                self.builder.writer().text(text);
            }
            TagKind::Bytes if !self.reader.nil() => {
                let bytes = self.reader.text()?;
                let bytes = self.keep(bytes)?;
                self.builder.writer().bytes(bytes);
            }
            TagKind::Number => self.number()?,
            _ => self.builder.writer().null(),
        }
        Ok(())
    }

    /// A number with its type, or nil.
    pub(super) fn number(&mut self) -> Result<(), DecodeError> {
        if let Some(float) = self.reader.float() {
            self.builder.writer().float(float);
            return Ok(());
        }
        let start = self.reader.offset();
        let item = self.reader.item()?;
        let mut writer = self.builder.writer();
        match item {
            Item::Float(float) => writer.float(float),
            Item::Int(int) => writer.int(int),
            Item::Uint(uint) => writer.uint(uint),
            Item::Nil => writer.null(),
            other => return Err(wrong_type("a number", other, start)),
        }
        Ok(())
    }

    /// An array of maps, or nil: links and events. What is in the maps is kept as it came.
    pub(super) fn maps(&mut self, attribute: Attribute) -> Result<(), DecodeError> {
        if self.reader.nil() {
            self.builder.attribute(attribute).null();
            return Ok(());
        }
        let n_maps = self.reader.array()?;
        let opened = self.builder.attribute(attribute).open_array();
        for index in 0..n_maps {
            let start = self.reader.offset();
            let map = self.reader.item().and_then(|item| match item {
                Item::Map(_) | Item::Nil => Ok(item),
                other => Err(wrong_type("a map", other, start)),
            });
            map.and_then(|map| self.value(map, start, ATTRIBUTE_DEPTH_MAX - 1))
                .map_err(|error| error.in_element(index))?;
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    /// Any value, whose head has been read. It calls itself as deep as `depth_left`, a constant,
    /// lets it.
    fn value(
        &mut self,
        head: Item<'a>,
        start: usize,
        depth_left: usize,
    ) -> Result<(), DecodeError> {
        let mut writer = self.builder.writer();
        match head {
            Item::Nil => writer.null(),
            Item::Bool(bool) => writer.bool(bool),
            Item::Int(int) => writer.int(int),
            Item::Uint(uint) => writer.uint(uint),
            Item::Float(float) => writer.float(float),
            Item::Text(text) => {
                let text = self.intern(text)?;
                self.builder.writer().text(text);
            }
            Item::Bytes(bytes) => {
                let bytes = self.keep(bytes)?;
                self.builder.writer().bytes(bytes);
            }
            Item::Array(_) | Item::Map(_) if depth_left == 0 => return Err(too_deep(start)),
            Item::Array(length) => {
                let opened = writer.open_array();
                for index in 0..length {
                    self.next_value(depth_left - 1)
                        .map_err(|error| error.in_element(index))?;
                }
                self.builder.writer().close(opened);
            }
            Item::Map(length) => {
                let opened = writer.open_map();
                for _ in 0..length {
                    let key = self.reader.key()?;
                    let id = self.intern(key)?;
                    self.builder.writer().key(id);
                    self.next_value(depth_left - 1)
                        .map_err(|error| error.in_key(key))?;
                }
                self.builder.writer().close(opened);
            }
            Item::Extension => return Err(wrong_type("a value", head, start)),
        }
        Ok(())
    }

    fn next_value(&mut self, depth_left: usize) -> Result<(), DecodeError> {
        let start = self.reader.offset();
        let head = self.reader.item()?;
        self.value(head, start, depth_left)
    }
}
