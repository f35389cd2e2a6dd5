//! Text that is looked for, upper and lower case alike: anywhere in a text, or as the whole of one.
//! Folded once, when the query is read.

use crate::trace::{SpanId, Text, TraceId};

/// Shorter words are not looked for in ids: `500` would find one trace in ten.
const ID_DIGITS_MIN: usize = 6;

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
    fn part(text: &str) -> Self {
        let mut part = Self::of_pieces(text.split('*'), Reach::Part);
        part.pieces.retain(|piece| !piece.is_empty());
        part
    }

    /// Some part of a text, to the letter.
    fn literal_part(text: &str) -> Self {
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
    fn only_piece(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether a text is like it.
    pub(super) fn is_like(&self, text: Text<'_>) -> bool {
        if self.is_ascii {
            self.is_like_folded(text.as_bytes())
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
    let Some((first, rest)) = part.split_first() else {
        return Some(text);
    };
    let upper = first.to_ascii_uppercase();
    let mut from = text;
    loop {
        let place = from
            .iter()
            .position(|byte| byte == first || *byte == upper)?;
        let after = from.get(place + 1..).unwrap_or_default();
        let (same, left) = after.split_at_checked(rest.len())?;
        if same.eq_ignore_ascii_case(rest) {
            return Some(left);
        }
        from = after;
    }
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

/// A word or phrase that is looked for in every text of a thing, and in its ids if it can be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pattern: Pattern,
    id: Option<IdForm>,
    /// The low half of the trace id that the word is, written out: some clients know no more.
    low: Option<u64>,
    may_be_number: bool,
    may_be_in_sampling: bool,
    /// The longest run of digits in it: a smaller number cannot hold it.
    least: u64,
}

/// What an id has to look like to be compared with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdForm {
    Hex,
    /// All digits: may be either.
    DecimalOrHex,
}

impl Word {
    /// A word as it is written; `*` stands for anything.
    pub(super) fn new(text: &str) -> Self {
        Self::of(Pattern::part(text))
    }

    /// A phrase, to the letter.
    pub(super) fn literal(text: &str) -> Self {
        Self::of(Pattern::literal_part(text))
    }

    fn of(pattern: Pattern) -> Self {
        let text = pattern.only_piece().unwrap_or_default();
        let is_all =
            |is: fn(&u8) -> bool| text.len() >= ID_DIGITS_MIN && text.bytes().all(|byte| is(&byte));
        let id = if is_all(u8::is_ascii_digit) {
            Some(IdForm::DecimalOrHex)
        } else {
            is_all(u8::is_ascii_hexdigit).then_some(IdForm::Hex)
        };
        let whole = match (text.len(), id) {
            (32, Some(_)) => u128::from_str_radix(text, 16).ok(),
            (20.., Some(IdForm::DecimalOrHex)) => text.parse().ok(),
            _ => None,
        };
        let is_of_digits = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        let is_of_letters = ["true", "false", "nan", "-inf"]
            .iter()
            .any(|name| name.contains(text));
        let may_be_number = !text.is_empty() && (is_of_digits || is_of_letters);
        Self {
            low: whole.map(|whole| TraceId(whole).low()),
            id,
            may_be_number,
            may_be_in_sampling: pattern.pieces.iter().all(|piece| may_be_in_sampling(piece)),
            least: least(text),
            pattern,
        }
    }

    /// Whether it can stand in a number, in true or in false.
    pub(super) fn may_be_number(&self) -> bool {
        self.may_be_number
    }

    /// Whether it can stand in an id.
    pub(super) fn may_be_id(&self) -> bool {
        self.id.is_some()
    }

    /// Whether it can stand in what is said of a trace's sampling.
    pub(super) fn may_be_in_sampling(&self) -> bool {
        self.may_be_in_sampling
    }

    /// Whether it stands in a whole number of this size, which is written out only if it has digits
    /// enough.
    pub(super) fn is_in_whole(&self, size: u64, number: &impl ToString) -> bool {
        size >= self.least && self.is_in_number(number)
    }

    pub(super) fn is_in(&self, text: Text<'_>) -> bool {
        self.pattern.is_like(text)
    }

    /// Whether it stands in a number as it is written out.
    pub(super) fn is_in_number(&self, number: &impl ToString) -> bool {
        self.may_be_number && self.is_in(Text::from(number.to_string().as_str()))
    }

    /// Whether it stands in a trace id: 32 hex digits, or the decimal number of all 128 bits or of
    /// the low 64; or is one in full of which the other knows the low half alone.
    pub(super) fn is_in_trace_id(&self, id: TraceId) -> bool {
        let (Some(form), Some(digits)) = (self.id, self.pattern.only_piece()) else {
            return false;
        };
        let hex = [hex(id.high()), hex(id.low())];
        contains(hex.as_flattened(), digits)
            || form == IdForm::DecimalOrHex
                && (id.0.to_string().contains(digits)
                    || contains(decimal(id.low(), &mut [0; DECIMAL_DIGITS]), digits))
            || id.high() == 0 && self.low == Some(id.low())
    }

    /// Whether it stands in a span id, in hex or decimal.
    pub(super) fn is_in_span_id(&self, SpanId(id): SpanId) -> bool {
        let (Some(form), Some(digits)) = (self.id, self.pattern.only_piece()) else {
            return false;
        };
        contains(&hex(id), digits)
            || form == IdForm::DecimalOrHex
                && contains(decimal(id, &mut [0; DECIMAL_DIGITS]), digits)
    }

    /// Whether whatever holds this word holds the other too.
    pub(super) fn implies(&self, other: &Self) -> bool {
        let texts = (self.pattern.only_piece(), other.pattern.only_piece());
        let (Some(text), Some(part)) = texts else {
            return self == other;
        };
        let same_ids = self.id.is_none() || other.id.is_some() && self.low.is_none();
        // Text that is not ASCII is folded, and may gain ASCII by it.
        let same_folding = self.pattern.is_ascii == other.pattern.is_ascii;
        self == other || same_ids && same_folding && text.contains(part)
    }
}

/// The smallest whole number that can hold a word of digits; 0 of any other word.
fn least(text: &str) -> u64 {
    let n_digits = text.len();
    if n_digits == 0 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let power = u32::try_from(n_digits - 1).ok();
    power
        .and_then(|power| 10_u64.checked_pow(power))
        .unwrap_or(u64::MAX)
}

/// Whether a piece has only letters of what is said of sampling: see `SamplingFacts::words`.
fn may_be_in_sampling(piece: &str) -> bool {
    const LETTERS: &[u8] = b"rejected by limit rule rate hand kept nan inf ()0123456789.-+";
    piece.bytes().all(|byte| LETTERS.contains(&byte))
}

/// The most digits of 64 bits.
const DECIMAL_DIGITS: usize = 20;

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len())
        .any(|window| window == part.as_bytes())
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        let four = (number >> (4 * place)) & 0xf;
        let four = u8::try_from(four).unwrap_or_default();
        *digit = four + if four < 10 { b'0' } else { b'a' - 10 };
    }
    digits
}

