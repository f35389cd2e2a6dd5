//! What concerns traces that are chosen and the way on to Datadog: marks, the question, the panel. What is
//! wanted sent is handed over by whoever holds the app.

use std::fmt;

use super::{App, Overlay};
use crate::store::TraceKey;
use crate::tui::action::Action;
use crate::tui::layout::View;
use crate::tui::screen::forward::{self, Question};
use crate::tui::text;

/// Where traces go that the user chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByHandTo {
    /// To Datadog.
    Datadog {
        /// The host that takes traces: `trace.agent.datadoghq.eu`.
        host: String,
        /// The site: `datadoghq.eu`.
        site: String,
    },
    /// They cannot go anywhere, for this reason: a sentence.
    Nowhere(String),
}

impl Default for ByHandTo {
    fn default() -> Self {
        Self::Nowhere("Nothing can be sent from here.".to_owned())
    }
}

/// `Datadog datadoghq.eu, at trace.agent.datadoghq.eu`, or why not.
impl fmt::Display for ByHandTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datadog { host, site } => write!(f, "Datadog {site}, at {host}"),
            Self::Nowhere(why) => f.write_str(why),
        }
    }
}

impl App {
    /// Marks the trace that is seen, or asks about it, whatever else lies on top. Returns whether the action
    /// means that.
    pub(super) fn choose(&mut self, action: Action) -> bool {
        let is_seen = matches!(self.overlay, None | Some(Overlay::Span | Overlay::Line));
        let is_asked = matches!(self.overlay, Some(Overlay::Send(_) | Overlay::Forward(_)));
        match action {
            Action::Mark if is_seen => {
                if let Some(key) = self.selected_trace() {
                    self.store.toggle_mark(key);
                    self.list.touch(&[key]);
                }
            }
            Action::TakeMarksOff if is_seen => {
                let marked: Vec<_> = self.store.marked().collect();
                self.store.take_marks_off();
                self.list.touch(&marked);
            }
            Action::Forward if !is_asked => self.ask_to_send(),
            _ => return false,
        }
        true
    }

    /// The trace that is selected, on a screen that shows it.
    fn selected_trace(&self) -> Option<TraceKey> {
        let key = match self.view {
            View::Traces | View::Trace => self.waterfall.key()?,
            View::Connect | View::Logs | View::Sampling | View::Latency => return None,
        };
        self.store.trace(key).map(crate::store::TraceEntry::key)
    }

    /// Asks about the marked traces, else about the selected one. Where there is nothing to ask, the panel says
    /// why.
    fn ask_to_send(&mut self) {
        let mut keys: Vec<_> = self.store.marked().collect();
        if keys.is_empty() {
            keys.extend(self.selected_trace());
        }
        let to = &self.options.by_hand;
        let has_way = matches!(to, ByHandTo::Datadog { .. });
        let can_go = has_way && !forward::is_refused(&self.store, to);
        self.overlay = Some(if can_go && !keys.is_empty() {
            Overlay::Send(Box::new(Question::new(keys, &self.store, self.now)))
        } else {
            Overlay::Forward(0)
        });
    }

    /// Answers the question.
    pub(super) fn answer(&mut self, action: Action) {
        match action {
            Action::Send => self.send(),
            Action::Forward => self.overlay = Some(Overlay::Forward(0)),
            _ => self.scroll_question(action),
        }
    }

    fn scroll_question(&mut self, action: Action) {
        let Some(Overlay::Send(question)) = &self.overlay else {
            return;
        };
        let to = self.scrolled(action, question.scroll);
        if let Some(Overlay::Send(question)) = &mut self.overlay {
            question.scroll = to;
        }
    }

    fn send(&mut self) {
        let Some(Overlay::Send(mut question)) = self.overlay.take() else {
            return;
        };
        let offer = question.look(&self.store);
        if offer.n_spans == 0 {
            return;
        }
        self.store.want_sent(question.keys().iter().copied());
        self.n_sent_by_hand += offer.n_traces;
        let marks = match self.store.marked().len() {
            0 => "",
            _ => ", M takes the marks off",
        };
        let words = format!(
            "Sending {} of {}. FF shows what becomes of them{marks}.",
            text::count(offer.n_spans, "span"),
            text::count(offer.n_traces, "trace"),
        );
        self.notices.add(words, self.now);
    }

    /// Where spans go on to, as the header names it, and in one word: `agent 127.0.0.1:8125`, `by hand datadog
    /// datadoghq.eu` once something was sent so; empty if nothing goes anywhere.
    pub(super) fn forward_names(&self) -> [String; 2] {
        let forward = &self.options.forward;
        match &self.options.by_hand {
            ByHandTo::Datadog { site, .. } if forward.is_empty() && self.n_sent_by_hand > 0 => {
                [format!("by hand datadog {site}"), "by hand".to_owned()]
            }
            _ => {
                let kind = forward.split(' ').next().unwrap_or_default();
                [forward.clone(), kind.to_owned()]
            }
        }
    }
}
