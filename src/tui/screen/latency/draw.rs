//! The lines as cells: a frame for each part where there is room, else one that scrolls.
//!
//! ```text
//! ┌ COLD ──────┐┌ WARM ──────┐┌ UNKNOWN ───┐
//! ├ gen-api POST /v1/generate ┬ before, after ┤
//! ├ where the cold time goes ───────────────┤   or by container, GPU, region
//! ├ containers over time ───────────────────┤
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use super::LatencyPane;
use super::census::Column;
use super::groups::Scope;
use super::items::Histogram;
use super::rows;
use super::table::{Line, buckets, side_by_side, wrapped};
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, draw_border, fill_style, put};

/// Below this there is one frame.
const WIDE: u16 = 110;
const HIGH: u16 = 28;
/// A histogram is never narrower; where there is less room, they stand below one another.
const COLUMN_MIN: usize = 24;
/// Rows of a histogram where there is one frame.
const BUCKETS_MAX: usize = 7;

/// Where something is painted.
type Canvas<'a, 'b> = (&'a ViewContext<'b>, &'a mut Buffer);

impl LatencyPane {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        self.drawn.clear();
        if let Some(words) = self.nothing(context) {
            let border = Border {
                title: "Latency",
                focus,
                ..Border::default()
            };
            let theme = context.theme;
            let inner = draw_border(buffer, area, &border, theme);
            let lines = wrapped(&words, inner.width.into(), theme.text, theme.glyphs);
            self.paint(&lines, inner, 0, (context, buffer));
            return;
        }
        if area.width < WIDE || area.height < HIGH {
            self.draw_one(area, focus, (context, buffer));
        } else {
            self.draw_frames(area, focus, (context, buffer));
        }
    }

    /// What is said where there are no numbers, and what to do.
    fn nothing(&self, context: &ViewContext<'_>) -> Option<Vec<String>> {
        if let Some((n_read, n_traces)) = self.reading {
            return Some(vec![format!("Reading the traces: {n_read} of {n_traces}.")]);
        }
        if self.resource().is_some() {
            return None;
        }
        let n_traces = u64::try_from(context.store.n_traces()).unwrap_or(u64::MAX);
        Some(if n_traces == 0 {
            vec![
                "No request yet: send one to the app. Each is shown here by its resource, cold and warm \
                 apart."
                    .to_owned(),
                "w shows whether the app is connected.".to_owned(),
            ]
        } else {
            vec![format!(
                "No request yet: of {} here none shows where a process began its part; they are starts, or \
                 their local root has not come.",
                text::count(n_traces, "trace")
            )]
        })
    }

    fn draw_frames(&mut self, area: Rect, focus: Focus, (context, buffer): Canvas<'_, '_>) {
        let theme = context.theme;
        let columns = self.columns();
        let width = usize::from(area.width);
        let middle = self.middle(theme, width);
        let n_middle = middle.iter().map(|(_, lines)| lines.len()).max();
        let middle_max = if area.height < 40 { 9 } else { 12 };
        let middle_height = text::cells(n_middle.unwrap_or(0) + 2).min(middle_max);
        let rest = area.height.saturating_sub(middle_height);
        let top_height = (rest * 9 / 20).clamp(8, 16);
        let [top, between, lower] = Layout::vertical([
            Constraint::Length(top_height),
            Constraint::Length(middle_height),
            Constraint::Min(3),
        ])
        .areas::<3>(area);
        self.draw_histograms(&columns, top, focus, (context, buffer));
        let n_parts = text::cells(middle.len());
        let parts = Layout::horizontal(vec![Constraint::Fill(1); usize::from(n_parts)]);
        let places = parts.split(between);
        for ((title, lines), place) in middle.iter().zip(places.iter()) {
            self.draw_frame(
                lines,
                (title, ""),
                (*place, Focus::Unfocused),
                (context, buffer),
            );
        }
        self.draw_lower(lower, focus, (context, buffer));
    }

    /// The frames between histograms and tables: what it comes to, and what has changed.
    fn middle(&self, theme: &Theme, width: usize) -> Vec<(String, Vec<Line>)> {
        let mut parts = vec![(self.name(theme), rows::summary(self, theme.glyphs))];
        if let Some(change) = &self.census.change {
            let words = rows::change_rows(change, theme.glyphs);
            parts.push((rows::change_title(change.border), words));
        }
        let width = width / parts.len() - 2;
        let lines = |words: Vec<String>| wrapped(&words, width, theme.text, theme.glyphs);
        let parts = parts.into_iter();
        parts.map(|(title, words)| (title, lines(words))).collect()
    }

    fn name(&self, theme: &Theme) -> String {
        let Some(resource) = self.resource() else {
            return String::new();
        };
        let name = format!("{} {}", resource.service, resource.name);
        text::visible(name.trim().into(), theme.glyphs).into_owned()
    }

    fn draw_histograms(
        &mut self,
        columns: &[Column],
        area: Rect,
        focus: Focus,
        (context, buffer): Canvas<'_, '_>,
    ) {
        let theme = context.theme;
        let places = Layout::horizontal(vec![Constraint::Fill(1); columns.len()]).split(area);
        let inner = |place: &Rect| usize::from(place.width.saturating_sub(2));
        let figures: Vec<Vec<Line>> = columns
            .iter()
            .zip(places.iter())
            .map(|(column, place)| self.figures(*column, theme, inner(place)))
            .collect();
        let n_figures = figures.iter().map(Vec::len).max().unwrap_or(0);
        let room = usize::from(area.height.saturating_sub(2));
        self.lay_out(room.saturating_sub(n_figures).max(1));
        let histograms = self.histograms.clone();
        let parts = histograms.iter().zip(places.iter()).zip(figures);
        for ((histogram, place), mut lines) in parts {
            lines.resize(n_figures, Line::default());
            lines.extend(buckets(histogram, theme, inner(place)));
            let title = rows::title(histogram.column, self.census.series(histogram.column));
            let note = self.note_of(histogram);
            self.draw_frame(&lines, (&title, note), (*place, focus), (context, buffer));
        }
    }

    fn note_of(&self, histogram: &Histogram) -> &'static str {
        let series = self.census.series(histogram.column);
        match (histogram.column, series.has_parts, series.all.n()) {
            (_, _, 0) => "",
            (_, true, _) => "enter lists about these",
            (_, false, _) if histogram.column == Column::Cold => "enter lists them",
            _ => "",
        }
    }

    fn draw_lower(&mut self, area: Rect, focus: Focus, (context, buffer): Canvas<'_, '_>) {
        let theme = context.theme;
        let width = usize::from(area.width.saturating_sub(2));
        if self.scope != Scope::All {
            let lines = self.group_lines(theme, width);
            let frame = (self.scope.title(), "o next   enter lists them");
            self.draw_frame(&lines, frame, (area, focus), (context, buffer));
            return;
        }
        let (steps, lanes) = (self.step_lines(theme, width), self.lane_lines(theme, width));
        let wanted = text::cells(lanes.len() + 2).min(area.height / 2).max(3);
        let steps_height = text::cells(steps.len() + 2).min(area.height.saturating_sub(wanted));
        let split = [Constraint::Length(steps_height.max(3)), Constraint::Min(3)];
        let [above, below] = Layout::vertical(split).areas::<2>(area);
        let frame = ("Where the cold time goes", self.steps_note());
        self.draw_frame(&steps, frame, (above, focus), (context, buffer));
        let (title, note) = (lanes_title(theme), self.lanes_note());
        self.draw_frame(&lanes, (&title, &note), (below, focus), (context, buffer));
    }

    fn steps_note(&self) -> &'static str {
        match self.next_median {
            Column::Warm => "of the newest 50 each   enter opens a median warm one",
            _ => "of the newest 50 each   enter opens a median cold one, then a warm one",
        }
    }

    fn lanes_note(&self) -> String {
        let time = |at| text::time_of_day(at).chars().take(8).collect::<String>();
        let lanes = &self.lanes;
        if lanes.rows.is_empty() {
            return String::new();
        }
        format!("{} .. {}", time(lanes.start), time(lanes.end))
    }

    /// Everything in one frame, which scrolls.
    fn draw_one(&mut self, area: Rect, focus: Focus, (context, buffer): Canvas<'_, '_>) {
        let theme = context.theme;
        let width = usize::from(area.width.saturating_sub(2));
        let columns = self.columns();
        let n_buckets = usize::from(area.height)
            .saturating_sub(8)
            .clamp(4, BUCKETS_MAX);
        self.lay_out(n_buckets);
        let column_width = width / columns.len().max(1);
        let is_beside = column_width >= COLUMN_MIN;
        let column_width = if is_beside { column_width } else { width };
        let histograms = self.histograms.clone();
        let figures = |column| self.figures(column, theme, column_width);
        let n_figures = columns.iter().map(|column| figures(*column).len()).max();
        let mut parts = Vec::new();
        for histogram in &histograms {
            let title = rows::title(histogram.column, self.census.series(histogram.column));
            let title = text::cut(&title, column_width.saturating_sub(2), theme.glyphs);
            let mut lines = vec![Line::words(title, theme.title_focused)];
            lines.extend(figures(histogram.column));
            if is_beside {
                lines.resize(n_figures.unwrap_or(0) + 1, Line::default());
            }
            lines.extend(buckets(histogram, theme, column_width));
            parts.push(lines);
        }
        let mut lines = if is_beside {
            side_by_side(parts, column_width)
        } else {
            parts.concat()
        };
        for (place, (title, words)) in self.middle_of_one(theme, width).into_iter().enumerate() {
            // The first is the title of the frame.
            if place > 0 {
                lines.push(Line::words(title, theme.title_focused));
            }
            lines.extend(words);
        }
        if self.scope == Scope::All {
            lines.push(Line::words("Where the cold time goes", theme.title_focused));
            lines.extend(self.step_lines(theme, width));
            let title = format!("{}   {}", lanes_title(theme), self.lanes_note());
            lines.push(Line::words(title, theme.title_focused));
            lines.extend(self.lane_lines(theme, width));
        } else {
            lines.push(Line::words(self.scope.title(), theme.title_focused));
            lines.extend(self.group_lines(theme, width));
        }
        let name = self.name(theme);
        let title = format!("Latency: {name}");
        self.draw_frame(&lines, (&title, "b next"), (area, focus), (context, buffer));
    }

    fn middle_of_one(&self, theme: &Theme, width: usize) -> Vec<(String, Vec<Line>)> {
        let mut parts = vec![(String::new(), rows::summary(self, theme.glyphs))];
        if let Some(change) = &self.census.change {
            let words = rows::change_rows(change, theme.glyphs);
            parts.push((rows::change_title(change.border), words));
        }
        let lines = |words: Vec<String>| wrapped(&words, width, theme.text, theme.glyphs);
        let parts = parts.into_iter();
        parts.map(|(title, words)| (title, lines(words))).collect()
    }

    /// Paints lines into a frame, scrolled so that the selected one is seen.
    fn draw_frame(
        &mut self,
        lines: &[Line],
        (title, note): (&str, &str),
        (area, focus): (Rect, Focus),
        (context, buffer): Canvas<'_, '_>,
    ) {
        let selected = self.selected_item();
        let is_its = |line: &Line| {
            let mut items = line.items.iter();
            items.any(|(.., item)| Some(item) == selected.as_ref())
        };
        let place = lines.iter().position(is_its);
        let last = lines.iter().rposition(is_its);
        let border = Border {
            title,
            note,
            focus: match place {
                Some(_) => focus,
                None => Focus::Unfocused,
            },
            ..Border::default()
        };
        let inner = draw_border(buffer, area, &border, context.theme);
        let height = usize::from(inner.height);
        let first = lines.iter().position(|line| !line.items.is_empty());
        let skipped = match place.zip(last) {
            None => 0,
            // From the first row that can be selected up, the words above it are seen too.
            Some((place, _)) if Some(place) == first => 0,
            Some((place, last)) => {
                let known = self.skipped.min(lines.len().saturating_sub(height));
                known.max((last + 1).saturating_sub(height)).min(place)
            }
        };
        if place.is_some() {
            self.skipped = skipped;
            self.page = height;
        }
        self.paint(lines, inner, skipped, (context, buffer));
    }

    fn paint(
        &mut self,
        lines: &[Line],
        inner: Rect,
        skipped: usize,
        (context, buffer): Canvas<'_, '_>,
    ) {
        let theme = context.theme;
        let selected = self.selected_item();
        for (line, place) in lines.iter().skip(skipped).zip(inner.rows()) {
            for (column, words, style) in &line.cells {
                let room = usize::from(inner.width).saturating_sub(*column);
                let words = text::cut(words, room, theme.glyphs);
                put(buffer, place, text::cells(*column), &words, *style);
            }
            for (from, to, item) in &line.items {
                let from_cell = text::cells(*from).min(place.width);
                let width = text::cells(to - from).min(place.width - from_cell);
                let area = Rect {
                    x: place.x + from_cell,
                    width,
                    ..place
                };
                if selected.as_ref() == Some(item) {
                    fill_style(buffer, area, theme.selected);
                    let is_first = self.drawn.last().is_none_or(|(_, last)| last != item);
                    put(
                        buffer,
                        area,
                        0,
                        if is_first { ">" } else { " " },
                        theme.selected,
                    );
                }
                self.drawn.push((area, item.clone()));
            }
        }
    }
}

fn lanes_title(theme: &Theme) -> String {
    let (cold, busy, unknown) = theme.glyphs.pick(("▓", "█", "▒"), ("#", "=", "?"));
    format!("Containers over time   {cold} start, cold   {busy} warm   {unknown} unknown")
}
