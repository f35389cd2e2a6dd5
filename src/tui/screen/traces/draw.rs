//! Paints the visible rows of the list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::badges::Tone;
use super::row::{self, TraceRow};
use super::rules::{Line, Rule};
use super::services::Services;
use super::{Containers, TraceList};
use crate::analysis::Outcome;
use crate::store::{Store, TraceEntry, TraceKey};
use crate::trace::Text;
use crate::tui::screen::{Flow, Focus, ViewContext};
use crate::tui::text;
use crate::tui::widget::{Border, below_heading, draw_border, fill_style, meter, put};

/// How many cells each column has; 0 leaves it out. Between columns there is one space.
#[derive(Clone, Copy, Debug)]
struct Columns {
    age: usize,
    service: usize,
    resource: usize,
    duration: usize,
    bar: usize,
    spans: usize,
    logs: usize,
    container: usize,
    badges: usize,
    agent: usize,
    /// Without it, why stands beside the verdict.
    why: usize,
}

const HEADING: &str = "AGENT(sim)";
/// Cells for a verdict and the beginning of its reason: `drop rate 0.08`.
const VERDICT: usize = 14;
/// Cells for the longest usual reason: `single-span rule`.
const WHY: usize = 16;

/// Cells for a container and its request's number: `ta-9PQK #12`.
const CONTAINER: usize = 11;
/// Cells for badges where there is room for how long the start took: `COLD init 4.2s`.
const BADGES: usize = 14;
/// Resources need so many cells before containers are named.
const RESOURCE_MIN: usize = 16;

/// Cells for what is selected or open, and for the mark that the user set.
const MARK: usize = 2;

impl Columns {
    /// As many columns as fit; the resource takes what is left. A service that is everybody's needs
    /// no column, nor do containers if none is known. What is the first to go is the container.
    fn for_width(width: u16, services: &Services, containers: Containers) -> Self {
        let width = usize::from(width);
        let without = Self::without_container(width, services);
        if containers == Containers::None || width < 94 {
            return without;
        }
        let roomy = Self {
            container: CONTAINER,
            ..without
        };
        let tight = Self {
            bar: 6,
            service: without.service.min(10),
            ..roomy
        };
        let both = [roomy, tight].map(|columns| columns.filling(width));
        let fits = |columns: &Self| columns.resource >= RESOURCE_MIN;
        both.into_iter().find(fits).unwrap_or(without)
    }

    fn without_container(width: usize, services: &Services) -> Self {
        let mut columns = match width {
            94.. => Self {
                age: 4,
                service: 14,
                resource: 0,
                duration: 10,
                bar: 12,
                spans: 5,
                logs: 4,
                container: 0,
                badges: 11,
                agent: VERDICT,
                why: 0,
            },
            70..94 => Self {
                age: 4,
                service: 0,
                resource: 0,
                duration: 10,
                bar: 4,
                spans: 4,
                logs: 0,
                container: 0,
                badges: 11,
                agent: VERDICT,
                why: 0,
            },
            _ => Self {
                age: 4,
                service: 0,
                resource: 0,
                duration: 7,
                bar: 0,
                spans: 4,
                logs: 0,
                container: 0,
                badges: 8,
                agent: HEADING.len(),
                why: 0,
            },
        };
        match width {
            // A screen of 110 cells, within its frame.
            108.. => {
                (columns.agent, columns.why) = (HEADING.len(), WHY);
                columns.badges = BADGES;
            }
            ..54 => columns.agent = 0,
            _ => {}
        }
        if matches!(services, Services::One(_)) {
            columns.service = 0;
        }
        columns.filling(width)
    }

    /// With the resource in what the others leave.
    fn filling(self, width: usize) -> Self {
        let others = [
            self.age,
            self.service,
            self.duration,
            self.bar,
            self.spans,
            self.logs,
            self.container,
            self.badges,
            self.agent,
            self.why,
        ];
        let taken: usize = others
            .iter()
            .filter(|cells| **cells > 0)
            .map(|cells| cells + 1)
            .sum();
        Self {
            resource: width.saturating_sub(MARK + taken).max(8),
            ..self
        }
    }
}

/// A cell of a row: its text, already as wide as its column.
type Cell = (String, Style);

