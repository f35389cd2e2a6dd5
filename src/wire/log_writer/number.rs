//! Numbers of a span as JSON has them, and as texts: ids are hex there. Says what does not fit, and
//! nothing about where it stands.

use super::{Problem, wrong_type};
use crate::json::{Kind, Raw};

/// A number as wide as it is written: `1` is whole, `1.0` is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number<'a> {
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    /// Whole, and wider than 64 bits: its digits, since a float would round them.
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
        let is_whole = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        match text.parse() {
            Ok(float) if !is_whole => Self::Float(float),
            _ => Self::Wide(text),
        }
    }
}

/// 64 bits of an id: 16 hex digits in either case, or a number where somebody prints one. A
/// negative number keeps its bits, as in the Agent. Of 128 bits the lower half counts: the upper one
/// has its own tag.
pub(super) fn id(value: Raw<'_>) -> Result<u64, Problem> {
    const EXPECTED: &str = "an id of 16 hex digits";
    if value.kind() == Kind::Text {
        let text = value.string().unwrap_or_default();
        let radix = match text.len() {
            1..=16 | 32 => 16,
            17..=20 => 10,
            _ => 0,
        };
        let is_digit = |char: char| radix > 0 && char.is_digit(radix);
        let number = if text.chars().all(is_digit) && radix > 0 {
            u128::from_str_radix(&text, radix).ok()
        } else {
            None
        };
        let found = "a string that is none";
        let problem = Problem::WrongType {
            expected: EXPECTED,
            found,
        };
        let low = number.filter(|number| radix == 16 || *number <= u64::MAX.into());
        return low.map(low_half).ok_or(problem);
    }
    match whole(value, EXPECTED)? {
        number if number >= 0 => {
            let fits = u64::try_from(number);
            fits.map_err(|_wide| out_of_range(number, "64 bits"))
        }
        number => {
            let fits = i64::try_from(number).map(i64::cast_unsigned);
            fits.map_err(|_wide| out_of_range(number, "64 bits"))
        }
    }
}

/// The bits of a start or a duration.
pub(super) fn time(value: Raw<'_>) -> Result<u64, Problem> {
    let number = whole(value, "an integer")?;
    let fits = i64::try_from(number).map(i64::cast_unsigned);
    fits.map_err(|_wide| out_of_range(number, "64 bits with a sign"))
}

/// The bits of an error flag; true counts as 1.
pub(super) fn error_flag(value: Raw<'_>) -> Result<u64, Problem> {
    let number = if value.kind() == Kind::Bool {
        i128::from(value.text() == "true")
    } else {
        whole(value, "an integer")?
    };
    let fits = i32::try_from(number).map(|flag| i64::from(flag).cast_unsigned());
    fits.map_err(|_wide| out_of_range(number, "32 bits with a sign"))
}

/// A whole number. A float without a fraction is one too: JavaScript writes no others.
fn whole(value: Raw<'_>, expected: &'static str) -> Result<i128, Problem> {
    let number = value.number().unwrap_or_default();
    let digits = number.strip_suffix(".0").unwrap_or(number);
    digits.parse().map_err(|_none| {
        let found = "an integer of more than 128 bits";
        match Number::of(digits) {
            Number::Wide(wide) if !wide.is_empty() => Problem::WrongType { expected, found },
            _ => wrong_type(expected, value),
        }
    })
}

fn out_of_range(number: i128, room: &'static str) -> Problem {
    Problem::OutOfRange { number, room }
}

fn low_half(number: u128) -> u64 {
    let [_, _, _, _, _, _, _, _, low @ ..] = number.to_be_bytes();
    u64::from_be_bytes(low)
}
