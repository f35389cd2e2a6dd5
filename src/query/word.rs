//! A word that is looked for in every text of a thing, in its numbers, and in its ids if it can be
//! one. What it can stand in at all is found out once, when the query is read.

use super::digits::{Needle, Written};
use super::pattern::Pattern;
use super::sampling::InSampling;
use super::term::EXACT_MAX;
use crate::store::TraceEntry;
use crate::trace::{SpanId, Text, TraceId};

/// Shorter words are not looked for in ids: `500` would find one trace in ten.
const ID_DIGITS_MIN: usize = 6;

/// A word or phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pattern: Pattern,
    /// The same for what is written out to be compared, if no wildcard is in it.
    needle: Needle,
    id: Option<IdForm>,
    /// The low half of the trace id that the word is, written out: some clients know no more.
    low: Option<u64>,
    number: Option<NumberForm>,
    in_sampling: InSampling,
    /// No smaller whole number can hold it.
    least: u64,
}

/// What an id has to look like to be compared with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdForm {
    Hex,
    /// All digits: may be either.
    DecimalOrHex,
}

/// In what numbers a word can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberForm {
    /// In true, false, and what is no number.
    Name,
    /// In those with a fraction.
    Fraction,
    /// In whole ones too.
    Any,
}

impl NumberForm {
    fn of(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let size = text.strip_prefix('-').unwrap_or(text);
        if size.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Any);
        }
        let (whole, fraction) = size.split_once('.').unwrap_or(("-", ""));
        if whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
        {
            return Some(Self::Fraction);
        }
        let names = ["true", "false", "nan", "-inf"];
        names
            .iter()
            .any(|name| name.contains(text))
            .then_some(Self::Name)
    }
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
        Self {
            needle: Needle::new(text),
            low: whole.map(|whole| TraceId(whole).low()),
            id,
            number: NumberForm::of(text),
            in_sampling: InSampling::of(&pattern),
            least: least(text),
            pattern,
        }
    }

    /// Whether it can stand in a number, in true or in false.
    pub(super) fn may_be_number(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it can stand in an id.
    pub(super) fn may_be_id(&self) -> bool {
        self.id.is_some()
    }

    /// Whether it stands in what is said of a trace's sampling.
    pub(super) fn is_in_sampling(&self, trace: &TraceEntry) -> bool {
        self.in_sampling.is_in(trace, &self.pattern)
    }

    pub(super) fn is_in(&self, text: Text<'_>) -> bool {
        self.pattern.is_like(text)
    }

    pub(super) fn is_in_bool(&self, bool: bool) -> bool {
        self.number == Some(NumberForm::Name) && self.is_in(Text(bool.to_string().as_bytes()))
    }

    pub(super) fn is_in_int(&self, int: i64) -> bool {
        self.may_be_in_whole(int.unsigned_abs()) && self.needle.is_in(&Written::int(int))
    }

    pub(super) fn is_in_uint(&self, uint: u64) -> bool {
        self.may_be_in_whole(uint) && self.needle.is_in(&Written::decimal(uint))
    }

    /// A whole number has to have digits enough.
    fn may_be_in_whole(&self, size: u64) -> bool {
        self.number == Some(NumberForm::Any) && size >= self.least
    }

    /// Whether it stands in a float as it is written out.
    pub(super) fn is_in_float(&self, float: f64) -> bool {
        let Some(form) = self.number else {
            return false;
        };
        if form == NumberForm::Name && float.is_finite() {
            return false;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what does not come back is no whole number"
        )]
        let whole = float as i64;
        let comes_back = (whole as f64).to_bits() == float.to_bits();
        if comes_back && float.abs() < EXACT_MAX {
            return self.is_in_int(whole);
        }
        match Written::fraction(float) {
            Some(written) => self.needle.is_in(&written),
            None => self.is_in(Text(float.to_string().as_bytes())),
        }
    }

    /// Whether it stands in a trace id: 32 hex digits, or the decimal number of all 128 bits or of
    /// the low 64; or is one in full of which the other knows the low half alone.
    pub(super) fn is_in_trace_id(&self, id: TraceId) -> bool {
        let Some(form) = self.id else {
            return false;
        };
        let is_in = |written: &Written| self.needle.is_in(written);
        self.needle.is_in_hex(id.0, 32)
            || form == IdForm::DecimalOrHex
                && (is_in(&Written::decimal(id.low()))
                    || id.high() != 0 && is_in(&Written::decimal_of_128(id.0)))
            || id.high() == 0 && self.low == Some(id.low())
    }

    /// Whether it stands in a span id, in hex or decimal.
    pub(super) fn is_in_span_id(&self, SpanId(id): SpanId) -> bool {
        let Some(form) = self.id else {
            return false;
        };
        self.needle.is_in_hex(id.into(), 16)
            || form == IdForm::DecimalOrHex && self.needle.is_in(&Written::decimal(id))
    }

    /// Whether whatever holds this word holds the other too.
    pub(super) fn implies(&self, other: &Self) -> bool {
        let texts = (self.pattern.only_piece(), other.pattern.only_piece());
        let (Some(text), Some(part)) = texts else {
            return self == other;
        };
        let same_ids = self.id.is_none() || other.id.is_some() && self.low.is_none();
        let same_folding = self.pattern.is_ascii() == other.pattern.is_ascii();
        self == other || same_ids && same_folding && text.contains(part)
    }
}

/// The smallest whole number that can hold a word of several digits; 0 of any other word.
fn least(text: &str) -> u64 {
    let n_digits = text.len();
    if n_digits < 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let power = u32::try_from(n_digits - 1).ok();
    power
        .and_then(|power| 10_u64.checked_pow(power))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
