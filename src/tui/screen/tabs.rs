//! The line of views below the header: which there are, which is shown, and a few facts about it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ViewContext, sampling};
use crate::store::Store;
use crate::tui::layout::View;
use crate::tui::text;
use crate::tui::widget::{put, put_right};

/// The views in the order of their keys.
const TABS: [(&str, &str); 3] = [("1", "Traces"), ("2", "Logs"), ("3", "Sampling")];

/// Paints the tabs, and the facts at the right end where there is room for them.
pub(crate) fn draw(
    view: View,
    facts: &str,
    context: &ViewContext<'_>,
    line: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let shown = match view {
        View::Logs => "2",
        View::Sampling => "3",
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
    let facts = format!("{facts} ");
    if usize::from(column) + text::width(&facts) < usize::from(line.width) {
        put_right(buffer, line, &facts, theme.dim);
    }
}

/// What there is to say about a view: `41 lines  38 of traces  3 of none`.
pub(crate) fn facts(view: View, store: &Store) -> String {
    let counters = store.counters();
    let n_lines = u64::try_from(store.n_logs()).unwrap_or(u64::MAX);
    match view {
        View::Logs => {
            let lines = text::count(n_lines, "line");
            let (joined, unjoined) = (counters.logs_joined, counters.logs_unjoined);
            format!("{lines}   {joined} joined  {unjoined} unjoined")
        }
        View::Sampling => sampling::assumed(store),
        View::Connect | View::Traces | View::Trace if n_lines > 0 => text::count(n_lines, "line"),
        View::Connect | View::Traces | View::Trace => String::new(),
    }
}
