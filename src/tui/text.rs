//! Text from strangers made harmless, cut to cells; durations, ages, sizes and ids in few
//! characters. Nothing it returns holds a control character.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::Glyphs;
use crate::trace::{Text, TraceId, UnixNanos, is_invisible, is_obeyed};

/// Longer texts are cut before they are looked at: a row never shows more.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// No letter has more marks in any language; towers of them reach into other rows.
const MARKS_MAX: usize = 4;

/// A text from the wire as it may be shown: one line, control characters visible.
pub(crate) fn show(text: Text<'_>, glyphs: Glyphs) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    match bytes.get(..SHOWN_BYTES_MAX) {
        None => visible(text.to_lossy(), glyphs),
        Some(start) => {
            let start = String::from_utf8_lossy(start);
            let whole = start.trim_end_matches(char::REPLACEMENT_CHARACTER);
            let mut shown = visible(Cow::Borrowed(whole), glyphs).into_owned();
            shown.push_str(glyphs.ellipsis());
            Cow::Owned(shown)
        }
    }
}

/// The same text with what a terminal might obey, or a reader not see, made visible.
pub(crate) fn visible(text: Cow<'_, str>, glyphs: Glyphs) -> Cow<'_, str> {
    let mut n_marks = 0;
    let mut is_as_it_is = |char| {
        n_marks = marks_in_a_row(n_marks, char);
        n_marks <= MARKS_MAX && is_harmless(char, glyphs)
    };
    if text.chars().all(&mut is_as_it_is) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut n_marks = 0;
    for char in text.chars() {
        n_marks = marks_in_a_row(n_marks, char);
        match n_marks.checked_sub(MARKS_MAX) {
            None | Some(0) => push_visible(&mut shown, char, glyphs),
            Some(1) => shown.push_str(glyphs.ellipsis()),
            Some(_) => {}
        }
    }
    Cow::Owned(shown)
}

/// How many marks stand on the last letter with one character more.
fn marks_in_a_row(n_marks: usize, char: char) -> usize {
    if char.is_ascii() || is_obeyed(char) || is_invisible(char) || char.width() != Some(0) {
        0
    } else {
        n_marks + 1
    }
}

fn is_harmless(char: char, glyphs: Glyphs) -> bool {
    match glyphs {
        _ if char == ' ' || char.is_ascii_graphic() => true,
        Glyphs::Ascii => false,
        Glyphs::Unicode => !is_obeyed(char) && !is_invisible(char),
    }
}

fn push_visible(shown: &mut String, char: char, glyphs: Glyphs) {
    if is_harmless(char, glyphs) {
        return shown.push(char);
    }
    let code = u32::from(char);
    match (glyphs, char) {
        (Glyphs::Unicode, '\n') => shown.push('⏎'),
        (Glyphs::Unicode, '\t') => shown.push('→'),
        (Glyphs::Unicode, '\x7f') => shown.push('␡'),
        (Glyphs::Unicode, '\0'..='\x1f') => {
            shown.extend(char::from_u32(0x2400 + code));
        }
        (Glyphs::Ascii, '\n') => shown.push_str("\\n"),
        (Glyphs::Ascii, '\t') => shown.push_str("\\t"),
        (Glyphs::Ascii, '\r') => shown.push_str("\\r"),
        (Glyphs::Ascii, '\x1b') => shown.push_str("\\e"),
        _ => {
            let _never_fails = write!(shown, "\\u{{{code:x}}}");
        }
    }
}

/// How many cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A number of cells, stopping at the largest a terminal can have.
pub(crate) fn cells(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The start of a text that fits into so many cells; a cut shows as an ellipsis.
pub(crate) fn cut(text: &str, n_cells: usize, glyphs: Glyphs) -> Cow<'_, str> {
    if text.len() <= n_cells && text.is_ascii() || width(text) <= n_cells {
        return Cow::Borrowed(text);
    }
    if n_cells == 0 {
        return Cow::Borrowed("");
    }
    let mut kept = String::new();
    let mut used = 1;
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used > n_cells {
            break;
        }
        kept.push(char);
    }
    // A selector of emoji style widens the character before it.
    while width(&kept) >= n_cells && kept.pop().is_some() {}
    kept.push_str(glyphs.ellipsis());
    Cow::Owned(kept)
}

/// What follows so many cells of a text.
pub(crate) fn skip(text: &str, n_cells: usize) -> &str {
    let mut used = 0;
    let kept = text.char_indices().find(|(_, char)| {
        let is_past = used >= n_cells;
        used += char.width().unwrap_or(0);
        is_past
    });
    kept.and_then(|(place, _)| text.get(place..)).unwrap_or("")
}

