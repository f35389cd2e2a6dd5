//! How programs are connected: which hop is silent and what mends it, a checklist that fills itself,
//! the lines to paste, and every request that reached us, so that "connected but nothing shown"
//! cannot be. What it says is decided in `verdict` and `rows`; here it is only put on the screen.
//!
//! ```text
//! heading     how long we wait, or what came
//! verdict     the silent hop and what to do             the last to go where room is short
//! checklist   port, child, tracer, relay, logs
//! to paste    for the way that fits the program         copied by `y`
//! ─────────
//! requests    newest last                               moved through by the usual keys; `tab`
//!             shows what clients counted in their place
//! ```

mod paste;
mod requests;
mod rows;
mod told;
mod verdict;

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::{Focus, ViewContext};
use crate::store::{Counters, ModalApp, Store, Told};
use crate::trace::Now;
use crate::tui::app::{Child, Listening, Run, Seen};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widget::{Border, draw_border, put};
pub(crate) use requests::ConnectPane;
use rows::Row;
use verdict::{Fix, Mark, Verdict, verdict};

/// So many requests are always seen.
const REQUESTS_MIN: usize = 2;
/// So many lines of what clients counted, when they are looked at.
const TOLD_MIN: usize = 6;
/// The weight of what is to be done: nearly that of what is the case.
const ADVICE: u8 = 2;
/// Cells before the words of a hop: its mark and its name.
const WORDS_AT: u16 = 13;
/// Cells between blocks to paste.
const PASTE_GAP: usize = 3;

/// Everything the screen is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) listening: &'a Listening,
    pub(crate) child: &'a Child,
    pub(crate) seen: &'a Seen,
    pub(crate) counters: &'a Counters,
    pub(crate) modal: &'a ModalApp,
    /// What clients counted themselves.
    pub(crate) told: &'a Told,
    /// Why the newest refused payload was refused.
    pub(crate) refused: Option<&'a str>,
    pub(crate) n_traces: usize,
    pub(crate) now: Now,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        listening: &'a Listening,
        (child, seen): (&'a Child, &'a Seen),
        store: &'a Store,
        now: Now,
    ) -> Self {
        let refused = store.requests().rev().find(|it| it.is_refused_payload());
        Self {
            listening,
            child,
            seen,
            counters: store.counters(),
            modal: store.modal(),
            told: store.told(),
            refused: refused.map(|record| &*record.note),
            n_traces: store.n_traces(),
            now,
        }
    }

    /// The text that mends what the verdict names.
    pub(crate) fn fix(&self) -> String {
        match verdict(self).fix {
            Fix::Repeat => paste::REPEAT.to_owned(),
            Fix::Route if self.child.is_modal() => paste::modal_app().join("\n"),
            Fix::Route => paste::line_to_set(self.listening).unwrap_or_default(),
        }
    }

    fn is_file(&self) -> bool {
        !self.listening.opened_files.is_empty()
    }

    fn heading(&self) -> String {
        let n_spans = self.counters.spans_shown;
        match (n_spans, self.child.run()) {
            _ if self.is_file() => format!("Read {}.", text::count(n_spans, "span")),
            _ if self.child.is_leaving() => "Leaving when the program has ended.".to_owned(),
            (0, Run::Ended { .. }) => "No span came.".to_owned(),
            (0, _) => {
                let uptime = text::uptime(self.now.uptime_ns);
                format!("Waiting for the first span.   {uptime}")
            }
            _ => {
                let n_traces = u64::try_from(self.n_traces).unwrap_or(u64::MAX);
                let traces = text::count(n_traces, "trace");
                let spans = text::count(n_spans, "span");
                format!("{traces} came, {spans}.   enter shows them")
            }
        }
    }
}

/// Lines of the upper frame that stay or go together.
#[derive(Clone, Debug, Default)]
struct Block {
    /// What stays where room is short: the smallest weights.
    weight: u8,
    lines: Vec<Line>,
}

/// Texts, and the columns they begin at.
type Line = Vec<(u16, String, Style)>;

impl Block {
    fn blank(weight: u8) -> Self {
        let lines = vec![Vec::new()];
        Self { weight, lines }
    }

    fn line(weight: u8, text: impl Into<String>, style: Style) -> Self {
        let lines = vec![vec![(0, text.into(), style)]];
        Self { weight, lines }
    }
}

