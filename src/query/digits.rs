//! Numbers and ids as they are written, on the stack: a search writes out some for each span, and a
//! `String` for each would cost more than all else that is looked at.
//!
//! ```text
//! 0                 40          61     72
//! │         -1234567│.891       │      │     digits end in the middle, or go on after it
//! ```

/// Where whole numbers end: 128 bits have up to 39 digits.
const MIDDLE: usize = 40;
/// Where fractions end at the latest.
const END_MAX: usize = MIDDLE + 21;
/// Behind the last digit eight bytes can be read.
const ROOM: usize = END_MAX + 11;

/// Eight digits, and sixteen.
const TEN_TO_8: u64 = 100_000_000;
const TEN_TO_16: u128 = 10_000_000_000_000_000;

/// A number as it is written.
#[derive(Debug)]
pub(super) struct Written {
    bytes: [u8; ROOM],
    start: usize,
    end: usize,
}

impl Written {
    const fn new() -> Self {
        Self {
            bytes: [0; ROOM],
            start: MIDDLE,
            end: MIDDLE,
        }
    }

    pub(super) fn decimal(number: u64) -> Self {
        let mut written = Self::new();
        written.put_decimal(number);
        written
    }

    pub(super) fn int(number: i64) -> Self {
        let mut written = Self::decimal(number.unsigned_abs());
        if number < 0 {
            written.put_minus();
        }
        written
    }

    pub(super) fn decimal_of_128(mut number: u128) -> Self {
        let mut written = Self::new();
        while let (Ok(sixteen), true) = (u64::try_from(number % TEN_TO_16), number >= TEN_TO_16) {
            number /= TEN_TO_16;
            written.put_eight(decimal_digits(sixteen % TEN_TO_8));
            written.put_eight(decimal_digits(sixteen / TEN_TO_8));
        }
        written.put_decimal(u64::try_from(number).unwrap_or_default());
        written
    }

    /// A float as `Display` writes it, if it has a fraction and is neither huge nor tiny; what is so is
    /// met too seldom.
    ///
    /// The fewest digits that no other float is nearer to, one after another, until what is left is
    /// less than half the way to the next float (`format_shortest` in `core::num::flt2dec`). Within
    /// these bounds 64 bits are enough for it.
    pub(super) fn fraction(float: f64) -> Option<Self> {
        const IMPLICIT: u64 = 1 << 52;
        let bits = float.to_bits();
        let shift = 1075_u64.checked_sub((bits >> 52) & 0x7ff)?;
        let mantissa = bits & (IMPLICIT - 1) | IMPLICIT;
        if !(1..=58).contains(&shift) || mantissa.trailing_zeros() >= u32::try_from(shift).ok()? {
            return None;
        }
        // In quarters of the distance between floats: below a power of two they are closer.
        let scale = 1 << (shift + 2);
        let mut left = (mantissa << 2) & (scale - 1);
        let (mut below, mut above) = (if mantissa == IMPLICIT { 1 } else { 2 }, 2);
        // Of two floats that are as near the even one is read.
        let slack = u64::from(mantissa.is_multiple_of(2));
        let mut written = Self::decimal(mantissa >> shift);
        if float < 0.0 {
            written.put_minus();
        }
        written.put_after(b'.')?;
        // Eight digits at once. Had fewer been enough, what is left would be little now as well.
        if scale >> 30 > 0 {
            let eight = u128::from(left) * u128::from(TEN_TO_8);
            let digits = u64::try_from(eight >> (shift + 2)).ok()?;
            let rest = u64::try_from(eight & u128::from(scale - 1)).ok()?;
            let (wide_below, wide_above) = (below * TEN_TO_8, above * TEN_TO_8);
            if rest >= wide_below + slack && rest + wide_above + slack <= scale {
                written.put_eight_after(decimal_digits(digits))?;
                (left, below, above) = (rest, wide_below, wide_above);
            }
        }
        loop {
            (left, below, above) = (left * 10, below * 10, above * 10);
            let digit = left >> (shift + 2);
            left &= scale - 1;
            let is_low = left < below + slack;
            let is_high = left + above + slack > scale;
            let is_up = is_high && (!is_low || left * 2 >= scale);
            let digit = u8::try_from(digit).ok()? + u8::from(is_up);
            written.put_after(b'0' + digit)?;
            if is_low || is_high {
                return Some(written);
            }
        }
    }

