//! The way on to Datadog on the screen: the question before something is sent by hand, and what became of the
//! last requests. Neither sends anything.

mod panel;
mod question;

pub(crate) use panel::{PanelFacts, draw_panel, is_refused};
pub(crate) use question::Question;

use ratatui::style::Style;

use super::ViewContext;
use crate::tui::text;

/// Cells for what stands before a fact: `last error  `.
const LABEL: usize = 12;
/// A fact takes no more lines than this: an error may be long.
const FACT_LINES_MAX: usize = 8;

/// Lines of a sheet that say facts, each after its label.
#[derive(Debug)]
struct Facts<'a> {
    context: &'a ViewContext<'a>,
    /// Cells of a line.
    room: usize,
    lines: Vec<(String, Style)>,
}

impl<'a> Facts<'a> {
    fn new(context: &'a ViewContext<'a>, room: usize) -> Self {
        Self {
            context,
            room,
            lines: Vec::new(),
        }
    }

    /// A fact that may hold text of strangers.
    fn say(&mut self, label: &str, words: &str, style: Style) {
        let glyphs = self.context.theme.glyphs;
        let words = text::visible(words.into(), glyphs);
        let room = self.room.saturating_sub(LABEL);
        let lines = text::wrap(&words, room, FACT_LINES_MAX, glyphs);
        for (place, line) in lines.into_iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            self.lines.push((format!("{label:<LABEL$}{line}"), style));
        }
    }

    /// A sentence of ours over the whole line.
    fn sentence(&mut self, words: &str, style: Style) {
        let glyphs = self.context.theme.glyphs;
        let lines = text::wrap(words, self.room, FACT_LINES_MAX, glyphs);
        self.lines
            .extend(lines.into_iter().map(|line| (line, style)));
    }

    fn gap(&mut self) {
        self.lines.push((String::new(), self.context.theme.text));
    }
}
