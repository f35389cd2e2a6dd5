//! What clients say they counted beside what arrived: where most spans are missing first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ConnectPane, Facts};
use crate::stats::Sketch;
use crate::store::{Compared, Tally};
use crate::trace::Text;
use crate::tui::action::Action;
use crate::tui::screen::ViewContext;
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::{Border, draw_border, put};

/// Whether the list is shown, and how far the user has moved in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldList {
    is_wanted: bool,
    place: Place,
    first: usize,
    /// What was there and how much of it was seen at once, when it was drawn last.
    n_rows: usize,
    page: usize,
}

/// Whether there is room for the list, when it was drawn last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing was told.
    #[default]
    None,
    /// In place of the requests, if it is wanted.
    OfRequests,
    /// Files bring no requests: the place is free.
    Free,
}

impl ToldList {
    fn is_shown(&self) -> bool {
        match self.place {
            Place::None => false,
            Place::OfRequests => self.is_wanted,
            Place::Free => true,
        }
    }

    /// Whether the action was for the list.
    pub(super) fn update(&mut self, action: Action) -> bool {
        if matches!(action, Action::NextPane | Action::PreviousPane) {
            self.is_wanted = !self.is_wanted;
            return true;
        }
        let furthest = self.n_rows.saturating_sub(self.page);
        self.first = match action {
            _ if !self.is_shown() => return false,
            Action::Move(motion) => motion.from_row(self.first, furthest + 1, self.page),
            Action::Scroll(rows) => self.first.saturating_add_signed(rows.into()).min(furthest),
            _ => return false,
        };
        true
    }
}

impl ConnectPane {
    /// Whether what clients told stands below.
    pub(super) fn shows_told(&mut self, facts: &Facts<'_>) -> bool {
        self.told.place = match facts.told.sums().n_buckets {
            0 => Place::None,
            _ if facts.is_file() => Place::Free,
            _ => Place::OfRequests,
        };
        self.told.is_shown()
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
        let order = match n_evicted {
            0 => "most missing first".to_owned(),
            _ => format!("{n_evicted} older ones given up"),
        };
        let note = if list.place == Place::OfRequests {
            format!("{order}   tab requests")
        } else {
            order
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
            let is_compared = told.is_compared();
            let style = if is_compared && compared.n_missing() > 0 {
                context.theme.warning
            } else {
                context.theme.text
            };
            let line = line(compared, is_compared, width, glyphs);
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

/// What is not compared has no number of spans that arrived, and none that is missing.
fn line(compared: &Compared<'_>, is_compared: bool, width: usize, glyphs: Glyphs) -> String {
    let shown = |text: &str| text::show(Text::from(text), glyphs).into_owned();
    let more = if width < WIDE {
        String::new()
    } else {
        errors_and_durations(compared.tally, glyphs)
    };
    let outcome = |number: u64| {
        if is_compared {
            number.to_string()
        } else {
            "-".to_owned()
        }
    };
    format!(
        "{:>8} {:>8} {:>8}{more}  {}  {}  {}",
        compared.hits,
        outcome(compared.n_arrived),
        outcome(compared.n_missing()),
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
        let shown = nanos.map_or_else(String::new, |nanos| text::duration(nanos, glyphs));
        text::right(&shown, 7, glyphs)
    };
    format!(
        " {:>8} {} {}",
        tally.counts.errors,
        quantile(latency.map(|latency| latency.p50)),
        quantile(latency.map(|latency| latency.p99)),
    )
}

const ALL_RESOURCES: &str = "(all of them: the client changes resources before it counts)";

/// The durations of spans with and without an error.
fn both(tally: &Tally) -> Sketch {
    let mut both = tally.counts.ok.clone();
    both.merge(&tally.counts.error);
    both
}
