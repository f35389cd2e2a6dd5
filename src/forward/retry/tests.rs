//! What follows from an answer, and how long it takes.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(status: u16, expected: Next) {
    assert_eq!(Attempt::Answered(status).next(), expected, "{status}");
}

#[test]
fn statuses_are_tried_again_given_up_or_the_end() {
    for done in [200, 202, 204] {
        check(done, Next::Done);
    }
    for again in [408, 429, 500, 502, 503, 504, 599] {
        check(again, Next::Retry);
    }
    for never in [100, 301, 400, 401, 404, 413, 600] {
        check(never, Next::GiveUp);
    }
    check(403, Next::Stop);
    assert_eq!(Attempt::NoAnswer.next(), Next::Retry);
}

#[test]
fn the_wait_doubles_up_to_ten_seconds_and_a_success_halves_the_failures() {
    let mut backoff = Backoff::default();
    assert_eq!(backoff.wait(u64::MAX, None), Duration::ZERO);
    let longest = |backoff: Backoff| (0..20_001).map(|random| backoff.wait(random, None)).max();
    let mut limits = Vec::new();
    for _ in 0..8 {
        backoff.note(Next::Retry);
        limits.push(longest(backoff).unwrap().as_millis());
    }
    assert_eq!(limits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    backoff.note(Next::GiveUp);
    assert_eq!(longest(backoff).unwrap().as_millis(), 10_000);
    for limit in [1_600, 400, 200, 0] {
        backoff.note(Next::Done);
        assert_eq!(longest(backoff).unwrap().as_millis(), limit);
    }
}

#[test]
fn what_the_intake_asks_for_is_the_least_and_has_an_end() {
    let mut backoff = Backoff::default();
    let asked = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(backoff.wait(5, asked(7)), Duration::from_secs(7));
    backoff.note(Next::Retry);
    assert_eq!(backoff.wait(5, asked(7)), Duration::from_secs(7));
    assert_eq!(backoff.wait(5, asked(u64::MAX)), Duration::from_secs(300));
    for _ in 0..100 {
        backoff.note(Next::Retry);
    }
    assert!(backoff.wait(9_999, asked(1)) > Duration::from_secs(9));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    // Sun, 06 Nov 1994 08:49:37 GMT.
    let now = UnixNanos(784_111_777_000_000_000);
    let check = |header: &str, seconds: Option<u64>| {
        assert_eq!(
            retry_after(header, now),
            seconds.map(Duration::from_secs),
            "{header}"
        );
    };
    check("120", Some(120));
    check(" 0 ", Some(0));
    check("99999999999999999999999", Some(u64::MAX));
    check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
    check("Sun, 06 Nov 1994 08:49:36 GMT", Some(0));
    check("Thu, 29 Feb 1996 00:00:00 GMT", Some(41_440_223));
    check("Sun, 06 Nov 1994 08:50:37 +0100", None);
    check("Sun, 06 Nof 1994 08:50:37 GMT", None);
    check("Sun, 66 Nov 1994 08:50:37 GMT", None);
    check("-5", None);
    check("soon", None);
    check("", None);
}

proptest! {
    #[test]
    fn dates_are_read_as_they_are_written(seconds in 0..200_000_000_000_i64) {
        let (year, month, day, hour, minute, second) = UnixNanos(0).plus(0).civil();
        prop_assert_eq!((year, month, day, hour, minute, second), (1970, 1, 1, 0, 0, 0));
        let seconds = seconds % 9_000_000_000;
        let at = UnixNanos(seconds * 1_000_000_000);
        let (year, month, day, hour, minute, second) = at.civil();
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let name = names[usize::try_from(month - 1).unwrap()];
        let header = format!("Xxx, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT");
        let expected = Duration::from_secs(seconds.cast_unsigned());
        prop_assert_eq!(retry_after(&header, UnixNanos(0)), Some(expected));
    }

    #[test]
    fn no_header_panics(header in ".*", now in any::<i64>()) {
        let _any = retry_after(&header, UnixNanos(now));
    }
}