impl ConnectPane {
    pub(crate) fn draw(
        &mut self,
        facts: &Facts<'_>,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let glyphs = context.theme.glyphs;
        let room = area.width.saturating_sub(4);
        let n_requests = context.store.requests().len();
        let shows_told = self.shows_told(facts);
        let n_below = if shows_told {
            TOLD_MIN
        } else {
            n_requests.clamp(1, REQUESTS_MIN)
        };
        let requests_height = text::cells(n_below) + 2;
        let height = area.height.saturating_sub(requests_height + 2);
        let lines = fitting(blocks(facts, context.theme, room), usize::from(height));
        let wanted = text::cells(lines.len()).saturating_add(2);
        let [above, below] =
            Layout::vertical([Constraint::Max(wanted), Constraint::Min(requests_height)])
                .areas::<2>(area);
        let border = Border {
            title: if facts.is_file() { "Files" } else { "Connect" },
            focus: Focus::Focused,
            ..Border::default()
        };
        let inner = draw_border(buffer, above, &border, context.theme);
        for (line, row) in lines.iter().zip(inner.rows()) {
            for (column, text, style) in line {
                let left = usize::from(room.saturating_sub(*column));
                let text = text::visible(text.into(), glyphs);
                let text = text::cut(&text, left, glyphs);
                put(buffer, row, column + 1, &text, *style);
            }
        }
        if shows_told {
            self.draw_told(context, below, buffer);
        } else if !facts.is_file() {
            self.draw_requests(context, below, buffer);
        }
    }
}

/// Leaves out the heaviest until the rest fits. Of what matters most at least the beginning is seen.
fn fitting(mut blocks: Vec<Block>, height: usize) -> Vec<Line> {
    let weights: BTreeSet<u8> = blocks.iter().map(|block| block.weight).collect();
    let mut left = height;
    for weight in weights {
        for block in blocks.iter_mut().filter(|block| block.weight == weight) {
            let n_lines = block.lines.len();
            if weight <= ADVICE {
                block.lines.truncate(left);
            } else if n_lines > left {
                block.lines.clear();
            }
            left -= block.lines.len();
        }
    }
    let mut lines: Vec<Line> = blocks.into_iter().flat_map(|block| block.lines).collect();
    while lines.last().is_some_and(Line::is_empty) {
        lines.pop();
    }
    lines
}

fn blocks(facts: &Facts<'_>, theme: &Theme, width: u16) -> Vec<Block> {
    let mut blocks = vec![
        Block::line(0, facts.heading(), theme.title_focused),
        Block::blank(12),
    ];
    let verdict = (!facts.is_file()).then(|| verdict(facts));
    if let Some(verdict) = &verdict {
        blocks.extend(verdict_blocks(verdict, theme, width));
        blocks.push(Block::blank(11));
    }
    for row in rows::rows(facts) {
        blocks.push(row_block(&row, theme, width));
    }
    if let Some(verdict) = &verdict {
        blocks.extend(paste_blocks(facts, verdict, theme, width));
    }
    blocks
}

fn mark(mark: Mark, theme: &Theme) -> (&'static str, Style) {
    match mark {
        Mark::Ok => ("ok", theme.ok),
        Mark::Waiting => ("..", theme.dim),
        Mark::Warn => ("warn", theme.warning),
        Mark::Fail => ("FAIL", theme.error),
    }
}

/// What is the case in bold, what to do below it.
fn verdict_blocks(verdict: &Verdict, theme: &Theme, width: u16) -> [Block; 2] {
    let (_, style) = mark(verdict.mark, theme);
    let said = match verdict.mark {
        Mark::Ok | Mark::Waiting => theme.title_focused,
        Mark::Warn | Mark::Fail => style,
    };
    let mut sentence = words(&verdict.sentence, 3, said, (theme, width));
    name_hop(&mut sentence, verdict.mark, "route", theme);
    let advice = words(&verdict.advice, 4, theme.text, (theme, width));
    [(0, sentence), (ADVICE, advice)].map(|(weight, lines)| Block { weight, lines })
}

