//! The parts of the screen as lines of words with a place and a style each. It paints nothing.

use ratatui::style::Style;

use super::LatencyPane;
use super::census::Column;
use super::groups::Group;
use super::items::{Histogram, Item};
use super::lanes::{Doing, Lane, Lanes};
use super::rows;
use crate::analysis::steps::Medians;
use crate::trace::UnixNanos;
use crate::tui::text;
use crate::tui::theme::{Glyphs, Theme};
use crate::tui::widget::meter;

/// Cells of the name of a container over time.
const LANE_NAME: usize = 16;
/// Cells of a duration, and of a number.
const TIME: usize = 8;
const NUMBER: usize = 6;
const NAME_MIN: usize = 12;

/// A line: words with the column where they begin, and what can be selected between which columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) cells: Vec<(usize, String, Style)>,
    pub(super) items: Vec<(usize, usize, Item)>,
}

impl Line {
    pub(super) fn words(words: impl Into<String>, style: Style) -> Self {
        Self {
            cells: vec![(1, words.into(), style)],
            items: Vec::new(),
        }
    }

    fn of(mut self, width: usize, item: Item) -> Self {
        self.items.push((0, width, item));
        self
    }

    /// Puts another line beside this one.
    fn beside(&mut self, other: Self, column: usize) {
        let cells = other.cells.into_iter();
        self.cells
            .extend(cells.map(|(at, words, style)| (at + column, words, style)));
        let items = other.items.into_iter();
        self.items
            .extend(items.map(|(from, to, item)| (from + column, to + column, item)));
    }
}

/// Lines that are wrapped from sentences.
pub(super) fn wrapped(
    sentences: &[String],
    width: usize,
    style: Style,
    glyphs: Glyphs,
) -> Vec<Line> {
    let room = width.saturating_sub(2);
    let lines = sentences
        .iter()
        .flat_map(|words| text::wrap(words, room, 3, glyphs));
    lines.map(|line| Line::words(line, style)).collect()
}

/// Lists of lines beside one another, each from a column on.
pub(super) fn side_by_side(parts: Vec<Vec<Line>>, width: usize) -> Vec<Line> {
    let n_lines = parts.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = vec![Line::default(); n_lines];
    for (place, part) in parts.into_iter().enumerate() {
        for (line, own) in lines.iter_mut().zip(part) {
            line.beside(own, place * width);
        }
    }
    lines
}

/// The buckets of a histogram; the fullest of those with one axis is as long as there is room.
pub(super) fn buckets(histogram: &Histogram, theme: &Theme, width: usize) -> Vec<Line> {
    let glyphs = theme.glyphs;
    let of = |histogram: &Histogram| {
        let labels = histogram.buckets();
        let labels = labels.map(|(range, _)| text::width(&rows::bucket(range, glyphs)));
        labels.max().unwrap_or(0)
    };
    let label_cells = of(histogram);
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    let n_cells = width.saturating_sub(label_cells + NUMBER + 4);
    let style = style_of(histogram.column, theme);
    let line = |(range, n): (&std::ops::Range<i64>, u64)| {
        let label = text::right(&rows::bucket(range, glyphs), label_cells, glyphs);
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let bar = meter(whole(n), whole(most), n_cells, glyphs);
        let line = Line {
            cells: vec![(1, label, theme.dim), (label_cells + 2, bar, style)],
            items: Vec::new(),
        };
        if n == 0 {
            return line;
        }
        let number = text::right(&rows::number(n), NUMBER, glyphs);
        let mut line = line.of(width, Item::Bucket(histogram.column, range.start));
        let at = width.saturating_sub(NUMBER + 1);
        line.cells.push((at, number, theme.text));
        line
    };
    histogram.buckets().map(line).collect()
}