    fn put_decimal(&mut self, mut number: u64) {
        loop {
            let digits = decimal_digits(number % TEN_TO_8);
            number /= TEN_TO_8;
            self.put_eight(digits);
            if number == 0 {
                let n_zeros = (digits & 0x0f0f_0f0f_0f0f_0f0f).leading_zeros() / 8;
                self.start += usize::try_from(n_zeros.min(7)).unwrap_or_default();
                return;
            }
        }
    }

    /// Eight more digits before the others, the last of them in the lowest byte.
    fn put_eight(&mut self, digits: u64) {
        let start = self.start.saturating_sub(8);
        if let Some(eight) = self.bytes.get_mut(start..self.start) {
            eight.copy_from_slice(&digits.to_be_bytes());
        }
        self.start = start;
    }

    fn put_minus(&mut self) {
        self.start = self.start.saturating_sub(1);
        if let Some(byte) = self.bytes.get_mut(self.start) {
            *byte = b'-';
        }
    }

    fn put_eight_after(&mut self, digits: u64) -> Option<()> {
        let eight = self.bytes.get_mut(self.end..self.end + 8)?;
        eight.copy_from_slice(&digits.to_be_bytes());
        self.end += 8;
        Some(())
    }

    fn put_after(&mut self, byte: u8) -> Option<()> {
        if self.end == END_MAX {
            return None;
        }
        *self.bytes.get_mut(self.end)? = byte;
        self.end += 1;
        Some(())
    }
}

