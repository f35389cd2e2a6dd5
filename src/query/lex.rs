//! A query in tokens: brackets, joining words, and terms as they are written. Total: any text is
//! some sequence of tokens.

use std::borrow::Cow;
use std::ops::Range;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    Or,
    And,
    Not,
    Term(Written<'a>),
}

/// A term as it is written: `word`, `"a phrase"`, `key:value`, `@key:>=value`, `key<value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub(super) key: Option<Key<'a>>,
    pub(super) value: Value<'a>,
}

/// What stands before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    /// Whether an `@` says that it is a tag, whatever its name.
    pub(super) is_tag: bool,
    pub(super) has_colon: bool,
    pub(super) operator: Operator,
    /// All of the term, should it turn out to be a word.
    pub(super) term: &'a str,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Operator {
    /// The longer come first.
    const WRITTEN: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::More),
        ("=", Self::Equal),
    ];

    /// Whether what is there compares so to what is asked for.
    pub(super) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::AtLeast => ordering.is_ge(),
            Self::More => ordering.is_gt(),
        }
    }
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Bare(&'a str),
    /// Without its quotes.
    Quoted(Cow<'a, str>),
    /// The text ended before the quote did.
    Unclosed(Cow<'a, str>),
}

impl Value<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Bare(text) => text,
            Self::Quoted(text) | Self::Unclosed(text) => text,
        }
    }
}

/// Reads one token after another.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lexer<'a> {
    /// A token and where it stands.
    type Item = (Token<'a>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        let start = self.at;
        let rest = self.rest();
        let first = rest.chars().next()?;
        let second = rest.chars().nth(1);
        let mark = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '|' => Some(Token::Or),
            // Two dashes begin an option of some command: a word.
            '-' if second != Some('-') => Some(Token::Not),
            '!' => Some(Token::Not),
            _ => None,
        };
        let token = if let Some(mark) = mark {
            self.at += 1;
            mark
        } else {
            self.word_or_term(rest)
        };
        Some((token, start..self.at))
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the last token ended.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn word_or_term(&mut self, rest: &'a str) -> Token<'a> {
        if rest.starts_with('"') {
            let value = self.value();
            return Token::Term(Written { key: None, value });
        }
        let word = bare(rest);
        match word {
            "or" | "OR" => {
                self.at += word.len();
                return Token::Or;
            }
            "AND" => {
                self.at += word.len();
                return Token::And;
            }
            _ => {}
        }
        let Some((mut key, length)) = key(rest) else {
            self.at += word.len();
            let value = Value::Bare(word);
            return Token::Term(Written { key: None, value });
        };
        let start = self.at;
        self.at += length;
        let value = self.value();
        key.term = self.text.get(start..self.at).unwrap_or_default();
        let key = Some(key);
        Token::Term(Written { key, value })
    }

    /// What stands here up to the end of the term.
    fn value(&mut self) -> Value<'a> {
        let rest = self.rest();
        let Some(quoted) = rest.strip_prefix('"') else {
            let value = bare(rest);
            self.at += value.len();
            return Value::Bare(value);
        };
        let (text, end) = unquoted(quoted);
        let Some(end) = end else {
            self.at = self.text.len();
            return Value::Unclosed(text);
        };
        self.at += 1 + end;
        Value::Quoted(text)
    }
}

/// What a text begins with, up to white space, a `|`, or a bracket that it does not open.
fn bare(text: &str) -> &str {
    let mut n_open = 0_usize;
    let end = text.find(|char: char| {
        match char {
            '(' => n_open += 1,
            ')' if n_open == 0 => return true,
            ')' => n_open -= 1,
            _ => {}
        }
        char.is_whitespace() || char == '|'
    });
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// The key and operator that a text begins with, and their length. What begins like an address or
/// a path has none.
fn key(text: &str) -> Option<(Key<'_>, usize)> {
    let (is_tag, after_at) = match text.strip_prefix('@') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let is_first = |char: char| char.is_alphabetic() || char == '_';
    if !after_at.starts_with(is_first) {
        return None;
    }
    let is_in_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.' | '-' | '/');
    let length = after_at.find(|char: char| !is_in_name(char))?;
    let (name, rest) = after_at.split_at_checked(length)?;
    let after_colon = rest.strip_prefix(':');
    let compared = after_colon.unwrap_or(rest);
    let written = Operator::WRITTEN
        .iter()
        .find_map(|(sign, operator)| Some((*operator, compared.strip_prefix(*sign)?)));
    let (operator, value) = match (written, after_colon) {
        (Some(written), _) => written,
        (None, Some(value)) => (Operator::Equal, value),
        (None, None) => return None,
    };
    if value.starts_with("//") || value.starts_with(':') {
        return None;
    }
    let key = Key {
        name,
        is_tag,
        has_colon: after_colon.is_some(),
        operator,
        term: "",
    };
    Some((key, text.len() - value.len()))
}

/// The text up to the closing quote, `\"` being a quote that does not close, and where it ends.
fn unquoted(text: &str) -> (Cow<'_, str>, Option<usize>) {
    let mut before = ' ';
    let end = text.find(|char: char| {
        let closes = char == '"' && before != '\\';
        before = char;
        closes
    });
    let inner = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    let inner = if inner.contains("\\\"") {
        Cow::Owned(inner.replace("\\\"", "\""))
    } else {
        Cow::Borrowed(inner)
    };
    (inner, end.map(|end| end + 1))
}
