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
use crate::store::{LogEntry, LogKey, SpanIndex, Store, TraceKey};
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
    /// The row of the selected line; if that goes, what is next to it is selected.
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
                trace,
                rows_area,
                ..Self::default()
            };
        }
        let has_moved = span != self.span.map(|(span, _)| span);
        if has_moved {
            self.chosen = None;
        }
        self.span = span.zip(id);
        let newest = match (flow, self.from.and_then(|from| from.newest)) {
            (Flow::Paused, Some(newest)) => Some(newest),
            _ => store.logs().next_back().map(LogEntry::key),
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
            self.find_row();
        } else if has_moved {
            self.find_row();
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
                    let joined = store.log(mark.key).and_then(LogEntry::joined);
                    joined.map(|joined| joined.trace) == self.trace
                };
                self.shown.iter().filter(is_own).count()
            }
            _ => self.shown.len(),
        };
    }

    /// The row of the selected line. Of a chosen one that has gone, the line next to it is chosen.
    fn find_row(&mut self) {
        let last = self.shown.len().saturating_sub(1);
        match self.chosen.map(|key| self.row_of(key)) {
            Some(Some(row)) => self.row = row,
            Some(None) => {
                self.row = self.row.min(last);
                self.chosen = self.selected();
            }
            None => self.row = self.telling_row().unwrap_or(last),
        }
    }

    /// Lines of the trace, whether they are shown or not.
    pub(crate) fn n_of_trace(&self) -> usize {
        self.n_of_trace
    }

    /// The selected line.
    pub(crate) fn selected(&self) -> Option<LogKey> {
        self.selected_mark().map(|mark| mark.key)
    }

    /// The selected line, as the time axis needs it.
    pub(crate) fn selected_mark(&self) -> Option<LineMark> {
        self.shown.get(self.row).copied()
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
        if let Some(row) = self.row_of(key) {
            self.select_row(row);
        }
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
        self.chosen = self.selected();
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

    /// The row of the line that tells most, while nobody chose one.
    fn telling_row(&self) -> Option<usize> {
        let rows = || self.shown.iter().enumerate();
        let of_span = |(_, mark): &(usize, &LineMark)| {
            let span = self.span;
            span.is_some_and(|(_, id)| mark.names(id))
        };
        let worst = rows().filter(of_span).max_by_key(|(_, mark)| mark.level);
        let error = || rows().rev().find(|(_, mark)| is_error(mark.level));
        worst.or_else(error).map(|(row, _)| row)
    }

    fn row_of(&self, key: LogKey) -> Option<usize> {
        self.shown.iter().position(|mark| mark.key == key)
    }

    fn select_row(&mut self, row: usize) {
        if let Some(mark) = self.shown.get(row) {
            (self.chosen, self.row) = (Some(mark.key), row);
        }
    }

    fn page_rows(&self) -> usize {
        usize::from(self.rows_area.height).max(1)
    }

    fn move_by(&mut self, motion: Motion) {
        let to = motion.from_row(self.row, self.shown.len(), self.page_rows());
        self.select_row(to);
    }

    fn scroll(&mut self, rows: i16) {
        let page = self.page_rows();
        let last = self.shown.len().saturating_sub(page);
        let offset = self.offset.saturating_add_signed(isize::from(rows));
        self.offset = offset.min(last);
        let row = self.row;
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
        let here = self.row;
        let rows = 0..self.shown.len();
        let is_error = |row: &usize| {
            self.shown
                .get(*row)
                .is_some_and(|mark| is_error(mark.level))
        };
        let found = if direction == Motion::Up {
            let after = (here + 1..rows.end).rev();
            (0..here).rev().chain(after).find(is_error)
        } else {
            (here + 1..rows.end).chain(0..here).find(is_error)
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
