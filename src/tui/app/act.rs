//! What actions do: some to the screen as a whole, the others to the pane with the keys.

use super::{App, Overlay};
use crate::query::Query;
use crate::trace::Now;
use crate::tui::action::Action;
use crate::tui::layout::{Pane, View};
use crate::tui::message::{Effect, Effects, ExportFormat, ExportScope};
use crate::tui::screen::{Outcome, Place};

/// The panes in the order in which they have the keys.
const PANES: [Pane; 4] = [Pane::List, Pane::Waterfall, Pane::Span, Pane::Logs];

impl App {
    pub(super) fn perform(&mut self, action: Action, now: Now) -> Effects {
        match action {
            Action::Quit => return self.quit(now),
            Action::Restart => return self.restart(),
            Action::Redraw => return vec![Effect::Redraw],
            Action::Suspend => return vec![Effect::Suspend],
            Action::ExportJson => return self.export_trace(ExportFormat::Json),
            Action::ExportDatadog => return self.export_trace(ExportFormat::Datadog),
            Action::ExportAll => return self.export(ExportScope::All, ExportFormat::Json),
            Action::ExportAllDatadog => {
                return self.export(ExportScope::All, ExportFormat::Datadog);
            }
            Action::Pause => self.pause(now),
            Action::Back => self.back(),
            Action::ShowTraces => self.show_traces(),
            Action::ShowLogs => self.show_logs(),
            Action::ShowSampling => self.show_sampling(),
            Action::ShowLatency => self.show_latency(),
            _ if self.choose(action) => {}
            _ => match self.overlay {
                Some(Overlay::Help(scroll)) => {
                    self.act_on_text(action, scroll, (Action::Help, Overlay::Help));
                }
                Some(Overlay::ColdRule(scroll)) => {
                    self.act_on_text(action, scroll, (Action::ColdRule, Overlay::ColdRule));
                }
                Some(Overlay::Forward(scroll)) => {
                    self.act_on_text(action, scroll, (Action::Forward, Overlay::Forward));
                }
                Some(Overlay::Send(_)) => self.answer(action),
                Some(Overlay::Span) => return self.act_on_details(action),
                Some(Overlay::Line) => return self.act_on_line(action),
                Some(Overlay::Filter(pane, _)) => return self.give(pane, action),
                Some(Overlay::WhatIf(_) | Overlay::Rule(_)) => return self.act_on_sampling(action),
                Some(Overlay::Export) => {}
                None => return self.act_on_panes(action),
            },
        }
        Vec::new()
    }

    fn act_on_panes(&mut self, action: Action) -> Effects {
        match action {
            Action::Help => self.overlay = Some(Overlay::Help(0)),
            Action::Connect => self.open_connect(),
            _ if self.view == View::Connect => return self.act_on_connect(action),
            Action::Export => self.open_export(),
            Action::Filter => self.open_filter(),
            Action::Detail => self.open_details(),
            Action::NextPane => self.focus_next(&PANES),
            Action::PreviousPane => {
                let mut backwards = PANES;
                backwards.reverse();
                self.focus_next(&backwards);
            }
            Action::Scope if self.focus != Pane::Latency => self.next_scope(),
            Action::ColdRule => self.overlay = Some(Overlay::ColdRule(0)),
            Action::NextLine => self.next_line(),
            Action::WhatIf => self.open_what_if(),
            Action::WriteRule if self.focus != Pane::Sampling => return self.write_rule(),
            _ => return self.give(self.focus, action),
        }
        Vec::new()
    }

    fn act_on_connect(&mut self, action: Action) -> Effects {
        match action {
            Action::Open if self.store.n_traces() > 0 => {
                self.view = View::Traces;
                self.connect_from = None;
            }
            Action::Copy => return vec![Effect::Copy(self.connect_facts().fix())],
            _ => self.connect.update(action, self.store.requests().len()),
        }
        Vec::new()
    }

