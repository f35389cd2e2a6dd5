//! Where everything stands at a size of the terminal. Pure arithmetic; it paints nothing.
//!
//! ```text
//! width  < 110   the details of a span are an overlay        width < 40 or height < 8   one line
//! height < 20    only the pane with the keys, no tabs        width < 60                 likewise
//! height < 30    one log line of the trace                   no log lines               no pane
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
    /// All log lines.
    Logs,
    /// What Datadog would get.
    Sampling,
    /// How long requests took, cold and warm apart.
    Latency,
}

/// A part of the screen that can have the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    List,
    Waterfall,
    Span,
    /// The log lines of the trace.
    Logs,
    /// All log lines.
    AllLogs,
    /// What Datadog would get.
    Sampling,
    /// How long requests took, cold and warm apart.
    Latency,
}

impl Pane {
    const ALL: [Self; 7] = [
        Self::List,
        Self::Waterfall,
        Self::Span,
        Self::Logs,
        Self::AllLogs,
        Self::Sampling,
        Self::Latency,
    ];
}

/// The frame of a pane and its rows, as high as the log lines of a trace are at most in a low
/// terminal; they grow with the terminal.
const LOGS_HEIGHT: u16 = 7;
/// Log lines leave so much to the waterfall.
const WATERFALL_HEIGHT_MIN: u16 = 8;

/// What decides about the layout beside the size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) focus: Pane,
    /// Rows of the trace, folded or not: the details get what it leaves.
    pub(crate) waterfall_rows: u16,
    /// Log lines of the trace; without any there is no pane for them.
    pub(crate) log_rows: u16,
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
    /// The views.
    pub(crate) tabs: Rect,
    /// Which trace is shown, when it has the screen to itself.
    pub(crate) trace_line: Rect,
    /// Everything between header and footer.
    pub(crate) body: Rect,
    pub(crate) list: Rect,
    pub(crate) waterfall: Rect,
    pub(crate) span: Rect,
    pub(crate) logs: Rect,
    pub(crate) all_logs: Rect,
    pub(crate) sampling: Rect,
    pub(crate) latency: Rect,
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
        let is_trace = wanted.view == View::Trace;
        let has_tabs = area.height >= 20 && !is_trace;
        let [header, losses, tabs, trace_line, body, notice, footer] = Split::vertical([
            Constraint::Length(1),
            Constraint::Length(wanted.loss_lines),
            Constraint::Length(u16::from(has_tabs)),
            Constraint::Length(u16::from(is_trace)),
            Constraint::Min(1),
            Constraint::Length(wanted.notice_lines),
            Constraint::Length(1),
        ])
        .areas::<7>(area);
        let layout = Self {
            header,
            losses,
            tabs,
            trace_line,
            body,
            notice,
            footer,
            ..Self::default()
        };
        match wanted.view {
            View::Connect => layout,
            View::Logs => Self {
                all_logs: body,
                ..layout
            },
            View::Sampling => Self {
                sampling: body,
                ..layout
            },
            View::Latency => Self {
                latency: body,
                ..layout
            },
            _ if area.width < 60 || area.height < 20 => layout.one_pane(wanted),
            View::Traces => layout.list_above(area, wanted.log_rows),
            View::Trace => layout.span_below(area, wanted),
        }
    }

    fn one_pane(mut self, wanted: Wanted) -> Self {
        match wanted.focus {
            Pane::List => self.list = self.body,
            Pane::Span => self.span = self.body,
            Pane::Logs if wanted.log_rows > 0 => self.logs = self.body,
            Pane::Waterfall | Pane::Logs | Pane::AllLogs | Pane::Sampling | Pane::Latency => {
                self.waterfall = self.body;
            }
        }
        self
    }

    fn list_above(mut self, area: Rect, log_rows: u16) -> Self {
        let list_height = (self.body.height * 9 / 20).max(8);
        let room = self.body.height.saturating_sub(list_height);
        let room = room.saturating_sub(WATERFALL_HEIGHT_MIN);
        let logs_height = match framed_logs_height(area, self.body, log_rows) {
            height if height <= room => height,
            // A frame without a row says nothing.
            _ if room < 3 => 0,
            _ => room,
        };
        let [list, below, logs] = Split::vertical([
            Constraint::Length(list_height),
            Constraint::Min(1),
            Constraint::Length(logs_height),
        ])
        .areas::<3>(self.body);
        (self.list, self.logs) = (list, logs);
        if area.width < 110 {
            self.waterfall = below;
            return self;
        }
        let [waterfall, span] =
            Split::horizontal([Constraint::Fill(2), Constraint::Fill(1)]).areas::<2>(below);
        (self.waterfall, self.span) = (waterfall, span);
        self
    }

    fn span_below(mut self, area: Rect, wanted: Wanted) -> Self {
        let span_height_min = match area.height {
            30.. => self.body.height * 2 / 5,
            _ => 6,
        };
        // Its frame, its ruler, and its letters of log lines.
        let around = 3 + u16::from(wanted.log_rows > 0);
        let waterfall_height = wanted.waterfall_rows.saturating_add(around);
        let waterfall_height = waterfall_height.max(WATERFALL_HEIGHT_MIN);
        let left = self.body.height.saturating_sub(waterfall_height);
        let span_height = span_height_min.max(left);
        let [waterfall, below] =
            Split::vertical([Constraint::Min(1), Constraint::Length(span_height)])
                .areas::<2>(self.body);
        self.waterfall = waterfall;
        if area.width >= 110 && wanted.log_rows > 0 {
            let beside = Split::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
            let [span, logs] = beside.areas::<2>(below);
            (self.span, self.logs) = (span, logs);
            return self;
        }
        let logs_height = match (wanted.log_rows, area.height) {
            (0, _) => 0,
            (_, 30..) => framed_logs_height(area, self.body, wanted.log_rows),
            // No room for a frame: one line below the span's.
            _ => 1,
        };
        let [span, logs] = Split::vertical([Constraint::Min(1), Constraint::Length(logs_height)])
            .areas::<2>(below);
        (self.span, self.logs) = (span, logs);
        self
    }

    /// The area of a pane.
    pub(crate) fn of(&self, pane: Pane) -> Rect {
        match pane {
            Pane::List => self.list,
            Pane::Waterfall => self.waterfall,
            Pane::Span => self.span,
            Pane::Logs => self.logs,
            Pane::AllLogs => self.all_logs,
            Pane::Sampling => self.sampling,
            Pane::Latency => self.latency,
        }
    }

    /// The pane at a cell.
    pub(crate) fn pane_at(&self, column: u16, row: u16) -> Option<Pane> {
        Pane::ALL
            .into_iter()
            .find(|pane| self.of(*pane).contains((column, row).into()))
    }
}

