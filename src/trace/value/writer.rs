//! Packing values, one after another, in the form that the reader beside it reads. Strings are numbers
//! already.

use super::super::{Field, Sketch, StrId};
use super::{
    ARRAY, BYTES, FALSE, FLOAT, INT, MAP, NULL, OTHER, SMALL_INT, TEXT, TEXT_MAP, TRUE, UINT,
    WHOLE_FLOAT, hidden_code,
};

/// Packs one value after another; made by [`crate::trace::ChunkBuilder::attribute`].
///
/// Arrays and maps are opened and closed; inside a map each value follows its key.
#[derive(Debug)]
pub struct ValueWriter<'b> {
    bytes: &'b mut Vec<u8>,
    seen: &'b mut Seen,
}

/// What has been written of a chunk so far.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::trace) struct Seen {
    /// The strings of the dictionary among the values.
    pub(in crate::trace) sketch: Sketch,
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
    pub(in crate::trace) fn new(bytes: &'b mut Vec<u8>, seen: &'b mut Seen) -> Self {
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
    pub(in crate::trace) fn hide_text(&mut self, field: Field, text: StrId) {
        self.bytes.push(hidden_code(field));
        self.varint(number(text));
    }

    /// Hides the number of a field among the attributes.
    pub(in crate::trace) fn hide_number(&mut self, field: Field, hidden: i64) {
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
