//! A line to its pieces: JSON objects, the text between them, and what broke off.
//!
//! Writers that share a pipe cut into each other's lines. Where an object stops being JSON another
//! one may begin: only from there on is a new beginning looked for, since every `{` before stands in
//! an object that was whole so far. Nothing is guessed: what fits together nowhere stays text.
//!
//! ```text
//! {"event":"a"}{"event":"b"}            Object Object
//! {"event":"a",{"event":"b"}            Torn   Object
//! progress 10%{"traces":[[…]]}          Text   Object
//! {"event":"a","n":                     Torn
//! ```

use crate::json::{Kind, Raw};

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// A whole JSON object.
    Object(Raw<'a>),
    /// Anything else.
    Text(&'a str),
    /// The beginning of an object whose rest may stand in a later line.
    Torn(&'a str),
}

/// How often in one line a new beginning is tried.
const BEGINNINGS_MAX: usize = 16;

/// The pieces of a line in their order; blank ones are left out.
pub(crate) fn segments(line: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::with_capacity(1);
    let mut rest = line.trim();
    let mut n_tried = 0;
    while !rest.is_empty() {
        let (segment, after) = first(rest, &mut n_tried);
        segments.push(segment);
        rest = after.trim();
    }
    segments
}

fn first<'a>(text: &'a str, n_tried: &mut usize) -> (Segment<'a>, &'a str) {
    if !text.starts_with('{') {
        return plain(text, n_tried);
    }
    match Raw::first(text) {
        Ok((object, rest)) => (Segment::Object(object), rest),
        Err(fault) => {
            // The innermost string may hold the beginning of another writer's line.
            let next = beginning(text, fault.token.max(1), n_tried, |_| true);
            match next {
                Some(next) => {
                    let (head, rest) = text.split_at_checked(next).unwrap_or((text, ""));
                    (Segment::Torn(head), rest)
                }
                None if fault.is_end => broken_off(text, n_tried),
                None => (Segment::Text(text), ""),
            }
        }
    }
}

/// A text that is JSON as far as it goes. Where a value was to come, the line of another writer looks
/// like one: it ends with the text, and looks like a log line or like spans.
fn broken_off<'a>(text: &'a str, n_tried: &mut usize) -> (Segment<'a>, &'a str) {
    for (place, _) in text.rmatch_indices('{') {
        if place == 0 || *n_tried >= BEGINNINGS_MAX {
            break;
        }
        *n_tried += 1;
        let (head, rest) = text.split_at_checked(place).unwrap_or((text, ""));
        if let Ok(object) = Raw::whole(rest)
            && is_telling(object)
        {
            return (Segment::Torn(head), rest);
        }
    }
    (Segment::Torn(text), "")
}

/// Text up to the next object that looks like a log line or like spans: braces are common in text.
fn plain<'a>(text: &'a str, n_tried: &mut usize) -> (Segment<'a>, &'a str) {
    let next = beginning(text, 0, n_tried, is_telling);
    let (head, rest) = next
        .and_then(|next| text.split_at_checked(next))
        .unwrap_or((text, ""));
    (Segment::Text(head), rest)
}

/// Where from `from` on a wanted object begins.
fn beginning(
    text: &str,
    from: usize,
    n_tried: &mut usize,
    is_wanted: impl Fn(Raw<'_>) -> bool,
) -> Option<usize> {
    let after = text.get(from..)?;
    for (place, _) in after.match_indices('{') {
        if *n_tried >= BEGINNINGS_MAX {
            return None;
        }
        *n_tried += 1;
        if let Ok((object, _)) = Raw::first(text.get(from + place..)?)
            && is_wanted(object)
        {
            return Some(from + place);
        }
    }
    None
}

/// Whether an object is a log line, or spans, for anybody who finds it in the middle of a text.
fn is_telling(object: Raw<'_>) -> bool {
    let (mut says, mut tells) = (false, false);
    for (key, value) in object.entries() {
        match &*key {
            "traces" if value.kind() == Kind::Array => return true,
            "event" | "message" | "msg" => says = true,
            "level" | "timestamp" | "time" | "severity" | "levelname" | "dd" | "dd.trace_id" => {
                tells = true;
            }
            _ => {}
        }
    }
    says && tells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Segment<'_> {
        Segment::Object(Raw::whole(text).unwrap())
    }

    #[track_caller]
    fn check(line: &str, expected: &[Segment<'_>]) {
        assert_eq!(segments(line), expected, "{line}");
    }

    #[test]
    fn a_line_is_a_stream_of_objects() {
        check("", &[]);
        check("plain", &[Segment::Text("plain")]);
        check(r#" {"a":1} "#, &[object(r#"{"a":1}"#)]);
        check(
            r#"{"a":1}{"b":2}  {"c":3}"#,
            &[
                object(r#"{"a":1}"#),
                object(r#"{"b":2}"#),
                object(r#"{"c":3}"#),
            ],
        );
        check(
            r#"{"a":1}Disconnecting from Modal"#,
            &[
                object(r#"{"a":1}"#),
                Segment::Text("Disconnecting from Modal"),
            ],
        );
    }

    #[test]
    fn a_line_that_fell_into_another_is_saved() {
        let whole = r#"{"event":"whole-from-B"}"#;
        for head in [
            r#"{"event":"split-A-begin","#,
            r#"{"event":"split-A-be"#,
            r#"{"event":"split"#,
            r#"{"ev"#,
            "{",
            r#"{"n":12"#,
            r#"{"traces": [[{"trace_id": "AB", "meta": {"x": "y"}}, {"trace"#,
        ] {
            check(
                &format!("{head}{whole}"),
                &[Segment::Torn(head), object(whole)],
            );
        }
    }

    #[test]
    fn what_breaks_off_may_go_on_later_and_what_is_no_json_may_not() {
        let torn = r#"{"traces": [[{"trace_id": "AB", "meta": {"x": "y"}}, {"#;
        check(torn, &[Segment::Torn(torn)]);
        check("{", &[Segment::Torn("{")]);
        check("{'a': 1}", &[Segment::Text("{'a': 1}")]);
        check("{foo} {bar}", &[Segment::Text("{foo} {bar}")]);
    }

    #[test]
    fn braces_in_a_text_stay_text_unless_they_are_a_log_line() {
        let text = r#"got {"a":1} from {"event":"x"}"#;
        check(text, &[Segment::Text(text)]);
        let log = r#"{"event":"x","level":"info"}"#;
        check(
            &format!("progress 10%{log}"),
            &[Segment::Text("progress 10%"), object(log)],
        );
        let spans = r#"{"traces":[[]]}"#;
        check(
            &format!("progress {spans}tail"),
            &[
                Segment::Text("progress "),
                object(spans),
                Segment::Text("tail"),
            ],
        );
    }

    #[test]
    fn endless_beginnings_are_tried_a_few_times() {
        let hostile = r#"{"a":"#.repeat(20_000);
        check(&hostile, &[Segment::Text(&hostile)]);
        let braces = "x{".repeat(100_000);
        check(&braces, &[Segment::Text(&braces)]);
    }
}
