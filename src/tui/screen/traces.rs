//! The list of traces, newest first. The selection is a trace, never a row: what comes in moves
//! rows, not the selection.
//!
//! ```text
//! keys    oldest … newest, those that match the filter     row r of the list = keys[len - 1 - r]
//! rules   between the traces before and after a reload     a line of their own, and no row
//! top     the trace in the first visible row               stays while new ones come above it
//! ```

pub(super) mod badges;
mod draw;
mod matches;
mod row;
mod rules;
mod services;

use std::collections::{HashMap, VecDeque};

use ratatui::layout::Rect;

use super::{Outcome, Place};
use crate::analysis;
use crate::query::Query;
use crate::store::{Store, TraceEntry, TraceKey};
use crate::trace::Now;
use crate::tui::action::{Action, Motion};
use crate::tui::app::ChildCommand;
use crate::tui::message::Effect;
pub(crate) use badges::Badges;
use matches::Matches;
use row::TraceRow;
pub(crate) use row::title;
use rules::{Line, Rules};
use services::Services;

/// Reloads before so many others leave no rule.
const RULES_MAX: usize = 100;

/// Whether any row has named a container. Never back to none, so that columns do not jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Containers {
    #[default]
    None,
    Some,
}

/// Whether the selection goes with the newest trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// It does, while it is on the top row.
    Newest,
    /// It does not: the user looks at something else.
    Nothing,
}

/// The list.
#[derive(Debug)]
pub(crate) struct TraceList {
    matches: Matches,
    selected: Option<TraceKey>,
    /// The trace in the first visible row; `None` stands for the newest, whichever that is.
    top: Option<TraceKey>,
    /// The newest trace there was when the user last saw the top of the list.
    newest_seen: Option<TraceKey>,
    /// Whether the selection stood on the top row when the list was seen last.
    is_on_top: bool,
    follows: bool,
    /// Where the rows were drawn last.
    rows_area: Rect,
    /// What they said: a paused view goes on saying it.
    drawn: HashMap<TraceKey, TraceRow>,
    /// How those traces ended, and of which revision: of one with an error it takes a look at each span.
    outcomes: HashMap<TraceKey, (u64, analysis::Outcome)>,
    /// Which services they named.
    services: Services,
    /// Whether a row has named a container: then there is a column for them.
    containers: Containers,
    /// Where the app was reloaded.
    rules: Rules,
    /// How many reloads there had been when the list was live last.
    n_reloads: usize,
    /// The file that is reloaded.
    app_file: String,
}

impl Default for TraceList {
    fn default() -> Self {
        Self {
            matches: Matches::default(),
            selected: None,
            top: None,
            newest_seen: None,
            is_on_top: true,
            follows: true,
            rows_area: Rect::default(),
            drawn: HashMap::new(),
            outcomes: HashMap::new(),
            services: Services::default(),
            containers: Containers::default(),
            rules: Rules::default(),
            n_reloads: 0,
            app_file: String::new(),
        }
    }
}

impl TraceList {
    /// The list of what a program sends.
    pub(crate) fn of(child: Option<&ChildCommand>) -> Self {
        let command = child.map_or("", |child| &child.command);
        // `app.py`, `app.py::main`.
        let file = |word: &&str| {
            let path = word.split("::").next().unwrap_or("");
            path.rsplit_once('.').is_some_and(|(_, end)| end == "py")
        };
        Self {
            app_file: command
                .split_whitespace()
                .find(file)
                .unwrap_or("")
                .to_owned(),
            ..Self::default()
        }
    }

    /// Says which traces came or grew. Cheap; they are looked at in [`TraceList::refresh`].
    pub(crate) fn touch(&mut self, touched: &[TraceKey]) {
        self.matches.touch(touched);
    }

    /// Takes over what the store has gained and lost. The selection stays, unless it follows the
    /// newest trace or is gone.
    pub(crate) fn refresh(&mut self, store: &Store, follow: Follow) {
        self.matches.refresh(store);
        if self.newest_seen.is_none() {
            self.newest_seen = self.matches.newest();
        }
        self.follows = follow == Follow::Newest && self.is_on_top;
        if self.follows {
            self.selected = self.keys().back().copied().or(self.selected);
            self.newest_seen = self.matches.newest();
        } else if self.top.is_none() && self.n_new() > 0 {
            // Hold the rows where they are; new ones come above.
            self.top = self.newest_seen;
        }
        self.select_what_is_left();
        self.n_reloads = store.modal().reloads.len();
        self.place_rules(store);
    }