/// A text in lines of at most so many cells, broken at spaces where there are any; the last line
/// that is allowed is cut.
pub(crate) fn wrap(text: &str, n_cells: usize, n_lines: usize, glyphs: Glyphs) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && lines.len() < n_lines {
        let is_last = lines.len() + 1 == n_lines;
        if is_last || width(rest) <= n_cells {
            lines.push(cut(rest, n_cells, glyphs).into_owned());
            break;
        }
        let end = fitting_bytes(rest, n_cells);
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let space = line.rfind(' ').filter(|place| *place > 0);
        let end = match space {
            Some(space) if !after.starts_with(' ') => space,
            _ => end,
        };
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        lines.push(line.trim_end().to_owned());
        rest = after.trim_start();
    }
    lines
}

/// How many bytes of a text fit into so many cells, at least one character.
fn fitting_bytes(text: &str, n_cells: usize) -> usize {
    let mut used = 0;
    let past = text.char_indices().find(|(place, char)| {
        used += char.width().unwrap_or(0);
        used > n_cells && *place > 0
    });
    past.map_or(text.len(), |(place, _)| place)
}

/// A text in exactly so many cells, cut or filled up with spaces at its end.
pub(crate) fn left(text: &str, n_cells: usize, glyphs: Glyphs) -> String {
    let cut = cut(text, n_cells, glyphs);
    let missing = n_cells.saturating_sub(width(&cut));
    let mut padded = cut.into_owned();
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}

/// A text in exactly so many cells, cut or filled up with spaces before it.
pub(crate) fn right(text: &str, n_cells: usize, glyphs: Glyphs) -> String {
    let cut = cut(text, n_cells, glyphs);
    let mut padded = " ".repeat(n_cells.saturating_sub(width(&cut)));
    padded.push_str(&cut);
    padded
}

