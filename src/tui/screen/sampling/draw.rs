//! The rows as cells: four frames where there is room, else one that scrolls.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::SamplingPane;
use super::census::{Range, ServiceCount, Strip};
use super::rows::{Kind, Part, Row, Tone, number, percent};
use crate::tui::screen::{Focus, ViewContext};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, draw_border, fill_style, meter, put};

/// Below this there is one frame.
const WIDE: u16 = 110;
const HIGH: u16 = 28;
/// Cells of a number, and of a label at least.
const NUMBER: usize = 6;
const LABEL: usize = 44;
const FACT: usize = 16;
const NAME_MIN: usize = 12;

/// A line: what stands in it, and where.
type Line = Vec<(usize, String, Style)>;

/// The lines of a row, and which row it is.
#[derive(Debug)]
struct Block {
    row: usize,
    lines: Vec<Line>,
}

impl SamplingPane {
    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        self.drawn.clear();
        let note = "M what if   K write the rule   enter lists";
        if area.width < WIDE || area.height < HIGH {
            let parts = [Part::Funnel, Part::Rates, Part::Lost, Part::Told];
            let frame = ("Sampling: what Datadog would get", note);
            self.draw_part(&parts, frame, (area, focus), (context, buffer));
            return;
        }
        let n_lines = |part: Part, width: u16| {
            let blocks = self.blocks(&[part], context.theme, width);
            blocks.iter().map(|block| block.lines.len()).sum::<usize>()
        };
        let funnel = text::cells(n_lines(Part::Funnel, area.width - 2) + 2);
        let told = text::cells(n_lines(Part::Told, area.width - 2) + 2);
        let [funnel, middle, told] = Layout::vertical([
            Constraint::Length(funnel.min(area.height.saturating_sub(12))),
            Constraint::Min(7),
            Constraint::Length(told.min(area.height.saturating_sub(funnel + 7)).max(3)),
        ])
        .areas::<3>(area);
        let [rates, lost] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas::<2>(middle);
        for (part, title, note, place) in [
            (Part::Funnel, "Funnel: what Datadog would get", note, funnel),
            (Part::Rates, "By service", "enter lists", rates),
            (
                Part::Lost,
                "Lost but worth a look (sim)",
                "enter opens",
                lost,
            ),
            (
                Part::Told,
                "Counters: nothing is lost without a number",
                "",
                told,
            ),
        ] {
            let focus = match self.selected_part() {
                Some(selected) if selected == part => focus,
                None if part == Part::Funnel => focus,
                _ => Focus::Unfocused,
            };
            self.draw_part(&[part], (title, note), (place, focus), (context, buffer));
        }
    }

    /// Paints parts into a frame, scrolled so that the selected row is seen.
    fn draw_part(
        &mut self,
        parts: &[Part],
        (title, note): (&str, &str),
        (area, focus): (Rect, Focus),
        (context, buffer): (&ViewContext<'_>, &mut Buffer),
    ) {
        let border = Border {
            title,
            note,
            focus,
            ..Border::default()
        };
        let theme = context.theme;
        let inner = draw_border(buffer, area, &border, theme);
        let blocks = self.blocks(parts, theme, inner.width);
        let lines = blocks
            .iter()
            .flat_map(|block| block.lines.iter().map(move |line| (block.row, line)));
        let lines: Vec<(usize, &Line)> = lines.collect();
        let height = usize::from(inner.height);
        let selected = self.selected_row();
        let is_selected = |row: usize| selected == Some(row);
        let last = lines.iter().rposition(|(row, _)| is_selected(*row));
        let first = lines.iter().position(|(row, _)| is_selected(*row));
        // From the first row that can be selected up, the words above it are seen too.
        let is_first = self.is_first_selectable(selected);
        let mut skipped = self.skipped.min(lines.len().saturating_sub(height));
        if let (Some(first), Some(last)) = (first, last) {
            skipped = skipped.max((last + 1).saturating_sub(height)).min(first);
        }
        if is_first || last.is_none() {
            skipped = 0;
        }
        if parts.len() > 1 {
            self.skipped = skipped;
        }
        for ((row, line), place) in lines.iter().skip(skipped).zip(inner.rows()) {
            for (column, words, style) in *line {
                let room = usize::from(inner.width).saturating_sub(*column + 1);
                let words = text::cut(words, room, theme.glyphs);
                put(buffer, place, text::cells(*column), &words, *style);
            }
            if is_selected(*row) && self.is_selectable(*row) {
                fill_style(buffer, place, theme.selection(focus));
                put(buffer, place, 0, ">", theme.selection(focus));
            }
            self.drawn.push((place, *row));
        }
        self.page = height;
    }

    fn blocks(&self, parts: &[Part], theme: &Theme, width: u16) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for part in parts {
            if parts.len() > 1 && *part != Part::Funnel {
                let heading = match part {
                    Part::Funnel => "",
                    Part::Rates => "By service",
                    Part::Lost => "Lost but worth a look (sim)",
                    Part::Told => "Counters",
                };
                blocks.push(Block {
                    row: usize::MAX,
                    lines: vec![vec![(1, heading.to_owned(), theme.title_focused)]],
                });
            }
            let rows = self.rows.iter().enumerate();
            blocks.extend(
                rows.filter(|(_, row)| row.part == *part)
                    .map(|(place, row)| Block {
                        row: place,
                        lines: lines(row, theme, usize::from(width)),
                    }),
            );
        }
        blocks
    }
}

