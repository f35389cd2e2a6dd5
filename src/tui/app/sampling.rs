//! What concerns the screen of sampling: the way there and back, what if, and rules.

use super::{App, Overlay};
use crate::query::Query;
use crate::store::TraceKey;
use crate::tui::action::Action;
use crate::tui::layout::{Pane, View};
use crate::tui::message::{Effect, Effects};
use crate::tui::screen::sampling::{WhatIfPanel, WrittenRule};
use crate::tui::screen::{Outcome, ViewContext};

impl App {
    pub(super) fn show_sampling(&mut self) {
        self.overlay = None;
        self.connect_from = None;
        self.focus = Pane::Sampling;
        self.view = View::Sampling;
    }

    /// A trace on the whole screen; `esc` leads back.
    pub(super) fn open_trace_of(&mut self, key: TraceKey) {
        self.opened_from = self.view;
        self.view = View::Trace;
        self.focus = Pane::Waterfall;
        self.waterfall.show(Some(key));
        self.waterfall.refresh(&self.store);
    }

    /// The traces that match a filter.
    pub(super) fn list_traces(&mut self, filter: &str) {
        self.show_traces();
        self.set_filter(Pane::List, Query::new(filter));
    }

    pub(super) fn refresh_sampling(&mut self) {
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now: self.now,
            flow: self.flow(),
        };
        self.sampling.refresh(&context);
    }

    pub(super) fn update_sampling(&mut self, action: Action) -> Outcome {
        let context = ViewContext {
            store: &self.store,
            theme: &self.theme,
            now: self.now,
            flow: self.flow(),
        };
        self.sampling.update(action, &context)
    }

    pub(super) fn open_what_if(&mut self) {
        if self.store.n_traces() > 0 {
            let panel = WhatIfPanel::new(&self.store);
            self.overlay = Some(Overlay::WhatIf(Box::new(panel)));
        }
    }

    /// What lies on top of the screen has the keys.
    pub(super) fn act_on_sampling(&mut self, action: Action) -> Effects {
        match &mut self.overlay {
            Some(Overlay::WhatIf(panel)) => {
                panel.update(action, &self.store);
            }
            Some(Overlay::Rule(rule)) if action == Action::Copy => {
                return vec![Effect::Copy(rule.line().to_owned())];
            }
            _ => {}
        }
        Vec::new()
    }

    /// Writes the rule for the trace that is selected.
    pub(super) fn write_rule(&mut self) -> Effects {
        let entry = self.waterfall.key().and_then(|key| self.store.trace(key));
        let rule = entry.map(WrittenRule::of_trace);
        rule.map_or_else(Vec::new, |rule| self.show_rule(rule))
    }

    pub(super) fn show_rule(&mut self, rule: WrittenRule) -> Effects {
        let line = rule.line().to_owned();
        self.overlay = Some(Overlay::Rule(Box::new(rule)));
        vec![Effect::Copy(line)]
    }
}
