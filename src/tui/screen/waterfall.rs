//! The waterfall of one trace.

mod rows;
#[cfg(test)]
pub(crate) mod sample;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Focus, Outcome, ViewContext};
use crate::store::{SpanIndex, Store, TraceKey};
use crate::tui::action::Action;

/// The spans of one trace as bars on its time axis.
#[derive(Debug, Default)]
pub(crate) struct WaterfallPane {
    key: Option<TraceKey>,
}

impl WaterfallPane {
    /// Shows another trace, or none. The same trace again changes nothing.
    pub(crate) fn show(&mut self, key: Option<TraceKey>) {
        self.key = key;
    }

    /// Takes what the trace has gained since, if its revision changed. Not called while paused.
    pub(crate) fn refresh(&mut self, _store: &Store) {}

    pub(crate) fn update(&mut self, _action: Action, _store: &Store) -> Outcome {
        Outcome::Ignored
    }

    pub(crate) fn draw(
        &mut self,
        _context: &ViewContext<'_>,
        _area: Rect,
        _buffer: &mut Buffer,
        _focus: Focus,
    ) {
    }

    /// The selected span.
    pub(crate) fn selected(&self) -> Option<SpanIndex> {
        None
    }

    /// Spans that do not match are shown dim; empty matches all.
    pub(crate) fn set_filter(&mut self, _filter: &str) {}
}
