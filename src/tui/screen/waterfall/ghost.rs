//! What went before a request that paid for a start: the init of its container, which is a trace of its
//! own, as lines above the root. They are no rows: nothing selects them, and they do not scroll.
//!
//! ```text
//!  process to init        ░░░░                                  1.00s
//!  init (other trace)         ░░░░░░░░░░░░░                     4.21s
//!    import torch             ░░░░░░░░                          2.60s
//!  gap                                     ░                     40ms
//!  the queue before the process is not visible in spans
//!  ▾ fastapi.request                        ██████████████████  1.94s
//! ```
//!
//! An init of more than three times the request is cut off at the left (`◂`), so that the request keeps a
//! quarter of the axis; one that is further away than that is only named.

use std::cmp::Reverse;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::Columns;
use crate::analysis::start::{infer_ms, model_load_ms};
use crate::analysis::{InitSpan, StartKind};
use crate::store::{Container, Store, TraceEntry};
use crate::trace::{Span, Text, UnixNanos};
use crate::tui::screen::ViewContext;
use crate::tui::text;
use crate::tui::widget::bar::{BarKind, Scale};
use crate::tui::widget::put;

/// An init keeps at most so many times the request of the axis.
const TIMES_MAX: i64 = 3;
/// Steps of the init that are named: the longest.
const STEPS_MAX: usize = 3;
/// Among so many spans of its trace they are looked for.
const SPANS_ASKED: usize = 2_000;

/// What is known of the start before a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    /// Where the axis begins.
    pub(super) axis_start: UnixNanos,
    lines: Vec<Line>,
}

/// A line, and how soon it is left out where there is no room: the greatest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    words: String,
    when: When,
    rank: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    From(UnixNanos, UnixNanos),
    /// How long it took is known by a tag, and not when it was.
    Somewhere(i64),
    /// It is a remark.
    Never,
}

impl Ghost {
    /// Of a trace whose own request paid for a start, or found one done, if an init was seen before it.
    pub(super) fn of(store: &Store, trace: &TraceEntry) -> Option<Self> {
        let root = trace.own_root()?;
        let is_started = matches!(
            root.start_kind()?,
            StartKind::Cold | StartKind::ColdShared | StartKind::Restored | StartKind::Prewarmed
        );
        let container = store.fleet().container(root.container()?)?;
        let span = trace.span(root.span())?;
        let past = container.past();
        let init = past.init_before(span.start()).filter(|_| is_started)?;
        let process_start = past.process_start.filter(|start| *start < init.start);
        let first = process_start.unwrap_or(init.start);
        let line = |words: &str, when, rank| Line {
            words: words.to_owned(),
            when,
            rank,
        };
        let mut lines = Vec::new();
        lines.extend(
            process_start.map(|start| line("process to init", When::From(start, init.start), 3)),
        );
        lines.push(line(
            "init (other trace)",
            When::From(init.start, init.end),
            0,
        ));
        lines.extend(steps(store, container, init));
        lines.push(line("gap", When::From(init.end, span.start()), 1));
        let inference = infer_ms(span).and_then(nanos);
        lines.extend(inference.map(|time| line("inference, by its tag", When::Somewhere(time), 5)));
        let unseen = match process_start {
            Some(_) => "the queue before the process is not visible in spans",
            None => "queue and boot are not visible in spans",
        };
        lines.push(line(unseen, When::Never, 2));
        Some(Self {
            axis_start: axis_start(trace, first, init.end),
            lines,
        })
    }

    /// How many lines it has.
    pub(super) fn n_lines(&self) -> usize {
        self.lines.len()
    }

    /// How many of them are shown above so many rows: a third of the room, or what the rows leave.
    pub(super) fn n_shown(&self, height: u16, n_rows: usize) -> u16 {
        let left = height.saturating_sub(text::cells(n_rows));
        text::cells(self.lines.len()).min(left.max(height / 3))
    }

    /// Paints as many lines as the area has.
    pub(super) fn draw(
        &self,
        context: &ViewContext<'_>,
        scale: Scale,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let mut ranks: Vec<(u8, usize)> = (0..)
            .zip(&self.lines)
            .map(|(place, line): (usize, _)| (line.rank, place))
            .collect();
        ranks.sort_unstable();
        let kept = ranks.get(..usize::from(area.height)).unwrap_or(&ranks);
        let lines = (0..).zip(&self.lines);
        let lines = lines.filter(|(place, _): &(usize, _)| kept.iter().any(|(_, it)| it == place));
        for ((_, line), row) in lines.zip(area.rows()) {
            line.draw(context, scale, row, buffer);
        }
    }
}

