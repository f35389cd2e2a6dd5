//! The filter language: one for the list of traces, the waterfall and the log lines. It matches; it
//! draws nothing.

use crate::store::LogEntry;

/// What is looked for. The empty query matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    text: String,
    folded: String,
}

impl Query {
    /// Reads a query as it is written. What is wrong with one is said by the query itself.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            folded: text.trim().to_lowercase(),
        }
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether a log line matches.
    pub fn matches_log(&self, entry: &LogEntry) -> bool {
        entry.record().line().to_lowercase().contains(&self.folded)
    }
}
