//! The details of one span as a tree: every field and tag, nested JSON opened, the stack whole.

mod agent;
mod details;
mod sampling;
mod started;
#[cfg(test)]
mod tests;
mod tracer;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::detail::{Detail, DetailTree, Room, numbered};
use super::{Flow, Focus, Outcome, ViewContext};
use crate::store::{SpanIndex, Store, TraceKey};
use crate::tui::action::Action;
use crate::tui::text;
use details::details;
use started::Seen;

/// A pane of so many lines shows a stack at once, however long it is; a smaller one if all fits.
const STACK_LINES_MIN: u16 = 16;

/// Every field and tag of a span.
#[derive(Debug, Default)]
pub(crate) struct SpanPane {
    shown: Option<(TraceKey, SpanIndex)>,
    self_time: Option<i64>,
    built: Option<Built>,
    tree: DetailTree,
}

/// What the items were built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Built {
    key: TraceKey,
    span: SpanIndex,
    revision: u64,
    self_time: Option<i64>,
    /// The container of a local root.
    container: Option<Seen>,
    room: Room,
}

impl SpanPane {
    /// Shows another span. The same span again changes nothing.
    pub(crate) fn show(&mut self, key: TraceKey, span: SpanIndex) {
        if self.shown != Some((key, span)) {
            self.shown = Some((key, span));
            self.built = None;
            self.tree.reset();
        }
    }

    /// Says how long none of the shown span's children ran, which its place in the tree tells.
    pub(crate) fn set_self_time(&mut self, self_time: Option<i64>) {
        self.self_time = self_time;
    }

    /// The selected value as it is copied: whole, with all its lines.
    #[cfg(test)]
    pub(crate) fn copy_value(&self) -> Option<String> {
        self.tree.copy_value()
    }

    pub(crate) fn update(&mut self, action: Action, _store: &Store) -> Outcome {
        self.tree.update(action)
    }

    pub(crate) fn draw(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
        focus: Focus,
    ) {
        let area = area.intersection(buffer.area);
        self.build(context, area);
        self.tree.draw(context.theme, area, buffer, focus);
    }

    /// Builds the items again if the span, its trace or the room for them changed.
    fn build(&mut self, context: &ViewContext<'_>, area: Rect) {
        let Some((key, index)) = self.shown else {
            "Span".clone_into(&mut self.tree.title);
            return;
        };
        let trace = context.store.trace(key);
        let (Some(trace), Some(span)) = (trace, trace.and_then(|trace| trace.span(index))) else {
            "Span  evicted".clone_into(&mut self.tree.title);
            self.tree.clear();
            self.built = None;
            return;
        };
        let (inner, room) = DetailTree::room(area, context.theme);
        let started = trace.local_root(index);
        let now = context.now.wall;
        let wanted = Built {
            key,
            span: index,
            revision: trace.revision(),
            self_time: self.self_time,
            container: started.and_then(|local| Seen::of(context.store, local, now)),
            room,
        };
        let is_frozen = |built: Built| {
            let frozen = Built {
                revision: built.revision,
                self_time: built.self_time,
                container: built.container,
                ..wanted
            };
            context.flow == Flow::Paused && frozen == built
        };
        if self
            .built
            .is_some_and(|built| built == wanted || is_frozen(built))
        {
            return;
        }
        let name = text::show(span.name(), room.glyphs);
        let mark = if span.is_error() { "  err" } else { "" };
        let n_spans = trace.n_spans();
        let number = u64::from(index.0) + 1;
        self.tree.title = format!("Span {number}/{n_spans}  {name}{mark}");
        let started = started.map(|local| started::started(context.store, trace, local, now, room));
        let started = started.unwrap_or_default();
        let details = details(trace, span, self.self_time, started, room);
        let is_first = self.built.is_none();
        self.built = Some(wanted);
        self.tree.set(&details, room, context.theme);
        if is_first {
            self.open_first(&details, inner.height);
        }
    }

    /// Opens what is open at first, and the stack if there is room for it; if there is not, selects
    /// it, so that one key opens it.
    fn open_first(&mut self, details: &[Detail], height: u16) {
        let labels = numbered(details);
        for (detail, label) in details.iter().zip(&labels) {
            if detail.is_open {
                self.tree.state.open(vec![label.clone()]);
            }
        }
        let stack = details.iter().position(|detail| detail.label == "stack");
        let stack = stack.filter(|place| !details.get(*place).is_none_or(|it| it.below.is_empty()));
        let selected = labels.get(stack.unwrap_or(0)).cloned();
        if let Some(selected) = selected {
            if stack.is_some_and(|place| shows_stack(details, place, height)) {
                self.tree.state.open(vec![selected.clone()]);
            }
            self.tree.state.select(vec![selected]);
        }
    }
}

/// Whether a stack is opened at once in a pane of so many lines.
fn shows_stack(details: &[Detail], place: usize, height: u16) -> bool {
    let n_lines = details.get(place).map_or(0, |stack| stack.below.len());
    height >= STACK_LINES_MIN || place + 1 + n_lines <= usize::from(height)
}
