//! When a line was written: ISO 8601 texts, and numbers since 1970 in seconds to nanoseconds.

use crate::trace::UnixNanos;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Zones differ by multiples of this.
const QUARTER_HOUR: i64 = 15 * 60 * NANOS_PER_SECOND;
/// How late a line may be read for its zone to be told from the moment it was read.
const READ_AFTER_MAX: i64 = 2 * 60 * NANOS_PER_SECOND;

/// A point in time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// As if it were UTC, where it names no zone.
    pub(super) nanos: UnixNanos,
    /// The zone it names.
    pub(super) offset_seconds: Option<i64>,
}

impl Written {
    /// The point in time. One without a zone was written in the zone of the program; a line that is
    /// read as it is written tells which by the hour. Of lines that were written long ago nothing
    /// is known, and containers run in UTC.
    pub(super) fn resolve(self, read_at: UnixNanos) -> UnixNanos {
        if self.offset_seconds.is_some() {
            return self.nanos;
        }
        let late = read_at.since(self.nanos);
        let zone = late
            .saturating_add(QUARTER_HOUR / 2)
            .div_euclid(QUARTER_HOUR)
            .saturating_mul(QUARTER_HOUR);
        let is_zone = zone.abs() <= 14 * 4 * QUARTER_HOUR;
        let is_fresh = late.saturating_sub(zone).abs() <= READ_AFTER_MAX;
        if is_zone && is_fresh {
            self.nanos.plus(zone)
        } else {
            self.nanos
        }
    }
}

/// Reads `2026-11-20T20:26:27.118362Z` and its kin from the beginning of a text: a space for the `T`,
/// a comma for the point, any or no zone. Returns what follows too.
pub(super) fn iso(text: &str) -> Option<(Written, &str)> {
    let mut reader = Digits(text);
    let year = reader.number(4)?;
    reader.mark(&['-', '/'])?;
    let month = reader.number(2)?;
    reader.mark(&['-', '/'])?;
    let day = reader.number(2)?;
    reader.mark(&['T', ' ', 't', '_'])?;
    let hour = reader.number(2)?;
    reader.mark(&[':'])?;
    let minute = reader.number(2)?;
    reader.mark(&[':'])?;
    let second = reader.number(2)?;
    let is_real = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_real {
        return None;
    }
    let fraction = reader.fraction();
    let offset_seconds = reader.zone();
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = seconds - offset_seconds.unwrap_or(0);
    let nanos = seconds
        .checked_mul(NANOS_PER_SECOND)?
        .checked_add(fraction)?;
    let written = Written {
        nanos: UnixNanos(nanos),
        offset_seconds,
    };
    Some((written, reader.0))
}

/// Reads a number since 1970 as it is written; its size tells seconds from milliseconds, microseconds
/// and nanoseconds.
pub(super) fn epoch(number: &str) -> Option<UnixNanos> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        // `1.7952e9` and the like: a float is all there is.
        let float: f64 = number.parse().ok()?;
        let whole = format!("{float:.9}");
        let is_plain = float.is_finite() && float >= 0.0 && !number.contains("e-");
        return if is_plain && number.contains(['e', 'E']) {
            epoch(&whole)
        } else {
            None
        };
    }
    let whole: i64 = whole.parse().ok()?;
    let unit = match whole {
        ..100_000_000 => return None,
        100_000_000..100_000_000_000 => NANOS_PER_SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(i64::from(digit - b'0') * place)?;
    }
    Some(UnixNanos(nanos))
}

