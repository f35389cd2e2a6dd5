//! What concerns the screen of latency: the way there and back, borders in time, and the rule.

use super::App;
use crate::store::TraceEntry;
use crate::tui::action::Action;
use crate::tui::layout::{Pane, View};
use crate::tui::screen::{Outcome, ViewContext};
use crate::tui::text;

impl App {
    pub(super) fn show_latency(&mut self) {
        self.overlay = None;
        self.connect_from = None;
        self.focus = Pane::Latency;
        self.view = View::Latency;
    }

    pub(super) fn refresh_latency(&mut self) {
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now: self.now,
            flow: self.flow(),
        };
        self.latency.refresh(&context);
    }

    pub(super) fn update_latency(&mut self, action: Action) -> Outcome {
        if action == Action::SetBorder {
            self.set_border();
            return Outcome::Handled;
        }
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now: self.now,
            flow: self.flow(),
        };
        self.latency.update(action, &context)
    }

    /// Sets a border of time at now. What was read from files lies in the past: there it is set at the trace
    /// that is selected in the list.
    fn set_border(&mut self) {
        let is_file = !self.options.listening.opened_files.is_empty();
        let selected = self.list.selected().filter(|_| is_file);
        let selected = selected.and_then(|key| self.store.trace(key));
        let (at, what) = match selected.map(TraceEntry::start) {
            Some(start) => (start, "the start of the trace that is selected in the list"),
            None => (self.now.wall, "now"),
        };
        self.latency.set_border(at);
        let words = format!("Border at {}: {what}.", text::time_of_day(at));
        self.notices.add(words, self.now);
    }
}
