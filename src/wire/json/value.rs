//! JSON values into the attributes of the span that is being built.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::number::Number;
use super::unknown;
use super::{DecodeError, Decoder, Dialect, Problem};
use crate::json::Kind;
use crate::trace::{ATTRIBUTE_DEPTH_MAX, Attribute, StrId};
use crate::wire::value::TagKind;

impl Decoder<'_, '_> {
    /// A map of tags, or null. Spans of one chunk have mostly the same, so the builder guesses.
    pub(super) fn tags(&mut self, attribute: Attribute, kind: TagKind) -> Result<(), DecodeError> {
        if self.null()? {
            self.builder.attribute(attribute).null();
            return Ok(());
        }
        let mut object = self.object("an object")?;
        let opened = self.builder.attribute(attribute).open_map();
        let mut previous = None;
        while let Some(name) = self.reader.key(&mut object)? {
            let key = self.builder.key(previous, &name);
            let key = key.map_err(|problem| self.too_large(problem))?;
            self.builder.writer().key(key);
            self.tag(key, kind).map_err(|error| error.in_key(&name))?;
            previous = Some(key);
        }
        self.builder.writer().close(opened);
        Ok(())
    }

    fn tag(&mut self, key: StrId, kind: TagKind) -> Result<(), DecodeError> {
        let is_strict = self.dialect == Dialect::Agent;
        match (self.reader.kind()?, kind) {
            (Kind::Null, _) => {
                self.skip()?;
                self.builder.writer().null();
                Ok(())
            }
            (_, TagKind::Bytes) => self.struct_tag(),
            (Kind::Number, TagKind::Number) => self.metric(),
            (Kind::Text, TagKind::Text) => self.text_tag(key),
            (_, TagKind::Text) if is_strict => Err(self.wrong_type("a string")),
            (_, TagKind::Number) if is_strict => Err(self.wrong_type("a number")),
            (Kind::Text, _) => self.text_tag(key),
            (found, _) => self.value(found, ATTRIBUTE_DEPTH_MAX - 1),
        }
    }

    fn text_tag(&mut self, key: StrId) -> Result<(), DecodeError> {
        let text = self.reader.string()?;
        let text = self.builder.value_of(key, &text);
        let text = text.map_err(|problem| self.too_large(problem))?;
        self.builder.writer().text(text);
        Ok(())
    }

    /// A tag that is msgpack in itself: base64 of it, or its value as JSON.
    fn struct_tag(&mut self) -> Result<(), DecodeError> {
        let start = self.reader.offset();
        let bytes = if self.dialect == Dialect::Agent {
            self.require(Kind::Text, "base64")?;
            let base64 = self.reader.string()?;
            let (expected, found) = ("base64", "a string that is none");
            STANDARD.decode(&base64).map_err(|_not_base64| {
                DecodeError::new(Problem::WrongType { expected, found }, start)
            })?
        } else {
            let mut bytes = Vec::new();
            unknown::encode(&mut bytes, &mut self.reader, ATTRIBUTE_DEPTH_MAX)?;
            bytes
        };
        let bytes = self.keep(&bytes)?;
        self.builder.writer().bytes(bytes);
        Ok(())
    }

    /// A metric is a float by its nature, so that one without a fraction may have more than 64 bits.
    fn metric(&mut self) -> Result<(), DecodeError> {
        let start = self.reader.offset();
        let digits = self.reader.number()?;
        match Number::of(digits) {
            Number::Wide(digits) => match digits.parse::<f64>() {
                Ok(float) if float.is_finite() => self.builder.writer().float(float),
                _ if self.dialect == Dialect::Agent => {
                    let (expected, found) = ("a number", "one beyond the range of floats");
                    return Err(DecodeError::new(
                        Problem::WrongType { expected, found },
                        start,
                    ));
                }
                _ => self.write_number(Number::Wide(digits))?,
            },
            number => self.write_number(number)?,
        }
        Ok(())
    }

    /// An array of objects, or null: links and events. What is in the objects is kept as it came.
    pub(super) fn maps(&mut self, attribute: Attribute) -> Result<(), DecodeError> {
        if self.null()? {
            self.builder.attribute(attribute).null();
            return Ok(());
        }
        self.require(Kind::Array, "an array of objects")?;
        let opened = self.builder.attribute(attribute).open_array();
        self.elements("an array of objects", |decoder| {
            let found = decoder.reader.kind()?;
            if decoder.dialect == Dialect::Agent && !matches!(found, Kind::Object | Kind::Null) {
                return Err(decoder.wrong_type("an object"));
            }
            decoder.value(found, ATTRIBUTE_DEPTH_MAX - 1)
        })?;
        self.builder.writer().close(opened);
        Ok(())
    }

    /// The value that comes next, of which the kind is known. It calls itself as deep as
    /// `depth_left`, a constant, lets it.
    fn value(&mut self, kind: Kind, depth_left: usize) -> Result<(), DecodeError> {
        match kind {
            Kind::Null => {
                self.skip()?;
                self.builder.writer().null();
            }
            Kind::Bool => {
                let bool = self.reader.bool()?;
                self.builder.writer().bool(bool);
            }
            Kind::Number => {
                let number = Number::of(self.reader.number()?);
                self.write_number(number)?;
            }
            Kind::Text => {
                let text = self.reader.string()?;
                let text = self.intern(&text)?;
                self.builder.writer().text(text);
            }
            Kind::Array | Kind::Object if depth_left == 0 => {
                let max = ATTRIBUTE_DEPTH_MAX;
                return Err(self.problem(Problem::TooDeep { max }));
            }
            Kind::Array => {
                let opened = self.builder.writer().open_array();
                self.elements("an array", |decoder| {
                    let found = decoder.reader.kind()?;
                    decoder.value(found, depth_left - 1)
                })?;
                self.builder.writer().close(opened);
            }
            Kind::Object => {
                let mut object = self.reader.open();
                let opened = self.builder.writer().open_map();
                while let Some(name) = self.reader.key(&mut object)? {
                    let key = self.intern(&name)?;
                    self.builder.writer().key(key);
                    let found = self.reader.kind().map_err(DecodeError::from);
                    found
                        .and_then(|found| self.value(found, depth_left - 1))
                        .map_err(|error| error.in_key(&name))?;
                }
                self.builder.writer().close(opened);
            }
        }
        Ok(())
    }

    fn write_number(&mut self, number: Number<'_>) -> Result<(), DecodeError> {
        let mut writer = self.builder.writer();
        match number {
            Number::Int(int) => writer.int(int),
            Number::Uint(uint) => writer.uint(uint),
            Number::Float(float) => writer.float(float),
            Number::Wide(digits) => {
                let text = self.intern(digits.as_bytes())?;
                self.builder.writer().text(text);
            }
        }
        Ok(())
    }
}
