//! Attribute values, packed: a few bytes each instead of an allocation each.
//!
//! One value begins with a varint: its lowest two bits say what it is, the others are the string or
//! the number itself. So most values take two bytes. Signed numbers are zig-zag; arrays and maps
//! carry their length in bytes, so that a reader steps over what it does not want.
//!
//! ```text
//! ..00 string  ..01 float that is a whole number  ..10 whole number
//! ..11 the rest: 0 null   1 false   2 true   3 int, varint   4 uint above i64::MAX, varint
//!      5 float, 8 bytes   6 bytes, string   7 array, length, values
//!      8 map, length, (key string, value)…
//! ```
//!
//! The packing never leaves the process: whoever reads it wrote it. Even so a reader of torn bytes
//! ends early instead of panicking.

mod writer;

use super::{Field, StrId, Text, TraceChunk};

pub(super) use writer::Seen;
pub use writer::ValueWriter;

/// An attribute's value as a tracer sent it, with its type.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An explicit nil.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// A number sent as a float, also when it is whole.
    Float(f64),
    /// A string.
    Text(Text<'a>),
    /// Bytes that do not claim to be text.
    Bytes(&'a [u8]),
    /// Values in order.
    Array(Items<'a>),
    /// Keys and values in the order they came.
    Map(Entries<'a>),
}

/// Values are equal if they have the same type and say the same: one NaN is as good as another,
/// and 0.0 is not -0.0.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl<'a> Value<'a> {
    /// The number in it, whatever its width.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(int as f64),
            Self::Uint(uint) => Some(uint as f64),
            Self::Float(float) => Some(float),
            _ => None,
        }
    }

    /// The number in it as an id: negative ones keep their bits, as the Agent reads them.
    pub fn as_id(self) -> Option<u64> {
        match self {
            Self::Int(int) => Some(int.cast_unsigned()),
            Self::Uint(uint) => Some(uint),
            _ => None,
        }
    }

    /// The string in it.
    pub fn as_text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, none if this is not an array.
    pub fn items(self) -> Items<'a> {
        match self {
            Self::Array(items) => items,
            _ => Items::default(),
        }
    }

    /// The members, none if this is not a map.
    pub fn entries(self) -> Entries<'a> {
        match self {
            Self::Map(entries) => entries,
            _ => Entries::default(),
        }
    }
}

const TEXT: u64 = 0;
const WHOLE_FLOAT: u64 = 1;
const SMALL_INT: u64 = 2;
const OTHER: u64 = 3;

/// Codes of attributes are below this.
const HIDDEN: u8 = 0x40;

const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const INT: u64 = 3;
const UINT: u64 = 4;
const FLOAT: u64 = 5;
const BYTES: u64 = 6;
const ARRAY: u64 = 7;
const MAP: u64 = 8;
/// A map whose values are all strings, which is told when it is closed: whoever looks for numbers steps
/// over it.
const TEXT_MAP: u64 = 9;

/// A value that holds no others; a string that chunks share is told without a look at its text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf<'a> {
    /// A string of the dictionary.
    Shared(u32),
    /// A string of the chunk's own.
    Own(Text<'a>),
    /// Anything but a string.
    Other(Value<'a>),
}

/// Which leaves are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// All.
    All,
    /// Those that are no strings, and strings only as they come on the way.
    NoStrings,
}

/// The values of an array.
#[derive(Clone, Copy, Default)]
pub struct Items<'a>(Reader<'a>);

/// The keys and values of a map.
#[derive(Clone, Copy, Default)]
pub struct Entries<'a>(Reader<'a>);

#[expect(
    clippy::copy_iterator,
    reason = "a view: iterating a copy is the point"
)]
impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.value()
    }
}

#[expect(
    clippy::copy_iterator,
    reason = "a view: iterating a copy is the point"
)]
impl<'a> Iterator for Entries<'a> {
    type Item = (Text<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.text()?;
        Some((key, self.0.value()?))
    }
}

impl<'a> Entries<'a> {
    /// The value under a key; the last one if the key came twice, as a decoder into a map has it.
    pub fn find(self, key: &str) -> Option<Value<'a>> {
        self.filter(|(name, _)| *name == key)
            .last()
            .map(|(_, value)| value)
    }

    /// Whether no member is in it.
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }
}

impl std::fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl std::fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

impl PartialEq for Items<'_> {
    fn eq(&self, other: &Self) -> bool {
        (*self).eq(*other)
    }
}

impl PartialEq for Entries<'_> {
    fn eq(&self, other: &Self) -> bool {
        (*self).eq(*other)
    }
}

