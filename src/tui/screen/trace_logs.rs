//! The log lines of the trace that is shown, in order of their time: of the whole trace, of the
//! selected span, or of every container around it. The selection is a line, never a row.
//!
//! ```text
//! Auto      the worst line of the selected span, else the newest error, else the newest line
//! Chosen    a line that the reader went to; stays until another span is selected
//! ```

mod draw;
mod lines;
mod nearby;

use std::collections::HashMap;

use ratatui::layout::Rect;

use super::log_row::{LogRow, copied, copied_json, is_error};
use super::waterfall::WaterfallPane;
use super::{Flow, Outcome, Place};
use crate::store::{LogKey, SpanIndex, Store, TraceKey};
use crate::trace::SpanId;
use crate::tui::action::{Action, Motion};
use crate::tui::message::Effect;
pub(crate) use draw::{draw_words, is_guess};
pub(crate) use lines::{LineMark, TraceLines};

/// Which lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of the trace.
    #[default]
    Trace,
    /// Of every container, around the selected span.
    Around,
    /// Of the selected span.
    Span,
}

/// What the shown lines were chosen from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chosen {
    trace: Option<TraceKey>,
    version: u64,
    scope: Scope,
    span: Option<SpanIndex>,
    /// The newest line of all, where those of other traces count.
    newest: Option<LogKey>,
}

/// The pane.
#[derive(Debug, Default)]
pub(crate) struct TraceLogs {
    scope: Scope,
    from: Option<Chosen>,
    shown: Vec<LineMark>,
    /// How many of those shown are of the trace, and how many the trace has.
    n_own: usize,
    n_of_trace: usize,
    trace: Option<TraceKey>,
    span: Option<(SpanIndex, SpanId)>,
    /// The line that the reader went to.
    chosen: Option<LogKey>,
    /// Where it stood: what is next to it is selected if it goes.
    row: usize,
    offset: usize,
    rows_area: Rect,
    rows: HashMap<LogKey, LogRow>,
    spans: draw::Spans,
}

impl TraceLogs {
    /// Takes what the waterfall shows: its trace, its lines, its selected span.
    pub(crate) fn refresh(&mut self, waterfall: &WaterfallPane, store: &Store, flow: Flow) {
        let trace = waterfall.key();
        let entry = trace.and_then(|key| store.trace(key));
        let span = waterfall.selected();
        let id = span.and_then(|span| Some(entry?.span(span)?.span_id()));
        if trace != self.trace {
            let (scope, rows_area) = (self.scope, self.rows_area);
            *self = Self {
                scope,
                rows_area,
                trace,
                ..Self::default()
            };
        } else if span != self.span.map(|(span, _)| span) {
            self.chosen = None;
        }
        self.span = span.zip(id);
        let newest = match (flow, self.from.and_then(|from| from.newest)) {
            (Flow::Paused, Some(newest)) => Some(newest),
            _ => store.logs().next_back().map(crate::store::LogEntry::key),
        };
        let from = Chosen {
            trace,
            version: waterfall.lines().version(),
            scope: self.scope,
            span: span.filter(|_| self.scope != Scope::Trace),
            newest: newest.filter(|_| self.scope == Scope::Around),
        };
        if self.from != Some(from) {
            self.from = Some(from);
            self.choose_lines(waterfall.lines(), store);
        }
    }

    fn choose_lines(&mut self, lines: &TraceLines, store: &Store) {
        let own = lines.marks();
        self.n_of_trace = own.len();
        self.shown.clear();
        match (self.scope, self.span, self.trace) {
            (Scope::Span, Some((_, id)), _) => {
                self.shown.extend(own.iter().filter(|mark| mark.names(id)));
            }
            (Scope::Around, Some((span, _)), Some(trace)) => {
                self.shown = nearby::around(store, trace, span);
            }
            _ => self.shown.extend_from_slice(own),
        }
        self.n_own = match self.scope {
            Scope::Around => {
                let is_own = |mark: &&LineMark| {
                    let joined = store.log(mark.key).and_then(crate::store::LogEntry::joined);
                    joined.map(|joined| joined.trace) == self.trace
                };
                self.shown.iter().filter(is_own).count()
            }
            _ => self.shown.len(),
        };
        // Of a line that has gone, the one next to it is selected.
        if self.chosen.is_some_and(|key| self.row_of(key).is_none()) {
            let next = self.row.min(self.shown.len().saturating_sub(1));
            self.chosen = self.shown.get(next).map(|mark| mark.key);
        }
    }

    /// Lines of the trace, whether they are shown or not.
    pub(crate) fn n_of_trace(&self) -> usize {
        self.n_of_trace
    }

