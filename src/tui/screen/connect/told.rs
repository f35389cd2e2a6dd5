//! What clients say they counted beside what arrived: where most spans are missing first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ConnectPane;
use crate::stats::Sketch;
use crate::store::{Compared, Tally, Told};
use crate::tui::action::{Action, Motion};
use crate::tui::screen::ViewContext;
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::{Border, draw_border, put};

/// Whether the list is shown, and how far the user has moved in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldList {
    is_wanted: bool,
    is_shown: bool,
    first: usize,
    /// What was there and how much of it was seen at once, when it was drawn last.
    n_rows: usize,
    page: usize,
}

impl ToldList {
    /// Whether the action was for the list.
    pub(super) fn update(&mut self, action: Action) -> bool {
        if matches!(action, Action::NextPane | Action::PreviousPane) {
            self.is_wanted = !self.is_wanted;
            return true;
        }
        let furthest = self.n_rows.saturating_sub(self.page);
        self.first = match action {
            _ if !self.is_shown => return false,
            Action::Move(Motion::Last) => furthest,
            Action::Move(motion) => motion.from_row(self.first, furthest + 1, self.page),
            Action::Scroll(rows) => self.first.saturating_add_signed(rows.into()).min(furthest),
            _ => return false,
        };
        true
    }
}

impl ConnectPane {
    /// Whether what clients told stands in the place of the requests.
    pub(super) fn shows_told(&mut self, told: &Told) -> bool {
        self.told.is_shown = self.told.is_wanted && told.sums().n_buckets > 0;
        self.told.is_shown
    }

    pub(super) fn draw_told(&mut self, context: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let glyphs = context.theme.glyphs;
        let told = context.store.told();
        let compared = told.compared();
        let list = &mut self.told;
        list.n_rows = compared.len();
        list.page = usize::from(area.height.saturating_sub(3));
        list.first = list.first.min(list.n_rows.saturating_sub(list.page));
        let n_evicted = told.sums().n_groups_evicted;
        let note = match n_evicted {
            0 => "most missing first   tab requests".to_owned(),
            _ => format!("{n_evicted} older ones given up   tab requests"),
        };
        let border = Border {
            title: "What clients counted",
            note: &note,
            ..Border::default()
        };
        let inner = draw_border(buffer, area, &border, context.theme);
        let mut rows = inner.rows();
        let width = usize::from(inner.width.saturating_sub(2));
        if let Some(row) = rows.next() {
            let heading = text::cut(heading(width), width, glyphs);
            put(buffer, row, 1, &heading, context.theme.dim);
        }
        for (compared, row) in compared.iter().skip(list.first).zip(rows) {
            let style = match compared.n_missing() {
                0 => context.theme.text,
                _ if !told.is_compared() => context.theme.text,
                _ => context.theme.warning,
            };
            let line = line(compared, width, glyphs);
            let line = text::cut(&line, width, glyphs);
            put(buffer, row, 1, &line, style);
        }
    }
}

/// Narrower than this, only the counts are shown.
const WIDE: usize = 90;

fn heading(width: usize) -> &'static str {
    if width < WIDE {
        " COUNTED  ARRIVED  MISSING  RESOURCE  OPERATION  SERVICE"
    } else {
        " COUNTED  ARRIVED  MISSING   ERRORS     P50     P99  RESOURCE  OPERATION  SERVICE"
    }
}

fn line(compared: &Compared<'_>, width: usize, glyphs: Glyphs) -> String {
    let shown = |text: &str| text::visible(text.to_owned().into(), glyphs).into_owned();
    let more = if width < WIDE {
        String::new()
    } else {
        errors_and_durations(compared.tally, glyphs)
    };
    format!(
        "{:>8} {:>8} {:>8}{more}  {}  {}  {}",
        compared.hits,
        compared.n_arrived,
        compared.n_missing(),
        compared
            .resource
            .map_or_else(|| ALL_RESOURCES.to_owned(), shown),
        shown(&compared.operation.name),
        shown(&compared.operation.service),
    )
}

/// In the columns of the wide heading.
fn errors_and_durations(tally: Option<&Tally>, glyphs: Glyphs) -> String {
    let Some(tally) = tally else {
        return " ".repeat(25);
    };
    let latency = both(tally).latency();
    let quantile = |nanos: Option<u64>| {
        let nanos = nanos.map(|nanos| i64::try_from(nanos).unwrap_or(i64::MAX));
        nanos.map_or_else(String::new, |nanos| text::duration(nanos, glyphs))
    };
    format!(
        " {:>8} {} {}",
        tally.counts.errors,
        right(&quantile(latency.map(|latency| latency.p50))),
        right(&quantile(latency.map(|latency| latency.p99))),
    )
}

const ALL_RESOURCES: &str = "(all of them: the client changes resources before it counts)";

/// Right-aligned, whatever the width of its characters.
fn right(text: &str) -> String {
    let gap = 7_usize.saturating_sub(text::width(text));
    format!("{}{text}", " ".repeat(gap))
}

/// The durations of spans with and without an error.
fn both(tally: &Tally) -> Sketch {
    let mut both = tally.counts.ok.clone();
    both.merge(&tally.counts.error);
    both
}