/// Reads packed values; `None` at the end.
#[derive(Clone, Copy, Default)]
pub(super) struct Reader<'a> {
    chunk: Option<&'a TraceChunk>,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(chunk: &'a TraceChunk, bytes: &'a [u8]) -> Self {
        Self {
            chunk: Some(chunk),
            bytes,
        }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    /// The code of the next attribute; what is hidden before it is stepped over.
    pub(super) fn attribute_code(&mut self) -> Option<u8> {
        loop {
            let code = self.byte()?;
            if code < HIDDEN {
                return Some(code);
            }
            self.varint()?;
        }
    }

    /// The string of a field that has no room in the record; the last one, should it have come twice.
    pub(super) fn hidden_text(self, field: Field) -> Option<StrId> {
        self.hidden(field).and_then(str_id)
    }

    /// The number of a field that has no room in the record.
    pub(super) fn hidden_number(self, field: Field) -> Option<i64> {
        self.hidden(field).map(zigzag_back)
    }

    fn hidden(mut self, field: Field) -> Option<u64> {
        let mut found = None;
        while let Some(code) = self.byte() {
            if code < HIDDEN {
                self.value()?;
                continue;
            }
            let number = self.varint()?;
            if code == hidden_code(field) {
                found = Some(number);
            }
        }
        found
    }

    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        let head = self.varint()?;
        let rest = head >> 2;
        Some(match head & 3 {
            TEXT => Value::Text(self.string(rest)?),
            WHOLE_FLOAT => Value::Float(zigzag_back(rest) as f64),
            SMALL_INT => Value::Int(zigzag_back(rest)),
            _ => self.other(rest)?,
        })
    }

    fn other(&mut self, kind: u64) -> Option<Value<'a>> {
        Some(match kind {
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(zigzag_back(self.varint()?)),
            UINT => Value::Uint(self.varint()?),
            FLOAT => {
                let (eight, rest) = self.bytes.split_first_chunk::<8>()?;
                self.bytes = rest;
                Value::Float(f64::from_le_bytes(*eight))
            }
            BYTES => Value::Bytes(self.text()?.as_bytes()),
            ARRAY => Value::Array(Items(self.block()?)),
            MAP | TEXT_MAP => Value::Map(Entries(self.block()?)),
            _ => Value::Null,
        })
    }

    fn text(&mut self) -> Option<Text<'a>> {
        let number = self.varint()?;
        self.string(number)
    }

    fn leaf(&self, number: u64) -> Option<Leaf<'a>> {
        let id = str_id(number)?;
        Some(match id.split() {
            Ok(place) => Leaf::Shared(place),
            Err(_own) => Leaf::Own(self.chunk?.text(id)),
        })
    }

    fn string(&self, number: u64) -> Option<Text<'a>> {
        Some(self.chunk?.text(str_id(number)?))
    }

    /// Whether any leaf of the attributes from here on is so.
    pub(super) fn any_leaf(
        mut self,
        leaves: Leaves,
        depth_max: usize,
        is: &mut impl FnMut(Leaf<'a>) -> bool,
    ) -> bool {
        while let Some(code) = self.byte() {
            if code >= HIDDEN {
                let number = self.varint().unwrap_or_default();
                if !HIDDEN_NUMBERS.map(hidden_code).contains(&code)
                    && self.leaf(number).is_some_and(&mut *is)
                {
                    return true;
                }
                continue;
            }
            if self.any_in_value(is, (leaves, depth_max)) {
                return true;
            }
        }
        false
    }

    fn any_in_value(
        &mut self,
        is: &mut impl FnMut(Leaf<'a>) -> bool,
        (leaves, depth_left): (Leaves, usize),
    ) -> bool {
        let Some(head) = self.varint() else {
            return false;
        };
        let rest = head >> 2;
        match (head & 3, rest) {
            (TEXT, number) => self.leaf(number).is_some_and(&mut *is),
            (WHOLE_FLOAT, number) => is(Leaf::Other(Value::Float(zigzag_back(number) as f64))),
            (SMALL_INT, number) => is(Leaf::Other(Value::Int(zigzag_back(number)))),
            (_, ARRAY | MAP | TEXT_MAP) => {
                let Some(mut block) = self.block() else {
                    return false;
                };
                if rest == TEXT_MAP && leaves == Leaves::NoStrings {
                    return false;
                }
                while depth_left > 0 && !block.bytes.is_empty() {
                    if rest != ARRAY {
                        block.varint();
                    }
                    if block.any_in_value(is, (leaves, depth_left - 1)) {
                        return true;
                    }
                }
                false
            }
            (_, kind) => self.other(kind).is_some_and(|value| is(Leaf::Other(value))),
        }
    }

    fn block(&mut self) -> Option<Self> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(Self {
            chunk: self.chunk,
            bytes,
        })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

fn zigzag_back(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// The numbers that may have no room in the record.
const HIDDEN_NUMBERS: [Field; 2] = [Field::Error, Field::Duration];

fn hidden_code(field: Field) -> u8 {
    HIDDEN | u8::try_from(field.place()).unwrap_or_default()
}

/// What the writer makes of a string, read back.
fn str_id(number: u64) -> Option<StrId> {
    let id = u32::try_from(number).ok()?;
    Some(StrId(id.rotate_right(1)))
}

#[cfg(test)]
mod tests;
