//! Rust code as the tidy rules read it: without comments and without what strings say.
//!
//! Knows as much of the language as that needs, and no more.

/// The code with comments and the contents of strings taken out, line breaks kept.
pub(super) fn blank(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let token = Token::first_of(rest);
        let (text, tail) = rest.split_at(token.length);
        let (open, text) = text.split_at(token.open);
        let (hidden, close) = text.split_at(text.len() - token.close);
        code.push_str(open);
        code.extend(hidden.chars().filter(|c| *c == '\n'));
        code.push_str(close);
        rest = tail;
    }
    code
}

/// The lengths of a piece of code and of its ends that stay; between them everything is blanked.
struct Token {
    length: usize,
    open: usize,
    close: usize,
}

impl Token {
    fn first_of(rest: &str) -> Self {
        let length_to = |end: &str, open: usize| {
            let tail = rest.get(open..).unwrap_or_default();
            tail.find(end)
                .map_or(rest.len(), |at| open + at + end.len())
        };
        if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            return Self {
                length,
                open: 0,
                close: 0,
            };
        }
        if rest.starts_with("/*") {
            return Self {
                length: length_to("*/", 2),
                open: 0,
                close: 0,
            };
        }
        for (open, close) in [("r##\"", "\"##"), ("r#\"", "\"#"), ("r\"", "\"")] {
            if rest.starts_with(open) {
                let length = length_to(close, open.len());
                return Self {
                    length,
                    open: open.len(),
                    close: close.len(),
                };
            }
        }
        if rest.starts_with('"') {
            return Self {
                length: string_length(rest),
                open: 1,
                close: 1,
            };
        }
        // A quoted character may be a quote or a slash; a lifetime is not closed, and stays.
        let quoted = ["'\"'", "'\\\"'", "'\\''", "'\\\\'", "'/'"];
        let quoted = quoted
            .iter()
            .find(|quoted| rest.starts_with(**quoted))
            .map(|quoted| quoted.len());
        let length = quoted
            .or(rest.chars().next().map(char::len_utf8))
            .unwrap_or(rest.len());
        Self {
            length,
            open: length,
            close: 0,
        }
    }
}

/// The length of the string that begins here, with its quotes.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(blank(source), expected);
}

#[test]
fn comments_go() {
    check("a // ratatui\nb", "a \nb");
    check("a /* x\n y */ b", "a \n b");
}

#[test]
fn strings_are_emptied() {
    check(r#"f("std::fs \" //", 'x') // y"#, r#"f("", 'x') "#);
    check("r#\"a \" b\"#; c", "r#\"\"#; c");
    check("\"one\ntwo\" b", "\"\n\" b");
    check(r#""\\" // b"#, r#""" "#);
}

#[test]
fn quotes_that_open_no_string_open_none() {
    check("let q = '\"'; g(\"z\") // '", "let q = '\"'; g(\"\") ");
    check("fn f<'a>(x: &'a str) {} // '", "fn f<'a>(x: &'a str) {} ");
}
