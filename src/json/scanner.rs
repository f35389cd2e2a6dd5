//! Where a JSON value ends, in one pass over its bytes; what does not fit is named with its place.
//! Neither allocates nor recurses, and leaves it to others what a value means.

use std::borrow::Cow;

use super::Fault;

/// How deep values may nest; what is deeper is no JSON to us.
const DEPTH_MAX: u32 = 128;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Finds where values end, and checks them on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes between two places.
    pub(super) fn slice(self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    pub(super) fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub(super) fn after_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    }

    pub(super) fn fault(self, at: usize, token: usize) -> Fault {
        Fault {
            at,
            token,
            is_end: at >= self.bytes.len(),
        }
    }

    /// The end of the value that begins at `start`.
    pub(super) fn value(self, start: usize) -> Result<usize, Fault> {
        // One bit for each open bracket, the innermost lowest: whether it is an object's.
        let (mut objects, mut depth) = (0_u128, 0_u32);
        let mut expect = Expect::Value;
        let mut at = start;
        loop {
            at = self.after_space(at);
            let byte = self.byte(at);
            let is_open = match (expect, byte) {
                (Expect::Value | Expect::ValueOrEnd, Some(bracket @ (b'{' | b'['))) => {
                    if depth == DEPTH_MAX {
                        return Err(self.fault(at, at));
                    }
                    let is_object = bracket == b'{';
                    objects = objects << 1 | u128::from(is_object);
                    depth += 1;
                    at += 1;
                    expect = if is_object {
                        Expect::KeyOrEnd
                    } else {
                        Expect::ValueOrEnd
                    };
                    true
                }
                (Expect::ValueOrEnd, Some(b']')) | (Expect::KeyOrEnd, Some(b'}')) => {
                    (objects, depth, at) = (objects >> 1, depth - 1, at + 1);
                    false
                }
                (Expect::CommaOrEnd, Some(b'}')) if objects & 1 == 1 => {
                    (objects, depth, at) = (objects >> 1, depth - 1, at + 1);
                    false
                }
                (Expect::CommaOrEnd, Some(b']')) if objects & 1 == 0 => {
                    (objects, depth, at) = (objects >> 1, depth - 1, at + 1);
                    false
                }
                (Expect::CommaOrEnd, Some(b',')) => {
                    at += 1;
                    expect = if objects & 1 == 1 {
                        Expect::Key
                    } else {
                        Expect::Value
                    };
                    true
                }
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => {
                    let key = at;
                    at = self.after_space(self.string(at)?);
                    if self.byte(at) != Some(b':') {
                        return Err(self.fault(at, key));
                    }
                    at += 1;
                    expect = Expect::Value;
                    true
                }
                (Expect::Value | Expect::ValueOrEnd, Some(_)) => {
                    at = self.scalar(at)?;
                    false
                }
                _ => return Err(self.fault(at, self.token_before(at, start))),
            };
            if !is_open {
                if depth == 0 {
                    return Ok(at);
                }
                expect = Expect::CommaOrEnd;
            }
        }
    }

    /// Where the string that ends just before `at` began: text of another writer that fell into a
    /// string closes it with its own first quote.
    fn token_before(self, at: usize, start: usize) -> usize {
        let before = self.bytes.get(start..at).unwrap_or_default();
        let before = before.trim_ascii_end();
        let Some(rest) = before.strip_suffix(b"\"") else {
            return at;
        };
        let begins = rest.iter().rposition(|byte| *byte == b'"');
        begins.map_or(start, |begins| start + begins)
    }

    pub(super) fn scalar(self, at: usize) -> Result<usize, Fault> {
        match self.byte(at) {
            Some(b'"') => self.string(at),
            Some(b'-' | b'0'..=b'9') => self.number(at),
            Some(b't') => self.literal(at, b"true"),
            Some(b'f') => self.literal(at, b"false"),
            Some(b'n') => self.literal(at, b"null"),
            Some(b'N') => self.literal(at, b"NaN"),
            Some(b'I') => self.literal(at, b"Infinity"),
            _ => Err(self.fault(at, at)),
        }
    }

    fn literal(self, at: usize, word: &[u8]) -> Result<usize, Fault> {
        for (place, letter) in word.iter().enumerate() {
            if self.byte(at + place) != Some(*letter) {
                return Err(self.fault(at + place, at));
            }
        }
        Ok(at + word.len())
    }

    fn digits(self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b'0'..=b'9')) {
            at += 1;
        }
        at
    }

    fn number(self, start: usize) -> Result<usize, Fault> {
        let mut at = start + usize::from(self.byte(start) == Some(b'-'));
        if self.byte(at) == Some(b'I') {
            return self.literal(at, b"Infinity");
        }
        let some_digits = |at: usize| match self.digits(at) {
            end if end == at => Err(self.fault(at, start)),
            end => Ok(end),
        };
        at = if self.byte(at) == Some(b'0') {
            at + 1
        } else {
            some_digits(at)?
        };
        if self.byte(at) == Some(b'.') {
            at = some_digits(at + 1)?;
        }
        if matches!(self.byte(at), Some(b'e' | b'E')) {
            let signed = matches!(self.byte(at + 1), Some(b'+' | b'-'));
            at = some_digits(at + 1 + usize::from(signed))?;
        }
        Ok(at)
    }

    /// The end of the string whose quote stands at `start`.
    pub(super) fn string(self, start: usize) -> Result<usize, Fault> {
        let mut at = start + 1;
        loop {
            at = self.after_plain(at);
            match self.byte(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => at = self.escape(at, start)?,
                Some(_) => return Err(self.fault(at, start)),
                None => return Err(self.fault(self.bytes.len(), start)),
            }
        }
    }

    /// The first place from `at` on where a byte of a string does not just stand for itself. Most of a
    /// text is inside strings, so that eight bytes are looked at together.
    pub(super) fn after_plain(self, mut at: usize) -> usize {
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        while let Some((block, behind)) = rest.split_first_chunk() {
            let found = specials(*block);
            if found != 0 {
                return at + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
            }
            at += block.len();
            rest = behind;
        }
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        at + rest.iter().position(is_special).unwrap_or(rest.len())
    }

    fn escape(self, at: usize, string: usize) -> Result<usize, Fault> {
        match self.byte(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let bad = (at + 2..at + 6)
                    .find(|at| !self.byte(*at).is_some_and(|byte| byte.is_ascii_hexdigit()));
                bad.map_or(Ok(at + 6), |bad| Err(self.fault(bad, string)))
            }
            _ => Err(self.fault(at + 1, string)),
        }
    }
}