impl LatencyPane {
    /// The figures of a histogram, which stand above its buckets.
    pub(super) fn figures(&self, column: Column, theme: &Theme, width: usize) -> Vec<Line> {
        let series = self.census.series(column);
        if series.all.n() == 0 {
            return vec![Line::words("none yet", theme.dim)];
        }
        let glyphs = theme.glyphs;
        let room = width.saturating_sub(2);
        let words = rows::figures(&series.all, glyphs);
        let figures = rows::joined(&words, room).into_iter();
        let mut lines: Vec<Line> = figures
            .map(|words| Line::words(words, theme.text))
            .collect();
        if let Some(first) = lines.first_mut() {
            *first = std::mem::take(first).of(width, Item::All(column));
        }
        if let Some(words) = rows::prewarmed(series, glyphs) {
            let words = text::cut(&words, room, glyphs).into_owned();
            lines.push(Line::words(words, theme.dim));
        }
        lines
    }

    /// Where the cold time goes.
    pub(super) fn step_lines(&self, theme: &Theme, width: usize) -> Vec<Line> {
        let [cold, warm] = [Column::Cold, Column::Warm].map(|it| self.census.series(it));
        if cold.newest.is_empty() || warm.newest.is_empty() {
            let missing = if cold.newest.is_empty() {
                "cold"
            } else {
                "warm"
            };
            let words = format!("No {missing} request is held: there is nothing to compare.");
            return vec![Line::words(words, theme.dim)];
        }
        let name_cells = (width * 3 / 10).max(NAME_MIN);
        let heading = format!(
            "{}{:>TIME$}  {:>TIME$}  {:>9}   share of it",
            text::left("self time", name_cells, theme.glyphs),
            "COLD p50",
            "WARM p50",
            "more",
        );
        let mut lines = vec![Line::words(heading, theme.dim)];
        let is_seen = |medians: &Medians| medians.waited_ns > 0 || medians.warm_ns > 0;
        let (seen, rare): (Vec<_>, Vec<_>) = self
            .steps
            .steps
            .iter()
            .partition(|step| is_seen(&step.medians));
        for step in seen {
            let name = text::visible((&*step.name).into(), theme.glyphs);
            let line = step_line(&name, &step.medians, (name_cells, width), theme);
            lines.push(line.of(width, Item::Step(step.name.clone())));
        }
        if let Some(others) = &self.steps.others {
            let name = format!("{} others", self.steps.n_others);
            lines.push(step_line(&name, others, (name_cells, width), theme));
        }
        if !rare.is_empty() {
            let words = format!("{} that fewer than half of the requests have", rare.len());
            lines.push(Line::words(words, theme.dim));
        }
        lines
    }

    /// Containers over time.
    pub(super) fn lane_lines(&self, theme: &Theme, width: usize) -> Vec<Line> {
        let lanes = &self.lanes;
        if lanes.rows.is_empty() {
            let words = if self.census.n() == 0 {
                "No request has ended yet."
            } else {
                "Nothing says where these ran: tag modal.task_id; `modtrace-tui env modal` prints the helper."
            };
            return wrapped(&[words.to_owned()], width, theme.dim, theme.glyphs);
        }
        let n_cells = width.saturating_sub(LANE_NAME + NUMBER + 6);
        let line = |lane: &Lane| {
            let name = text::visible((&*lane.name).into(), theme.glyphs);
            let name = text::left(&name, LANE_NAME, theme.glyphs);
            let mut cells = vec![(2, name, theme.text)];
            let painted = painted(lane, lanes, n_cells);
            for (column, doing) in painted.into_iter().enumerate() {
                let Some(doing) = doing else { continue };
                let (symbol, style) = match doing {
                    Doing::Cold => (theme.glyphs.pick("▓", "#"), theme.warning),
                    Doing::Busy => (theme.glyphs.pick("█", "="), theme.ok),
                    Doing::Unknown => (theme.glyphs.pick("▒", "?"), theme.dim),
                };
                cells.push((LANE_NAME + 3 + column, symbol.to_owned(), style));
            }
            let number = text::right(&rows::number(lane.n), NUMBER, theme.glyphs);
            cells.push((width.saturating_sub(NUMBER + 1), number, theme.text));
            let items = Vec::new();
            Line { cells, items }.of(width, Item::Lane(lane.key))
        };
        let mut drawn: Vec<Line> = lanes.rows.iter().map(line).collect();
        if lanes.n_left_out > 0 {
            let words = format!("and {} more that were at work earlier", lanes.n_left_out);
            drawn.push(Line::words(words, theme.dim));
        }
        if lanes.n_nowhere > 0 {
            let words = format!(
                "{} of no known container",
                text::count(lanes.n_nowhere, "request")
            );
            drawn.push(Line::words(words, theme.dim));
        }
        drawn
    }