impl TraceList {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let theme = context.theme;
        let selected = self.selected.and_then(|key| context.store.trace(key));
        let error = selected.and_then(|entry| row::error(entry, theme.glyphs));
        let error = error.map(|error| format!("err  {error}"));
        let title = match context.store.marked().len() {
            0 => "Traces".to_owned(),
            n_marked => format!("Traces  {n_marked} marked"),
        };
        let border = Border {
            title: &title,
            note: &self.note(context),
            below: error.as_deref().map(|error| (error, theme.error)),
            focus,
        };
        let inner = draw_border(buffer, area, &border, theme);
        let (heading, rows_area) = below_heading(inner);
        self.rows_area = rows_area;
        self.keep_selection_visible();
        let keys: Vec<TraceKey> = self.visible().collect();
        if keys.is_empty() && !self.filter().is_empty() {
            let words = format!("no trace matches {}", self.filter().text());
            let words = text::visible(words.into(), theme.glyphs);
            put(buffer, self.rows_area, 2, &words, theme.dim);
        }
        self.rows(context, &keys);
        self.draw_heading(buffer, heading, context);
        self.draw_rows(context, buffer, focus);
    }

    fn draw_heading(&mut self, buffer: &mut Buffer, line: Rect, context: &ViewContext<'_>) {
        let services = self.drawn.values().map(|row| row.service.as_str());
        self.services.see(services);
        if self.drawn.values().any(|row| row.container.is_known()) {
            self.containers = Containers::Some;
        }
        let glyphs = context.theme.glyphs;
        let columns = Columns::for_width(line.width, &self.services, self.containers);
        let resource = match &self.services {
            Services::One(service) => format!("RESOURCE  of {service}"),
            Services::None | Services::Several => "RESOURCE".to_owned(),
        };
        let fits = text::width(&resource) <= columns.resource;
        let resource = if fits { &resource } else { "RESOURCE" };
        let duration = match columns.duration {
            ..8 => "TIME",
            _ => "DURATION",
        };
        let headings = [
            text::right("AGE", columns.age, glyphs),
            text::left(resource, columns.resource, glyphs),
            text::left("SERVICE", columns.service, glyphs),
            text::right(duration, columns.duration, glyphs),
            text::left("", columns.bar, glyphs),
            text::right("SP", columns.spans, glyphs),
            text::right("LOG", columns.logs, glyphs),
            text::left("CONTAIN.", columns.container, glyphs),
            text::left("BADGES", columns.badges, glyphs),
            text::left(HEADING, columns.agent, glyphs),
            text::left("WHY", columns.why, glyphs),
        ];
        let mut column = 2;
        for heading in headings.iter().filter(|heading| !heading.is_empty()) {
            column = put(buffer, line, column, heading, context.theme.dim) + 1;
        }
    }

    /// What stands on the right of the frame: how many of how many, what waits above.
    fn note(&self, context: &ViewContext<'_>) -> String {
        let n_traces = context.store.n_traces();
        let n_rows = self.n_rows();
        let new = match self.n_new() {
            0 => String::new(),
            n_new => format!("+{n_new} new above   "),
        };
        if self.filter().is_empty() {
            let following = if self.follows() { ", following" } else { "" };
            let row = self.selected.and_then(|key| self.row_of(key));
            let row = row.map_or(0, |row| row + 1);
            format!("{new}newest first{following}   {row}/{n_rows}")
        } else {
            let filter = text::visible(self.filter().text().into(), context.theme.glyphs);
            let filter = text::cut(&filter, 24, context.theme.glyphs);
            let so_far = if self.is_searching() { " so far" } else { "" };
            format!("{new}/{filter}   {n_rows} of {n_traces}{so_far}")
        }
    }

    /// After a resize the page may have become too short for the selection.
    fn keep_selection_visible(&mut self) {
        let first = self.first_row();
        let Some(row) = self.selected.and_then(|key| self.row_of(key)) else {
            return;
        };
        if row >= self.end_of_page(first) {
            self.top = self.key_at(self.rules.first_row_showing(row, self.page()));
        } else if row < first {
            self.top = self.key_at(row);
        }
    }

    /// What the visible rows say; of a paused view, what they have said before.
    fn rows(&mut self, context: &ViewContext<'_>, keys: &[TraceKey]) {
        if context.flow == Flow::Live {
            self.drawn.clear();
        }
        for key in keys {
            if let Some(entry) = context.store.trace(*key)
                && !self.drawn.contains_key(key)
            {
                let outcome = self.outcome(context.store, entry);
                let glyphs = context.theme.glyphs;
                let row = TraceRow::of(context.store, entry, outcome, context.now, glyphs);
                self.drawn.insert(*key, row);
            }
        }
        self.outcomes.retain(|key, _| self.drawn.contains_key(key));
    }

    fn outcome(&mut self, store: &Store, entry: &TraceEntry) -> Outcome {
        let known = self.outcomes.get(&entry.key());
        if let Some((_, outcome)) = known.filter(|(revision, _)| *revision == entry.revision()) {
            return *outcome;
        }
        let outcome = store.outcome(entry);
        let known = (entry.revision(), outcome);
        self.outcomes.insert(entry.key(), known);
        outcome
    }

    fn draw_rows(&self, context: &ViewContext<'_>, buffer: &mut Buffer, focus: Focus) {
        let columns = Columns::for_width(self.rows_area.width, &self.services, self.containers);
        let rows = self.visible().filter_map(|key| self.drawn.get(&key));
        let longest = rows.map(|row| row.duration).max().unwrap_or(0);
        for (what, line) in self.lines().iter().zip(self.rows_area.rows()) {
            match what {
                Line::Rule(rule) => self.draw_rule(rule, context, line, buffer),
                Line::Row(row) => {
                    if let Some(key) = self.key_at(*row) {
                        let cells = self.drawn.get(&key);
                        let cells = cells.map(|row| cells_of(row, &columns, longest, context));
                        self.draw_row(key, cells, context, (line, buffer));
                        self.mark_selected(key, (context, focus), (line, buffer));
                    }
                }
            }
        }
    }

    fn draw_row(
        &self,
        key: TraceKey,
        cells: Option<Vec<Cell>>,
        context: &ViewContext<'_>,
        (line, buffer): (Rect, &mut Buffer),
    ) {
        let theme = context.theme;
        let mark = match self.drawn.get(&key) {
            _ if self.selected == Some(key) => ">",
            Some(row) if row.is_open => "~",
            _ => " ",
        };
        let mut column = put(buffer, line, 0, mark, theme.text) + 1;
        if context.store.is_marked(key) {
            put(buffer, line, 1, theme.glyphs.mark(), theme.key);
        }
        let Some(cells) = cells else {
            let words = "evicted: the memory budget is reached";
            put(buffer, line, column, words, theme.dim);
            return;
        };
        for (text, style) in cells {
            column = put(buffer, line, column, &text, style) + 1;
        }
    }

    fn mark_selected(
        &self,
        key: TraceKey,
        (context, focus): (&ViewContext<'_>, Focus),
        (line, buffer): (Rect, &mut Buffer),
    ) {
        if self.selected == Some(key) {
            fill_style(buffer, line, context.theme.selection(focus));
        }
    }

    /// `─── reload 14:05:12 app.py ─────`: above it what came after, below it what came before.
    fn draw_rule(&self, rule: &Rule, context: &ViewContext<'_>, line: Rect, buffer: &mut Buffer) {
        let theme = context.theme;
        let dash = theme.glyphs.pick("─", "-");
        let time = text::time_of_day(rule.at);
        let time = time.split('.').next().unwrap_or("");
        let reload = match rule.n_reloads {
            1 => "reload".to_owned(),
            n_reloads => format!("{n_reloads} reloads, the last"),
        };
        let file = text::visible(self.app_file.as_str().into(), theme.glyphs);
        let words = format!("{reload} {time} {file}");
        put(buffer, line, 0, &dash.repeat(line.width.into()), theme.dim);
        let room = usize::from(line.width.saturating_sub(6));
        let words = text::cut(words.trim_end(), room, theme.glyphs);
        put(buffer, line, 3, &format!(" {words} "), theme.dim);
    }
}

