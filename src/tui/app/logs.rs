//! What concerns log lines: their views, the way from a line to its span and back.

use super::{App, Overlay};
use crate::store::{LogEntry, LogKey};
use crate::tui::action::Action;
use crate::tui::layout::{Pane, View};
use crate::tui::message::Effects;

impl App {
    /// The traces or, before the first, how to connect.
    pub(super) fn show_traces(&mut self) {
        self.overlay = None;
        self.connect_from = None;
        self.focus = Pane::List;
        self.view = match self.store.n_traces() {
            0 => View::Connect,
            _ => View::Traces,
        };
    }

    pub(super) fn show_logs(&mut self) {
        self.overlay = None;
        self.connect_from = None;
        self.focus = Pane::AllLogs;
        self.view = View::Logs;
    }

    pub(super) fn open_line(&mut self, key: LogKey) {
        self.line.show(key);
        self.overlay = Some(Overlay::Line);
    }

    pub(super) fn act_on_line(&mut self, action: Action) -> Effects {
        match action {
            Action::Detail => self.overlay = None,
            Action::Help => self.overlay = Some(Overlay::Help(0)),
            _ => {
                let outcome = self.line.update(action, &self.store);
                return self.follow(outcome, action);
            }
        }
        Vec::new()
    }

    pub(super) fn next_scope(&mut self) {
        self.trace_logs.next_scope();
        self.refresh_trace_logs();
    }

    /// Goes to the next letter on the time axis.
    pub(super) fn next_line(&mut self) {
        let selected = self.trace_logs.selected();
        if let Some(key) = self.waterfall.lines().after(selected) {
            self.choose_line(key);
        } else {
            let words = "No log line has joined this trace.";
            self.notices.add(words.to_owned(), self.now);
        }
    }

    /// Selects a line of the trace; another scope is taken if this one does not show it.
    pub(super) fn choose_line(&mut self, key: LogKey) {
        self.refresh_trace_logs();
        if !self.trace_logs.shows(key) {
            self.trace_logs.show_trace();
            self.refresh_trace_logs();
        }
        self.trace_logs.choose(key);
        self.waterfall.select_line(self.trace_logs.selected_mark());
    }

    /// The lines of the trace that is shown; a selected one has its letter stand out.
    pub(super) fn refresh_trace_logs(&mut self) {
        let flow = self.flow();
        self.trace_logs.refresh(&self.waterfall, &self.store, flow);
        if self.focus == Pane::Logs {
            self.trace_logs.hold();
        }
        self.waterfall.select_line(self.trace_logs.selected_mark());
    }

    /// Selects the span of a line. Its trace takes the screen, unless it is on it already.
    pub(super) fn go_to_line(&mut self, key: LogKey, focus: Pane) {
        let entry = self.store.log(key);
        let trace = entry.and_then(LogEntry::joined).map(|joined| joined.trace);
        let Some(trace) = trace.filter(|trace| self.store.trace(*trace).is_some()) else {
            let words = "This line belongs to no trace that is here.";
            self.notices.add(words.to_owned(), self.now);
            return;
        };
        self.overlay = None;
        if self.view == View::Logs || self.waterfall.key() != Some(trace) {
            if self.view != View::Trace {
                self.opened_from = self.view;
            }
            self.view = View::Trace;
            self.waterfall.show(Some(trace));
            self.waterfall.refresh(&self.store);
        }
        let span = self.store.trace(trace).zip(self.store.log(key));
        let span = span.and_then(|(trace, line)| trace.log_span(line.record()));
        if let Some(span) = span {
            self.waterfall.select_span(span);
        } else {
            let words = "The span of this line is not known: it named none, or it has not come.";
            self.notices.add(words.to_owned(), self.now);
        }
        self.focus = match focus {
            Pane::AllLogs => Pane::Waterfall,
            focus => focus,
        };
        self.choose_line(key);
    }
}
