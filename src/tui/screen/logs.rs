//! Every log line in order of arrival, the newest last. While the last line is selected the view
//! goes along with what comes; else it stands still and says how much waits below.
//!
//! ```text
//! keys    oldest … newest, those that match the filter     row r = keys[r]
//! top     the line in the first visible row                stays while new ones come below
//! ```

mod draw;
mod matches;

use std::collections::{HashMap, VecDeque};

use ratatui::layout::Rect;

use super::log_row::{copied, copied_json, is_error};
use super::{Outcome, Place};
use crate::query::Query;
use crate::store::{LogEntry, LogKey, Store};
use crate::tui::action::{Action, Motion};
use crate::tui::message::Effect;
use draw::DrawnRow;
use matches::Matches;

/// Cells that one key moves a long line.
const SIDEWAYS_CELLS: usize = 16;
/// A line is not moved further.
const SIDEWAYS_CELLS_MAX: usize = 4_096;
/// The next error is looked for among so many lines.
const ERRORS_LOOKED_AT_MAX: usize = 1 << 20;

/// The list of all lines.
#[derive(Debug)]
pub(crate) struct LogList {
    matches: Matches,
    selected: Option<LogKey>,
    /// The line in the first visible row; where the selection follows, the last page is shown.
    top: Option<LogKey>,
    /// Whether the selection goes with the newest line.
    follows: bool,
    /// The newest line there was when the reader last saw the end of the list.
    newest_seen: Option<LogKey>,
    /// Cells of the lines that are left of the pane.
    sideways: usize,
    rows_area: Rect,
    /// What the visible rows say: a paused view goes on saying it.
    drawn: HashMap<LogKey, DrawnRow>,
}

impl Default for LogList {
    fn default() -> Self {
        Self {
            matches: Matches::default(),
            selected: None,
            top: None,
            follows: true,
            newest_seen: None,
            sideways: 0,
            rows_area: Rect::default(),
            drawn: HashMap::new(),
        }
    }
}

impl LogList {
    /// Takes over what the store has gained and lost. The selection stays, unless it follows the
    /// newest line or is gone.
    pub(crate) fn refresh(&mut self, store: &Store, uptime_ns: u64) {
        self.matches.refresh(store, uptime_ns);
        if self.follows {
            self.selected = self.keys().back().copied().or(self.selected);
            self.newest_seen = self.matches.newest();
        }
        self.select_what_is_left();
    }

    /// Takes over what a filter leaves of a paused list: nothing that came since.
    pub(crate) fn refresh_paused(&mut self, store: &Store) {
        if self.matches.refresh_paused(store) {
            self.select_what_is_left();
        }
    }

    /// Whether the filter has not been compared with all lines yet.
    pub(crate) fn is_searching(&self) -> bool {
        self.matches.is_searching()
    }

    pub(crate) fn filter(&self) -> &Query {
        self.matches.filter()
    }

    /// Shows what matches; the selection stays, if it does.
    pub(crate) fn set_filter(&mut self, filter: Query) {
        self.matches.set_filter(filter);
    }

