//! JSON as slices of its text: values are checked once and read where they stand, so that numbers
//! keep every digit, keys keep their order, and a text that breaks off says where.
//!
//! Beside the standard's numbers, Python's `NaN` and `Infinity` are taken. Nothing is allocated but
//! strings with escapes, and nothing recurses.
//!
//! [`Raw`] is a value whose text was checked as a whole, as a log line must be before it is taken for
//! one. [`Reader`] checks a body while it is read.

mod reader;
mod scanner;

use std::borrow::Cow;

pub(crate) use reader::{Opened, Reader};
use scanner::{Scanner, unescape};

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

impl Kind {
    /// What the value is that begins with this byte.
    fn of(first: u8) -> Option<Self> {
        Some(match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::Text,
            b't' | b'f' => Self::Bool,
            b'n' => Self::Null,
            b'-' | b'0'..=b'9' | b'N' | b'I' => Self::Number,
            _ => return None,
        })
    }
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
        let start = Scanner::new(text.as_bytes()).after_space(0);
        let end = Scanner::new(text.as_bytes()).value(start)?;
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
        let first = self.0.bytes().next();
        first.and_then(Kind::of).unwrap_or(Kind::Number)
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
        Some(match unescape(inner.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(inner),
            Cow::Owned(text) => Cow::Owned(String::from_utf8(text).unwrap_or_default()),
        })
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
        let scanner = Scanner::new(self.text.as_bytes());
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
