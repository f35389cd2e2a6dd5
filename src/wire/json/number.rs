//! Numbers of a span as JSON has them, and ids as texts. Says what does not fit, and nothing about
//! where it stands.

use super::Problem;
use crate::trace::TraceId;

/// A number as wide as it is written: `1` is whole, `1.0` is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number<'a> {
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    /// Whole and wider than 64 bits, or beyond the range of floats: its digits, since a float would
    /// round them or lose them.
    Wide(&'a str),
}

impl<'a> Number<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if let Ok(int) = text.parse() {
            return Self::Int(int);
        }
        if let Ok(uint) = text.parse() {
            return Self::Uint(uint);
        }
        match text.parse::<f64>() {
            Ok(float) if !is_whole(text) && (float.is_finite() || !has_digits(text)) => {
                Self::Float(float)
            }
            _ => Self::Wide(text),
        }
    }
}

/// Whether a number is written without fraction and exponent.
pub(super) fn is_whole(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Not so the words of Python: `NaN`, `Infinity`.
fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// An id as a string, of clients whose numbers are too short for it.
pub(super) fn decimal_id(text: &[u8]) -> Option<u64> {
    digits(text, 10)?.parse().ok()
}

/// An id as 16 hex digits in either case, or as decimal ones if there are more. Of 128 bits the lower
/// half counts: the upper one has its own tag.
pub(super) fn hex_id(text: &[u8]) -> Option<u64> {
    match text.len() {
        1..=16 | 32 => {
            let whole = u128::from_str_radix(digits(text, 16)?, 16).ok()?;
            Some(TraceId(whole).low())
        }
        17..=20 => decimal_id(text),
        _ => None,
    }
}

/// A text that consists of digits; parsing alone would take a sign.
fn digits(text: &[u8], radix: u32) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let are_digits = text.chars().all(|char| char.is_digit(radix));
    (are_digits && !text.is_empty()).then_some(text)
}

/// 64 bits of an id. A negative number keeps its bits, as in the Agent.
pub(super) fn id(text: &str, expected: &'static str) -> Result<u64, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let number = whole(text, expected)?;
    let fits = i64::try_from(number).map(i64::cast_unsigned);
    fits.map_err(|_wide| out_of_range(number, "64 bits"))
}

/// The bits of a start or a duration.
pub(super) fn time(text: &str) -> Result<u64, Problem> {
    let number = whole(text, "an integer")?;
    let fits = i64::try_from(number).map(i64::cast_unsigned);
    fits.map_err(|_wide| out_of_range(number, "64 bits with a sign"))
}

/// The bits of an error flag.
pub(super) fn error_flag(text: &str) -> Result<u64, Problem> {
    let number = whole(text, "an integer")?;
    let fits = i32::try_from(number).map(|flag| i64::from(flag).cast_unsigned());
    fits.map_err(|_wide| out_of_range(number, "32 bits with a sign"))
}

/// The bits of a start in nanoseconds, of one that may be in seconds. As seconds, a number of these
/// is a time between 2001 and 5138; as nanoseconds, one within two minutes of 1970.
pub(super) fn nanos_of_start(bits: u64) -> u64 {
    const SECONDS: std::ops::Range<u64> = 1_000_000_000..100_000_000_000;
    if SECONDS.contains(&bits) {
        // The last of them has no room as nanoseconds with a sign.
        bits.saturating_mul(1_000_000_000)
            .min(i64::MAX.cast_unsigned())
    } else {
        bits
    }
}

/// A whole number. A float without a fraction is one too: JavaScript writes no others.
fn whole(text: &str, expected: &'static str) -> Result<i128, Problem> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    if let Ok(number) = digits.parse::<i64>() {
        return Ok(number.into());
    }
    digits.parse().map_err(|_none| {
        let found = if is_whole(digits) {
            "an integer of more than 128 bits"
        } else {
            "a float"
        };
        Problem::WrongType { expected, found }
    })
}

fn out_of_range(number: i128, room: &'static str) -> Problem {
    Problem::OutOfRange { number, room }
}
