//! Takes out what is meant for a terminal: colours, cursor moves, links, titles.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// The text without escape sequences: CSI, OSC and other strings, and the short ones. A sequence that
/// never ends is taken out to the end of the line.
pub(crate) fn strip(text: &str) -> Cow<'_, str> {
    let Some((plain, mut rest)) = text.split_once(ESCAPE) else {
        return Cow::Borrowed(text);
    };
    let mut stripped = String::with_capacity(text.len());
    stripped.push_str(plain);
    loop {
        rest = after_sequence(rest);
        match rest.split_once(ESCAPE) {
            Some((plain, after)) => {
                stripped.push_str(plain);
                rest = after;
            }
            None => {
                stripped.push_str(rest);
                return Cow::Owned(stripped);
            }
        }
    }
}

/// What follows the sequence that an escape character began (ECMA-48, sections 5.3 to 5.6).
fn after_sequence(rest: &str) -> &str {
    let mut chars = rest.chars();
    match chars.next() {
        Some('[') => {
            let rest = chars.as_str();
            let is_parameter = |char: char| matches!(char, '\u{20}'..='\u{3f}');
            let end = rest.trim_start_matches(is_parameter);
            let mut after = end.chars();
            match after.next() {
                Some('\u{40}'..='\u{7e}') => after.as_str(),
                // No sequence after all: what does not belong to one stays.
                _ => end,
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let rest = chars.as_str();
            let end = rest.find(['\u{7}', ESCAPE, '\u{9c}']);
            let Some(end) = end else { return "" };
            let after = rest.get(end..).unwrap_or_default();
            after
                .strip_prefix("\u{1b}\\")
                .or_else(|| after.strip_prefix(['\u{7}', '\u{9c}']))
                .unwrap_or(after)
        }
        Some('\u{20}'..='\u{2f}') => {
            let rest = chars.as_str();
            let end = rest.trim_start_matches(|char| matches!(char, '\u{20}'..='\u{2f}'));
            let mut after = end.chars();
            after.next();
            after.as_str()
        }
        Some('\u{30}'..='\u{7e}') => chars.as_str(),
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(strip(text), expected, "{text:?}");
    }

    #[test]
    fn what_is_meant_for_a_terminal_goes_and_the_rest_stays() {
        check("plain", "plain");
        check("\x1b[34m{\"a\":1}\x1b[0m", "{\"a\":1}");
        check("\x1b[2K\x1b[1A\x1b[?25lx", "x");
        check("\x1b[38;5;196mred\x1b[m", "red");
        check(
            "\x1b]8;id=1;https://a.example\x1b\\link\x1b]8;;\x1b\\!",
            "link!",
        );
        check("\x1b]0;title\x07x", "x");
        check("\x1b(Bx\x1b=y\x1bMz", "xyz");
        check("a\x1b", "a");
        check("a\x1b[", "a");
        check("a\x1b[12", "a");
        check("a\x1b]0;never ends", "a");
        check("\x1b[é", "é");
        check("\x1b\x1b[31mx", "x");
    }
}