/// The axis begins with the start if that leaves the request its quarter, else as early as it does; with the
/// request itself if the init would not be seen even so.
fn axis_start(trace: &TraceEntry, first: UnixNanos, init_end: UnixNanos) -> UnixNanos {
    let start = trace.summary().start;
    let extent = trace.summary().end.since(start).max(1);
    let earliest = UnixNanos(start.0.saturating_sub(extent.saturating_mul(TIMES_MAX)));
    if init_end <= earliest {
        return start;
    }
    first.max(earliest).min(start)
}

/// What the init did, in the order in which it did it: its longest children, and how long the model took by
/// a tag where none of them says.
fn steps(store: &Store, container: &Container, init: InitSpan) -> Vec<Line> {
    let mut roots = container.lifecycle_roots();
    let trace = roots.find_map(|(key, _)| {
        let trace = store.trace(key)?;
        trace.span_with_id(init.span_id).map(|_| trace)
    });
    let Some(trace) = trace else {
        return Vec::new();
    };
    let spans = || trace.spans().map(|(_, span)| span).take(SPANS_ASKED);
    let mut children: Vec<Span<'_>> = spans()
        .filter(|span| span.parent_id() == init.span_id)
        .collect();
    children.sort_by_key(|span| Reverse(span.duration()));
    children.truncate(STEPS_MAX);
    children.sort_by_key(|span| (span.start(), span.span_id()));
    let says_load = |span: &Span<'_>| span.name().to_lossy().contains("load");
    let load = spans().find_map(model_load_ms).and_then(nanos);
    let load = load.filter(|_| !children.iter().any(says_load));
    let steps = children.iter().map(|span| Line {
        words: format!("  {}", shown(span.name())),
        when: When::From(span.start(), span.end()),
        rank: 4,
    });
    let load = load.map(|time| Line {
        words: "  model load, by its tag".to_owned(),
        when: When::Somewhere(time),
        rank: 4,
    });
    steps.chain(load).collect()
}

fn shown(name: Text<'_>) -> String {
    name.to_lossy().into_owned()
}

/// Nothing takes a year.
fn nanos(millis: f64) -> Option<i64> {
    let is_time = (0.0..31_536_000_000.0).contains(&millis);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is within the range"
    )]
    is_time.then_some((millis * 1e6) as i64)
}

impl Line {
    fn draw(&self, context: &ViewContext<'_>, scale: Scale, row: Rect, buffer: &mut Buffer) {
        let theme = context.theme;
        let columns = Columns::of(row);
        let words = text::show(Text::from(self.words.as_str()), theme.glyphs);
        let room = match self.when {
            When::Never => row.width.saturating_sub(1),
            _ => columns.name.width,
        };
        let words = text::cut(&words, usize::from(room), theme.glyphs);
        put(buffer, row, 1, &words, theme.dim);
        let time = match self.when {
            When::From(start, end) => {
                draw_bar(
                    context,
                    scale.bar(start, end, BarKind::Closed).cells(),
                    columns,
                    buffer,
                );
                if start < scale.start && columns.bars.width > 0 {
                    put(
                        buffer,
                        columns.bars,
                        0,
                        theme.glyphs.pick("◂", "<"),
                        theme.dim,
                    );
                }
                end.since(start)
            }
            When::Somewhere(time) => time,
            When::Never => return,
        };
        let time = text::duration(time, theme.glyphs);
        let time = text::right(&time, usize::from(columns.duration.width), theme.glyphs);
        put(buffer, columns.duration, 0, &time, theme.dim);
    }
}

fn draw_bar(
    context: &ViewContext<'_>,
    (first, after): (u16, u16),
    columns: Columns,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let after = after.min(columns.bars.width);
    let n_cells = usize::from(after.saturating_sub(first));
    let bar = theme.glyphs.pick("░", ".").repeat(n_cells);
    put(buffer, columns.bars, first, &bar, theme.dim);
}

#[cfg(test)]
mod tests;
