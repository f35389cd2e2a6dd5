//! The panes and what they share. A pane holds its selection, folds and scroll, computes rows from
//! the store and paints the visible ones; it never changes the store.

pub(crate) mod connect;
mod detail;
pub(crate) mod filter;
pub(crate) mod footer;
pub(crate) mod forward;
pub(crate) mod header;
pub(crate) mod help;
pub(crate) mod latency;
pub(crate) mod log_detail;
pub(crate) mod log_row;
pub(crate) mod logs;
pub(crate) mod sampling;
pub(crate) mod sheet;
pub(crate) mod span;
pub(crate) mod tabs;
pub(crate) mod trace_logs;
pub(crate) mod traces;
pub(crate) mod unread;
pub(crate) mod waterfall;

use super::message::Effect;
use super::theme::Theme;
use crate::store::{LogKey, Store, TraceKey};
use crate::trace::Now;
use sampling::WrittenRule;

/// What every pane may look at while it draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewContext<'a> {
    pub(crate) store: &'a Store,
    pub(crate) theme: &'a Theme,
    pub(crate) now: Now,
    pub(crate) flow: Flow,
}

/// Whether what is shown follows what comes in. Capture goes on either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    #[default]
    Live,
    Paused,
}

/// Whether a pane has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    Focused,
    #[default]
    Unfocused,
}

/// What a pane made of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It meant something here.
    Handled,
    /// It meant nothing here; somebody else may take it.
    Ignored,
    /// Something else is to be shown.
    Open(Place),
    /// The traces that match a filter are to be listed.
    List(String),
    /// A sampling rule was written.
    Rule(Box<WrittenRule>),
    /// Something is to be done outside.
    Do(Effect),
}

/// Something a pane can ask to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The selected trace, on the whole screen.
    Trace,
    /// A trace, on the whole screen.
    TraceOf(TraceKey),
    /// The details of the selected span.
    Span,
    /// A whole log line.
    Line(LogKey),
    /// The span of a log line in its trace, with the keys.
    SpanOf(LogKey),
    /// The same while the keys stay where they are.
    TimeOf(LogKey),
    /// A log line whose letter was clicked on.
    Letter(LogKey),
}
