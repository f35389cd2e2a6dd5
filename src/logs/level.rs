//! How severe a line is.

use std::fmt;
use std::str::FromStr;

/// The severity of a line, in the order of what deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For the developer.
    Debug,
    /// What happens.
    Info,
    /// What should not go on.
    Warn,
    /// What failed.
    Error,
    /// What cannot go on.
    Critical,
}

impl Level {
    /// Every level with its name in exports.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Trace, "trace"),
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Warn, "warn"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(level, _)| *level == self);
        known.map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    /// Reads what [`Level`]'s `Display` writes, and nothing else.
    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known
            .map(|(level, _)| *level)
            .ok_or_else(|| format!("{name:?} is no level"))
    }
}
