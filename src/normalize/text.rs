//! How the Agent cleans texts: repairs what is not UTF-8, cuts what is too long, replaces characters
//! that a tag or a name may not have. A text that needs nothing is given back as it is, borrowed.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::trace::Text;

/// Characters of a tag that are looked at, those that are replaced counted.
const TAG_CHARS_MAX: usize = 200;
/// Bytes of a tag after which no further character is looked at.
const TAG_BYTES_MAX: usize = 2 * TAG_CHARS_MAX;

/// The text as UTF-8, with U+FFFD for every byte that is none.
///
/// `pkg/proto/pbgo/trace/decoder_bytes.go`, `repairUTF8`: a replacement for each byte, where
/// [`Text::to_lossy`] has one for each torn character.
pub(super) fn repair(text: Text<'_>) -> Cow<'_, str> {
    if let Some(text) = text.to_str() {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.as_bytes().len() + 8);
    for chunk in text.as_bytes().utf8_chunks() {
        repaired.push_str(chunk.valid());
        repaired.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(repaired)
}

/// Cleans a text by a rule, keeping the borrow where there is one.
pub(super) fn clean<'a>(
    text: Cow<'a, str>,
    rule: impl for<'t> Fn(&'t str) -> Cow<'t, str>,
) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => rule(text),
        Cow::Owned(text) => Cow::Owned(rule(&text).into_owned()),
    }
}

/// At most so many bytes of the text, no character torn.
///
/// `pkg/trace/traceutil/normalize`, `TruncateUTF8`.
pub(super) fn truncate(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max)
        .rev()
        .find(|end| text.is_char_boundary(*end));
    match end {
        Some(end) if text.len() > bytes_max => text.get(..end).unwrap_or_default(),
        _ => text,
    }
}

/// A tag's value: lower-case letters, digits and `:./-`; one `_` for each run of anything else, none
/// at the end. Empty if nothing is left.
///
/// `pkg/trace/traceutil/normalize/normalize.go`, `NormalizeTagValue`.
pub(super) fn tag_value(text: &str) -> Cow<'_, str> {
    if is_ascii_tag(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = Cleaned::of(text);
    let mut after_illegal = false;
    for (n_before, (place, char)) in text.char_indices().enumerate() {
        let lower = lower_case(char);
        let is_legal = is_tag_char(lower);
        if is_legal {
            cleaned.push(place, lower);
        } else if !after_illegal {
            cleaned.push(place, '_');
        }
        after_illegal = !is_legal;
        if place + char.len_utf8() >= TAG_BYTES_MAX || n_before + 1 >= TAG_CHARS_MAX {
            break;
        }
    }
    if after_illegal {
        cleaned.pop();
    }
    cleaned.finish()
}

/// The ordinary case, told byte by byte (`normalize.go`, `isNormalizedASCIITag`).
fn is_ascii_tag(tag: &[u8]) -> bool {
    let is_legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b':' | b'.' | b'/' | b'-');
    // Ends as if a legal byte had been read: an underscore may stand first, but not last.
    let mut after_underscore = false;
    let all_legal = tag.iter().all(|byte| {
        let is_underscore = *byte == b'_' && !after_underscore;
        after_underscore = is_underscore;
        is_underscore || is_legal(*byte)
    });
    tag.len() <= TAG_CHARS_MAX && all_legal && !after_underscore
}

/// Go's `unicode.IsLetter`, `unicode.IsDigit` and the three marks.
fn is_tag_char(char: char) -> bool {
    match char {
        'a'..='z' | '0'..='9' | ':' | '.' | '/' | '-' => true,
        '\0'..='\x7f' => false,
        _ => {
            char.general_category_group() == GeneralCategoryGroup::Letter
                || char.general_category() == GeneralCategory::DecimalNumber
        }
    }
}

/// The small letter of a capital one, unless it takes another number of bytes. Go maps one letter
/// to one letter; the only one that Rust maps to more is `İ`, whose Go twin is of another length.
fn lower_case(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    if char.general_category() != GeneralCategory::UppercaseLetter {
        return char;
    }
    let mut lower = char.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if lower.len_utf8() == char.len_utf8() => lower,
        _ => char,
    }
}

/// An operation's name, as the name of a metric has to be: from the first ASCII letter on, letters,
/// digits, `.` and `_`; one separator for each run of others. `None` without any letter.
///
/// `normalize.go`, `normMetricNameParse`.
pub(super) fn name(text: &str) -> Option<Cow<'_, str>> {
    let start = text.find(|char: char| char.is_ascii_alphabetic())?;
    let text = text.get(start..)?;
    if is_metric_name(text) {
        let whole = text.strip_suffix('_').unwrap_or(text);
        return Some(Cow::Borrowed(whole));
    }
    let mut cleaned = Cleaned::of(text);
    let mut last = None;
    for (place, char) in text.char_indices() {
        let next = match (char, last) {
            _ if char.is_ascii_alphanumeric() => char,
            ('.', Some('_')) => {
                cleaned.pop();
                '.'
            }
            ('.', _) => '.',
            (_, Some('.' | '_')) => continue,
            _ => '_',
        };
        cleaned.push(place, next);
        last = Some(next);
    }
    if last == Some('_') {
        cleaned.pop();
    }
    Some(cleaned.finish())
}

/// `normalize.go`, `isValidNormalizedMetricName`. Looser than what `name` makes of other texts: `a._b`
/// passes.
fn is_metric_name(name: &str) -> bool {
    let mut last = 0;
    name.bytes().all(|byte| {
        let before = std::mem::replace(&mut last, byte);
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') && before != b'_'
    })
}

/// A copy of a text that stays a borrow as long as it repeats the text's start.
struct Cleaned<'a> {
    source: &'a str,
    n_same: usize,
    changed: Option<String>,
}

impl<'a> Cleaned<'a> {
    fn of(source: &'a str) -> Self {
        Self {
            source,
            n_same: 0,
            changed: None,
        }
    }

    fn same(&self) -> &'a str {
        self.source.get(..self.n_same).unwrap_or_default()
    }

    /// Adds a character in place of the one that stands at `place` of the source.
    fn push(&mut self, place: usize, char: char) {
        let is_same = || {
            let rest = self.source.get(place..);
            rest.is_some_and(|rest| rest.starts_with(char))
        };
        if self.changed.is_none() && place == self.n_same && is_same() {
            self.n_same += char.len_utf8();
            return;
        }
        let same = self.same();
        self.changed
            .get_or_insert_with(|| same.to_owned())
            .push(char);
    }

    /// Takes the last character back, which is an ASCII one.
    fn pop(&mut self) {
        match &mut self.changed {
            Some(changed) => {
                changed.pop();
            }
            None => self.n_same = self.n_same.saturating_sub(1),
        }
    }

    fn finish(self) -> Cow<'a, str> {
        let same = self.same();
        self.changed.map_or(Cow::Borrowed(same), Cow::Owned)
    }
}