fn cells_of(
    row: &TraceRow,
    columns: &Columns,
    longest: i64,
    context: &ViewContext<'_>,
) -> Vec<Cell> {
    let theme = context.theme;
    let glyphs = theme.glyphs;
    let bar = meter(row.duration, longest, columns.bar, glyphs);
    let bar = if row.is_open {
        glyphs.pick("▒", ":").repeat(text::width(&bar))
    } else {
        bar
    };
    let badges = match row.badges.tone {
        Tone::Ordinary => theme.dim,
        Tone::Warning => theme.warning,
        Tone::Error => theme.error,
    };
    let container = row.container.words(columns.container, glyphs);
    let agent = match columns.why {
        0 => row.verdict(columns.agent),
        _ => row.agent.to_owned(),
    };
    let duration = match columns.duration {
        // Room for the time; the badge says that it is open.
        ..8 => text::duration(row.duration, glyphs),
        _ => row.duration(glyphs),
    };
    let cells = [
        (text::right(&row.age, columns.age, glyphs), theme.dim),
        (
            text::left(&row.resource, columns.resource, glyphs),
            theme.text,
        ),
        (text::left(&row.service, columns.service, glyphs), theme.dim),
        (text::right(&duration, columns.duration, glyphs), theme.text),
        (
            text::left(&bar, columns.bar, glyphs),
            theme.bar(Text::from(row.service.as_str())),
        ),
        (text::right(&row.spans(), columns.spans, glyphs), theme.text),
        (
            text::right(&row.n_logs.to_string(), columns.logs, glyphs),
            theme.text,
        ),
        (text::left(&container, columns.container, glyphs), theme.dim),
        (
            text::left(&row.badges.words(columns.badges), columns.badges, glyphs),
            badges,
        ),
        (text::left(&agent, columns.agent, glyphs), theme.text),
        (text::left(&row.why, columns.why, glyphs), theme.dim),
    ];
    cells
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .collect()
}
