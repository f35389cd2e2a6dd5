//! The waterfall of one trace: what is selected, folded and scrolled to. It never changes the
//! store, and what comes in never moves what the reader looks at.
//!
//! ```text
//! ┌ POST /v1/generate  67b1..e2f7  4 spans  2 services ─────────────────┐
//! │                             0         500ms     1s        1.50s     │
//! │ ▾ fastapi.request           ██████████████████████████████    1.94s │
//! │ ├─ auth.verify              ▐█▌                               188ms │
//! │>└▸ llm.generate    +3 err            ▐████████████████████    1.41s │
//! └──────────────────────────────── row 3/3  depth 1  self 462ms 23.8% ─┘
//! ```

mod draw;
mod ghost;
mod group_row;
mod letters;
mod pictures;
mod row;
pub(super) mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod services;
#[cfg(test)]
mod tests;
mod workers;

use ratatui::layout::{Position, Rect};

use super::detail::copyable_name;
use super::trace_logs::{LineMark, TraceLines};
use super::{Outcome, Place};
use crate::query::Query;
use crate::store::{RowMark, SpanIndex, Store, TraceEntry, TraceKey};
use crate::trace::{Span, UnixNanos};
use crate::tui::action::{Action, Motion};
use crate::tui::message::Effect;
use ghost::Ghost;
use letters::Letters;
use pictures::Pictures;
pub(super) use row::percent;
use rows::{Fold, Item, Row, Rows};
use services::Services;
use workers::Workers;

/// A trace of up to so many spans is shown as it grows; a larger one is some frames behind.
const FOLLOWED_SPANS_MAX: usize = 4_000;
/// Time between two looks at a large trace that grows.
const REBUILD_NS: u64 = 100_000_000;
/// So much for each of its spans, if that is more: a frame that builds the rows takes some 60 ns for
/// each of 100,000 spans, and other work is to have most of the time.
const REBUILD_NS_PER_SPAN: u64 = 1_000;

/// The spans of one trace as bars on its time axis.
#[derive(Debug, Default)]
pub(crate) struct WaterfallPane {
    key: Option<TraceKey>,
    rows: Rows,
    services: Services,
    workers: Workers,
    pictures: Pictures,
    built: Option<Built>,
    /// The selected row.
    cursor: Option<Item>,
    viewport: Viewport,
    filter: Query,
    self_time: Option<(SpanIndex, u64, i64)>,
    /// The log lines of the trace, their letters on its time axis, and which of them is selected.
    lines: TraceLines,
    letters: Letters,
    selected_line: Option<LineMark>,
}

/// What was read from the trace along with its rows.
#[derive(Clone, Copy, Debug)]
struct Built {
    revision: u64,
    /// Whether the trace has changed since.
    is_behind: bool,
    at_uptime_ns: u64,
    start: UnixNanos,
    end: UnixNanos,
}

/// Where the rows were drawn last.
#[derive(Clone, Copy, Debug, Default)]
struct Viewport {
    /// The first visible row.
    offset: usize,
    /// The cells of the rows, without frame and ruler.
    body: Rect,
    /// The cells of the letters, if there are any.
    letters: Rect,
    /// How many cells the guide lines of a row may take.
    guide_cells_max: usize,
    /// Whether the reader chose what is on the screen.
    is_chosen: bool,
}

impl Viewport {
    fn page_rows(self) -> usize {
        usize::from(self.body.height).max(1)
    }
}

/// How long the rows of a trace stay as they are while it grows.
fn rebuild_interval_ns(n_rows: usize) -> u64 {
    let n_rows = u64::try_from(n_rows).unwrap_or(u64::MAX);
    REBUILD_NS.max(n_rows.saturating_mul(REBUILD_NS_PER_SPAN))
}

fn is_error(trace: &TraceEntry) -> impl Fn(SpanIndex, RowMark) -> bool {
    |index, _mark| trace.span(index).is_some_and(Span::is_error)
}

/// Which way a search goes.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Next,
    Previous,
}

impl WaterfallPane {
    /// Shows another trace, or none. The same trace again changes nothing.
    pub(crate) fn show(&mut self, key: Option<TraceKey>) {
        if self.key != key {
            let filter = std::mem::take(&mut self.filter);
            let viewport = Viewport {
                offset: 0,
                is_chosen: false,
                ..self.viewport
            };
            *self = Self {
                key,
                viewport,
                filter,
                ..Self::default()
            };
        }
    }