/// A duration in at most six cells or so: `1.94s`, `412ms`, `3.2ms`, `87µs`, `940ns`, `2m04s`.
pub(crate) fn duration(nanos: i64, glyphs: Glyphs) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let micro = glyphs.pick("µs", "us");
    match nanos {
        0..1_000 => format!("{sign}{nanos}ns"),
        1_000..1_000_000 => format!("{sign}{}{micro}", scaled(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", scaled(nanos, 1_000_000)),
        1_000_000_000..60_000_000_000 => {
            let hundredths = nanos / 10_000_000;
            format!("{sign}{}.{:02}s", hundredths / 100, hundredths % 100)
        }
        _ => {
            let seconds = nanos / 1_000_000_000;
            match seconds {
                0..3_600 => format!("{sign}{}m{:02}s", seconds / 60, seconds % 60),
                3_600..86_400 => {
                    format!("{sign}{}h{:02}m", seconds / 3_600, seconds / 60 % 60)
                }
                _ => format!("{sign}{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
            }
        }
    }
}

/// One decimal below ten, none above; never rounded up to the next unit.
fn scaled(number: u64, unit: u64) -> String {
    let tenths = number / (unit / 10);
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        (tenths / 10).to_string()
    }
}

/// How long ago, in at most three cells for the first hundred days: `2s`, `4m`, `3h`, `5d`.
pub(crate) fn age(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Minutes and seconds since the start: `02:14`, `1:02:14`.
pub(crate) fn uptime(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours == 0 {
        format!("{minutes:02}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

/// A size: `812 B`, `2.1 kB`, `41 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{} {name}", scaled(number, *unit)),
        None => format!("{number} B"),
    }
}

/// The time of day in UTC, to the millisecond: `14:02:12.871`.
pub(crate) fn time_of_day(at: UnixNanos) -> String {
    let (_, _, _, hour, minute, second) = at.civil();
    let millis = at.0.rem_euclid(1_000_000_000) / 1_000_000;
    format!("{hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// First and last digits of a trace id: `67b1..e2f7`.
pub(crate) fn short_id(id: TraceId) -> String {
    let digits = id.to_string();
    let (first, last) = (digits.get(..4), digits.get(28..));
    format!("{}..{}", first.unwrap_or(""), last.unwrap_or(""))
}

/// A number and its noun: `1 span`, `3 spans`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::nasty;

    #[track_caller]
    fn check_visible(text: &str, unicode: &str, ascii: &str) {
        assert_eq!(visible(Cow::Borrowed(text), Glyphs::Unicode), unicode);
        assert_eq!(visible(Cow::Borrowed(text), Glyphs::Ascii), ascii);
    }

    #[test]
    fn control_characters_become_visible() {
        check_visible("plain text", "plain text", "plain text");
        check_visible("\x1b[31mred", "␛[31mred", "\\e[31mred");
        check_visible("a\nb\tc\x07", "a⏎b→c␇", "a\\nb\\tc\\u{7}");
        check_visible("\u{9b}1m\x7f", "\\u{9b}1m␡", "\\u{9b}1m\\u{7f}");
        check_visible(
            "a\u{202e}b\u{200b}",
            "a\\u{202e}b\\u{200b}",
            "a\\u{202e}b\\u{200b}",
        );
        check_visible("é", "é", "\\u{e9}");
        check_visible("e\u{301}", "e\u{301}", "e\\u{301}");
    }

    #[test]
    fn what_strangers_send_is_shown_in_the_same_way_always() {
        for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
            for text in nasty::TEXTS {
                let shown = visible(Cow::Borrowed(text), glyphs);
                nasty::assert_harmless(&shown, &[]);
                assert!(!shown.contains(is_invisible), "{shown:?}");
                nasty::assert_harmless(&show(Text::from(text), glyphs), &[]);
            }
        }
    }

    #[test]
    fn towers_of_marks_are_cut() {
        let shown = visible(nasty::towering().into(), Glyphs::Unicode).into_owned();
        assert_eq!(shown, "a\u{301}\u{20e4}\u{301}\u{20e4}…b");
        check_visible("e\u{301}\u{323}", "e\u{301}\u{323}", "e\\u{301}\\u{323}");
    }

    #[test]
    fn huge_texts_are_cut_between_characters() {
        let huge = format!("a{}", "é".repeat(1_000_000));
        let shown = show(Text::from(huge.as_str()), Glyphs::Unicode);
        assert!(shown.len() <= SHOWN_BYTES_MAX + '…'.len_utf8());
        assert!(shown.ends_with("é…"));
    }

    #[test]
    fn texts_are_cut_by_cells_not_bytes() {
        let cases = [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("東京都", 5, "東京…"),
            ("東京都", 4, "東…"),
            ("東京", 0, ""),
            ("東京", 1, "…"),
            ("❤\u{fe0f}❤\u{fe0f}", 3, "❤\u{fe0f}…"),
            ("❤\u{fe0f}❤\u{fe0f}", 2, "❤…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ];
        for (text, n_cells, expected) in cases {
            assert_eq!(cut(text, n_cells, Glyphs::Unicode), expected);
            assert_eq!(width(&left(text, n_cells, Glyphs::Unicode)), n_cells);
            assert_eq!(width(&right(text, n_cells, Glyphs::Unicode)), n_cells);
        }
    }

    #[test]
    fn what_follows_some_cells_is_the_rest() {
        let cases = [
            ("abc", 0, "abc"),
            ("abc", 2, "c"),
            ("abc", 9, ""),
            ("東京", 1, "京"),
        ];
        for (text, n_cells, expected) in cases {
            assert_eq!(skip(text, n_cells), expected);
        }
    }

    #[test]
    fn long_texts_break_at_spaces() {
        let lines = |text, n_cells, n_lines| wrap(text, n_cells, n_lines, Glyphs::Unicode);
        assert_eq!(lines("one two three", 7, 3), ["one two", "three"]);
        assert_eq!(lines("one two three", 20, 3), ["one two three"]);
        assert_eq!(lines("one two three four", 7, 2), ["one two", "three …"]);
        assert_eq!(lines("東京都東京都", 4, 9), ["東京", "都東", "京都"]);
        assert_eq!(lines("", 7, 3), Vec::<String>::new());
    }

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0ns"),
            (940, "940ns"),
            (1_000, "1µs"),
            (87_400, "87µs"),
            (3_200_000, "3.2ms"),
            (412_999_999, "412ms"),
            (999_999_999, "999ms"),
            (1_940_000_000, "1.94s"),
            (59_999_999_999, "59.99s"),
            (124_000_000_000, "2m04s"),
            (7_260_000_000_000, "2h01m"),
            (i64::MAX, "106751d23h"),
            (i64::MIN, "-106751d23h"),
            (-1_500, "-1.5µs"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(duration(nanos, Glyphs::Unicode), expected);
        }
        assert_eq!(duration(87_400, Glyphs::Ascii), "87us");
    }

    #[test]
    fn ages_sizes_and_ids_are_short() {
        let ages = [(-1, "0s"), (2_000_000_000, "2s"), (240_000_000_000, "4m")];
        for (nanos, expected) in ages {
            assert_eq!(age(nanos), expected);
        }
        let sizes = [(812, "812 B"), (2_100, "2.1 kB"), (41_000_000, "41 MB")];
        for (number, expected) in sizes {
            assert_eq!(bytes(number), expected);
        }
        let id = TraceId(0x67b1_0000_0000_0000_0000_0000_0000_e2f7);
        assert_eq!(short_id(id), "67b1..e2f7");
        assert_eq!(short_id(TraceId(7)), "0000..0007");
        assert_eq!(uptime(134_000_000_000), "02:14");
        assert_eq!(uptime(3_734_000_000_000), "1:02:14");
        assert_eq!(time_of_day(UnixNanos(50_532_871_000_000)), "14:02:12.871");
    }
}
