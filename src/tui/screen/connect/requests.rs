//! The log of requests: whatever called us, with our answer, the newest last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::told::ToldList;
use crate::ingest::RequestRecord;
use crate::trace::{Text, Via};
use crate::tui::action::{Action, Motion};
use crate::tui::screen::ViewContext;
use crate::tui::text;
use crate::tui::widget::{Border, draw_border, put};

/// How far the user has gone back in the log of requests, or on in what clients counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectPane {
    pub(super) told: ToldList,
    /// Requests below the last visible one.
    n_below: usize,
    /// How many were visible at once when they were drawn last.
    page: usize,
    /// How many had come then.
    n_seen: u64,
}

impl ConnectPane {
    /// Moves through the requests, of which there are so many.
    pub(crate) fn update(&mut self, action: Action, n_requests: usize) {
        if self.told.update(action) {
            return;
        }
        let furthest = n_requests.saturating_sub(self.page);
        let first = furthest.saturating_sub(self.n_below);
        let to = match action {
            Action::Move(Motion::Last) => furthest,
            Action::Move(motion) => motion.from_row(first, furthest + 1, self.page),
            Action::Scroll(rows) => first.saturating_add_signed(rows.into()),
            _ => return,
        };
        self.n_below = furthest.saturating_sub(to);
    }

    pub(super) fn draw_requests(
        &mut self,
        context: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let n_requests = context.store.requests().len();
        let n_seen = context.store.n_recorded();
        self.page = usize::from(area.height.saturating_sub(2));
        if self.n_below > 0 {
            // What comes does not move the rows that are looked at.
            let n_new = n_seen.saturating_sub(self.n_seen);
            let n_new = usize::try_from(n_new).unwrap_or(usize::MAX);
            self.n_below = self.n_below.saturating_add(n_new);
        }
        self.n_seen = n_seen;
        self.n_below = self.n_below.min(n_requests.saturating_sub(self.page));
        let note = match n_of(n_requests.min(self.page)) {
            n_shown if n_shown < n_seen && self.n_below == 0 => {
                format!("the last {n_shown} of {n_seen}, newest last")
            }
            n_shown if n_shown < n_seen => format!("{} newer below, of {n_seen}", self.n_below),
            _ => "newest last".to_owned(),
        };
        let border = Border {
            title: "Every request that reached us",
            note: &note,
            ..Border::default()
        };
        let inner = draw_border(buffer, area, &border, context.theme);
        let glyphs = context.theme.glyphs;
        if n_requests == 0 {
            let words = "none yet: whatever calls us is listed here, with our answer";
            let words = text::cut(words, usize::from(inner.width.saturating_sub(2)), glyphs);
            put(buffer, inner, 1, &words, context.theme.dim);
        }
        let skipped = n_requests.saturating_sub(self.page + self.n_below);
        let shown = context.store.requests().skip(skipped);
        for (request, row) in shown.zip(inner.rows()) {
            let style = match request.status {
                200..300 => context.theme.text,
                _ => context.theme.error,
            };
            let line = request_line(request, usize::from(inner.width), context);
            put(buffer, row, 1, &line, style);
        }
    }
}

fn request_line(request: &RequestRecord, width: usize, context: &ViewContext<'_>) -> String {
    let glyphs = context.theme.glyphs;
    let shown = |text: &str| text::show(Text::from(text), glyphs).into_owned();
    let path_cells = if width >= 90 { 24 } else { 14 };
    let via = match request.via {
        Via::Http => String::new(),
        via => format!("   by {via}"),
    };
    let line = format!(
        "{}  {} {} {}  {}   {}{via}",
        text::time_of_day(request.at),
        text::left(&shown(&request.method), 4, glyphs),
        text::left(&shown(&request.path), path_cells, glyphs),
        request.status,
        shown(&request.note),
        shown(&request.client),
    );
    text::cut(line.trim_end(), width.saturating_sub(2), glyphs).into_owned()
}

fn n_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
