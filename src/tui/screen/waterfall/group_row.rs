//! The row of a group: how many members, where they run, how long they took. Its members' own rows are
//! painted in `row`.
//!
//! ```text
//! ├▸ batch-worker ×37 2 err 5 cold ▒▓▓ 37 of 40 seen p50 412ms p95 1.71s ▒░░░··   1.94s
//! ```
//!
//! The bar reaches from the first start to the last end, the darker the more members run. The words
//! stand beside it, or on it where there is no other room for them; from the last on they go first.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::draw::Columns;
use super::row::{Look, RowPainter, cut_to, put};
use super::rows::{Group, Row};
use super::workers::Workers;
use crate::store::RowMark;
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::bar::{Bar, BarKind};

/// So many cells of a bar stay free of words at each end.
const BAR_END_CELLS: u16 = 3;

/// Words with their style.
type Words = (Cow<'static, str>, Style);

/// Words in the column of bars: the cell that the space before them takes, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    cell: u16,
    n_words: usize,
}

impl RowPainter<'_> {
    /// Paints the row of a group into a line.
    pub(super) fn draw_group(
        &self,
        row: &Row,
        group: &Group,
        (line, buffer): (Rect, &mut Buffer),
        selection: Option<Focus>,
    ) {
        let columns = Columns::of(line);
        let look = self.group_look(group, selection);
        let left_over = self.draw_group_name(row, group, &look, (columns.name, buffer));
        if columns.bars.width > 0 {
            let bar = self.scale.bar(group.start, group.end, BarKind::Closed);
            self.draw_levels(group, bar, look.bar, (columns.bars, buffer));
            let facts = facts(self.workers, group, self.context).into_iter();
            let facts = facts.map(|fact| (fact.into(), look.text));
            let words: Vec<Words> = left_over.into_iter().chain(facts).collect();
            draw_words(&words, bar, columns.bars, buffer);
        }
        let glyphs = self.context.theme.glyphs;
        let took = text::duration(group.end.since(group.start), glyphs);
        let took = text::right(&took, usize::from(columns.duration.width), glyphs);
        put(buffer, columns.duration, &took, look.text);
        self.mark_selected(line, buffer, selection);
    }

    fn group_look(&self, group: &Group, selection: Option<Focus>) -> Look {
        let theme = self.context.theme;
        let first = group.members.first();
        let span = first.and_then(|span| self.trace.span(*span));
        let is_all_errors = group.n_errors >= group.members.len();
        let bar = match span {
            Some(span) if !is_all_errors => theme.bar(span.service()),
            _ => theme.error,
        };
        let look = Look::of(theme, bar);
        match (self.filter.is_empty(), self.pictures.is_found(group.id)) {
            (true, _) => look,
            (false, true) => Look {
                name: theme.matched,
                ..look
            },
            (false, false) => Look::dimmed(theme, selection),
        }
    }

    /// ` ×37` keeps its cells, the name gives way. Returns what there was no room for.
    fn draw_group_name(
        &self,
        row: &Row,
        group: &Group,
        look: &Look,
        (column, buffer): (Rect, &mut Buffer),
    ) -> Option<Words> {
        let glyphs = self.context.theme.glyphs;
        let first = group.members.first();
        let span = first.and_then(|span| self.trace.span(*span))?;
        let mark = if self.rows.is_folded(row.item) {
            glyphs.pick("▸", "+")
        } else {
            glyphs.pick("▾", "v")
        };
        let guide = self.rows.guide(row, mark, self.guide_cells_max, glyphs);
        let mut marks = self.group_marks(row, group, look);
        let times = glyphs.pick("×", "x");
        let number = format!(" {times}{}", group.members.len());
        let name = text::show(span.name(), glyphs);
        let mut missing = missing(self.workers, group).map(|said| (said.into(), look.warning));
        let wanted = text::width(&guide.text) + text::width(&name) + text::width(&number);
        let all = marks.iter().chain(&missing);
        let wanted = wanted + usize::from(cells_of(all));
        if wanted <= usize::from(column.width) {
            marks.extend(missing.take());
        }
        let marks_cells = cells_of(marks.iter());
        let kept_cells = marks_cells.saturating_add(text::cells(text::width(&number)));
        let words = Rect {
            width: column.width.saturating_sub(kept_cells),
            ..column
        };
        let mut rest = put(buffer, words, &guide.text, look.dim);
        let parent = self.parent(row);
        if let Some(service) = self.service(span, parent, &name, usize::from(rest.width / 3)) {
            rest = put(buffer, rest, &format!("{service} "), look.dim);
        }
        rest = put(buffer, rest, &cut_to(&name, rest, glyphs), look.name);
        let after = Rect {
            x: rest.x,
            width: column.right().saturating_sub(rest.x),
            ..column
        };
        put(buffer, after, &number, look.text);
        let marks_cells = marks_cells.min(column.width);
        let mut place = Rect {
            x: column.right() - marks_cells,
            width: marks_cells,
            ..column
        };
        for (word, style) in marks {
            place = put(buffer, place, " ", look.dim);
            place = put(buffer, place, &word, style);
        }
        missing
    }

    fn group_marks(&self, row: &Row, group: &Group, look: &Look) -> Vec<Words> {
        let counted = [
            (group.n_open, "open", look.warning),
            (group.n_errors, "err", look.error),
        ];
        let counted = counted.into_iter().filter(|(number, _, _)| *number > 0);
        let counted =
            counted.map(|(number, word, style)| (format!("{number} {word}").into(), style));
        let orphans = (row.mark == RowMark::Orphan).then_some(("orphan".into(), look.warning));
        let starts = self.workers.starts(group.id);
        let starts = starts.map(|words| (words.into(), look.text));
        orphans.into_iter().chain(counted).chain(starts).collect()
    }

    fn draw_levels(
        &self,
        group: &Group,
        bar: Bar,
        style: Style,
        (column, buffer): (Rect, &mut Buffer),
    ) {
        let glyphs = self.context.theme.glyphs;
        let levels = self.pictures.levels(group.id);
        let (first, after) = bar.cells();
        for cell in first..after.min(column.width) {
            let level = levels.get(usize::from(cell)).copied().unwrap_or(0);
            if let Some(painted) = buffer.cell_mut((column.x + cell, column.y)) {
                painted.set_symbol(symbol(level, glyphs));
                painted.set_style(style);
            }
        }
    }
}

