//! JSON as slices of its text: values are checked once and read where they stand, so that numbers
//! keep every digit, keys keep their order, and a text that breaks off says where.
//!
//! Beside the standard's numbers, Python's `NaN` and `Infinity` are taken. Nothing is allocated but
//! strings with escapes, and nothing recurses.

use std::borrow::Cow;

/// How deep values may nest; what is deeper is no JSON to us.
const DEPTH_MAX: u32 = 128;

/// One value, checked, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(&'a str);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

/// Why a text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte that does not fit.
    pub(crate) at: usize,
    /// Where the last string or mark before it began: nothing before is to blame.
    pub(crate) token: usize,
    /// The text ended too early; as far as it goes it is JSON.
    pub(crate) is_end: bool,
}

impl<'a> Raw<'a> {
    /// The value a text begins with, after white space, and what follows it.
    pub(crate) fn first(text: &'a str) -> Result<(Self, &'a str), Fault> {
        let start = Scanner::new(text).after_space(0);
        let end = Scanner::new(text).value(start)?;
        let value = text.get(start..end).unwrap_or_default();
        Ok((Self(value), text.get(end..).unwrap_or_default()))
    }

    /// A text that is one value and nothing else.
    pub(crate) fn whole(text: &'a str) -> Result<Self, Fault> {
        let (value, rest) = Self::first(text)?;
        let rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(value);
        }
        let at = text.len() - rest.len();
        Err(Fault {
            at,
            token: at,
            is_end: false,
        })
    }

    /// The value as it is written.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0.bytes().next() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The members of an object in their order, equal keys each for themselves; of anything else,
    /// none.
    pub(crate) fn entries(self) -> Entries<'a> {
        Entries(Members::of(self, Kind::Object))
    }

    /// The elements of an array; of anything else, none.
    pub(crate) fn items(self) -> Items<'a> {
        Items(Members::of(self, Kind::Array))
    }

    /// The first member with a key.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.entries()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The text of a string, its escapes resolved; half a surrogate pair becomes U+FFFD.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(unescape(inner))
    }

    /// A number as it is written.
    pub(crate) fn number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then_some(self.0)
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a>(Members<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.next_value()?;
        let value = self.0.next_value()?;
        Some((key.string()?, value))
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a>(Members<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_value()
    }
}

/// The values within brackets that were checked before, one after another.
#[derive(Clone, Debug)]
struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    fn of(value: Raw<'a>, kind: Kind) -> Self {
        let text = if value.kind() == kind { value.0 } else { "" };
        Self { text, at: 1 }
    }

    fn next_value(&mut self) -> Option<Raw<'a>> {
        let scanner = Scanner::new(self.text);
        let mut start = scanner.after_space(self.at);
        if matches!(scanner.byte(start), Some(b',' | b':')) {
            start = scanner.after_space(start + 1);
        }
        // At the closing bracket there is none.
        let end = scanner.value(start).ok()?;
        self.at = end;
        self.text.get(start..end).map(Raw)
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

#[derive(Clone, Copy)]
struct Scanner<'a> {
    bytes: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
        }
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn after_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    }

    fn fault(self, at: usize, token: usize) -> Fault {
        Fault {
            at,
            token,
            is_end: at >= self.bytes.len(),
        }
    }

    /// The end of the value that begins at `start`.
    fn value(self, start: usize) -> Result<usize, Fault> {
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

    fn scalar(self, at: usize) -> Result<usize, Fault> {
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
    fn string(self, start: usize) -> Result<usize, Fault> {
        let mut at = start + 1;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let Some(plain) = plain else {
                return Err(self.fault(self.bytes.len(), start));
            };
            at += plain;
            match self.byte(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => at = self.escape(at, start)?,
                _ => return Err(self.fault(at, start)),
            }
        }
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

fn unescape(inner: &str) -> Cow<'_, str> {
    let Some((plain, mut rest)) = inner.split_once('\\') else {
        return Cow::Borrowed(inner);
    };
    let mut text = String::with_capacity(inner.len());
    text.push_str(plain);
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (char, after) = escaped_char(chars.as_str());
                text.push(char);
                chars = after.chars();
            }
            Some(itself) => text.push(itself),
            None => {}
        }
        let Some((plain, after)) = chars.as_str().split_once('\\') else {
            text.push_str(chars.as_str());
            return Cow::Owned(text);
        };
        text.push_str(plain);
        rest = after;
    }
}

