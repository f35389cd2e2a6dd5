//! Bodies of Datadog's log intake to records: a JSON array of items, one item, one a line, or plain
//! text. After `pkg/logs/sender` in `DataDog/datadog-agent`, which sends arrays.

use super::Rejection;
use crate::json::{Kind, Raw};
use crate::logs::{LogRecord, LogSource};
use crate::trace::UnixNanos;

/// Lines of one body; more than any shipper puts into one.
const LINES_MAX: usize = 200_000;

/// The lines in a body.
pub(super) fn records(bytes: &[u8], at: UnixNanos) -> Result<Vec<LogRecord>, Rejection> {
    let text = String::from_utf8_lossy(bytes);
    let mut records = Vec::new();
    let is_json = text.trim_start().starts_with(['[', '{']);
    if !is_json {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        for line in lines {
            records.push(LogRecord::parse(line, LogSource::Http, at));
            check_number(&records)?;
        }
        return Ok(records);
    }
    let mut rest: &str = &text;
    while !rest.trim_start().is_empty() {
        let offset = text.len() - rest.len();
        let (value, after) =
            Raw::first(rest).map_err(|fault| no_json(offset + fault.at, fault.is_end))?;
        let items: Vec<Raw<'_>> = match value.kind() {
            Kind::Array => value.items().collect(),
            _ => vec![value],
        };
        for item in items {
            records.push(LogRecord::parse_item(item.text(), at));
            check_number(&records)?;
        }
        rest = after.trim_start().strip_prefix(',').unwrap_or(after);
    }
    Ok(records)
}

fn check_number(records: &[LogRecord]) -> Result<(), Rejection> {
    if records.len() <= LINES_MAX {
        return Ok(());
    }
    Err(Rejection {
        status: 413,
        reason: format!("more than {LINES_MAX} lines in one body; send them in several"),
    })
}

fn no_json(at: usize, is_end: bool) -> Rejection {
    let reason = if is_end {
        format!("the body is cut short: its JSON does not end, at byte {at}")
    } else {
        format!("the body is no JSON from byte {at} on")
    };
    Rejection {
        status: 400,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixNanos = UnixNanos(5);

    #[track_caller]
    fn check(body: &str, expected: &[&str]) {
        let records = super::records(body.as_bytes(), AT).unwrap();
        let messages: Vec<_> = records.iter().map(LogRecord::message).collect();
        assert_eq!(messages, expected, "{body}");
    }

    #[test]
    fn bodies_of_every_shape_are_lines() {
        check(r#"[{"message":"a"},{"message":"b"}]"#, &["a", "b"]);
        check(r#"{"message":"a"}"#, &["a"]);
        check("{\"message\":\"a\"}\n{\"message\":\"b\"}\n", &["a", "b"]);
        check("[\"a line\"]", &["\"a line\""]);
        check("plain\n\nlines\r\n", &["plain", "lines"]);
        check("", &[]);
        check("[]", &[]);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let reason = |body: &str| super::records(body.as_bytes(), AT).unwrap_err().reason;
        assert_eq!(
            reason(r#"[{"message":"a"},"#),
            "the body is cut short: its JSON does not end, at byte 17"
        );
        assert_eq!(
            reason(r#"[{"message":x}]"#),
            "the body is no JSON from byte 12 on"
        );
    }
}
