//! How much ran at the same time, from when each began and ended. Plain numbers; it holds nothing.

use crate::trace::{Span, UnixNanos};

/// The most that ran at one moment. What ends as another begins did not run beside it; what took no time
/// ran while it did.
pub fn most_at_once(intervals: impl IntoIterator<Item = (UnixNanos, UnixNanos)>) -> usize {
    let (mut starts, mut ends): (Vec<UnixNanos>, Vec<UnixNanos>) = intervals
        .into_iter()
        .map(|(start, end)| (start, end.max(UnixNanos(start.0.saturating_add(1)))))
        .unzip();
    starts.sort_unstable();
    ends.sort_unstable();
    let mut ended = ends.into_iter().peekable();
    let (mut n_now, mut n_max) = (0_usize, 0);
    for start in starts {
        n_now += 1;
        while ended.next_if(|end| *end <= start).is_some() {
            n_now -= 1;
        }
        n_max = n_max.max(n_now);
    }
    n_max
}

/// The part of a span's time that none of its children covers, given in order of their start.
pub(crate) fn uncovered<'a>(parent: Span<'_>, children: impl Iterator<Item = Span<'a>>) -> i64 {
    let (start, end) = (parent.start(), parent.end());
    let mut idle = 0_i64;
    let mut busy_until = start;
    for child in children {
        let begins = child.start().clamp(start, end);
        idle = idle.saturating_add(begins.since(busy_until).max(0));
        busy_until = busy_until.max(child.end().clamp(start, end));
    }
    idle.saturating_add(end.since(busy_until).max(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(intervals: &[(i64, i64)], expected: usize) {
        let intervals = intervals.iter();
        let intervals = intervals.map(|(start, end)| (UnixNanos(*start), UnixNanos(*end)));
        assert_eq!(most_at_once(intervals), expected);
    }

    #[test]
    fn the_most_at_one_moment_is_counted() {
        check(&[], 0);
        check(&[(0, 10)], 1);
        check(&[(0, 10), (10, 20)], 1);
        check(&[(0, 10), (9, 20), (5, 6)], 2);
        check(&[(0, 10), (3, 8), (5, 6)], 3);
        check(&[(5, 5), (5, 5)], 2);
        check(&[(i64::MAX, i64::MAX), (9, 3)], 1);
    }

    proptest! {
        #[test]
        fn no_moment_has_more(spans in prop::collection::vec((0_i64..40, 0_i64..20), 0..12)) {
            let spans: Vec<(i64, i64)> = spans.iter().map(|(at, time)| (*at, at + time.max(&1))).collect();
            let at = |moment: i64| spans.iter().filter(|(start, end)| *start <= moment && moment < *end).count();
            let expected = (0..80).map(at).max().unwrap_or(0);
            let intervals = spans.iter().map(|(start, end)| (UnixNanos(*start), UnixNanos(*end)));
            prop_assert_eq!(most_at_once(intervals), expected);
        }
    }
}
