//! Bodies of Datadog's log intake to records: a JSON array of items, one item, one a line, or plain
//! text. After `pkg/logs/sender` in `DataDog/datadog-agent`, which sends arrays.

use super::Rejection;
use crate::json::{Kind, Raw};
use crate::logs::{LogRecord, LogSource};
use crate::trace::UnixNanos;

/// Lines of one body; more than any shipper puts into one.
const LINES_MAX: usize = 200_000;

/// The lines in a body. What is called `text/plain` is lines of text, however JSON begins: they may
/// begin with a time in brackets. The rest is JSON if its first character is one of JSON's.
pub(super) fn records(
    bytes: &[u8],
    content_type: Option<&str>,
    at: UnixNanos,
) -> Result<Vec<LogRecord>, Rejection> {
    let text = String::from_utf8_lossy(bytes);
    let is_plain = content_type.is_some_and(|content_type| {
        let start = content_type
            .trim_start()
            .as_bytes()
            .get(.."text/plain".len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"text/plain"))
    });
    if is_plain || !text.trim_start().starts_with(['[', '{']) {
        text_lines(&text, at)
    } else {
        items(&text, bytes, at)
    }
}

fn text_lines(text: &str, at: UnixNanos) -> Result<Vec<LogRecord>, Rejection> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut records = Vec::new();
    for line in lines {
        records.push(LogRecord::parse(line, LogSource::Http, at));
        check_number(&records)?;
    }
    Ok(records)
}

/// One value after another, each an item or an array of them. The text is that of the bytes, repaired.
fn items(text: &str, bytes: &[u8], at: UnixNanos) -> Result<Vec<LogRecord>, Rejection> {
    let mut records = Vec::new();
    let mut rest = text;
    while !rest.trim_start().is_empty() {
        let offset = text.len() - rest.len();
        let (value, after) =
            Raw::first(rest).map_err(|fault| no_json(bytes, offset + fault.at, fault.is_end))?;
        let item = (value.kind() != Kind::Array).then_some(value);
        for item in item.into_iter().chain(value.items()) {
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

/// The place in bytes of a place in their text, in which what is no UTF-8 was replaced.
fn place_in(bytes: &[u8], place: usize) -> usize {
    let (mut in_text, mut in_bytes) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if place <= in_text + valid {
            break;
        }
        let invalid = chunk.invalid().len();
        in_bytes += valid + invalid;
        in_text += valid;
        if invalid > 0 {
            in_text += char::REPLACEMENT_CHARACTER.len_utf8();
        }
    }
    in_bytes
        .saturating_add(place.saturating_sub(in_text))
        .min(bytes.len())
}

fn no_json(bytes: &[u8], place: usize, is_end: bool) -> Rejection {
    let at = place_in(bytes, place);
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
        let records = records(body.as_bytes(), None, AT).unwrap();
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
    fn plain_text_may_begin_like_json() {
        let body = b"[2026-11-20 19:53:45] INFO a\n{\"event\":\"b\"}\n{ braces\n";
        let records = records(body, Some("Text/Plain; charset=utf-8"), AT).unwrap();
        let messages: Vec<_> = records.iter().map(LogRecord::message).collect();
        assert_eq!(messages.len(), 3);
        assert_eq!((messages[1], messages[2]), ("b", "{ braces"));
    }

    #[test]
    fn more_lines_than_any_shipper_sends_are_refused() {
        let status = |body: String| records(body.as_bytes(), None, AT).unwrap_err().status;
        assert_eq!(status(format!("[0{}]", ",0".repeat(LINES_MAX))), 413);
        assert_eq!(status("x\n".repeat(LINES_MAX + 1)), 413);
    }

    #[test]
    fn the_place_of_a_fault_is_that_in_the_bytes_that_came() {
        let body = b"[\"\xff\xfe\xed\xa0\",x]";
        let reason = records(body, None, AT).unwrap_err().reason;
        assert_eq!(reason, "the body is no JSON from byte 8 on");
        let body = b"[\"\xff\xff\xff";
        let reason = records(body, None, AT).unwrap_err().reason;
        assert!(reason.ends_with("does not end, at byte 5"), "{reason}");
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let reason = |body: &str| {
            let json = Some("application/json");
            records(body.as_bytes(), json, AT).unwrap_err().reason
        };
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
