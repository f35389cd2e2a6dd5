//! The line of views below the header: which there are, which is shown, and a few facts about it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ViewContext, sampling};
use crate::store::Store;
use crate::tui::layout::View;
use crate::tui::text;
use crate::tui::widget::{put, put_right};

/// The views in the order of their keys.
const TABS: [(&str, &str); 4] = [
    ("1", "Traces"),
    ("2", "Logs"),
    ("3", "Sampling"),
    ("4", "Latency"),
];

/// Paints the tabs, and at the right end the first of the facts, told at length and more and more
/// briefly, that there is room for.
pub(crate) fn draw(
    view: View,
    facts: &[String],
    context: &ViewContext<'_>,
    line: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let shown = match view {
        View::Logs => "2",
        View::Sampling => "3",
        View::Latency => "4",
        View::Connect | View::Traces | View::Trace => "1",
    };
    let mut column = 1;
    for (key, name) in TABS {
        let is_shown = key == shown;
        let (words, style) = if is_shown {
            (format!("[{key} {name}]"), theme.title_focused)
        } else {
            (format!(" {key} {name} "), theme.text)
        };
        column = put(buffer, line, column, &words, style) + 1;
    }
    let room = usize::from(line.width.saturating_sub(column));
    let facts = facts.iter().map(|facts| format!("{facts} "));
    let fitting = facts.into_iter().find(|facts| text::width(facts) < room);
    if let Some(facts) = fitting {
        put_right(buffer, line, &facts, theme.dim);
    }
}

/// What there is to say about a view, at length and more and more briefly: `41 lines   38 joined  3
/// unjoined`, `9 lines   kept (sim) 5 of 62`.
pub(crate) fn facts(view: View, store: &Store) -> Vec<String> {
    let counters = store.counters();
    let n_lines = u64::try_from(store.n_logs()).unwrap_or(u64::MAX);
    match view {
        View::Logs => {
            let lines = text::count(n_lines, "line");
            let (joined, unjoined) = (counters.logs_joined, counters.logs_unjoined);
            vec![format!("{lines}   {joined} joined  {unjoined} unjoined")]
        }
        View::Connect | View::Traces | View::Trace => {
            let kept = super::header::kept(store);
            let lines = (n_lines > 0).then(|| format!("{}   ", text::count(n_lines, "line")));
            let [at_length, _] = &kept;
            let first = format!("{}{at_length}", lines.unwrap_or_default());
            std::iter::once(first.trim_end().to_owned())
                .chain(kept.clone())
                .collect()
        }
        View::Sampling => vec![sampling::assumed(store)],
        View::Latency => Vec::new(),
    }
}