/// `37 of 40 seen`: how many members are here of how many there should be.
fn missing(workers: &Workers, group: &Group) -> Option<String> {
    let expected = workers.expected(group.id)?;
    Some(format!("{} of {expected} seen", group.members.len()))
}

/// What the members took, and the one that the parent waited for: `slowest ta-9P7M`. Where that is not
/// the one of the longest time, its own is said.
fn facts(workers: &Workers, group: &Group, context: &ViewContext<'_>) -> Vec<String> {
    let glyphs = context.theme.glyphs;
    let took = [("p50", group.p50), ("p95", group.p95), ("max", group.max)];
    let took = took.map(|(word, nanos)| format!("{word} {}", text::duration(nanos, glyphs)));
    let mut facts = Vec::from(took);
    if let Some(waited_for) = group.waited_for {
        let worker = workers.worker(waited_for.span);
        let container = worker.and_then(|worker| worker.container_name(context.store, glyphs));
        let took = (!waited_for.is_slowest).then(|| text::duration(waited_for.duration, glyphs));
        let said = container.into_iter().chain(took);
        let said: Vec<String> = said.collect();
        if !said.is_empty() {
            facts.push(format!("{} {}", waited_for.word(), said.join(" ")));
        }
    }
    facts
}

/// What the frame says of the selected group: `p50 412ms  p95 1.71s  max 1.90s  slowest ta-9P7M`.
pub(super) fn sentence(workers: &Workers, group: &Group, context: &ViewContext<'_>) -> String {
    let mut words = facts(workers, group, context);
    words.extend(missing(workers, group));
    words.join("  ")
}

/// The cells of words, each with a space before it.
fn cells_of<'a>(words: impl Iterator<Item = &'a Words>) -> u16 {
    let cells = words.map(|(word, _)| text::cells(text::width(word) + 1));
    cells.fold(0, u16::saturating_add)
}

fn symbol(level: u8, glyphs: Glyphs) -> &'static str {
    match level {
        0 => glyphs.pick("·", "."),
        1 => glyphs.pick("░", ":"),
        2 => glyphs.pick("▒", "+"),
        _ => glyphs.pick("▓", "#"),
    }
}

/// How many words fit into so many cells, with a space before each and one after the last.
fn n_fitting(words: &[Words], n_cells: u16) -> usize {
    let fits = |n_words: &usize| {
        let words = words.iter().take(*n_words);
        cells_of(words) < n_cells
    };
    (1..=words.len()).take_while(fits).count()
}

/// Where the most words fit: after the bar, before it, else on it.
fn place_words(words: &[Words], bar: Bar, width: u16) -> Placed {
    let (first, after) = bar.cells();
    let placed = |cell, n_cells| Placed {
        cell,
        n_words: n_fitting(words, n_cells),
    };
    // The last word may end where the column does.
    let beyond = placed(after, (width + 1).saturating_sub(after));
    let before = placed(0, first);
    let n_cells = cells_of(words.iter().take(before.n_words));
    let before = Placed {
        cell: first.saturating_sub(n_cells + 1),
        ..before
    };
    let n_cells = after.saturating_sub(first);
    let on_bar = placed(
        first.saturating_add(BAR_END_CELLS),
        n_cells.saturating_sub(2 * BAR_END_CELLS),
    );
    let more = |best: Placed, next: Placed| {
        if next.n_words > best.n_words {
            next
        } else {
            best
        }
    };
    [before, on_bar].into_iter().fold(beyond, more)
}

fn draw_words(words: &[Words], bar: Bar, column: Rect, buffer: &mut Buffer) {
    let placed = place_words(words, bar, column.width);
    let cell = placed.cell.min(column.width);
    let mut place = Rect {
        x: column.x + cell,
        width: column.width - cell,
        height: 1,
        ..column
    };
    for (word, style) in words.iter().take(placed.n_words) {
        place = put(buffer, place, " ", Style::new());
        place = put(buffer, place, word, *style);
    }
    if placed.n_words > 0 {
        put(buffer, place, " ", Style::new());
    }
}