fn row_block(row: &Row, theme: &Theme, width: u16) -> Block {
    let style = match row.mark {
        Some(Mark::Fail) => theme.error,
        Some(Mark::Warn) => theme.warning,
        Some(Mark::Ok) => theme.text,
        Some(Mark::Waiting) | None => theme.dim,
    };
    let all = format!("{}   {}", row.words, row.aside);
    let has_room =
        !row.aside.is_empty() && text::width(&all) + usize::from(WORDS_AT) <= width.into();
    let said = if has_room { &all } else { &row.words };
    let mut lines = words(said, 2, style, (theme, width));
    if let Some(mark) = row.mark {
        name_hop(&mut lines, mark, row.label, theme);
    }
    Block {
        weight: row.weight,
        lines,
    }
}

/// Words in as many lines as they need and may have, right of the names.
fn words(text: &str, n_lines: usize, style: Style, (theme, width): (&Theme, u16)) -> Vec<Line> {
    let text = text::visible(text.into(), theme.glyphs);
    let room = usize::from(width.saturating_sub(WORDS_AT));
    let lines = text::wrap(&text, room, n_lines, theme.glyphs);
    lines
        .into_iter()
        .map(|line| vec![(WORDS_AT, line, style)])
        .collect()
}

/// How a hop stands and what it is called, left of its words.
fn name_hop(lines: &mut [Line], hop: Mark, label: &str, theme: &Theme) {
    let (word, style) = mark(hop, theme);
    if let Some(first) = lines.first_mut() {
        first.push((0, word.to_owned(), style));
        first.push((5, label.to_owned(), theme.dim));
    }
}

/// The lines to paste, as long as spans do not come as they should: of a program that can reach us
/// the one to set, for Modal those for the app and those to type; before anything runs both.
fn paste_blocks(facts: &Facts<'_>, verdict: &Verdict, theme: &Theme, width: u16) -> Vec<Block> {
    if verdict.mark == Mark::Ok || facts.child.is_leaving() {
        return Vec::new();
    }
    let mut blocks = vec![Block::blank(10)];
    if verdict.fix == Fix::Repeat {
        let line = format!("  {}", paste::REPEAT);
        blocks.push(Block::line(3, "In app.py:", theme.text));
        blocks.push(Block::line(1, line, theme.key));
        return blocks;
    }
    let line_to_set = paste::line_to_set(facts.listening);
    if let Some(line) = line_to_set.filter(|_| !facts.child.is_modal()) {
        let words = match facts.child.run() {
            Run::Absent => "Set this where your program starts, then call it:",
            _ => "What points a tracer here; `run` sets it for the program, unless it was set:",
        };
        blocks.push(Block::line(3, words, theme.text));
        blocks.push(Block::line(1, format!("  {line}"), theme.key));
        if facts.listening.token_set {
            let words = "  with your token in place of TOKEN";
            blocks.push(Block::line(ADVICE, words, theme.dim));
        }
        let words = "In a container, localhost is the container and not this machine.";
        blocks.push(Block::line(6, words, theme.dim));
    }
    if facts.child.is_modal() || facts.child.run() == Run::Absent {
        if blocks.len() > 1 {
            blocks.push(Block::blank(10));
        }
        let weight = match verdict.mark {
            Mark::Fail | Mark::Warn if facts.child.is_modal() => 5,
            _ => 8,
        };
        let lines = modal_lines(theme, width);
        blocks.push(Block { weight, lines });
    }
    blocks
}

/// Side by side where there is room, else one below the other.
fn modal_lines(theme: &Theme, width: u16) -> Vec<Line> {
    let block = |title: &str, lines: Vec<String>| {
        let title = (title.to_owned(), theme.text);
        let lines = lines
            .into_iter()
            .map(|line| (format!("  {line}"), theme.key));
        std::iter::once(title).chain(lines).collect::<Vec<_>>()
    };
    let app = block(
        "On Modal, in app.py: spans over stdout, no tunnel",
        paste::modal_app(),
    );
    let commands = block("Then", paste::modal_commands());
    let widest = |block: &[(String, Style)]| {
        let widths = block.iter().map(|(text, _)| text::width(text));
        widths.max().unwrap_or(0)
    };
    let beside = widest(&app) + PASTE_GAP;
    let is_beside = beside + widest(&commands) <= usize::from(width);
    let line = |(text, style): (String, Style)| vec![(0, text, style)];
    let mut lines: Vec<Line> = app.into_iter().map(line).collect();
    if is_beside {
        for (line, (text, style)) in lines.iter_mut().zip(commands) {
            line.push((text::cells(beside), text, style));
        }
    } else {
        lines.extend(commands.into_iter().map(line));
    }
    lines
}