    /// Shows how things are connected; the same key leads back.
    fn open_connect(&mut self) {
        if self.view == View::Connect {
            self.leave_connect();
        } else {
            self.connect_from = Some(self.view);
            self.view = View::Connect;
        }
    }

    fn leave_connect(&mut self) {
        let is_filled = self.store.n_traces() > 0;
        let from = self.connect_from.take();
        if let Some(view) = from.or(is_filled.then_some(View::Traces)) {
            self.view = view;
        }
    }

    /// The user wants to leave: what lies on top goes, so that the next key is not taken for a letter
    /// of a filter, and what we wait for is seen.
    pub(super) fn quit(&mut self, now: Now) -> Effects {
        self.overlay = None;
        self.is_dirty = true;
        let n_lines = self.store.counters().logs_received;
        vec![self.child.quit(n_lines, now)]
    }

    fn restart(&mut self) -> Effects {
        let effect = self.child.restart();
        self.keymap.offer_restart(self.child.can_restart());
        effect.into_iter().collect()
    }

    /// A text that lies on top is scrolled, and closed by the key that opened it.
    fn act_on_text(
        &mut self,
        action: Action,
        scroll: u16,
        (opener, text): (Action, fn(u16) -> Overlay),
    ) {
        let closes = action == opener || matches!(action, Action::Click { .. });
        self.overlay = (!closes).then(|| text(self.scrolled(action, scroll)));
    }

    /// How far a text that lies on top is scrolled after an action.
    pub(super) fn scrolled(&self, action: Action, scroll: u16) -> u16 {
        let to = match action {
            Action::Scroll(rows) => scroll.saturating_add_signed(rows),
            Action::Move(motion) => {
                let n_rows = usize::from(self.help_scroll_max) + 1;
                let row = motion.from_row(usize::from(scroll), n_rows, n_rows);
                u16::try_from(row).unwrap_or(u16::MAX)
            }
            _ => scroll,
        };
        to.min(self.help_scroll_max)
    }

    fn act_on_details(&mut self, action: Action) -> Effects {
        match action {
            Action::Detail => {
                self.overlay = None;
                Vec::new()
            }
            Action::Export => {
                self.open_export();
                Vec::new()
            }
            Action::Help => {
                self.overlay = Some(Overlay::Help(0));
                Vec::new()
            }
            _ => self.give(Pane::Span, action),
        }
    }

    /// Gives an action to a pane and does what the pane asks for.
    pub(super) fn give(&mut self, pane: Pane, action: Action) -> Effects {
        let outcome = match pane {
            Pane::List => self.list.update(action, &self.store),
            Pane::Waterfall => self.waterfall.update(action, &self.store),
            Pane::Span => self.span.update(action, &self.store),
            Pane::Logs => self.trace_logs.update(action, &self.store),
            Pane::AllLogs => self.logs.update(action, &self.store),
            Pane::Sampling => self.update_sampling(action),
            Pane::Latency => self.update_latency(action),
        };
        self.follow(outcome, action)
    }

    /// Does what a pane asks for.
    pub(super) fn follow(&mut self, outcome: Outcome, action: Action) -> Effects {
        match outcome {
            Outcome::Ignored if action == Action::CopyJson => {
                return self
                    .waterfall
                    .key()
                    .map(Effect::CopyTrace)
                    .into_iter()
                    .collect();
            }
            Outcome::Ignored => self.say_nothing_found(action),
            Outcome::Handled => {}
            Outcome::Open(Place::Trace) => {
                self.opened_from = View::Traces;
                self.view = View::Trace;
                self.focus = Pane::Waterfall;
            }
            Outcome::Open(Place::TraceOf(key)) => self.open_trace_of(key),
            Outcome::List(filter) => self.list_traces(&filter),
            Outcome::Open(Place::Span) => self.open_details(),
            Outcome::Open(Place::Line(key)) => self.open_line(key),
            Outcome::Open(Place::SpanOf(key)) => self.go_to_line(key, Pane::Waterfall),
            Outcome::Open(Place::TimeOf(key)) => self.go_to_line(key, self.focus),
            Outcome::Open(Place::Letter(key)) => self.choose_line(key),
            Outcome::Rule(rule) => return self.show_rule(*rule),
            Outcome::Do(effect) => return vec![effect],
        }
        self.show_selected();
        Vec::new()
    }