/// Marks, with its highest bit, each byte that is a quote, a backslash or a control character. Only
/// the first mark is certain: subtracting borrows from the bytes behind one that is found.
fn specials(block: [u8; 8]) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST_BITS: u64 = EACH << 7;
    let word = u64::from_le_bytes(block);
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (equal(b'"') | equal(b'\\') | below(word, 0x20)) & HIGHEST_BITS
}

/// The text of a string, of which this stands between its quotes.
pub(super) fn unescape(inner: &[u8]) -> Cow<'_, [u8]> {
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(place) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at_checked(place).unwrap_or((rest, &[]));
        text.extend_from_slice(plain);
        rest = match escape {
            [_, b'u', digits @ ..] => {
                let (char, after) = escaped_char(digits);
                text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            [_, letter, after @ ..] => {
                text.push(match letter {
                    b'b' => 0x8,
                    b'f' => 0xc,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    itself => *itself,
                });
                after
            }
            _ => &[],
        };
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// The character after `\u`, which may need a second half, and what follows. Half a pair becomes
/// U+FFFD.
fn escaped_char(rest: &[u8]) -> (char, &[u8]) {
    let unit = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let after = rest.get(4..).unwrap_or_default();
    let first = unit(rest).unwrap_or(0xfffd);
    let second = after.strip_prefix(b"\\u").and_then(unit);
    let pair = [Some(first), second].into_iter().flatten();
    match char::decode_utf16(pair).next() {
        Some(Ok(char)) if char.len_utf16() == 2 => (char, after.get(6..).unwrap_or_default()),
        Some(Ok(char)) => (char, after),
        _ => (char::REPLACEMENT_CHARACTER, after),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn eight_bytes_together_and_one_by_one_are_the_same(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(b"\"\\ !]\x1f\x20\x21\x80\xa2\xff".to_vec())], 0..40),
        ) {
            let first = bytes.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20);
            prop_assert_eq!(Scanner::new(&bytes).after_plain(0), first.unwrap_or(bytes.len()));
        }
    }
}
