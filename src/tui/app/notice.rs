//! Sentences for the user that fade.

use crate::trace::Now;

/// How long a notice is shown.
const SHOWN_NS: u64 = 12_000_000_000;
/// More are not remembered at once.
const NOTICES_MAX: usize = 100;

/// The notices that have not faded, the newest last.
#[derive(Debug, Default)]
pub(super) struct Notices {
    notices: Vec<(String, u64)>,
}

impl Notices {
    pub(super) fn add(&mut self, text: String, now: Now) {
        if self.notices.len() >= NOTICES_MAX {
            self.notices.remove(0);
        }
        self.notices.push((text, now.uptime_ns));
    }

    /// Adds a sentence, if there is one.
    pub(super) fn extend(&mut self, text: Option<String>, now: Now) {
        if let Some(text) = text {
            self.add(text, now);
        }
    }

    /// Forgets the old ones. Returns whether there were any.
    pub(super) fn fade(&mut self, now: Now) -> bool {
        let n_notices = self.notices.len();
        self.notices
            .retain(|(_, at)| now.uptime_ns.saturating_sub(*at) < SHOWN_NS);
        self.notices.len() != n_notices
    }

    /// The newest, with how many more there are.
    pub(super) fn line(&self) -> Option<String> {
        let (newest, _) = self.notices.last()?;
        Some(match self.notices.len() {
            1 => newest.clone(),
            n_notices => format!("(+{} more) {newest}", n_notices - 1),
        })
    }
}