fn lines(row: &Row, theme: &Theme, width: usize) -> Vec<Line> {
    let room = width.saturating_sub(2);
    let wrapped = |words: &str, at: usize, n_lines: usize, style: Style| -> Vec<Line> {
        let lines = text::wrap(words, room.saturating_sub(at), n_lines, theme.glyphs);
        lines
            .into_iter()
            .map(|line| vec![(at + 1, line, style)])
            .collect()
    };
    match &row.kind {
        Kind::Lead(words) => wrapped(words, 0, 2, theme.title_focused),
        Kind::Words(words) => wrapped(words, 0, 5, theme.text),
        Kind::Count {
            number,
            of,
            label,
            tone,
        } => vec![count_line((*number, *of), label, *tone, (theme, room))],
        Kind::ServiceHeading => vec![service_heading(theme, room)],
        Kind::Service(service) => vec![service_line(service, theme, room)],
        Kind::Strip(strip) => strip_lines(strip, theme, room),
        Kind::LostHeading => {
            let words = format!("{:>5} of {:<5} {:>6}", "lost", "seen", "longest");
            let at = room.saturating_sub(text::width(&words) + 1).max(NAME_MIN);
            vec![vec![(at + 2, words, theme.dim)]]
        }
        Kind::Lost {
            label,
            n_lost,
            n_seen,
            duration,
        } => {
            let took = text::duration(*duration, theme.glyphs);
            let numbers = format!("{n_lost:>5} of {n_seen:<5} {took:>6}");
            let name = room.saturating_sub(text::width(&numbers) + 2).max(NAME_MIN);
            let label = text::left(label, name, theme.glyphs);
            vec![vec![(2, format!("{label} {numbers}"), theme.text)]]
        }
        Kind::Fact(name, words) => {
            let mut lines = wrapped(words, FACT, 4, theme.text);
            if let Some(first) = lines.first_mut() {
                first.push((1, (*name).to_owned(), theme.dim));
            }
            lines
        }
    }
}

