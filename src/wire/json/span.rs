//! A span in JSON: its plain fields, and where each of its attributes goes. Fields have the names of
//! v0.4 in every dialect.

use super::{DecodeError, Decoder, Dialect, Problem, number, unknown};
use crate::json::Kind;
use crate::trace::{ATTRIBUTE_DEPTH_MAX, Field, StrId};
use crate::wire::v04::{self, Content, content};

impl Decoder<'_, '_> {
    /// A span. A null instead of one is skipped, as in v0.4.
    pub(super) fn span(&mut self) -> Result<(), DecodeError> {
        if self.null()? {
            return Ok(());
        }
        let mut object = self.object("a span")?;
        let begun = self.builder.begin_span();
        begun.map_err(|problem| self.too_large(problem))?;
        while let Some(name) = self.reader.key(&mut object)? {
            match content(&name) {
                Some(Content::Plain(field)) => self
                    .field(field)
                    .map_err(|error| error.in_field(field.name()))?,
                Some(Content::Tags(attribute, kind)) => self
                    .tags(attribute, kind)
                    .map_err(|error| error.in_field(attribute.name()))?,
                Some(Content::Maps(attribute)) => self
                    .maps(attribute)
                    .map_err(|error| error.in_field(attribute.name()))?,
                None => self
                    .unknown_field(&name)
                    .map_err(|error| error.in_key(&name))?,
            }
        }
        v04::write_unknown(self.builder, &mut self.unknown);
        Ok(())
    }

    fn field(&mut self, field: Field) -> Result<(), DecodeError> {
        if self.null()? {
            self.builder.set_null(field);
            return Ok(());
        }
        match field {
            Field::Service | Field::Name | Field::Resource | Field::Type => {
                self.require(Kind::Text, "a string")?;
                let text = self.reader.string()?;
                let text = self.builder.field_text(field, &text);
                let text = text.map_err(|problem| self.too_large(problem))?;
                self.builder.set_text(field, text);
            }
            _ => {
                let bits = self.number_field(field)?;
                self.builder.set_number(field, bits);
            }
        }
        Ok(())
    }

    /// The bits of a field that is a number.
    fn number_field(&mut self, field: Field) -> Result<u64, DecodeError> {
        let start = self.reader.offset();
        let expected = match (field.is_id(), self.dialect) {
            (false, _) => "an integer",
            (true, Dialect::Agent) => "an id of 64 bits",
            (true, _) => "an id of 16 hex digits",
        };
        let bits = match (self.reader.kind()?, field) {
            (Kind::Bool, Field::Error) => Ok(u64::from(self.reader.bool()?)),
            (Kind::Text, _) if field.is_id() => {
                let digits = self.reader.string()?;
                let id = match self.dialect {
                    Dialect::Agent => number::decimal_id(&digits),
                    Dialect::Printed | Dialect::Agentless => number::hex_id(&digits),
                };
                let found = "a string that is none";
                id.ok_or(Problem::WrongType { expected, found })
            }
            (Kind::Number, Field::Start) => {
                let start = number::time(self.reader.number()?);
                match self.dialect {
                    Dialect::Agentless => start.map(number::nanos_of_start),
                    _ => start,
                }
            }
            (Kind::Number, Field::Duration) => number::time(self.reader.number()?),
            (Kind::Number, Field::Error) => number::error_flag(self.reader.number()?),
            (Kind::Number, _) => number::id(self.reader.number()?, expected),
            _ => return Err(self.wrong_type(expected)),
        };
        bits.map_err(|problem| DecodeError::new(problem, start))
    }

    fn unknown_field(&mut self, name: &[u8]) -> Result<(), DecodeError> {
        self.reader.kind()?;
        let mut bytes = Vec::new();
        unknown::encode(&mut bytes, &mut self.reader, ATTRIBUTE_DEPTH_MAX)?;
        let value = self.keep(&bytes)?;
        let name = self.intern(name)?;
        self.unknown.push((name, value));
        Ok(())
    }

    /// A string of the body as one of the chunk.
    pub(super) fn intern(&mut self, text: &[u8]) -> Result<StrId, DecodeError> {
        let id = self.builder.text(text);
        id.map_err(|problem| self.too_large(problem))
    }

    /// Bytes, kept in the chunk without a look for twins.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Result<StrId, DecodeError> {
        let id = self.builder.raw(bytes);
        id.map_err(|problem| self.too_large(problem))
    }
}
