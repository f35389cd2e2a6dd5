//! What keys and the mouse mean. Which key means what stands in `assets/keymap.toml`.

/// A wish of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Move the selection.
    Move(Motion),
    /// Open what is selected; in the waterfall unfold or fold it, on a leaf show its details.
    Open,
    /// Close what is on top, then clear the filter, then go back.
    Back,
    /// Fold the selected row, or go to its parent.
    Fold,
    /// Unfold the selected row, or go to its first child.
    Unfold,
    /// Fold or unfold everything below the selected row.
    FoldSubtree,
    /// Fold every row.
    FoldAll,
    /// Unfold every row.
    UnfoldAll,
    /// Go to the next error.
    NextError,
    /// Go to the previous error.
    PreviousError,
    /// Go to the next match of the filter.
    NextMatch,
    /// Go to the previous match of the filter.
    PreviousMatch,
    /// Edit the filter.
    Filter,
    /// Freeze what is shown, or go on.
    Pause,
    /// Copy the selected value.
    Copy,
    /// Copy the selected thing as JSON.
    CopyJson,
    /// Choose what to export.
    Export,
    /// Export the selected trace as our JSON.
    ExportJson,
    /// Export the selected trace as v0.4 arrays.
    ExportDatadog,
    /// Export everything captured as our JSON.
    ExportAll,
    /// Export everything captured as v0.4 arrays.
    ExportAllDatadog,
    /// Show or hide the details of the selected span.
    Detail,
    /// Show the traces.
    ShowTraces,
    /// Show the log lines.
    ShowLogs,
    /// Show what Datadog would get.
    ShowSampling,
    /// Show how long requests took, cold and warm apart.
    ShowLatency,
    /// Show the next resource.
    NextResource,
    /// Show the one before.
    PreviousResource,
    /// An axis in equal steps, or in equal factors.
    LogAxis,
    /// One axis for all, or each its own.
    SameAxis,
    /// Set a border in time, to compare what lies before it with what lies after.
    SetBorder,
    /// Compare at the border before, then at none.
    NextBorder,
    /// Say by which rule requests are cold or warm.
    ColdRule,
    /// Go to the column on the left.
    ColumnLeft,
    /// Go to the column on the right.
    ColumnRight,
    /// Ask what another Agent, another rule, another load would come to.
    WhatIf,
    /// Put everything back as it was.
    Reset,
    /// Write the sampling rule that keeps what is selected.
    WriteRule,
    /// Mark the selected trace, or take its mark off.
    Mark,
    /// Take every mark off.
    TakeMarksOff,
    /// Ask whether the marked traces, or the selected one, are to go to Datadog; show the last requests.
    Forward,
    /// Send what was asked about.
    Send,
    /// Show the log lines of another scope: of the span, of the trace, of every container.
    Scope,
    /// Go to the next log line on the time axis.
    NextLine,
    /// Go from a log line to its span.
    ToSpan,
    /// Select the span of a log line, and stay.
    ToTime,
    /// Move long lines to the right, to see their beginning.
    ScrollLeft,
    /// Move long lines to the left, to see their end.
    ScrollRight,
    /// Show the keys.
    Help,
    /// Give the keys to the next pane.
    NextPane,
    /// Give the keys to the previous pane.
    PreviousPane,
    /// Show how programs are connected and what they asked for, or go back.
    Connect,
    /// Start the program again that has ended.
    Restart,
    /// Draw everything again.
    Redraw,
    /// Go to the background.
    Suspend,
    /// End.
    Quit,
    /// The left button went down on a cell of the screen.
    Click {
        /// Column of the screen.
        column: u16,
        /// Row of the screen.
        row: u16,
    },
    /// The wheel turned over a pane: rows down, negative up. The selection moves along only as far
    /// as it must to stay visible.
    Scroll(i16),
}

/// A way to move through rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl Motion {
    /// Where the motion leads from a row, among so many rows of which a page is visible at once.
    #[expect(
        clippy::wrong_self_convention,
        reason = "the motion leads from the row; nothing is converted"
    )]
    pub(crate) fn from_row(self, row: usize, n_rows: usize, page_rows: usize) -> usize {
        let last = n_rows.saturating_sub(1);
        let page = page_rows.saturating_sub(1).max(1);
        let half = (page_rows / 2).max(1);
        let to = match self {
            Self::Up => row.saturating_sub(1),
            Self::Down => row.saturating_add(1),
            Self::PageUp => row.saturating_sub(page),
            Self::PageDown => row.saturating_add(page),
            Self::HalfUp => row.saturating_sub(half),
            Self::HalfDown => row.saturating_add(half),
            Self::First => 0,
            Self::Last => last,
        };
        to.min(last)
    }
}