    fn say_nothing_found(&mut self, action: Action) {
        let words = match action {
            Action::NextError | Action::PreviousError => "No other error here.",
            Action::NextMatch | Action::PreviousMatch => "No other match here.",
            _ => return,
        };
        self.notices.add(words.to_owned(), self.now);
    }

    /// Closes what is on top, then clears the filter, then goes back. Never quits.
    fn back(&mut self) {
        let has_filter = match self.focus {
            Pane::List => !self.list.filter().is_empty(),
            Pane::Waterfall => !self.waterfall.filter().is_empty(),
            Pane::AllLogs => !self.logs.filter().is_empty(),
            Pane::Span | Pane::Logs | Pane::Sampling | Pane::Latency => false,
        };
        match self.view {
            _ if self.overlay.is_some() => self.overlay = None,
            View::Connect => self.leave_connect(),
            _ if has_filter => self.set_filter(self.focus, Query::default()),
            View::Trace if self.focus != Pane::Waterfall => self.focus = Pane::Waterfall,
            View::Trace if self.opened_from == View::Logs => self.show_logs(),
            View::Trace if self.opened_from == View::Sampling => self.show_sampling(),
            View::Trace if self.opened_from == View::Latency => self.show_latency(),
            View::Trace | View::Logs | View::Sampling | View::Latency => self.show_traces(),
            View::Traces => self.focus = Pane::List,
        }
    }

    fn pause(&mut self, now: Now) {
        self.paused = match self.paused {
            None => Some((now, 0)),
            Some(_) => None,
        };
    }

    fn open_details(&mut self) {
        let has_pane = !self.layout.span.is_empty();
        match (has_pane, self.focus) {
            (true, Pane::Span) => self.focus = Pane::Waterfall,
            (true, _) => self.focus = Pane::Span,
            (false, _) => self.overlay = Some(Overlay::Span),
        }
    }

    /// Gives the keys to the next pane in a circle. Where only one fits, the span's is left out.
    fn focus_next(&mut self, order: &[Pane]) {
        let shown = [self.layout.list, self.layout.waterfall, self.layout.logs];
        let is_single = shown.iter().filter(|area| !area.is_empty()).count() == 1;
        let can_show = |pane: &Pane| match (self.view, pane) {
            (View::Trace, Pane::List)
            | (View::Connect | View::Logs | View::Sampling | View::Latency, _) => false,
            (_, Pane::Logs) => {
                is_single && self.trace_logs.n_of_trace() > 0 || !self.layout.logs.is_empty()
            }
            (_, Pane::Span) => !self.layout.span.is_empty(),
            (View::Traces, Pane::Waterfall) => is_single || !self.layout.waterfall.is_empty(),
            _ => true,
        };
        let shown: Vec<Pane> = order.iter().copied().filter(can_show).collect();
        let at = shown.iter().position(|pane| *pane == self.focus);
        let next = at.map_or(0, |at| at + 1);
        if let Some(pane) = shown.get(next).or_else(|| shown.first()) {
            self.focus = *pane;
        }
    }

    fn open_export(&mut self) {
        if self.store.n_traces() > 0 {
            self.overlay = Some(Overlay::Export);
        }
    }

    fn export_trace(&mut self, format: ExportFormat) -> Effects {
        match self.waterfall.key() {
            Some(key) => self.export(ExportScope::Trace(key), format),
            None => Vec::new(),
        }
    }

    fn export(&mut self, scope: ExportScope, format: ExportFormat) -> Effects {
        self.overlay = None;
        vec![Effect::Export(scope, format)]
    }
}
