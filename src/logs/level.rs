//! How severe a line is, in all the spellings loggers use.

use std::fmt;
use std::str::FromStr;

/// The severity of a line, in the order of what deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For the developer.
    Debug,
    /// What happens.
    Info,
    /// What should not go on.
    Warn,
    /// What failed.
    Error,
    /// What cannot go on.
    Critical,
}

/// Which numbers a logger gives its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Python's `logging`: 10 is debug, 50 critical.
    Python,
    /// Node's pino and bunyan: 10 is trace, 60 fatal.
    Pino,
}

/// The spellings, in lower case.
const SPELLINGS: [(&str, Level); 24] = [
    ("trace", Level::Trace),
    ("notset", Level::Trace),
    ("debug", Level::Debug),
    ("dbg", Level::Debug),
    ("info", Level::Info),
    ("information", Level::Info),
    ("informational", Level::Info),
    ("notice", Level::Info),
    ("success", Level::Info),
    ("ok", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("exception", Level::Error),
    ("severe", Level::Error),
    ("critical", Level::Critical),
    ("crit", Level::Critical),
    ("fatal", Level::Critical),
    ("alert", Level::Critical),
    ("emerg", Level::Critical),
    ("emergency", Level::Critical),
    ("panic", Level::Critical),
    ("failure", Level::Error),
];

/// The words that stand for a level in plain text.
const TEXT_WORDS: [&str; 9] = [
    "TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "SUCCESS",
];

/// How far into a text its level stands.
const TEXT_BYTES_MAX: usize = 80;

impl Level {
    /// Every level with its name in exports.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Trace, "trace"),
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Warn, "warn"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(level, _)| *level == self);
        known.map_or("", |(_, name)| name)
    }

    /// Reads a level as a logger spells it; numbers as text too.
    pub(crate) fn spelled(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::numbered(number, Numbers::Python);
        }
        let known = SPELLINGS
            .iter()
            .find(|(spelling, _)| spelling.eq_ignore_ascii_case(text));
        known.map(|(_, level)| *level)
    }

    /// The level that a number stands for: the highest that it reaches.
    pub(super) fn numbered(number: i64, numbers: Numbers) -> Option<Self> {
        let number = match numbers {
            Numbers::Python => number,
            Numbers::Pino => number - 10,
        };
        Some(match number {
            50.. => Self::Critical,
            40..50 => Self::Error,
            30..40 => Self::Warn,
            20..30 => Self::Info,
            10..20 => Self::Debug,
            0..10 => Self::Trace,
            _ => return None,
        })
    }

    /// The level that a plain text names near its beginning: a word in capitals, or any level in
    /// brackets or after `level=`.
    pub(super) fn in_text(text: &str) -> Option<Self> {
        let mut end = text.len().min(TEXT_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let head = text.get(..end).unwrap_or_default();
        let words = head.split(|char: char| !char.is_ascii_alphanumeric());
        let mut offset = 0;
        for word in words {
            let before = head.get(..offset).unwrap_or_default();
            offset += word.len() + 1;
            let is_marked =
                before.ends_with('[') || before.to_ascii_lowercase().ends_with("level=");
            if (is_marked && !word.is_empty() && !word.bytes().all(|byte| byte.is_ascii_digit()))
                || TEXT_WORDS.contains(&word)
            {
                if let Some(level) = Self::spelled(word) {
                    return Some(level);
                }
            }
        }
        None
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    /// Reads what [`Level`]'s `Display` writes, and nothing else.
    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known
            .map(|(level, _)| *level)
            .ok_or_else(|| format!("{name:?} is no level"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_a_level() {
        let cases = [
            ("info", Some(Level::Info)),
            ("WARNING", Some(Level::Warn)),
            ("Warn", Some(Level::Warn)),
            ("fatal", Some(Level::Critical)),
            (" ERROR ", Some(Level::Error)),
            ("30", Some(Level::Warn)),
            ("25", Some(Level::Info)),
            ("loud", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Level::spelled(text), expected, "{text}");
        }
        assert_eq!(Level::numbered(30, Numbers::Pino), Some(Level::Info));
        assert_eq!(Level::numbered(60, Numbers::Pino), Some(Level::Critical));
        assert_eq!(Level::numbered(-1, Numbers::Python), None);
    }

    #[test]
    fn a_text_names_its_level_near_its_beginning() {
        let cases = [
            (
                "2026-11-20 20:27:25,577 INFO [app] [x.py:42] - hi",
                Some(Level::Info),
            ),
            ("WARNING:root:careful", Some(Level::Warn)),
            (
                "INFO:     127.0.0.1 - \"GET / HTTP/1.1\" 200 OK",
                Some(Level::Info),
            ),
            (
                "2026-01-09T23:06:40Z [error    ] it broke",
                Some(Level::Error),
            ),
            ("ts=1 level=debug msg=x", Some(Level::Debug)),
            (
                "2026-11-20 20:27:27.397 | SUCCESS  | __main__:f:53 - done",
                Some(Level::Info),
            ),
            ("no error here", None),
            ("[x.py:42] hello", None),
            ("ERRORS are many", None),
            ("", None),
            ("éééééééééééééééééééééééééééééééééééééééééé ERROR", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Level::in_text(text), expected, "{text}");
        }
    }
}