    /// Takes over what a filter leaves of a paused list: nothing that came since.
    pub(crate) fn refresh_paused(&mut self, store: &Store) {
        if self.matches.refresh_paused(store) {
            self.select_what_is_left();
            self.place_rules(store);
        }
    }

    /// Where the traces after a reload end and those before it begin.
    fn place_rules(&mut self, store: &Store) {
        let n_rows = self.n_rows();
        let reloads = store.modal().reloads.iter().take(self.n_reloads).rev();
        let reloads = reloads.take(RULES_MAX);
        let places = reloads.map(|(at, now)| (n_rows - self.n_before(*now, store), *at));
        let places = places.take_while(|(above_row, _)| *above_row < n_rows);
        self.rules = Rules::new(places);
    }

    /// How many of the listed traces came before a moment.
    fn n_before(&self, moment: Now, store: &Store) -> usize {
        self.keys().partition_point(|key| {
            let entry = store.trace(*key);
            entry.is_none_or(|entry| entry.first_seen().uptime_ns < moment.uptime_ns)
        })
    }

    fn select_what_is_left(&mut self) {
        let is_gone = self.selected.is_none_or(|key| self.row_of(key).is_none());
        if is_gone && !self.is_searching() && !self.keys().is_empty() {
            let row = self.selected.map_or(0, |key| self.row_near(key));
            self.selected = self.key_at(row);
        }
        self.note_position();
    }

    /// Whether the selection goes with the newest trace.
    pub(crate) fn follows(&self) -> bool {
        self.follows
    }

    /// Whether the filter has not been compared with all traces yet.
    pub(crate) fn is_searching(&self) -> bool {
        self.matches.is_searching()
    }

    /// Goes on comparing between two frames; the next one shows what came of it.
    pub(crate) fn go_on_searching(&mut self, store: &Store) {
        self.matches.go_on(store);
    }

    pub(crate) fn filter(&self) -> &Query {
        self.matches.filter()
    }

    /// Shows what matches; the selection stays, if it does.
    pub(crate) fn set_filter(&mut self, filter: Query) {
        self.is_on_top = false;
        self.matches.set_filter(filter);
    }

    /// How many traces match the filter.
    pub(crate) fn n_matches(&self) -> usize {
        self.n_rows()
    }

    /// The selected trace.
    pub(crate) fn selected(&self) -> Option<TraceKey> {
        self.selected
    }

    /// The traces in the visible rows.
    pub(crate) fn visible(&self) -> impl Iterator<Item = TraceKey> {
        self.lines().into_iter().filter_map(|line| match line {
            Line::Row(row) => self.key_at(row),
            Line::Rule(_) => None,
        })
    }

    /// What stands on the lines of the page.
    fn lines(&self) -> Vec<Line> {
        let first = self.rules.first_line(self.first_row());
        let lines = first..first.saturating_add(usize::from(self.rows_area.height));
        let lines = lines.map(|line| self.rules.on_line(line));
        let is_there = |line: &Line| matches!(line, Line::Rule(_)) || self.row_is_there(line);
        lines.take_while(is_there).collect()
    }

    fn row_is_there(&self, line: &Line) -> bool {
        matches!(line, Line::Row(row) if *row < self.n_rows())
    }

