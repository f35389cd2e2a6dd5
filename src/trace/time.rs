//! Points in time. Spans carry wall-clock nanoseconds of their own machine; they are never altered.

use std::fmt;

/// Nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UnixNanos(pub i64);

impl UnixNanos {
    /// This point moved by some nanoseconds, stopping at the ends of the range.
    #[must_use]
    pub fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month, day, hour, minute, second of this point in UTC.
    ///
    /// Days to dates after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    pub fn civil(self) -> (i64, i64, i64, i64, i64, i64) {
        let seconds = self.0.div_euclid(1_000_000_000);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (
            year,
            month,
            day,
            of_day / 3_600,
            of_day / 60 % 60,
            of_day % 60,
        )
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-20T19:53:45.287Z`.
impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        let millis = self.0.rem_euclid(1_000_000_000) / 1_000_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

impl fmt::Debug for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The moment of a step, read once by the shell and passed into the core: wall time to compare
/// with spans, and nanoseconds since the program started for everything that must not jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Wall-clock time.
    pub wall: UnixNanos,
    /// Nanoseconds since the program started; never goes back.
    pub uptime_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_rfc_3339() {
        let cases = [
            (1_795_204_425_287_000_000, "2026-11-20T19:53:45.287Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (-1_000_000, "1969-12-31T23:59:59.999Z"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(UnixNanos(nanos).to_string(), expected);
        }
    }

    #[test]
    fn sums_stop_at_the_ends_of_the_range() {
        assert_eq!(UnixNanos(i64::MAX).plus(1), UnixNanos(i64::MAX));
        assert_eq!(UnixNanos(i64::MIN).since(UnixNanos(1)), i64::MIN);
    }
}
