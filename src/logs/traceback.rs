//! Exceptions as loggers write them: a text, or structured as by structlog's `dict_tracebacks`.

use std::fmt::Write as _;

use crate::json::{Kind, Raw};

/// The members that carry an exception.
const KEYS: [&str; 9] = [
    "exception",
    "exc_info",
    "exc_text",
    "traceback",
    "stack_trace",
    "stack",
    "stack_info",
    "error.stack",
    "stacktrace",
];
/// Exceptions of one line, and frames of one exception, that are shown.
const EXCEPTIONS_MAX: usize = 32;
const FRAMES_MAX: usize = 200;

/// Whether a member carries an exception.
pub(super) fn is_key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// An exception as a text of lines; `None` where the member is there but empty.
pub(super) fn text(value: Raw<'_>) -> Option<String> {
    let mut text = String::new();
    match value.kind() {
        Kind::Text => text = value.string()?.trim_end().to_owned(),
        Kind::Array => {
            for exception in value.items().take(EXCEPTIONS_MAX) {
                match exception.string() {
                    // An array of lines.
                    Some(line) => push_line(&mut text, &line),
                    None => push_exception(&mut text, exception),
                }
            }
        }
        Kind::Object => push_exception(&mut text, value),
        Kind::Null | Kind::Bool | Kind::Number => return None,
    }
    (!text.trim().is_empty()).then_some(text)
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// One exception: `exc_type`, `exc_value` and `frames`, or `type` and `value` as loguru has them.
fn push_exception(text: &mut String, exception: Raw<'_>) {
    let said = |keys: [&str; 3]| {
        let value = keys.into_iter().find_map(|key| exception.get(key))?;
        value.string().map(std::borrow::Cow::into_owned)
    };
    if let Some(frames) = exception.get("frames") {
        push_line(text, "Traceback (most recent call last):");
        for frame in frames.items().take(FRAMES_MAX) {
            push_frame(text, frame);
        }
    }
    let kind = said(["exc_type", "type", "kind"]).unwrap_or_default();
    let value = said(["exc_value", "value", "message"]).unwrap_or_default();
    let separator = if kind.is_empty() || value.is_empty() {
        ""
    } else {
        ": "
    };
    push_line(text, &format!("{kind}{separator}{value}"));
    if let Some(stack) = said(["stack", "traceback", "stacktrace"]) {
        push_line(text, &stack);
    }
}

fn push_frame(text: &mut String, frame: Raw<'_>) {
    let said = |key| frame.get(key).and_then(Raw::string).unwrap_or_default();
    let number = frame.get("lineno").and_then(Raw::number).unwrap_or("?");
    let _never_fails = writeln!(
        text,
        "  File \"{}\", line {number}, in {}",
        said("filename"),
        said("name")
    );
    let line = said("line");
    if !line.trim().is_empty() {
        let _never_fails = writeln!(text, "    {}", line.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        assert_eq!(text(Raw::whole(json).unwrap()).as_deref(), expected);
    }

    #[test]
    fn texts_and_structures_read_like_pythons_traceback() {
        check(
            r#""Traceback:\n  File\nValueError: x\n""#,
            Some("Traceback:\n  File\nValueError: x"),
        );
        check(
            r#"[{"exc_type":"ValueError","exc_value":"no","syntax_error":null,"is_cause":false,
                "frames":[{"filename":"/app/a.py","lineno":3,"name":"f","line":"raise ValueError()","locals":{}}]}]"#,
            Some(
                "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f\n    raise ValueError()\nValueError: no\n",
            ),
        );
        check(
            r#"{"type":"KeyError","value":"'a'","traceback":true}"#,
            Some("KeyError: 'a'\n"),
        );
        check(r#"["line 1\n","line 2"]"#, Some("line 1\nline 2\n"));
        for nothing in ["null", "true", "\"\"", "[]"] {
            check(nothing, None);
        }
    }
}