    /// How many traces came that the user has not been shown.
    pub(crate) fn n_new(&self) -> usize {
        match self.newest_seen {
            None => 0,
            Some(seen) => {
                let keys = self.keys();
                keys.len() - keys.partition_point(|key| *key <= seen)
            }
        }
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Outcome {
        match action {
            Action::Move(motion) => self.move_by(motion),
            Action::Open if self.selected.is_some() => return Outcome::Open(Place::Trace),
            Action::NextError => return self.find_error(store, Motion::Down),
            Action::PreviousError => return self.find_error(store, Motion::Up),
            Action::Scroll(rows) => self.scroll(rows),
            Action::Click { column, row } => return self.click(column, row),
            Action::Copy => return self.copy(store),
            Action::CopyJson => {
                return self
                    .selected
                    .map_or(Outcome::Ignored, |key| Outcome::Do(Effect::CopyTrace(key)));
            }
            _ => return Outcome::Ignored,
        }
        self.note_position();
        Outcome::Handled
    }

    fn keys(&self) -> &VecDeque<TraceKey> {
        self.matches.keys()
    }

    fn n_rows(&self) -> usize {
        self.keys().len()
    }

    fn key_at(&self, row: usize) -> Option<TraceKey> {
        let place = self.n_rows().checked_sub(row.checked_add(1)?)?;
        self.keys().get(place).copied()
    }

    fn row_of(&self, key: TraceKey) -> Option<usize> {
        let place = self.keys().binary_search(&key).ok()?;
        Some(self.n_rows() - 1 - place)
    }

    /// The row a trace has or, if it is not in the list, would push down.
    fn row_near(&self, key: TraceKey) -> usize {
        let after = self.keys().partition_point(|other| *other <= key);
        let row = self.n_rows() - after;
        row.min(self.n_rows().saturating_sub(1))
    }

    /// The row that is drawn first.
    fn first_row(&self) -> usize {
        self.top.map_or(0, |key| self.row_near(key))
    }

    fn note_position(&mut self) {
        let is_newest = self.selected.is_none() || self.selected == self.keys().back().copied();
        self.is_on_top = is_newest && self.top.is_none();
    }

    fn select_row(&mut self, row: usize) {
        self.selected = self.key_at(row);
        let first = self.first_row();
        if row < first {
            self.show_from(row);
        } else if row >= self.end_of_page(first) {
            self.show_from(self.rules.first_row_showing(row, self.page()));
        } else if row == 0 {
            self.show_from(0);
        }
    }

    fn page(&self) -> usize {
        usize::from(self.rows_area.height).max(1)
    }

    /// The first row that is no longer on a page which begins with another.
    fn end_of_page(&self, first: usize) -> usize {
        let line = self.rules.first_line(first).saturating_add(self.page());
        match self.rules.on_line(line) {
            Line::Row(row) => row,
            Line::Rule(rule) => rule.above_row,
        }
    }

    fn show_from(&mut self, row: usize) {
        self.top = if row == 0 { None } else { self.key_at(row) };
        if row == 0 {
            self.newest_seen = self.matches.newest();
        }
    }

    fn move_by(&mut self, motion: Motion) {
        let row = self.selected.map_or(0, |key| self.row_near(key));
        self.select_row(motion.from_row(row, self.n_rows(), self.page()));
    }

    /// Moves the rows; the selection goes along only as far as it must to stay visible.
    fn scroll(&mut self, rows: i16) {
        let last = self.n_rows().saturating_sub(1);
        let last_first = self.rules.first_row_showing(last, self.page());
        let by = usize::from(rows.unsigned_abs());
        let first = self.first_row();
        let first = if rows < 0 {
            first.saturating_sub(by)
        } else {
            first.saturating_add(by).min(last_first)
        };
        self.show_from(first);
        let row = self.selected.map_or(0, |key| self.row_near(key));
        let end = self.end_of_page(first).max(first + 1);
        let row = row.clamp(first, end - 1);
        self.selected = self.key_at(row.min(last));
    }

    fn click(&mut self, column: u16, row: u16) -> Outcome {
        if !self.rows_area.contains((column, row).into()) {
            return Outcome::Ignored;
        }
        let line = usize::from(row - self.rows_area.y);
        if let Some(Line::Row(clicked)) = self.lines().get(line) {
            self.select_row(*clicked);
            self.note_position();
        }
        Outcome::Handled
    }

    /// Goes to the nearest trace with an error in a direction; past the end it begins anew.
    fn find_error(&mut self, store: &Store, direction: Motion) -> Outcome {
        let n_rows = self.n_rows();
        let from = self.selected.map_or(0, |key| self.row_near(key));
        let is_error = |row: &usize| {
            let entry = self.key_at(*row).and_then(|key| store.trace(key));
            entry.is_some_and(TraceEntry::is_error)
        };
        let found = match direction {
            Motion::Up => (0..from)
                .rev()
                .chain((from + 1..n_rows).rev())
                .find(is_error),
            _ => (from + 1..n_rows).chain(0..from).find(is_error),
        };
        let Some(row) = found else {
            return Outcome::Ignored;
        };
        self.select_row(row);
        self.note_position();
        Outcome::Handled
    }

    fn copy(&self, store: &Store) -> Outcome {
        let entry = self.selected.and_then(|key| store.trace(key));
        entry.map_or(Outcome::Ignored, |entry| {
            Outcome::Do(Effect::Copy(entry.trace_id().to_string()))
        })
    }
}