fn decimal(mut number: u64, digits: &mut [u8; DECIMAL_DIGITS]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
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

    #[test]
    fn a_longer_word_narrows_unless_it_begins_to_mean_ids() {
        let implies = |new: &str, old: &str| Word::new(new).implies(&Word::new(old));
        assert!(implies("generate", "gen"));
        assert!(!implies("gen", "generate"));
        assert!(!implies("123456", "12345"));
        assert!(implies("1234567", "123456"));
        assert!(!implies("gen*x", "gen"), "simple, and on the safe side");
        assert!(!implies("ké", "k"), "the Kelvin sign folds to a k");
    }

    #[test]
    fn an_id_in_full_finds_whoever_knows_its_low_half() {
        let word = Word::new("6b00a83d000000006f0dbd9e7942056a");
        assert!(word.is_in_trace_id(TraceId(0x6f0d_bd9e_7942_056a)));
        let other_high = TraceId::from_halves(1, 0x6f0d_bd9e_7942_056a);
        assert!(!word.is_in_trace_id(other_high));
        let decimal = 0x6b00_a83d_0000_0000_6f0d_bd9e_7942_056a_u128.to_string();
        assert!(Word::new(&decimal).is_in_trace_id(TraceId(0x6f0d_bd9e_7942_056a)));
    }
}
