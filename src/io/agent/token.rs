//! The token that all paths begin with, when one is set. It appears in no answer and no record.

use std::fmt;
use std::hint::black_box;

use crate::wire::endpoint;

/// A secret first part of the path. Printing it says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// A token; slashes around it do not count. It is compared with paths that were decoded, so it
    /// is itself, in whichever form the user wrote it.
    pub fn new(token: &str) -> Self {
        Self(endpoint::plain(token.trim_matches('/')).into())
    }

    /// The path below `/TOKEN`, beginning with a slash; `None` without the token. How long it takes
    /// does not depend on how much of the token is right.
    pub(super) fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let token = self.0.as_bytes();
        let asked = path.strip_prefix('/')?;
        let asked_bytes = asked.as_bytes();
        let differences = token
            .iter()
            .enumerate()
            .fold(0, |differences, (index, byte)| {
                black_box(differences | (byte ^ asked_bytes.get(index).copied().unwrap_or(!byte)))
            });
        let rest = asked
            .get(token.len()..)
            .filter(|rest| rest.starts_with('/'))?;
        (differences == 0).then_some(rest)
    }

    /// A text without the token.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&*self.0, "[token]")
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, path: &str, expected: Option<&str>) {
        assert_eq!(Token::new(token).strip(path), expected, "{path}");
    }

    #[test]
    fn only_the_whole_token_opens() {
        check("s3cret", "/s3cret/info", Some("/info"));
        check("/s3cret/", "/s3cret/", Some("/"));
        check("a/b", "/a/b/info", Some("/info"));
        check("a%20b", "/a b/info", Some("/info"));
        check("a b", "/a b/info", Some("/info"));
        for path in [
            "/info",
            "/s3cre/info",
            "/s3crets/info",
            "/s3cret",
            "/S3cret/info",
            "",
            "/",
            "s3cret/info",
        ] {
            check("s3cret", path, None);
        }
        check("s3cret", "/ééé/info", None);
    }

    #[test]
    fn it_is_never_printed() {
        let token = Token::new("s3cret");
        assert_eq!(format!("{token:?}"), "[token]");
        assert_eq!(token.redact("/x/s3cret/info"), "/x/[token]/info");
    }
}
