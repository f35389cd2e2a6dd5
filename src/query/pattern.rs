//! Text that is looked for, upper and lower case alike: anywhere in a text, or as the whole of one.
//! Folded once, when the query is read.

use super::find::find_ignoring_case;
use crate::trace::Text;

/// Pieces of text between wildcards, lower-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<String>,
    reach: Reach,
    is_ascii: bool,
}

/// How much of a text has to be like the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Part,
    Whole,
}

impl Pattern {
    /// Some part of a text: `*` stands for anything.
    pub(super) fn part(text: &str) -> Self {
        let mut part = Self::of_pieces(text.split('*'), Reach::Part);
        part.pieces.retain(|piece| !piece.is_empty());
        part
    }

    /// Some part of a text, to the letter.
    pub(super) fn literal_part(text: &str) -> Self {
        Self::of_pieces([text], Reach::Part)
    }

    /// A whole text: `*` stands for anything.
    pub(super) fn whole(text: &str) -> Self {
        Self::of_pieces(text.split('*'), Reach::Whole)
    }

    /// A whole text, to the letter.
    pub(super) fn literal(text: &str) -> Self {
        Self::of_pieces([text], Reach::Whole)
    }

    fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>, reach: Reach) -> Self {
        let pieces: Vec<String> = pieces.into_iter().map(folded).collect();
        Self {
            is_ascii: pieces.iter().all(|piece| piece.is_ascii()),
            pieces,
            reach,
        }
    }

    /// The text that is looked for, if no wildcard is in it.
    pub(super) fn only_piece(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The texts that are looked for, one after another.
    pub(super) fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// Whether texts are folded before they are compared, and may gain ASCII by it.
    pub(super) fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// Whether a text is like it.
    pub(super) fn is_like(&self, text: Text<'_>) -> bool {
        if self.is_ascii {
            self.is_like_folded(text.as_bytes())
        } else if text.as_bytes().is_ascii() {
            false
        } else {
            self.is_like_folded(folded(&text.to_lossy()).as_bytes())
        }
    }

    /// Every piece is ASCII, or the text is folded.
    fn is_like_folded(&self, text: &[u8]) -> bool {
        match (self.reach, self.pieces.as_slice()) {
            (Reach::Part, [only]) => after_ignoring_case(text, only.as_bytes()).is_some(),
            (Reach::Part, pieces) => rest_after(text, pieces).is_some(),
            (Reach::Whole, [first, between @ .., last]) => starts_with(text, first)
                .and_then(|rest| rest_after(rest, between))
                .is_some_and(|rest| ends_with(rest, last)),
            (Reach::Whole, [only]) => text.eq_ignore_ascii_case(only.as_bytes()),
            (Reach::Whole, []) => false,
        }
    }
}

/// What is left of a text after the pieces, found one after another.
fn rest_after<'t>(text: &'t [u8], pieces: &[String]) -> Option<&'t [u8]> {
    pieces.iter().try_fold(text, |rest, piece| {
        after_ignoring_case(rest, piece.as_bytes())
    })
}

/// What follows `part`, which is lower-case, where `text` first contains it.
fn after_ignoring_case<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let place = find_ignoring_case(text, part)?;
    text.get(place + part.len()..)
}

/// What follows `start`, which is lower-case, at the beginning of `text`.
pub(super) fn starts_with<'t>(text: &'t [u8], start: &str) -> Option<&'t [u8]> {
    let (begins, rest) = text.split_at_checked(start.len())?;
    begins
        .eq_ignore_ascii_case(start.as_bytes())
        .then_some(rest)
}

/// Whether `text` ends with `end`, which is lower-case.
pub(super) fn ends_with(text: &[u8], end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    let ending = start.and_then(|start| text.get(start..));
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(end.as_bytes()))
}

/// Lower case, letter by letter, so that the same letters fold alike wherever they stand.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &Pattern, text: &str, expected: bool) {
        assert_eq!(
            pattern.is_like(Text::from(text)),
            expected,
            "{pattern:?} {text}"
        );
    }

    #[test]
    fn case_does_not_matter() {
        let cases = [
            ("POST /v1/generate", "post", true),
            ("POST /v1/generate", "generate", true),
            ("POST /v1/generate", "generates", false),
            ("aab", "ab", true),
            ("", "a", false),
            ("CudaOOM", "daoo", true),
            ("über", "ÜBER", true),
            ("vllm.decode", "v*dec", true),
            ("vllm.decode", "dec*v", false),
            ("anything", "*", true),
        ];
        for (text, part, expected) in cases {
            check(&Pattern::part(part), text, expected);
        }
        check(&Pattern::literal_part("a*c"), "abc", false);
        check(&Pattern::literal_part("a*c"), "xa*cx", true);
    }

    #[test]
    fn a_whole_text_is_compared_from_end_to_end() {
        let cases = [
            ("gen-api", "gen-api", true),
            ("gen-api", "API", false),
            ("gen-api", "*API", true),
            ("gen-api", "gen*", true),
            ("gen-api", "g*n*i", true),
            ("gen-api", "gen-api*", true),
            ("aba", "ab*ba", false),
            ("", "*", true),
            ("", "", true),
            ("ÜBER alles", "über*", true),
        ];
        for (text, pattern, expected) in cases {
            check(&Pattern::whole(pattern), text, expected);
        }
    }
}
