//! The details of one span.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Focus, Outcome, ViewContext};
use crate::store::{SpanIndex, Store, TraceKey};
use crate::tui::action::Action;

/// Every field and tag of a span.
#[derive(Debug, Default)]
pub(crate) struct SpanPane {
    shown: Option<(TraceKey, SpanIndex)>,
}

impl SpanPane {
    /// Shows another span. The same span again changes nothing.
    pub(crate) fn show(&mut self, key: TraceKey, span: SpanIndex) {
        self.shown = Some((key, span));
    }

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
}
