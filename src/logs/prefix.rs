//! What `modal app logs` puts before each line when it is asked to: a time, and the ids of function,
//! call and container, in this order (modal 1.5.4).

use super::time;
use crate::trace::UnixNanos;

/// The prefix of a line, all of it optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix<'a> {
    /// `2026-01-09 23:06:40+00:00`.
    pub(crate) time: Option<UnixNanos>,
    /// `ta-…`.
    pub(crate) container: Option<&'a str>,
    /// Bytes before what the container printed.
    pub(crate) length: usize,
}

impl<'a> Prefix<'a> {
    /// The prefix of a line; empty for most.
    pub(crate) fn of(line: &'a str) -> Self {
        let mut prefix = Self::default();
        let mut rest = line;
        if let Some((stamp, after)) = line.split_at_checked(26)
            && let Some(stamp) = stamp.strip_suffix(' ')
            && let Some((time, "")) = time::iso(stamp)
            && time.offset_seconds.is_some()
            && !stamp.contains('T')
        {
            prefix.time = Some(time.nanos);
            rest = after;
        }
        while let Some((id, after)) = rest.split_once(' ')
            && let Some(kind) = id.get(..3)
            && ["fu-", "fc-", "ta-"].contains(&kind)
            && is_id(id.get(3..).unwrap_or_default())
        {
            if kind == "ta-" {
                prefix.container = Some(id);
            }
            rest = after;
        }
        prefix.length = line.len() - rest.len();
        prefix
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, container: Option<&str>, rest: &str) {
        let prefix = Prefix::of(line);
        assert_eq!(prefix.container, container, "{line}");
        assert_eq!(line.get(prefix.length..), Some(rest), "{line}");
    }

    #[test]
    fn time_and_ids_are_taken_apart() {
        check(
            "2026-01-09 23:06:40+00:00 fu-AAAA fc-1 ta-A {\"event\":\"short\"}",
            Some("ta-A"),
            "{\"event\":\"short\"}",
        );
        check("2026-01-09 23:06:40+00:00 hello", None, "hello");
        check("ta-01ABC hello", Some("ta-01ABC"), "hello");
        check("fu-1 hello", None, "hello");
        check("hello ta-1 x", None, "hello ta-1 x");
        check("ta-1", None, "ta-1");
        check("ta-é x", None, "ta-é x");
        check(
            "2026-01-09 23:06:40,123 INFO x",
            None,
            "2026-01-09 23:06:40,123 INFO x",
        );
        check("", None, "");
        let time = Prefix::of("2026-01-09 23:06:40+01:00 x").time;
        assert_eq!(time, Some(UnixNanos(1_767_996_400_000_000_000)));
    }
}