fn count_line(
    (number, of): (usize, usize),
    label: &str,
    tone: Tone,
    (theme, room): (&Theme, usize),
) -> Line {
    let style = match tone {
        Tone::Plain => theme.text,
        Tone::Kept => theme.ok,
        Tone::Lost if number > 0 => theme.warning,
        Tone::Lost => theme.dim,
    };
    let cells = LABEL.min(room.saturating_sub(NUMBER + 2));
    let bar_at = NUMBER + 3 + cells + 1;
    let share = percent(number, of);
    let n_cells = room.saturating_sub(bar_at + 6);
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let bar = meter(whole(number), whole(of), n_cells, theme.glyphs);
    let number = format!("{number:>NUMBER$}");
    let label = text::cut(label, cells, theme.glyphs).into_owned();
    let mut line = vec![(1, number, style), (NUMBER + 3, label, style)];
    if n_cells > 3 {
        line.push((bar_at, format!("{share:>4}"), theme.dim));
        line.push((bar_at + 5, bar, style));
    }
    line
}

/// Cells of seen, kept, and the two rates.
const SERVICE_NUMBERS: usize = 7 + 12 + 12 + 10;

fn service_heading(theme: &Theme, room: usize) -> Line {
    let name = room.saturating_sub(SERVICE_NUMBERS + 2).max(NAME_MIN);
    let words = format!(
        "{}{:>7}{:>12}{:>12}{:>10}",
        text::left("service, env", name, theme.glyphs),
        "seen",
        "kept (sim)",
        "rate (sim)",
        "then"
    );
    vec![(2, words, theme.dim)]
}

fn service_line(service: &ServiceCount, theme: &Theme, room: usize) -> Line {
    let name = room.saturating_sub(SERVICE_NUMBERS + 2).max(NAME_MIN);
    let env = match &*service.env {
        "" => "no env",
        env => env,
    };
    let names = format!("{}, {env}", service.name);
    let names = text::visible(names.into(), theme.glyphs);
    let words = format!(
        "{}{:>7}{:>12}{:>12}{:>10}",
        text::left(&names, name, theme.glyphs),
        service.n_seen,
        service.n_kept,
        range(service.rate_now),
        range(service.rate_next),
    );
    let style = if service.n_kept < service.n_seen {
        theme.warning
    } else {
        theme.text
    };
    vec![(2, words, style)]
}

fn range(range: Range) -> String {
    match range {
        None => "none yet".to_owned(),
        Some((low, high)) if number(low) == number(high) => number(low),
        Some((low, high)) => format!("{}-{}", number(low), number(high)),
    }
}

/// One column for five seconds, the newest on the right.
fn strip_lines(strip: &Strip, theme: &Theme, room: usize) -> Vec<Line> {
    const NAMES: usize = 11;
    let n_cells = room.saturating_sub(NAMES + 1).min(strip.seen.len());
    let most = strip.seen.iter().copied().max().unwrap_or(0);
    let skipped = strip.seen.len() - n_cells;
    let levels: Vec<&str> = theme.glyphs.pick(
        vec![" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        vec![" ", ".", ".", "-", "-", "=", "=", "#", "#"],
    );
    let column = |number: &u32| {
        let level = match number {
            0 => 0,
            number => (number * 8).div_ceil(most.max(1)),
        };
        let level = usize::try_from(level).unwrap_or(0);
        levels.get(level).copied().unwrap_or(" ")
    };
    let columns = |numbers: &[u32]| numbers.iter().skip(skipped).map(column).collect::<String>();
    let minutes = text::duration(
        i64::try_from(n_cells)
            .unwrap_or(0)
            .saturating_mul(5_000_000_000),
        theme.glyphs,
    );
    let scale = format!(
        "5 s a column, the last {minutes}; the highest: {most} = {}/s",
        number(f64::from(most) / 5.0)
    );
    let at = NAMES + 2;
    vec![
        vec![
            (2, "seen".to_owned(), theme.dim),
            (at, columns(&strip.seen), theme.text),
        ],
        vec![
            (2, "kept (sim)".to_owned(), theme.dim),
            (at, columns(&strip.kept), theme.ok),
        ],
        vec![(2, scale, theme.dim)],
    ]
}
