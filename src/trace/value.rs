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

use super::{Field, Sketch, StrId, Text, TraceChunk};

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

/// Packs one value after another; made by [`super::ChunkBuilder::attribute`].
///
/// Arrays and maps are opened and closed; inside a map each value follows its key.
#[derive(Debug)]
pub struct ValueWriter<'b> {
    bytes: &'b mut Vec<u8>,
    seen: &'b mut Seen,
}

/// What has been written of a chunk so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The strings of the dictionary among the values.
    pub(super) sketch: Sketch,
    /// How many values are no strings.
    n_others: u32,
}

/// The place of a length that is known once its array or map is closed.
#[derive(Debug)]
#[must_use = "an opened array or map is closed with `close`"]
pub struct Opened {
    place: usize,
    /// Of [`Seen`], when it was opened.
    n_others: u32,
}

impl<'b> ValueWriter<'b> {
    pub(super) fn new(bytes: &'b mut Vec<u8>, seen: &'b mut Seen) -> Self {
        Self { bytes, seen }
    }

    /// Writes a nil.
    pub fn null(&mut self) {
        self.head(OTHER, NULL);
    }

    /// Writes true or false.
    pub fn bool(&mut self, bool: bool) {
        self.head(OTHER, if bool { TRUE } else { FALSE });
    }

    /// Writes a whole number.
    pub fn int(&mut self, int: i64) {
        let number = zigzag(int);
        if number < 1 << 62 {
            self.head(SMALL_INT, number);
        } else {
            self.head(OTHER, INT);
            self.varint(number);
        }
    }

    /// Writes a whole number that may be above `i64::MAX`.
    pub fn uint(&mut self, uint: u64) {
        if let Ok(int) = i64::try_from(uint) {
            return self.int(int);
        }
        self.head(OTHER, UINT);
        self.varint(uint);
    }

    /// Writes a float; NaN, the infinities and -0.0 come back as they are.
    pub fn float(&mut self, float: f64) {
        if let Some(whole) = whole(float) {
            self.head(WHOLE_FLOAT, zigzag(whole));
        } else {
            self.head(OTHER, FLOAT);
            self.bytes.extend_from_slice(&float.to_le_bytes());
        }
    }

    /// Writes a string of the chunk.
    pub fn text(&mut self, text: StrId) {
        self.seen.sketch.add(text);
        self.head(TEXT, number(text));
    }

    /// Writes bytes of the chunk.
    pub fn bytes(&mut self, bytes: StrId) {
        self.head(OTHER, BYTES);
        self.varint(number(bytes));
    }

    /// Opens an array.
    pub fn open_array(&mut self) -> Opened {
        self.open(ARRAY)
    }

    /// Opens a map.
    pub fn open_map(&mut self) -> Opened {
        self.open(MAP)
    }

    /// Writes the key of the next value.
    pub fn key(&mut self, key: StrId) {
        self.varint(number(key));
    }

    /// Closes what was opened.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "taken, so that nothing is closed twice"
    )]
    pub fn close(&mut self, opened: Opened) {
        let place = opened.place;
        self.tell_texts(&opened);
        let n_bytes = self.bytes.len().saturating_sub(place + 1);
        let (length, n_more) = varint_bytes(n_bytes);
        if n_more > 0 {
            let end = self.bytes.len();
            self.bytes.resize(end + n_more, 0);
            self.bytes.copy_within(place + 1..end, place + 1 + n_more);
        }
        if let Some(head) = self.bytes.get_mut(place..=place + n_more) {
            head.copy_from_slice(length.get(..=n_more).unwrap_or_default());
        }
    }

    fn open(&mut self, kind: u64) -> Opened {
        self.head(OTHER, kind);
        let place = self.bytes.len();
        self.bytes.push(0);
        Opened {
            place,
            n_others: self.seen.n_others,
        }
    }

    /// Marks a map in which nothing but strings was written.
    fn tell_texts(&mut self, opened: &Opened) {
        let kind = opened.place.checked_sub(1);
        let kind = kind.and_then(|place| self.bytes.get_mut(place));
        if let Some(kind) = kind
            && opened.n_others == self.seen.n_others
            && u64::from(*kind) == MAP << 2 | OTHER
        {
            *kind = (TEXT_MAP << 2 | OTHER).to_le_bytes()[0];
        }
    }

    /// Hides the string of a field among the attributes.
    pub(super) fn hide_text(&mut self, field: Field, text: StrId) {
        self.bytes.push(hidden_code(field));
        self.varint(number(text));
    }

    /// Hides the number of a field among the attributes.
    pub(super) fn hide_number(&mut self, field: Field, hidden: i64) {
        self.bytes.push(hidden_code(field));
        self.varint(zigzag(hidden));
    }

    fn head(&mut self, kind: u64, rest: u64) {
        self.seen.n_others = self.seen.n_others.wrapping_add(u32::from(kind != TEXT));
        self.varint(rest << 2 | kind);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }
}

/// A length as a varint, and how many bytes it takes beside the first one.
fn varint_bytes(mut length: usize) -> ([u8; 10], usize) {
    let (mut bytes, mut n_more) = ([0; 10], 0);
    for byte in &mut bytes {
        *byte = length.to_le_bytes()[0] & 0x7f;
        length >>= 7;
        if length == 0 {
            break;
        }
        *byte |= 0x80;
        n_more += 1;
    }
    (bytes, n_more)
}

/// The numbers that may have no room in the record.
const HIDDEN_NUMBERS: [Field; 2] = [Field::Error, Field::Duration];

fn hidden_code(field: Field) -> u8 {
    HIDDEN | u8::try_from(field.place()).unwrap_or_default()
}

/// What [`number`] gives, read back.
fn str_id(number: u64) -> Option<StrId> {
    let id = u32::try_from(number).ok()?;
    Some(StrId(id.rotate_right(1)))
}

/// A string as a number that is small for strings of the dictionary and for the chunk's first ones.
fn number(text: StrId) -> u64 {
    text.0.rotate_left(1).into()
}

fn zigzag(int: i64) -> u64 {
    (int << 1 ^ int >> 63).cast_unsigned()
}

/// The whole number that stands for this float exactly, if there is one: not for -0.0, whose sign
/// would be lost, and not beyond what floats hold exactly.
fn whole(float: f64) -> Option<i64> {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not come back is no whole number"
    )]
    let int = float as i64;
    let comes_back = (int as f64).to_bits() == float.to_bits();
    (comes_back && int.unsigned_abs() < EXACT).then_some(int)
}

#[cfg(test)]
mod tests;
