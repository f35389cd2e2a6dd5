//! What becomes of a request that was not taken: again, after how long, or never. Waits for nothing and
//! draws no random number: both are the caller's.
//!
//! After `pkg/trace/writer/sender.go` (`isRetriable`, `backoffDuration`, `sendPayload`) in
//! `DataDog/datadog-agent`, but for two things: 429 is tried again, and what an intake asks for in
//! `Retry-After` is done.

use std::time::Duration;

use crate::trace::UnixNanos;

/// `backoffBase`.
const WAIT_MS_BASE: u64 = 100;
/// `backoffMaxDuration`.
const WAIT_MS_MAX: u64 = 10_000;
/// An intake that asks for more is asked again after so long.
const ASKED_SECONDS_MAX: u64 = 300;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// An answer with this status.
    Answered(u16),
    /// No answer: no connection, a reset, or too slow.
    NoAnswer,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It has arrived.
    Done,
    /// The same again, later.
    Retry,
    /// This one never; others may.
    GiveUp,
    /// Nothing more: the key is refused.
    Stop,
}

impl Attempt {
    /// What follows from it.
    pub fn next(self) -> Next {
        match self {
            Self::Answered(200..=299) => Next::Done,
            Self::NoAnswer | Self::Answered(408 | 429 | 500..=599) => Next::Retry,
            Self::Answered(403) => Next::Stop,
            Self::Answered(_) => Next::GiveUp,
        }
    }
}

/// How often it failed of late, for one intake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    n_failed: u32,
}

impl Backoff {
    /// Notes what an attempt came to. A success halves what was noted before, so that an intake that
    /// has just come back is not overrun.
    pub fn note(&mut self, next: Next) {
        match next {
            Next::Done => self.n_failed /= 2,
            Next::Retry => self.n_failed = self.n_failed.saturating_add(1),
            Next::GiveUp | Next::Stop => {}
        }
    }

    /// How long to wait before the next attempt, from a random number: anything up to a limit that
    /// doubles with each failure ("full jitter"); none after none. What the intake asks for is the
    /// least.
    pub fn wait(self, random: u64, asked: Option<Duration>) -> Duration {
        let asked = asked.unwrap_or_default();
        let asked = asked.min(Duration::from_secs(ASKED_SECONDS_MAX));
        if self.n_failed == 0 {
            return asked;
        }
        let doubled = 1_u64.checked_shl(self.n_failed).unwrap_or(u64::MAX);
        let limit = WAIT_MS_BASE.saturating_mul(doubled).min(WAIT_MS_MAX);
        Duration::from_millis(random % (limit + 1)).max(asked)
    }
}

/// What `Retry-After` asks for: seconds, or a date.
pub fn retry_after(header: &str, now: UnixNanos) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits are a long time.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let seconds = date_seconds(header)?;
    let left = seconds.saturating_sub(now.0.div_euclid(1_000_000_000));
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of dates that is sent.
fn date_seconds(header: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_weekday, date) = header.split_once(", ")?;
    let mut words = date.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|known| *known == month)?;
    let month = i64::try_from(month).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':');
    let mut number = || clock.next()?.parse::<i64>().ok();
    let (hour, minute, second) = (number()?, number()?, number()?);
    let is_gmt = words.next() == Some("GMT") && words.next().is_none();
    let fits = (1..=31).contains(&day)
        && (1_970..=9_999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !is_gmt || !fits {
        return None;
    }
    // Days from dates after Howard Hinnant, as `UnixNanos::civil` has them the other way round.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