    /// Takes what the trace has gained since, if its revision changed. Not called while paused. A
    /// large trace is only marked; it is taken when it is next drawn, some times a second.
    pub(crate) fn refresh(&mut self, store: &Store) {
        let Some(trace) = self.key.and_then(|key| store.trace(key)) else {
            self.rows = Rows::default();
            self.built = None;
            self.lines.clear();
            return;
        };
        self.lines.refresh(trace, store);
        match &mut self.built {
            Some(built) if built.revision == trace.revision() => {}
            Some(built) if trace.n_spans() > FOLLOWED_SPANS_MAX => built.is_behind = true,
            _ => self.rebuild(trace, 0),
        }
    }

    /// Whether the trace has more than is shown, so that another frame is worth it.
    pub(crate) fn is_behind(&self) -> bool {
        self.built.is_some_and(|built| built.is_behind)
    }

    /// The trace shown.
    pub(crate) fn key(&self) -> Option<TraceKey> {
        self.key
    }

    /// The selected span; of a group the member that stands for it.
    pub(crate) fn selected(&self) -> Option<SpanIndex> {
        match self.cursor? {
            Item::Span(span) => Some(span),
            Item::Group(id) => self.rows.group(id)?.face(),
        }
    }

    /// Selects a span and unfolds what hides it.
    pub(crate) fn select_span(&mut self, span: SpanIndex) {
        let item = Item::Span(span);
        if self.rows.row(item).is_some() {
            self.rows.reveal(item);
            self.select(item);
        }
    }

    /// Selects the first error below the root, of a closed group with one the group.
    pub(crate) fn select_error(&mut self, store: &Store) {
        let trace = self.key.and_then(|key| store.trace(key));
        let found = trace.and_then(|trace| self.find(Direction::Next, is_error(trace)));
        if let Some(item) = found {
            let position = self.rows.position(item);
            let shown = position.and_then(|position| self.rows.at(position));
            self.select_row(shown.copied());
        }
    }

    /// The log lines of the trace.
    pub(crate) fn lines(&self) -> &TraceLines {
        &self.lines
    }

    /// Says which line's letter stands out.
    pub(crate) fn select_line(&mut self, line: Option<LineMark>) {
        self.selected_line = line;
    }

    /// Rows of the trace, whether folded away or not, and what is said above them of its start.
    pub(crate) fn n_lines(&self, store: &Store) -> usize {
        let trace = self.key.and_then(|key| store.trace(key));
        let ghost = trace.and_then(|trace| Ghost::of(store, trace));
        self.rows.all().len() + ghost.map_or(0, |ghost| ghost.n_lines())
    }

    /// Spans that do not match are shown dim; empty matches all.
    pub(crate) fn set_filter(&mut self, filter: Query) {
        self.filter = filter;
    }

    pub(crate) fn filter(&self) -> &Query {
        &self.filter
    }