/// Eight decimal digits, the last in the lowest byte: first two numbers of four digits, then four of
/// two, each pair divided at once.
fn decimal_digits(number: u64) -> u64 {
    let fours = (number % 10_000) | ((number / 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds << 16 | (fours - hundreds * 100);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    (tens << 8 | (twos - tens * 10)) + 0x3030_3030_3030_3030
}

/// What is looked for in numbers, eight bytes at once, and in hex without writing it out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needle {
    bytes: Box<[u8]>,
    eight: u64,
    mask: u64,
    /// Its value, if it is of hex digits.
    hex: Option<u128>,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let (mut eight, mut mask) = ([0; 8], [0; 8]);
        for ((byte, mask), from) in eight.iter_mut().zip(&mut mask).zip(text.bytes()) {
            (*byte, *mask) = (from, 0xff);
        }
        Self {
            bytes: text.as_bytes().into(),
            eight: u64::from_le_bytes(eight),
            mask: u64::from_le_bytes(mask),
            hex: u128::from_str_radix(text, 16)
                .ok()
                .filter(|_| !text.starts_with('+')),
        }
    }

    /// Whether it stands in a number of so many hex digits.
    pub(super) fn is_in_hex(&self, number: u128, n_digits: usize) -> bool {
        let (Some(hex), n_own) = (self.hex, self.bytes.len()) else {
            return false;
        };
        let Some(n_places) = (n_digits + 1).checked_sub(n_own) else {
            return false;
        };
        let mask = u128::MAX >> (128 - 4 * n_own);
        if let (Ok(mut number), Ok(hex), Ok(mask), 16) = (
            u64::try_from(number),
            u64::try_from(hex),
            u64::try_from(mask),
            n_digits,
        ) {
            return (0..n_places).any(|_| {
                let is_here = number & mask == hex;
                number >>= 4;
                is_here
            });
        }
        let is_at = |place: usize| (number >> (4 * place)) & mask == hex;
        (0..n_places).any(is_at)
    }

    pub(super) fn is_in(&self, written: &Written) -> bool {
        let after_last = written.end + 1;
        let text = written.bytes.get(written.start..).unwrap_or_default();
        let n_places = after_last.saturating_sub(written.start + self.bytes.len());
        let mut places = text.windows(8).take(n_places).enumerate();
        places.any(|(place, eight)| {
            let eight = eight.try_into().map_or(0, u64::from_le_bytes);
            (eight ^ self.eight) & self.mask == 0
                && (self.bytes.len() <= 8
                    || text
                        .get(place..)
                        .is_some_and(|text| text.starts_with(&self.bytes)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(written: &Written, expected: &str) {
        let text = &written.bytes[written.start..written.end];
        assert_eq!(std::str::from_utf8(text).unwrap(), expected);
    }

    #[track_caller]
    fn check_float(float: f64) {
        if let Some(written) = Written::fraction(float) {
            check(&written, &float.to_string());
        }
    }

    #[test]
    fn the_floats_that_are_met_are_written_here() {
        for float in [
            0.5,
            -0.25,
            0.1,
            0.3,
            1.0 / 3.0,
            99.9,
            123_456.0 / 7.0,
            4_503_599_627_370_495.5,
        ] {
            assert!(Written::fraction(float).is_some(), "{float}");
            check_float(float);
        }
        for float in [
            0.0,
            -0.0,
            7.0,
            1e300,
            1e-300,
            5e-324,
            f64::NAN,
            f64::INFINITY,
        ] {
            assert!(Written::fraction(float).is_none(), "{float}");
        }
    }

    /// At powers of two the distance between floats changes, and some lie half-way between two
    /// shortest forms.
    #[test]
    fn floats_beside_powers_of_two_are_written_as_display_does() {
        for exponent in -7..54 {
            let power = 2_f64.powi(exponent);
            for odd in (1..200).step_by(2) {
                check_float(power * f64::from(odd));
            }
            for steps in 0..200 {
                check_float(f64::from_bits(power.to_bits() + steps));
                check_float(-f64::from_bits(power.to_bits() - steps));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_written_reads_as_display_has_it(
            number in any::<u128>(),
            n_bits in 0_u32..128,
            numerator in any::<i32>(),
            n_decimals in 0_i32..18,
            exponent in 1015_u64..1078,
        ) {
            let number = number >> n_bits;
            let low = u64::try_from(number & u128::from(u64::MAX)).unwrap();
            check(&Written::decimal_of_128(number), &number.to_string());
            check(&Written::decimal(low), &low.to_string());
            check(&Written::int(low.cast_signed()), &low.cast_signed().to_string());
            check_float(f64::from(numerator) / 10_f64.powi(n_decimals));
            check_float(f64::from(numerator) / 7.0);
            check_float(f64::from_bits(low & ((1 << 52) - 1) | exponent << 52));
        }

        #[test]
        fn a_needle_is_found_where_a_text_holds_it(number in any::<u128>(), text in "[0-9]{1,4}|[0-9]{8,12}", place in 0_usize..40) {
            let written = Written::decimal_of_128(number);
            let hex = format!("{number:032x}");
            let part = hex.get(place..place + 6).unwrap_or(&hex);
            for text in [part, &text, "0"] {
                prop_assert_eq!(Needle::new(text).is_in_hex(number, 32), hex.contains(text));
                let low = u64::try_from(number >> 64).unwrap();
                prop_assert_eq!(Needle::new(text).is_in_hex(low.into(), 16), format!("{low:016x}").contains(text));
            }
            let number = number.to_string();
            prop_assert_eq!(Needle::new(&text).is_in(&written), number.contains(&text));
            for n_digits in 1..20 {
                if let Some(part) = number.get(place..place + n_digits) {
                    prop_assert!(Needle::new(part).is_in(&written));
                }
            }
        }
    }
}