    /// The selected line.
    pub(crate) fn selected(&self) -> Option<LogKey> {
        self.chosen.or_else(|| self.telling())
    }

    /// Whether the scope shows a line.
    pub(crate) fn shows(&self, key: LogKey) -> bool {
        self.row_of(key).is_some()
    }

    /// Shows the lines of the whole trace.
    pub(crate) fn show_trace(&mut self) {
        self.scope = Scope::Trace;
    }

    /// Selects a line.
    pub(crate) fn choose(&mut self, key: LogKey) {
        self.choose_key(Some(key));
    }

    /// Shows the lines of the next scope: span, trace, every container.
    pub(crate) fn next_scope(&mut self) {
        self.scope = match self.scope {
            Scope::Trace => Scope::Around,
            Scope::Around => Scope::Span,
            Scope::Span => Scope::Trace,
        };
    }

    /// The reader looks at the lines: what is selected no longer changes by itself.
    pub(crate) fn hold(&mut self) {
        let selected = self.selected();
        self.choose_key(selected);
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Outcome {
        let selected = self.selected();
        match (action, selected) {
            (Action::Move(motion), _) => self.move_by(motion),
            (Action::Scroll(rows), _) => self.scroll(rows),
            (Action::Click { column, row }, _) => return self.click(column, row),
            (Action::NextError, _) => return self.find_error(Motion::Down),
            (Action::PreviousError, _) => return self.find_error(Motion::Up),
            (Action::Open, Some(key)) => return Outcome::Open(Place::Line(key)),
            (Action::ToSpan, Some(key)) => return Outcome::Open(Place::SpanOf(key)),
            (Action::ToTime, Some(key)) => return Outcome::Open(Place::TimeOf(key)),
            (Action::Copy, Some(key)) => return copy(store.log(key).map(copied)),
            (Action::CopyJson, Some(key)) => return copy(store.log(key).map(copied_json)),
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    /// The line that tells most while nobody chose one.
    fn telling(&self) -> Option<LogKey> {
        let of_span = |mark: &&LineMark| self.span.is_some_and(|(_, id)| mark.names(id));
        let worst = self.shown.iter().filter(of_span);
        let worst = worst.max_by_key(|mark| mark.level);
        let error = || self.shown.iter().rev().find(|mark| is_error(mark.level));
        let found = worst.or_else(error).or(self.shown.last());
        found.map(|mark| mark.key)
    }

    fn row_of(&self, key: LogKey) -> Option<usize> {
        self.shown.iter().position(|mark| mark.key == key)
    }

    fn choose_key(&mut self, key: Option<LogKey>) {
        self.chosen = key;
        self.row = key.and_then(|key| self.row_of(key)).unwrap_or(self.row);
    }

    fn select_row(&mut self, row: usize) {
        let key = self.shown.get(row).map(|mark| mark.key);
        self.choose_key(key.or(self.chosen));
    }

    fn selected_row(&self) -> usize {
        let row = self.selected().and_then(|key| self.row_of(key));
        row.unwrap_or(0)
    }

    fn page_rows(&self) -> usize {
        usize::from(self.rows_area.height).max(1)
    }

    fn move_by(&mut self, motion: Motion) {
        let to = motion.from_row(self.selected_row(), self.shown.len(), self.page_rows());
        self.select_row(to);
    }

    fn scroll(&mut self, rows: i16) {
        let page = self.page_rows();
        let last = self.shown.len().saturating_sub(page);
        let offset = self.offset.saturating_add_signed(isize::from(rows));
        self.offset = offset.min(last);
        let row = self.selected_row();
        self.select_row(row.clamp(self.offset, self.offset + page - 1));
    }

    fn click(&mut self, column: u16, row: u16) -> Outcome {
        if !self.rows_area.contains((column, row).into()) {
            return Outcome::Ignored;
        }
        self.select_row(self.offset + usize::from(row - self.rows_area.y));
        Outcome::Handled
    }

    fn find_error(&mut self, direction: Motion) -> Outcome {
        let here = self.selected_row();
        let rows = 0..self.shown.len();
        let is_error = |row: &usize| {
            self.shown
                .get(*row)
                .is_some_and(|mark| is_error(mark.level))
        };
        let found = match direction {
            Motion::Up => {
                let after = (here + 1..rows.end).rev();
                (0..here).rev().chain(after).find(is_error)
            }
            _ => (here + 1..rows.end).chain(0..here).find(is_error),
        };
        let Some(row) = found else {
            return Outcome::Ignored;
        };
        self.select_row(row);
        Outcome::Handled
    }
}

fn copy(text: Option<String>) -> Outcome {
    text.map_or(Outcome::Ignored, |text| Outcome::Do(Effect::Copy(text)))
}
