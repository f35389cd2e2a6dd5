//! Where everything stands at a size of the terminal. Pure arithmetic; it paints nothing.
//!
//! ```text
//! width  < 110   the details of a span are an overlay        width < 40 or height < 8   one line
//! height < 20    only the pane with the keys                 width < 60                 likewise
//! ```

use ratatui::layout::{Constraint, Layout as Split, Rect};

/// What the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// How to connect, until the first span came.
    #[default]
    Connect,
    /// The list with the selected trace.
    Traces,
    /// One trace.
    Trace,
}

/// A part of the screen that can have the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    List,
    Waterfall,
    Span,
}

/// What decides about the layout beside the size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) focus: Pane,
    /// Rows of the trace, folded or not: the details get what it leaves.
    pub(crate) waterfall_rows: u16,
    /// Lines for what was lost.
    pub(crate) loss_lines: u16,
    /// Lines above the footer.
    pub(crate) notice_lines: u16,
}

/// The areas; an area without cells is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Only this, when the terminal is tiny.
    pub(crate) one_line: Rect,
    pub(crate) header: Rect,
    pub(crate) losses: Rect,
    /// Which trace is shown, when it has the screen to itself.
    pub(crate) trace_line: Rect,
    /// Everything between header and footer.
    pub(crate) body: Rect,
    pub(crate) list: Rect,
    pub(crate) waterfall: Rect,
    pub(crate) span: Rect,
    pub(crate) notice: Rect,
    pub(crate) footer: Rect,
}

impl Layout {
    pub(crate) fn new(area: Rect, wanted: Wanted) -> Self {
        if area.width < 40 || area.height < 8 {
            return Self {
                one_line: Rect {
                    height: area.height.min(1),
                    ..area
                },
                ..Self::default()
            };
        }
        let trace_lines = u16::from(wanted.view == View::Trace);
        let [header, losses, trace_line, body, notice, footer] = Split::vertical([
            Constraint::Length(1),
            Constraint::Length(wanted.loss_lines),
            Constraint::Length(trace_lines),
            Constraint::Min(1),
            Constraint::Length(wanted.notice_lines),
            Constraint::Length(1),
        ])
        .areas::<6>(area);
        let layout = Self {
            header,
            losses,
            trace_line,
            body,
            notice,
            footer,
            ..Self::default()
        };
        match wanted.view {
            View::Connect => layout,
            _ if area.width < 60 || area.height < 20 => layout.one_pane(wanted.focus),
            View::Traces => layout.list_above(area),
            View::Trace => layout.span_below(area, wanted.waterfall_rows),
        }
    }

    fn one_pane(mut self, focus: Pane) -> Self {
        match focus {
            Pane::List => self.list = self.body,
            Pane::Waterfall => self.waterfall = self.body,
            Pane::Span => self.span = self.body,
        }
        self
    }

    fn list_above(mut self, area: Rect) -> Self {
        let list_height = (self.body.height * 9 / 20).max(8);
        let [list, below] = Split::vertical([Constraint::Length(list_height), Constraint::Min(1)])
            .areas::<2>(self.body);
        self.list = list;
        if area.width < 110 {
            self.waterfall = below;
            return self;
        }
        let [waterfall, span] =
            Split::horizontal([Constraint::Fill(2), Constraint::Fill(1)]).areas::<2>(below);
        (self.waterfall, self.span) = (waterfall, span);
        self
    }

    fn span_below(mut self, area: Rect, waterfall_rows: u16) -> Self {
        let span_height_min = match area.height {
            30.. => self.body.height * 2 / 5,
            _ => 6,
        };
        // Its frame and its ruler.
        let waterfall_height = waterfall_rows.saturating_add(3).max(8);
        let left = self.body.height.saturating_sub(waterfall_height);
        let span_height = span_height_min.max(left);
        let [waterfall, span] =
            Split::vertical([Constraint::Min(1), Constraint::Length(span_height)])
                .areas::<2>(self.body);
        (self.waterfall, self.span) = (waterfall, span);
        self
    }

    /// The area of a pane.
    pub(crate) fn of(&self, pane: Pane) -> Rect {
        match pane {
            Pane::List => self.list,
            Pane::Waterfall => self.waterfall,
            Pane::Span => self.span,
        }
    }

    /// The pane at a cell.
    pub(crate) fn pane_at(&self, column: u16, row: u16) -> Option<Pane> {
        let panes = [Pane::List, Pane::Waterfall, Pane::Span];
        panes
            .into_iter()
            .find(|pane| self.of(*pane).contains((column, row).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(width: u16, height: u16, view: View, shown: &[Pane]) {
        let wanted = Wanted {
            view,
            ..Wanted::default()
        };
        let layout = Layout::new(Rect::new(0, 0, width, height), wanted);
        let panes = [Pane::List, Pane::Waterfall, Pane::Span];
        let visible: Vec<Pane> = panes
            .into_iter()
            .filter(|pane| !layout.of(*pane).is_empty())
            .collect();
        assert_eq!(visible, shown, "{width}x{height}");
    }

    #[test]
    fn panes_go_as_the_terminal_shrinks() {
        use Pane::{List, Span, Waterfall};
        check(120, 36, View::Traces, &[List, Waterfall, Span]);
        check(80, 24, View::Traces, &[List, Waterfall]);
        check(80, 24, View::Trace, &[Waterfall, Span]);
        check(60, 15, View::Traces, &[List]);
        check(30, 5, View::Traces, &[]);
        check(1, 1, View::Trace, &[]);
    }
}
