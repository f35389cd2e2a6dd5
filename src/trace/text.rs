//! Text as it came: bytes that ought to be UTF-8.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A string from the wire. Tracers promise UTF-8 and mostly keep it; what they sent is kept either
/// way and checked only where somebody looks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The bytes as received.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, unless it is not UTF-8.
    pub fn to_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// The text with U+FFFD in place of what is not UTF-8, as the Agent repairs it.
    pub fn to_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a terminal may obey a character instead of showing it: control characters, separators
/// that count as line ends, marks and embeddings of bidirectional text. All are in the basic plane.
pub(crate) fn is_obeyed(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character shows nothing, so that two texts could look the same: joiners and spaces of
/// no width, soft hyphens, fillers, tags. Marks that belong to a letter do show.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e01ef}')
}

/// Text of a stranger as it may be shown: bounded, and nothing in it that moves a cursor or turns
/// the direction of writing.
pub(crate) fn printable(text: &str, bytes_max: usize) -> Box<str> {
    if text.len() <= bytes_max && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let hidden = is_obeyed(character) || is_invisible(character);
        let character = if hidden {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if shown.len() + character.len_utf8() > bytes_max {
            break;
        }
        shown.push(character);
    }
    shown.into()
}

/// Text for a shell, a file of lines or standard error: whatever a terminal obeys is shown instead of
/// sent, but for newlines and tabs.
pub fn harmless_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(is_no_layout) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match (letter, u32::from(letter)) {
            _ if !is_no_layout(letter) => shown.push(letter),
            ('\x7f', _) => shown.push('\u{2421}'),
            (_, code @ 0..0x20) => shown.extend(char::from_u32(0x2400 + code)),
            (_, code) => {
                let _never_fails = write!(shown, "\\u{{{code:x}}}");
            }
        }
    }
    Cow::Owned(shown)
}

fn is_no_layout(letter: char) -> bool {
    is_obeyed(letter) && letter != '\n' && letter != '\t'
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_lossy())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_lossy(), f)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

/// What strangers send to do harm, for the tests of everything that writes.
#[cfg(test)]
pub(crate) mod nasty {
    use super::is_obeyed;

    /// Each would do something to a terminal, a shell, a log or a reader.
    pub(crate) const TEXTS: [&str; 16] = [
        "\x1b[2J\x1b[31mred",
        "\x1b]0;title\x07",
        "\x1b]52;c;cm0gLXJmIH4=\x07",
        "\x1bP+q544e\x1b\\",
        "\u{9b}31m\u{9d}0;title\u{9c}",
        "a\rb\x08\x08\x7f",
        "name\nrm -rf ~\n",
        "tab\tvertical\x0bform\x0c",
        "nul\0bell\x07",
        "safe\u{202e}txt.exe",
        "\u{2066}isolate\u{2069}\u{61c}\u{200f}",
        "line\u{2028}paragraph\u{2029}next\u{85}line",
        "zero\u{200b}width\u{feff}\u{e0041}",
        "../../../etc/passwd\0",
        "\u{ffff}\u{10ffff}\u{fffd}",
        "%s$(reboot)`reboot`;\"'\\",
    ];

    /// A letter with more marks than any language has.
    pub(crate) fn towering() -> String {
        format!("a{}b", "\u{301}\u{20e4}".repeat(5_000))
    }

    /// Nothing in it is obeyed by a terminal, but what `allowed` names.
    #[track_caller]
    pub(crate) fn assert_harmless(written: &str, allowed: &[char]) {
        let found = written
            .chars()
            .find(|char| is_obeyed(*char) && !allowed.contains(char));
        assert_eq!(found, None, "in {written:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_a_shell_keep_their_layout_and_nothing_else_that_is_obeyed() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(harmless_lines(text), expected);
        }
        check("\x1b[31mred\x1b[0m", "␛[31mred␛[0m");
        check("one\n\ttwo\r\n", "one\n\ttwo␍\n");
        check("\x7f\u{9b}2J", "␡\\u{9b}2J");
        check("safe\u{202e}txt.exe", "safe\\u{202e}txt.exe");
        check("größer ☃", "größer ☃");
        for text in nasty::TEXTS {
            nasty::assert_harmless(&harmless_lines(text), &['\n', '\t']);
            nasty::assert_harmless(&printable(text, 1_000), &[]);
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(&*printable("aéé", 4), "aé");
        assert_eq!(&*printable("\u{202e}x", 16), "\u{fffd}x");
    }
}
