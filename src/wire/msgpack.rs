//! Msgpack, read in place: every length is checked against the bytes that are there, strings are
//! slices of the body, and whether they are UTF-8 is left to whoever shows them.
//!
//! As tolerant as the Agent's readers (`pkg/proto/pbgo/trace/decoder_bytes.go` in
//! `DataDog/datadog-agent`): integers of any width where they fit, strings as `str` or `bin`. Knows
//! nothing of spans.

use super::error::{DecodeError, Problem};
use crate::trace::ATTRIBUTE_DEPTH_MAX;

const NIL: u8 = 0xc0;

/// A value, or the head of one that holds others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Nil,
    Bool(bool),
    /// A whole number in the range of `i64`, whatever its width on the wire.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// A float of either width.
    Float(f64),
    /// `str`, valid UTF-8 or not.
    Text(&'a [u8]),
    /// `bin`.
    Bytes(&'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many keys with their values follow.
    Map(usize),
    /// A type that only its sender knows.
    Extension,
}

impl Item<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Uint(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Extension => "an extension",
        }
    }
}

/// Reads one value after another. A copy reads on from the same place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    n_bytes: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            n_bytes: body.len(),
        }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> usize {
        self.n_bytes - self.rest.len()
    }

    /// Steps over a nil, if one is next.
    pub(super) fn nil(&mut self) -> bool {
        match self.rest.split_first() {
            Some((&NIL, rest)) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The length of the array that begins here.
    pub(super) fn array(&mut self) -> Result<usize, DecodeError> {
        let start = self.offset();
        match self.item()? {
            Item::Array(length) => Ok(length),
            other => Err(wrong_type("an array", other, start)),
        }
    }

    /// The number of entries of the map that begins here.
    pub(super) fn map(&mut self) -> Result<usize, DecodeError> {
        let start = self.offset();
        match self.item()? {
            Item::Map(length) => Ok(length),
            other => Err(wrong_type("a map", other, start)),
        }
    }

    /// A string, sent as `str` or `bin`.
    pub(super) fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        // Nearly every string is one of the two short forms, and half of a payload are strings.
        match *self.rest {
            [marker @ 0xa0..=0xbf, ref rest @ ..] => {
                let length = usize::from(marker & 0x1f);
                if let Some((text, rest)) = rest.split_at_checked(length) {
                    self.rest = rest;
                    return Ok(text);
                }
            }
            [0xd9, length, ref rest @ ..] => {
                if let Some((text, rest)) = rest.split_at_checked(length.into()) {
                    self.rest = rest;
                    return Ok(text);
                }
            }
            _ => {}
        }
        let start = self.offset();
        match self.item()? {
            Item::Text(text) | Item::Bytes(text) => Ok(text),
            other => Err(wrong_type("a string", other, start)),
        }
    }

    /// The name of a map's entry; a nil is the empty name.
    pub(super) fn key(&mut self) -> Result<&'a [u8], DecodeError> {
        if self.nil() { Ok(&[]) } else { self.text() }
    }

    /// An id: 64 bits. A negative number keeps its bits, as in the Agent.
    pub(super) fn id(&mut self) -> Result<u64, DecodeError> {
        // Ids of v0.4 have their full width, places in a dictionary of v0.5 the shortest one.
        match *self.rest {
            [place @ 0..=0x7f, ref rest @ ..] => {
                self.rest = rest;
                return Ok(place.into());
            }
            [0xcd, high, low, ref rest @ ..] => {
                self.rest = rest;
                return Ok(u16::from_be_bytes([high, low]).into());
            }
            [0xcf, ref rest @ ..] => {
                if let Some((bits, rest)) = rest.split_first_chunk() {
                    self.rest = rest;
                    return Ok(u64::from_be_bytes(*bits));
                }
            }
            _ => {}
        }
        let start = self.offset();
        match self.item()? {
            Item::Int(int) => Ok(int.cast_unsigned()),
            Item::Uint(uint) => Ok(uint),
            other => Err(wrong_type("an integer", other, start)),
        }
    }

    /// A float in its usual form, if that is next.
    pub(super) fn float(&mut self) -> Option<f64> {
        let (&0xcb, rest) = self.rest.split_first()? else {
            return None;
        };
        let (bits, rest) = rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_be_bytes(*bits))
    }

    /// A whole number in the range of `i64`.
    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        let start = self.offset();
        match self.item()? {
            Item::Int(int) => Ok(int),
            Item::Uint(uint) => Err(out_of_range(uint.into(), "64 bits with a sign", start)),
            other => Err(wrong_type("an integer", other, start)),
        }
    }

    /// A whole number in the range of `i32`; true counts as 1.
    pub(super) fn i32_or_bool(&mut self) -> Result<i32, DecodeError> {
        let start = self.offset();
        let number = match self.item()? {
            Item::Bool(bool) => i128::from(bool),
            Item::Int(int) => i128::from(int),
            Item::Uint(uint) => i128::from(uint),
            other => return Err(wrong_type("an integer", other, start)),
        };
        let too_wide = |_| out_of_range(number, "32 bits with a sign", start);
        i32::try_from(number).map_err(too_wide)
    }

    /// A whole number in the range of `u32`.
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let start = self.offset();
        let number = match self.item()? {
            Item::Int(int) => i128::from(int),
            Item::Uint(uint) => i128::from(uint),
            other => return Err(wrong_type("an integer", other, start)),
        };
        u32::try_from(number).map_err(|_wide| out_of_range(number, "32 bits without a sign", start))
    }

    /// True or false.
    pub(super) fn bool(&mut self) -> Result<bool, DecodeError> {
        let start = self.offset();
        match self.item()? {
            Item::Bool(bool) => Ok(bool),
            other => Err(wrong_type("a boolean", other, start)),
        }
    }

    /// Steps over a value with everything in it, and gives its bytes.
    pub(super) fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        let before = self.rest;
        self.skip()?;
        Ok(before
            .get(..before.len() - self.rest.len())
            .unwrap_or_default())
    }

    /// Steps over a value.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        self.walk(|_text| Ok(()))
    }

    /// Steps over a value, and tells of each `str` in it in the order of the bytes. How many values
    /// are still to come in each open array or map is kept in a list as long as they may nest, so
    /// that depth takes no stack.
    pub(super) fn walk(
        &mut self,
        mut tell: impl FnMut(&'a [u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut open = [0_usize; ATTRIBUTE_DEPTH_MAX];
        let mut depth = 0;
        loop {
            let start = self.offset();
            let inside = match self.item()? {
                Item::Array(length) => length,
                Item::Map(length) => length * 2,
                Item::Text(text) => {
                    tell(text)?;
                    0
                }
                _ => 0,
            };
            if inside > 0 {
                *open.get_mut(depth).ok_or_else(|| too_deep(start))? = inside;
                depth += 1;
                continue;
            }
            while let Some(left) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) {
                *left -= 1;
                if *left > 0 {
                    break;
                }
                depth -= 1;
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// The next value, or the head of the next array or map.
    pub(super) fn item(&mut self) -> Result<Item<'a>, DecodeError> {
        let start = self.offset();
        let [marker] = self.fixed()?;
        Ok(match marker {
            0x00..=0x7f => Item::Int(marker.into()),
            0xe0..=0xff => Item::Int(marker.cast_signed().into()),
            0x80..=0x8f => self.announced_map((marker & 0x0f).into())?,
            0x90..=0x9f => self.announced_array((marker & 0x0f).into())?,
            0xa0..=0xbf => Item::Text(self.bytes((marker & 0x1f).into())?),
            NIL => Item::Nil,
            0xc1 => {
                let found = "the one byte that msgpack does not use";
                let problem = Problem::WrongType {
                    expected: "a value",
                    found,
                };
                return Err(DecodeError::new(problem, start));
            }
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xca => Item::Float(f32::from_be_bytes(self.fixed()?).into()),
            0xcb => Item::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Item::Int(u8::from_be_bytes(self.fixed()?).into()),
            0xcd => Item::Int(u16::from_be_bytes(self.fixed()?).into()),
            0xce => Item::Int(u32::from_be_bytes(self.fixed()?).into()),
            0xcf => {
                let uint = u64::from_be_bytes(self.fixed()?);
                i64::try_from(uint).map_or(Item::Uint(uint), Item::Int)
            }
            0xd0 => Item::Int(i8::from_be_bytes(self.fixed()?).into()),
            0xd1 => Item::Int(i16::from_be_bytes(self.fixed()?).into()),
            0xd2 => Item::Int(i32::from_be_bytes(self.fixed()?).into()),
            0xd3 => Item::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xc4..=0xc9 | 0xd9..=0xdf => self.sized(marker)?,
        })
    }

    /// The values that give their length in a number of its own.
    fn sized(&mut self, marker: u8) -> Result<Item<'a>, DecodeError> {
        let length = match marker {
            0xc4 | 0xc7 | 0xd9 => u8::from_be_bytes(self.fixed()?).into(),
            0xc5 | 0xc8 | 0xda | 0xdc | 0xde => u16::from_be_bytes(self.fixed()?).into(),
            _ => usize::try_from(u32::from_be_bytes(self.fixed()?)).unwrap_or(usize::MAX),
        };
        match marker {
            0xc4..=0xc6 => Ok(Item::Bytes(self.bytes(length)?)),
            0xc7..=0xc9 => self.extension(length),
            0xd9..=0xdb => Ok(Item::Text(self.bytes(length)?)),
            0xdc | 0xdd => self.announced_array(length),
            _ => self.announced_map(length),
        }
    }

    /// An array, if the rest of the body can hold it: each element takes a byte or more.
    fn announced_array(&self, length: usize) -> Result<Item<'a>, DecodeError> {
        self.require(length)?;
        Ok(Item::Array(length))
    }

    /// A map, if the rest of the body can hold it: each entry takes two bytes or more.
    fn announced_map(&self, length: usize) -> Result<Item<'a>, DecodeError> {
        self.require(length.saturating_mul(2))?;
        Ok(Item::Map(length))
    }

    /// The type and the bytes of an extension.
    fn extension(&mut self, length: usize) -> Result<Item<'a>, DecodeError> {
        self.bytes(length.saturating_add(1))?;
        Ok(Item::Extension)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.short(N)),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(length) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.short(length)),
        }
    }

    fn require(&self, needed: usize) -> Result<(), DecodeError> {
        if needed > self.rest.len() {
            Err(self.short(needed))
        } else {
            Ok(())
        }
    }

    #[cold]
    fn short(&self, needed: usize) -> DecodeError {
        DecodeError::new(
            Problem::Short {
                needed,
                left: self.rest.len(),
            },
            self.offset(),
        )
    }
}

/// Another type than the format asks for.
#[cold]
pub(super) fn wrong_type(expected: &'static str, found: Item<'_>, offset: usize) -> DecodeError {
    DecodeError::new(
        Problem::WrongType {
            expected,
            found: found.kind(),
        },
        offset,
    )
}

/// Arrays and maps beyond the depth that values may have.
#[cold]
pub(super) fn too_deep(offset: usize) -> DecodeError {
    let max = ATTRIBUTE_DEPTH_MAX;
    DecodeError::new(Problem::TooDeep { max }, offset)
}

#[cold]
fn out_of_range(number: i128, room: &'static str, offset: usize) -> DecodeError {
    DecodeError::new(Problem::OutOfRange { number, room }, offset)
}

#[cfg(test)]
mod tests;