/// How high a framed pane for so many log lines is.
fn framed_logs_height(area: Rect, body: Rect, log_rows: u16) -> u16 {
    let height_max = match area.height {
        30.. => LOGS_HEIGHT.max(body.height / 5),
        _ => 3,
    };
    match log_rows {
        0 => 0,
        _ => log_rows.saturating_add(2).min(height_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(width: u16, height: u16, (view, log_rows): (View, u16), shown: &[Pane]) {
        let wanted = Wanted {
            view,
            log_rows,
            ..Wanted::default()
        };
        let layout = Layout::new(Rect::new(0, 0, width, height), wanted);
        let visible: Vec<Pane> = Pane::ALL
            .into_iter()
            .filter(|pane| !layout.of(*pane).is_empty())
            .collect();
        assert_eq!(visible, shown, "{width}x{height}");
    }

    #[test]
    fn panes_go_as_the_terminal_shrinks() {
        use Pane::{AllLogs, Latency, List, Sampling, Span, Waterfall};
        check(120, 36, (View::Traces, 0), &[List, Waterfall, Span]);
        check(80, 24, (View::Traces, 0), &[List, Waterfall]);
        check(80, 24, (View::Trace, 0), &[Waterfall, Span]);
        check(60, 15, (View::Traces, 0), &[List]);
        check(60, 15, (View::Logs, 9), &[AllLogs]);
        check(60, 15, (View::Sampling, 9), &[Sampling]);
        check(60, 15, (View::Latency, 9), &[Latency]);
        check(30, 5, (View::Traces, 0), &[]);
        check(1, 1, (View::Trace, 0), &[]);
    }

    #[test]
    fn log_lines_have_a_pane_as_long_as_there_are_some() {
        use Pane::{List, Logs, Span, Waterfall};
        check(120, 36, (View::Traces, 1), &[List, Waterfall, Span, Logs]);
        check(80, 24, (View::Traces, 9), &[List, Waterfall, Logs]);
        check(80, 20, (View::Traces, 9), &[List, Waterfall]);
        check(120, 36, (View::Trace, 9), &[Waterfall, Span, Logs]);
        check(80, 24, (View::Trace, 9), &[Waterfall, Span, Logs]);
    }

    #[test]
    fn log_lines_take_no_more_than_they_need_and_leave_the_waterfall_its_room() {
        for height in 20..80 {
            for (log_rows, width) in [(1, 80), (1, 120), (3, 120), (500, 80), (500, 120)] {
                let wanted = Wanted {
                    view: View::Traces,
                    log_rows,
                    ..Wanted::default()
                };
                let layout = Layout::new(Rect::new(0, 0, width, height), wanted);
                assert!(layout.logs.height <= log_rows + 2);
                assert!(layout.waterfall.height >= WATERFALL_HEIGHT_MIN || layout.logs.is_empty());
            }
        }
    }
}
