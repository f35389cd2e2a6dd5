//! The key of an account. It can be sent, and otherwise shows no more than its end.

use std::fmt;

/// A key. Neither shown nor printed: of its digits only the last four are in its `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a key.
    pub(super) fn new(key: &str) -> Self {
        Self(key.into())
    }

    /// The key itself, for the header it is sent in and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four digits, by which its owner knows it again.
    pub fn ending(&self) -> &str {
        let start = self.0.len().saturating_sub(4);
        // Shorter keys would be shown whole.
        let ending = self.0.get(start..).filter(|_| self.0.len() >= 32);
        ending.unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "..{}", self.ending())
    }
}