/// Days from 1970-01-01, after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// What is left of a text.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn number(&mut self, n_digits: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(n_digits)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    fn mark(&mut self, marks: &[char]) -> Option<()> {
        self.0 = self.0.strip_prefix(marks)?;
        Some(())
    }

    /// `.118362` or `,577` in nanoseconds; digits beyond are dropped.
    fn fraction(&mut self) -> i64 {
        let Some(rest) = self.0.strip_prefix(['.', ',']) else {
            return 0;
        };
        let after = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        let digits = rest.len() - after.len();
        if digits == 0 {
            return 0;
        }
        let (mut nanos, mut place) = (0, NANOS_PER_SECOND);
        for digit in rest.bytes().take(digits.min(9)) {
            place /= 10;
            nanos += i64::from(digit - b'0') * place;
        }
        self.0 = after;
        nanos
    }

    /// `Z`, `+00:00`, `-0500`, `+02`, ` UTC`, in seconds.
    fn zone(&mut self) -> Option<i64> {
        for utc in ["Z", "z", " UTC", " Z"] {
            if let Some(rest) = self.0.strip_prefix(utc)
                && !rest.starts_with(|char: char| char.is_alphanumeric())
            {
                self.0 = rest;
                return Some(0);
            }
        }
        let spaced = self.0.strip_prefix(' ').unwrap_or(self.0);
        let sign = match spaced.bytes().next()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let mut reader = Digits(spaced.get(1..)?);
        let hours = reader.number(2)?;
        let _colon = reader.mark(&[':']);
        let minutes = reader.number(2).unwrap_or(0);
        self.0 = reader.0;
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_iso(text: &str, shown: &str, offset_seconds: Option<i64>) {
        let (written, rest) = iso(text).unwrap();
        assert_eq!(
            (written.nanos.to_string().as_str(), written.offset_seconds),
            (shown, offset_seconds),
            "{text}"
        );
        assert_eq!(rest, "", "{text}");
    }

    #[test]
    fn iso_texts_are_read_with_and_without_a_zone() {
        check_iso(
            "2026-11-20T20:27:22.089282Z",
            "2026-11-20T20:27:22.089Z",
            Some(0),
        );
        check_iso("2026-11-20 20:27:25,577", "2026-11-20T20:27:25.577Z", None);
        check_iso(
            "2026-11-20T20:27:25+02:00",
            "2026-11-20T18:27:25.000Z",
            Some(7_200),
        );
        check_iso(
            "2026-11-20T20:27:25.5-0530",
            "2026-11-21T01:57:25.500Z",
            Some(-19_800),
        );
        check_iso(
            "2026/11/20 20:27:25 UTC",
            "2026-11-20T20:27:25.000Z",
            Some(0),
        );
        check_iso("2000-02-29T23:59:60Z", "2000-03-01T00:00:00.000Z", Some(0));
        check_iso(
            "1969-12-31T23:59:59.999999999Z",
            "1969-12-31T23:59:59.999Z",
            Some(0),
        );
        for wrong in [
            "",
            "20:27:25",
            "2026-13-20T20:27:25Z",
            "2026-11-20",
            "9999999",
            "2026-11-20T2é",
        ] {
            assert_eq!(iso(wrong), None, "{wrong}");
        }
        let nanos = iso("2026-11-20T20:27:22.0892821239Z").unwrap().0.nanos.0;
        assert_eq!(nanos % 1_000_000_000, 89_282_123);
    }

    #[test]
    fn numbers_are_told_apart_by_their_size() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(epoch(text).map(|time| time.0), expected, "{text}");
        };
        check("1795206437", Some(1_795_206_437_000_000_000));
        check("1795206437.484122132", Some(1_795_206_437_484_122_132));
        check("1795206437484", Some(1_795_206_437_484_000_000));
        check("1795206437484.5", Some(1_795_206_437_484_500_000));
        check("1795206437484122", Some(1_795_206_437_484_122_000));
        check("1795206437484122132", Some(1_795_206_437_484_122_132));
        check("1.795206437e9", Some(1_795_206_437_000_000_000));
        check("12", None);
        check("-1795206437", None);
        check("NaN", None);
        check("99999999999999999999", None);
    }

    #[test]
    fn a_time_without_a_zone_is_of_the_zone_in_which_the_line_is_fresh() {
        let (written, _) = iso("2026-11-20 20:27:25").unwrap();
        let hour = 3_600 * NANOS_PER_SECOND;
        let at = |late: i64| {
            written
                .resolve(written.nanos.plus(late))
                .since(written.nanos)
        };
        assert_eq!(at(5 * NANOS_PER_SECOND), 0);
        assert_eq!(at(-2 * hour + NANOS_PER_SECOND), -2 * hour);
        assert_eq!(at(5 * hour + hour / 2), 5 * hour + hour / 2);
        // Not read as it was written: UTC.
        assert_eq!(at(5 * hour + hour / 8), 0);
        assert_eq!(at(300 * hour), 0);
        assert_eq!(written.resolve(UnixNanos(i64::MIN)), written.nanos);
        assert_eq!(written.resolve(UnixNanos(i64::MAX)), written.nanos);
    }
}