/// The character after `\u`, which may need a second half, and what follows.
fn escaped_char(rest: &str) -> (char, &str) {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let after = rest.get(4..).unwrap_or_default();
    let first = unit(rest).unwrap_or(0xfffd);
    let second = after.strip_prefix("\\u").and_then(unit);
    let pair = [Some(first), second].into_iter().flatten();
    let first_char = char::decode_utf16(pair).next();
    match first_char {
        Some(Ok(char)) if char.len_utf16() == 2 => (char, after.get(6..).unwrap_or_default()),
        Some(Ok(char)) => (char, after),
        _ => (char::REPLACEMENT_CHARACTER, after),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_fault(text: &str, at: usize, token: usize, is_end: bool) {
        assert_eq!(
            Raw::whole(text).unwrap_err(),
            Fault { at, token, is_end },
            "{text}"
        );
    }

    #[test]
    fn members_come_in_their_order_with_every_digit() {
        let text = r#" {"b": 142230807100249176715567368663504182739, "a" : [1, {"x":null}, "y"], "b":-0.50e+1 } tail"#;
        let (object, rest) = Raw::first(text).unwrap();
        let entries: Vec<_> = object
            .entries()
            .map(|(key, value)| (key.into_owned(), value.text()))
            .collect();
        let expected = [
            ("b".to_owned(), "142230807100249176715567368663504182739"),
            ("a".to_owned(), r#"[1, {"x":null}, "y"]"#),
            ("b".to_owned(), "-0.50e+1"),
        ];
        assert_eq!(entries, expected);
        assert_eq!(rest, " tail");
        let items: Vec<_> = object.get("a").unwrap().items().map(Raw::kind).collect();
        assert_eq!(items, [Kind::Number, Kind::Object, Kind::Text]);
        assert_eq!(object.items().count(), 0);
    }

    #[test]
    fn a_fault_names_the_token_that_another_writer_may_have_broken() {
        check_fault(r#"{"event":"a",{"event":"b"}"#, 13, 13, false);
        check_fault(r#"{"event":"a{"event":"b"}"#, 13, 9, false);
        check_fault(r#"{"event":"a""#, 12, 9, true);
        check_fault(r#"{"event":"a"#, 11, 9, true);
        check_fault(r#"{"eve{"event":"b"}"#, 7, 1, false);
        check_fault(r#"{"n":12{"a":1}"#, 7, 7, false);
        check_fault("{} x", 3, 3, false);
        check_fault("", 0, 0, true);
        check_fault("{\"a\":\"\u{1}\"}", 6, 5, false);
        check_fault(r#"{"a":"\x"}"#, 7, 5, false);
        check_fault("[1,]", 3, 3, false);
        check_fault("[1}", 2, 2, false);
        check_fault("01", 1, 1, false);
    }

    #[test]
    fn escapes_are_resolved_and_half_a_pair_is_replaced() {
        let string = |text| Raw::whole(text).unwrap().string().unwrap().into_owned();
        assert_eq!(
            string(r#""\u2603 \ud83d\ude00 \n\"\\\/ é""#),
            "\u{2603} \u{1f600} \n\"\\/ é"
        );
        assert_eq!(
            string(r#""\ud83d x \ude00\ud83d""#),
            "\u{fffd} x \u{fffd}\u{fffd}"
        );
        assert_eq!(string(r#""\ud83dA""#), "\u{fffd}A");
    }

    #[test]
    fn pythons_numbers_are_numbers() {
        for number in ["NaN", "Infinity", "-Infinity", "-0", "1e5", "0.1"] {
            assert_eq!(Raw::whole(number).unwrap().number(), Some(number));
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Raw::whole(&nested(128)).is_ok());
        check_fault(&nested(129), 128, 128, false);
        assert!(Raw::whole(&"[{\"a\":".repeat(1_000_000)).is_err());
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn same(raw: Raw<'_>, value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => raw.string().as_deref() == Some(text),
            serde_json::Value::Array(items) => {
                raw.items().count() == items.len()
                    && raw.items().zip(items).all(|(raw, item)| same(raw, item))
            }
            serde_json::Value::Object(entries) => {
                raw.entries().count() == entries.len()
                    && raw
                        .entries()
                        .zip(entries)
                        .all(|((key, raw), (name, value))| key == *name && same(raw, value))
            }
            other => raw.text() == other.to_string().as_str(),
        }
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_back(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            prop_assert!(same(Raw::whole(&text).unwrap(), &value));
        }

        #[test]
        fn any_cut_of_a_value_is_a_fault_or_a_value(value in any_json(), cut in any::<prop::sample::Index>()) {
            let text = value.to_string();
            let mut cut = cut.index(text.len() + 1);
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            if let Err(fault) = Raw::whole(text.get(..cut).unwrap()) {
                prop_assert!(fault.token <= fault.at && fault.at <= cut);
            }
        }
    }
}
