//! Text as it came: bytes that ought to be UTF-8.

use std::borrow::Cow;
use std::fmt;

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
/// no width, soft hyphens, tags. Marks that belong to a letter do show.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text of a stranger as it may be shown: bounded, and nothing in it that moves a cursor or turns
/// the direction of writing.
pub(crate) fn printable(text: &str, bytes_max: usize) -> Box<str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(&*printable("aéé", 4), "aé");
        assert_eq!(&*printable("\u{202e}x", 16), "\u{fffd}x");
    }
}
