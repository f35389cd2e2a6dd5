//! Why a payload could not be decoded, and where in it. The path to the place is put together only
//! while an error travels up, so that decoding what is well-formed pays nothing for it.

use std::fmt;

use crate::trace::TooLarge;

/// Why a payload could not be decoded.
///
/// ```text
/// [0][2].meta["foo"]: expected a string, found an integer at byte 123
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{details}")]
pub struct DecodeError {
    /// Boxed: a result that is nearly always fine must be small.
    details: Box<Details>,
}

#[derive(Debug)]
struct Details {
    problem: Problem,
    offset: usize,
    /// From the innermost step to the outermost.
    path: Vec<Step>,
}

/// What is wrong with the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The body ends too early, or announces more than it can hold.
    #[error("the body is cut short: it needs {needed} more bytes and has {left}")]
    Short {
        /// The fewest bytes that what was announced takes.
        needed: usize,
        /// The bytes that are there.
        left: usize,
    },
    /// Another type than the format asks for.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the format asks for, with its article.
        expected: &'static str,
        /// What is there, with its article.
        found: &'static str,
    },
    /// A whole number that the field has no room for.
    #[error("the number {number} does not fit in {room}")]
    OutOfRange {
        /// The number.
        number: i128,
        /// What the field holds.
        room: &'static str,
    },
    /// A string that is not in the payload's dictionary.
    #[error("dictionary index {index} out of range: it has {length} strings")]
    DictionaryIndex {
        /// The index.
        index: u64,
        /// How many strings the dictionary has.
        length: usize,
    },
    /// A list that always has the same length, with another one.
    #[error("expected {expected} elements, found {found}")]
    WrongLength {
        /// The length it always has.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// Bytes that always have the same length, with another one.
    #[error("expected {expected} bytes, found {found}")]
    WrongBytes {
        /// The length they always have.
        expected: usize,
        /// The length they have.
        found: usize,
    },
    /// A flat list of groups, with a group that is not whole.
    #[error("expected groups of {group}, found {found} elements")]
    Uneven {
        /// Elements of a group.
        group: usize,
        /// Elements of the list.
        found: usize,
    },
    /// A type of attribute that the format does not have.
    #[error("attributes have no type {found}")]
    AttributeType {
        /// The type's number.
        found: u64,
    },
    /// A whole table of strings where some have been read already.
    #[error("the table of strings comes after other strings")]
    LateStrings,
    /// Arrays and maps inside each other beyond any use.
    #[error("arrays and maps nest more than {max} deep")]
    TooDeep {
        /// How deep they may nest.
        max: usize,
    },
    /// Bytes that are no message of the format, in a sentence.
    #[error("{0}")]
    Malformed(Box<str>),
    /// JSON that is not read to the end of a value.
    #[error("the body is cut short: its JSON does not end")]
    JsonEnds,
    /// What does not fit is no JSON.
    #[error("the body is no JSON from here on")]
    NoJson,
    /// More of something than anyone sends at once.
    #[error("more than {max} {what} at once; let the client send less at once")]
    TooMany {
        /// What, in the plural.
        what: &'static str,
        /// How many are taken.
        max: usize,
    },
    /// The durations in a client's statistics.
    #[error("the durations are no sketch: {0}")]
    Sketch(&'static str),
    /// Decoded, it would take too much memory.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

#[derive(Debug)]
enum Step {
    Index(usize),
    Field(&'static str),
    Key(Box<str>),
}

/// Steps that a message shows; the outer ones say most.
const STEPS_SHOWN_MAX: usize = 8;

/// Characters of a stranger's name that a message shows.
const NAME_CHARS_MAX: usize = 48;

impl DecodeError {
    #[cold]
    pub(crate) fn new(problem: Problem, offset: usize) -> Self {
        Self {
            details: Box::new(Details {
                problem,
                offset,
                path: Vec::new(),
            }),
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.details.problem
    }

    /// The place in the body, in bytes from its beginning.
    pub fn offset(&self) -> usize {
        self.details.offset
    }

    /// The error, seen from the list in which the value has this place.
    #[cold]
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.details.path.push(Step::Index(index));
        self
    }

    /// The error, seen from the thing that has this field.
    #[cold]
    pub(crate) fn in_field(mut self, name: &'static str) -> Self {
        self.details.path.push(Step::Field(name));
        self
    }

    /// The error, seen from the map that has this key.
    #[cold]
    pub(crate) fn in_key(mut self, key: &[u8]) -> Self {
        self.details.path.push(Step::Key(printable(key).into()));
        self
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.path.iter().rev().take(STEPS_SHOWN_MAX) {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[\"{key}\"]")?,
            }
        }
        if self.path.len() > STEPS_SHOWN_MAX {
            f.write_str("…")?;
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{} at byte {}", self.problem, self.offset)
    }
}

/// A stranger's name, shortened, with escapes in place of what would steer a terminal.
fn printable(name: &[u8]) -> String {
    // Four bytes are the most that a character takes.
    let head = name.get(..NAME_CHARS_MAX * 4).unwrap_or(name);
    let text = String::from_utf8_lossy(head);
    let mut characters = text.chars();
    let mut printable: String = characters
        .by_ref()
        .take(NAME_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if characters.next().is_some() {
        printable.push('…');
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &DecodeError, expect: &str) {
        assert_eq!(error.to_string(), expect);
    }

    fn wrong_type() -> DecodeError {
        let problem = Problem::WrongType {
            expected: "a string",
            found: "an integer",
        };
        DecodeError::new(problem, 123)
    }

    #[test]
    fn a_message_names_the_place_from_outside_to_inside() {
        let error = wrong_type()
            .in_key(b"foo")
            .in_field("meta")
            .in_element(2)
            .in_element(0);
        check(
            &error,
            r#"[0][2].meta["foo"]: expected a string, found an integer at byte 123"#,
        );
        check(
            &wrong_type(),
            "expected a string, found an integer at byte 123",
        );
    }

    #[test]
    fn names_of_strangers_are_shortened_and_made_printable() {
        check(
            &wrong_type().in_key(b"\x1b[31m\"\n\xff"),
            "[\"\\u{1b}[31m\\\"\\n\u{fffd}\"]: expected a string, found an integer at byte 123",
        );
        let long = wrong_type().in_key(&vec![b'a'; 100_000]).to_string();
        assert!(
            long.starts_with(&format!("[\"{}…\"]: ", "a".repeat(48))),
            "{long}"
        );
    }

    #[test]
    fn a_long_path_shows_its_outer_steps() {
        let error = (0..60)
            .fold(wrong_type(), |error, _| error.in_key(b"a"))
            .in_field("span_links");
        let text = error.to_string();
        assert!(text.starts_with(".span_links[\"a\"][\"a\"]"), "{text}");
        assert!(text.contains("[\"a\"]…: expected"), "{text}");
        assert!(text.len() < 120, "{text}");
    }
}