    /// What is compared by container, by GPU or by region.
    pub(super) fn group_lines(&self, theme: &Theme, width: usize) -> Vec<Line> {
        let columns = GroupColumns::of(width);
        let heading = columns.heading(theme.glyphs);
        let mut lines = vec![Line {
            cells: vec![(2, heading, theme.dim)],
            items: Vec::new(),
        }];
        let selected = self.selected_item();
        for group in &self.groups.rows {
            let item = Item::Group(group.key.clone());
            let is_selected = selected.as_ref() == Some(&item);
            lines.push(columns.line(group, theme).of(width, item.clone()));
            if is_selected && !group.about.is_empty() {
                let about = text::visible((&*group.about).into(), theme.glyphs);
                let room = width.saturating_sub(6);
                for words in text::wrap(&about, room, 3, theme.glyphs) {
                    let cells = vec![(4, words, theme.dim)];
                    let items = Vec::new();
                    lines.push(Line { cells, items }.of(width, item.clone()));
                }
            }
        }
        if self.groups.n_left_out > 0 {
            let words = format!("and {} more with fewer requests", self.groups.n_left_out);
            lines.push(Line::words(words, theme.dim));
        }
        lines
    }
}

fn style_of(column: Column, theme: &Theme) -> Style {
    match column {
        Column::Cold => theme.warning,
        Column::Warm => theme.ok,
        Column::Unknown => theme.dim,
    }
}

fn step_line(
    name: &str,
    medians: &Medians,
    (name_cells, width): (usize, usize),
    theme: &Theme,
) -> Line {
    let glyphs = theme.glyphs;
    let took = |ns: i64| match ns {
        0 => "-".to_owned(),
        ns => text::duration(ns, glyphs),
    };
    let more = match medians.difference_ns {
        0 => String::new(),
        ns if ns > 0 => format!("+{}", text::duration(ns, glyphs)),
        ns => text::duration(ns, glyphs),
    };
    let words = format!(
        "{}{:>TIME$}  {:>TIME$}  {more:>9}",
        text::left(name, name_cells.saturating_sub(1), glyphs),
        took(medians.waited_ns),
        took(medians.warm_ns),
    );
    let bar_at = text::width(&words) + 5;
    let n_cells = width.saturating_sub(bar_at + NUMBER + 2);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share of one, in thousandths"
    )]
    let thousandths = (medians.share * 1_000.0) as i64;
    let bar = meter(thousandths, 1_000, n_cells, glyphs);
    let share = text::right(&rows::percent(medians.share), NUMBER, glyphs);
    let at = width.saturating_sub(NUMBER + 1);
    let mut cells = vec![(2, words, theme.text), (bar_at, bar, theme.warning)];
    if medians.share > 0.0 {
        cells.push((at, share, theme.text));
    }
    Line {
        cells,
        items: Vec::new(),
    }
}

/// Which figures of a group there is room for.
#[derive(Clone, Copy, Debug)]
struct GroupColumns {
    name: usize,
    number: usize,
    /// Percentiles; the hundredth is the longest.
    figures: &'static [u8],
    outcomes: Outcomes,
}

/// How the ends of requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcomes {
    Each,
    Together,
}

impl GroupColumns {
    /// Cells of a duration, and of a number of outcomes.
    const TIME: usize = 7;
    const OUTCOME: usize = 5;