    /// How many lines match the filter.
    pub(crate) fn n_matches(&self) -> usize {
        self.keys().len()
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Outcome {
        match (action, self.selected) {
            (Action::Move(motion), _) => self.move_by(motion),
            (Action::Scroll(rows), _) => self.scroll(rows),
            (Action::Click { column, row }, _) => return self.click(column, row),
            (Action::NextError, _) => return self.find_error(store, Motion::Down),
            (Action::PreviousError, _) => return self.find_error(store, Motion::Up),
            (Action::ScrollLeft, _) => {
                self.sideways = self.sideways.saturating_sub(SIDEWAYS_CELLS);
            }
            (Action::ScrollRight, _) => {
                self.sideways = (self.sideways + SIDEWAYS_CELLS).min(SIDEWAYS_CELLS_MAX);
            }
            (Action::Open, Some(key)) => return Outcome::Open(Place::Line(key)),
            (Action::ToSpan | Action::ToTime, Some(key)) => {
                return Outcome::Open(Place::SpanOf(key));
            }
            (Action::Copy, Some(key)) => return copy(store.log(key).map(copied)),
            (Action::CopyJson, Some(key)) => return copy(store.log(key).map(copied_json)),
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    fn keys(&self) -> &VecDeque<LogKey> {
        self.matches.keys()
    }

    fn select_what_is_left(&mut self) {
        let is_gone = self.selected.is_none_or(|key| self.row_of(key).is_none());
        if is_gone && !self.is_searching() && !self.keys().is_empty() {
            let last = self.keys().len() - 1;
            let row = self.selected.map_or(last, |key| self.row_near(key));
            self.selected = self.keys().get(row).copied();
        }
    }

    fn row_of(&self, key: LogKey) -> Option<usize> {
        self.keys().binary_search(&key).ok()
    }

    /// The row a line has or, if it is not in the list, the row of what came next.
    fn row_near(&self, key: LogKey) -> usize {
        let row = self.keys().partition_point(|other| *other < key);
        row.min(self.keys().len().saturating_sub(1))
    }

    fn page_rows(&self) -> usize {
        usize::from(self.rows_area.height).max(1)
    }

    fn last_first_row(&self) -> usize {
        self.keys().len().saturating_sub(self.page_rows())
    }

    /// The row that is drawn first.
    fn first_row(&self) -> usize {
        let top = self.top.map(|key| self.row_near(key));
        match top {
            Some(row) if !self.follows => row.min(self.last_first_row()),
            _ => self.last_first_row(),
        }
    }

    /// How many matching lines came that the reader has not been shown.
    fn n_new(&self) -> usize {
        let seen = self.newest_seen;
        self.keys().len() - self.keys().partition_point(|key| Some(*key) <= seen)
    }

    fn select_row(&mut self, row: usize) {
        let first = self.first_row();
        self.selected = self.keys().get(row).copied().or(self.selected);
        let page = self.page_rows();
        let first = first.min(row).max((row + 1).saturating_sub(page));
        self.show_from(first);
    }

    /// Shows rows from one on. The end of the list with its last line selected is followed.
    fn show_from(&mut self, first: usize) {
        self.top = self.keys().get(first).copied();
        let is_at_end = first >= self.last_first_row();
        if is_at_end {
            self.newest_seen = self.matches.newest();
        }
        self.follows = is_at_end && self.selected == self.keys().back().copied();
    }

    fn move_by(&mut self, motion: Motion) {
        let row = self.selected.map_or(0, |key| self.row_near(key));
        self.select_row(motion.from_row(row, self.keys().len(), self.page_rows()));
    }

    /// Moves the rows; the selection goes along only as far as it must to stay visible.
    fn scroll(&mut self, rows: i16) {
        let first = self.first_row().saturating_add_signed(isize::from(rows));
        let first = first.min(self.last_first_row());
        let row = self.selected.map_or(0, |key| self.row_near(key));
        let row = row.clamp(first, first.saturating_add(self.page_rows() - 1));
        self.selected = self.keys().get(row).copied().or(self.selected);
        self.show_from(first);
    }

    fn click(&mut self, column: u16, row: u16) -> Outcome {
        if !self.rows_area.contains((column, row).into()) {
            return Outcome::Ignored;
        }
        let clicked = self.first_row() + usize::from(row - self.rows_area.y);
        if clicked < self.keys().len() {
            self.select_row(clicked);
        }
        Outcome::Handled
    }

    /// Goes to the nearest error in a direction; past the end it begins anew.
    fn find_error(&mut self, store: &Store, direction: Motion) -> Outcome {
        let keys = self.keys();
        let here = self.selected.map_or(0, |key| self.row_near(key));
        let is_wanted = |row: &usize| {
            let entry = keys.get(*row).and_then(|key| store.log(*key));
            entry.is_some_and(|entry| is_error(entry.record().level))
        };
        let n_rows = keys.len();
        let found = if direction == Motion::Up {
            let rows = (0..here).rev().chain((here + 1..n_rows).rev());
            rows.take(ERRORS_LOOKED_AT_MAX).find(is_wanted)
        } else {
            let rows = (here + 1..n_rows).chain(0..here);
            rows.take(ERRORS_LOOKED_AT_MAX).find(is_wanted)
        };
        let Some(row) = found else {
            return Outcome::Ignored;
        };
        self.select_row(row);
        Outcome::Handled
    }

    /// How many lines wait below, those included that a paused view has not taken.
    fn waiting(&self, store: &Store) -> usize {
        let newest = store.logs().next_back().map(LogEntry::key);
        let not_taken = match (newest, self.matches.newest()) {
            (Some(newest), Some(taken)) => newest.0.saturating_sub(taken.0),
            _ => 0,
        };
        let not_taken = usize::try_from(not_taken).unwrap_or(usize::MAX);
        self.n_new().saturating_add(not_taken)
    }
}

fn copy(text: Option<String>) -> Outcome {
    text.map_or(Outcome::Ignored, |text| Outcome::Do(Effect::Copy(text)))
}