    pub(crate) fn update(&mut self, action: Action, store: &Store) -> Outcome {
        let trace = self.key.and_then(|key| store.trace(key));
        let row = self.cursor.and_then(|item| self.rows.row(item).copied());
        let (Some(trace), Some(row)) = (trace, row) else {
            return Outcome::Ignored;
        };
        match action {
            Action::Move(motion) => self.move_by(motion),
            Action::Open if row.subtree <= 1 => return Outcome::Open(Place::Span),
            Action::Open => self.toggle(&row),
            Action::Fold if row.subtree > 1 && !self.rows.is_folded(row.item) => {
                self.toggle(&row);
            }
            Action::Fold => self.select_row(self.rows.parent(&row).copied()),
            Action::Unfold if self.rows.is_folded(row.item) => self.toggle(&row),
            Action::Unfold => self.select_row(self.rows.first_child(&row).copied()),
            Action::FoldSubtree => self.refold(|rows| rows.toggle_subtree(row.item)),
            Action::FoldAll => self.refold(Rows::fold_all),
            Action::UnfoldAll => self.refold(Rows::unfold_all),
            Action::NextError => return self.search_error(trace, Direction::Next),
            Action::PreviousError => return self.search_error(trace, Direction::Previous),
            Action::NextMatch => return self.search_filter((store, trace), Direction::Next),
            Action::PreviousMatch => {
                return self.search_filter((store, trace), Direction::Previous);
            }
            Action::Click { column, row } => return self.click(Position::new(column, row)),
            Action::Scroll(n_rows) => self.scroll(n_rows),
            Action::Copy => {
                let span = self.selected().and_then(|span| trace.span(span));
                let name = match row.item {
                    Item::Span(_) => span.map(Span::resource),
                    Item::Group(_) => span.map(Span::name),
                };
                let name = copyable_name(name.unwrap_or_default());
                return Outcome::Do(Effect::Copy(name));
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Handled
    }

    fn rebuild(&mut self, trace: &TraceEntry, at_uptime_ns: u64) {
        let line = self.selected_line();
        let selected = self.selected();
        self.rows.rebuild(trace);
        self.workers = Workers::find(&self.rows, trace);
        self.services.count(trace);
        self.built = Some(Built {
            revision: trace.revision(),
            is_behind: false,
            at_uptime_ns,
            start: trace.summary().start,
            end: trace.summary().end,
        });
        self.keep_cursor(selected);
        self.keep_line(line);
    }

    /// A group that forms around the selected span opens, so that the reader keeps it; where nobody
    /// moved yet, the group is selected instead. Of a group that is none any more, the span that
    /// stood for it is.
    fn keep_cursor(&mut self, selected: Option<SpanIndex>) {
        let known = self.cursor.filter(|item| self.rows.row(*item).is_some());
        let known = known.or(selected.map(Item::Span));
        self.cursor = known.or(self.rows.at(0).map(|row| row.item));
        let Some(cursor) = self.cursor else {
            return;
        };
        let position = self.rows.position(cursor);
        let shown = position.and_then(|position| self.rows.at(position));
        let Some(shown) = shown.filter(|row| row.item != cursor).copied() else {
            return;
        };
        if self.viewport.is_chosen {
            self.rows.reveal(cursor);
        } else {
            self.cursor = Some(shown.item);
        }
    }

    /// The line of the screen that the selected row is on; may be outside of it after scrolling.
    fn selected_line(&self) -> Option<usize> {
        let position = self.rows.position(self.cursor?)?;
        position.checked_sub(self.viewport.offset)
    }

    /// Scrolls so that the selected row stays on its line although rows came in above it. As long
    /// as the reader has not moved, the beginning of the trace stays in view instead.
    fn keep_line(&mut self, line: Option<usize>) {
        if let (Some(line), true) = (line, self.viewport.is_chosen)
            && let Some(position) = self.cursor.and_then(|item| self.rows.position(item))
        {
            self.viewport.offset = position.saturating_sub(line);
        }
        self.show_selected();
    }

    /// Scrolls as little as it takes to have the selected row on the screen.
    fn show_selected(&mut self) {
        let page_rows = self.viewport.page_rows();
        let last = self.rows.n_visible().saturating_sub(page_rows);
        let position = self.cursor.and_then(|item| self.rows.position(item));
        let position = position.unwrap_or(self.viewport.offset);
        let lowest = position.saturating_sub(page_rows - 1);
        let offset = self.viewport.offset.min(last);
        self.viewport.offset = offset.max(lowest).min(position);
    }

    fn select_row(&mut self, row: Option<Row>) {
        if let Some(row) = row {
            self.select(row.item);
        }
    }

    fn select(&mut self, item: Item) {
        self.cursor = Some(item);
        self.viewport.is_chosen = true;
        self.show_selected();
    }

    fn move_by(&mut self, motion: Motion) {
        let position = self.cursor.and_then(|item| self.rows.position(item));
        let page_rows = self.viewport.page_rows();
        let n_rows = self.rows.n_visible();
        let to = motion.from_row(position.unwrap_or(0), n_rows, page_rows);
        self.select_row(self.rows.at(to).copied());
    }

    fn toggle(&mut self, row: &Row) {
        let fold = if self.rows.is_folded(row.item) {
            Fold::Open
        } else {
            Fold::Closed
        };
        self.refold(|rows| rows.set_fold(row.item, fold));
    }

    /// Changes folds. If that hides the selected row, the fold that hides it is selected.
    fn refold(&mut self, change: impl FnOnce(&mut Rows)) {
        let line = self.selected_line();
        change(&mut self.rows);
        let position = self.cursor.and_then(|item| self.rows.position(item));
        let shown = position.and_then(|position| self.rows.at(position));
        self.cursor = shown.map(|row| row.item).or(self.cursor);
        self.viewport.is_chosen = true;
        self.keep_line(line);
    }

    fn scroll(&mut self, n_rows: i16) {
        let page_rows = self.viewport.page_rows();
        let last = self.rows.n_visible().saturating_sub(page_rows);
        let by = isize::from(n_rows);
        let offset = self.viewport.offset.saturating_add_signed(by).min(last);
        self.viewport.offset = offset;
        let position = self.cursor.and_then(|item| self.rows.position(item));
        let position = position.unwrap_or(0);
        let to = position.clamp(offset, offset + page_rows - 1);
        if to != position {
            self.select_row(self.rows.at(to).copied());
        }
        self.viewport.is_chosen = true;
    }

    fn click(&mut self, at: Position) -> Outcome {
        let body = self.viewport.body;
        let letters = self.viewport.letters;
        if letters.contains(at) {
            let line = self.letters.line_at(usize::from(at.x - letters.x));
            return line.map_or(Outcome::Handled, |key| Outcome::Open(Place::Letter(key)));
        }
        if !body.contains(at) {
            return Outcome::Ignored;
        }
        let line = usize::from(at.y.saturating_sub(body.y));
        let Some(row) = self.rows.at(self.viewport.offset + line).copied() else {
            return Outcome::Handled;
        };
        self.select(row.item);
        let glyphs = crate::tui::theme::Glyphs::Unicode;
        let guide = self
            .rows
            .guide(&row, "-", self.viewport.guide_cells_max, glyphs);
        // The first column holds the mark of the selection.
        let cell = usize::from(at.x.saturating_sub(body.x)).checked_sub(1);
        if cell == Some(guide.mark_cell) && row.subtree > 1 {
            self.toggle(&row);
        }
        Outcome::Handled
    }

    fn search_error(&mut self, trace: &TraceEntry, direction: Direction) -> Outcome {
        self.search(direction, is_error(trace))
    }

    /// Where nothing is looked for, nothing is found.
    fn search_filter(
        &mut self,
        (store, trace): (&Store, &TraceEntry),
        direction: Direction,
    ) -> Outcome {
        if self.filter.is_empty() {
            return Outcome::Ignored;
        }
        let filter = self.filter.clone();
        self.search(direction, |index, mark| {
            filter.matches_row(store, trace, index, mark)
        })
    }

    /// Selects the next span that is wanted and unfolds what hides it.
    fn search(
        &mut self,
        direction: Direction,
        is_wanted: impl Fn(SpanIndex, RowMark) -> bool,
    ) -> Outcome {
        let Some(found) = self.find(direction, is_wanted) else {
            return Outcome::Ignored;
        };
        self.rows.reveal(found);
        self.select(found);
        Outcome::Handled
    }

    /// The next span that is wanted, around the end of the trace.
    fn find(
        &self,
        direction: Direction,
        is_wanted: impl Fn(SpanIndex, RowMark) -> bool,
    ) -> Option<Item> {
        let here = self.cursor.and_then(|item| self.rows.place(item));
        let (before, rest) = self.rows.all().split_at(here.unwrap_or(0));
        let wanted = |row: &&Row| row.span().is_some_and(|span| is_wanted(span, row.mark));
        let found = match direction {
            Direction::Next => rest.iter().skip(1).chain(before).find(wanted),
            Direction::Previous => before.iter().rev().chain(rest.iter().rev()).find(wanted),
        };
        found.map(|row| row.item)
    }

    /// The part of the selected span's time in which none of its children ran, in nanoseconds; computed
    /// once for each span.
    pub(crate) fn self_time(&mut self, store: &Store) -> Option<i64> {
        let trace = store.trace(self.key?)?;
        let (span, revision) = (self.selected()?, self.built?.revision);
        match self.self_time {
            Some((of, at, nanos)) if (of, at) == (span, revision) => Some(nanos),
            _ => {
                let nanos = self.rows.self_time(trace, span);
                self.self_time = Some((span, revision, nanos));
                Some(nanos)
            }
        }
    }
}