    fn of(width: usize) -> Self {
        let (figures, number, outcomes): (&'static [u8], _, _) = match width {
            110.. => (&[50, 95, 100], 6, Outcomes::Each),
            72.. => (&[50, 95], 5, Outcomes::Together),
            _ => (&[50], 5, Outcomes::Together),
        };
        let n_outcomes = match outcomes {
            Outcomes::Each => 3,
            Outcomes::Together => 1,
        };
        let of_kind = number + figures.len() * Self::TIME;
        let taken = of_kind * Column::ALL.len() + n_outcomes * Self::OUTCOME + 3;
        Self {
            name: width.saturating_sub(taken).max(NAME_MIN),
            number,
            figures,
            outcomes,
        }
    }

    fn heading(&self, glyphs: Glyphs) -> String {
        let mut heading = text::left("", self.name, glyphs);
        for column in ["COLD", "WARM", "UNK"] {
            heading.push_str(&text::right(column, self.number, glyphs));
            for figure in self.figures {
                let name = match figure {
                    100 => "max".to_owned(),
                    per_cent => format!("p{per_cent}"),
                };
                heading.push_str(&text::right(&name, Self::TIME, glyphs));
            }
        }
        let outcomes: &[&str] = match self.outcomes {
            Outcomes::Each => &["err", "oom", "time"],
            Outcomes::Together => &["err"],
        };
        for outcome in outcomes {
            heading.push_str(&text::right(outcome, Self::OUTCOME, glyphs));
        }
        heading
    }

    fn line(&self, group: &Group, theme: &Theme) -> Line {
        let glyphs = theme.glyphs;
        let name = text::visible((&*group.name).into(), glyphs);
        let mut words = text::left(&name, self.name, glyphs);
        for column in &group.columns {
            words.push_str(&text::right(&some(column.n()), self.number, glyphs));
            for figure in self.figures {
                let ns = match figure {
                    100 => column.max(),
                    per_cent => column.percentile(*per_cent),
                };
                let took = ns.map(|ns| text::duration(ns, glyphs)).unwrap_or_default();
                words.push_str(&text::right(&took, Self::TIME, glyphs));
            }
        }
        let all = group.n_errors + group.n_out_of_memory + group.n_timeouts;
        let each = [group.n_errors, group.n_out_of_memory, group.n_timeouts];
        let outcomes: &[u64] = match self.outcomes {
            Outcomes::Each => &each,
            Outcomes::Together => &[all],
        };
        for n in outcomes {
            words.push_str(&text::right(&some(*n), Self::OUTCOME, glyphs));
        }
        let style = if all > 0 { theme.warning } else { theme.text };
        Line {
            cells: vec![(2, words, style)],
            items: Vec::new(),
        }
    }
}

/// A number; none is a dash, so that numbers stand out.
fn some(n: u64) -> String {
    match n {
        0 => "-".to_owned(),
        n => rows::number(n),
    }
}

/// What a container did in each cell: of several things the one that matters most.
fn painted(lane: &Lane, lanes: &Lanes, n_cells: usize) -> Vec<Option<Doing>> {
    let mut cells = vec![None; n_cells];
    let extent = i128::from(lanes.end.since(lanes.start)).max(1);
    let width = i128::try_from(n_cells).unwrap_or(0);
    let cell = |at: UnixNanos| {
        let from_start = i128::from(at.since(lanes.start));
        from_start * width / extent
    };
    for piece in &lane.pieces {
        let (first, last) = (cell(piece.start), cell(piece.end));
        if last < 0 || first >= width {
            continue;
        }
        let first = usize::try_from(first.max(0)).unwrap_or(0);
        let last = usize::try_from(last.clamp(0, width - 1)).unwrap_or(0);
        let from = first.min(last);
        for painted in cells.iter_mut().take(last + 1).skip(from) {
            *painted = (*painted).max(Some(piece.doing));
        }
    }
    cells
}
