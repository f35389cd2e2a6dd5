//! The question whether traces are to go to Datadog: where to, how much of them, what it costs. It sends
//! nothing itself.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Facts, LABEL};
use crate::forward::courier::LinesGo;
use crate::store::{Offer, Store, TraceEntry, TraceKey};
use crate::trace::Now;
use crate::tui::app::ByHandTo;
use crate::tui::screen::ViewContext;
use crate::tui::screen::sheet::Sheet;
use crate::tui::screen::traces::title;
use crate::tui::text;

const WIDTH: u16 = 84;
/// What would go is found out once in so long.
const REFRESH_NS: u64 = 1_000_000_000;

/// Traces that may be sent.
#[derive(Debug)]
pub(crate) struct Question {
    keys: Vec<TraceKey>,
    /// What would go of them, at which revision of the store that was found out, and when.
    offer: Offer,
    revision: u64,
    looked_at: Now,
    /// Lines above what is seen.
    pub(crate) scroll: u16,
}

impl Question {
    /// Whether these go, in this order.
    pub(crate) fn new(keys: Vec<TraceKey>, store: &Store, now: Now) -> Self {
        Self {
            offer: store.offer(&keys),
            revision: store.revision(),
            looked_at: now,
            scroll: 0,
            keys,
        }
    }

    /// Looks again once a second: that reads every tag of every trace.
    pub(crate) fn refresh(&mut self, store: &Store, now: Now) {
        if now.uptime_ns.saturating_sub(self.looked_at.uptime_ns) >= REFRESH_NS {
            self.looked_at = now;
            self.look(store);
        }
    }

    /// What would go now.
    pub(crate) fn look(&mut self, store: &Store) -> Offer {
        if self.revision != store.revision() {
            self.revision = store.revision();
            self.offer = store.offer(&self.keys);
        }
        self.offer
    }

    /// The traces, in order.
    pub(crate) fn keys(&self) -> &[TraceKey] {
        &self.keys
    }

    /// Paints it. Returns how far one can scroll.
    pub(crate) fn draw(
        &self,
        to: &ByHandTo,
        context: &ViewContext<'_>,
        (area, buffer): (Rect, &mut Buffer),
    ) -> u16 {
        let theme = context.theme;
        let mut facts = Facts::new(context, Sheet::room(WIDTH, area));
        facts.say("to", &to.to_string(), theme.key);
        let traces = text::visible(self.traces(context).into(), theme.glyphs);
        let one_line = text::cut(&traces, facts.room.saturating_sub(LABEL), theme.glyphs);
        facts.say("traces", &one_line, theme.text);
        let note = if self.offer.n_spans == 0 {
            facts.gap();
            facts.sentence(&self.nothing_left(), theme.key);
            "F requests   esc closes"
        } else {
            self.say_offer(&mut facts, context);
            "enter sends   esc does not"
        };
        let sheet = Sheet {
            title: "Send to Datadog?",
            note,
            width: WIDTH,
            lines: &facts.lines,
            scroll: Some(self.scroll),
        };
        sheet.draw(theme, (area, buffer))
    }

    fn say_offer(&self, facts: &mut Facts<'_>, context: &ViewContext<'_>) {
        let theme = context.theme;
        let Offer {
            n_traces,
            n_spans,
            n_bytes,
            n_gone,
        } = self.offer;
        let goes = format!(
            "{} of {}, about {} before compression",
            text::count(n_spans, "span"),
            text::count(n_traces, "trace"),
            text::bytes(n_bytes),
        );
        facts.say("goes", &goes, theme.key);
        if n_gone > 0 {
            let stays = format!(
                "{} there already, or on the way: not sent again",
                text::count(n_gone, "span")
            );
            facts.say("stays", &stays, theme.text);
        }
        let lines = match context.store.forwarding().lines_go() {
            LinesGo::WithTheirTraces => "those that name these traces go, too",
            LinesGo::Nowhere => "none go; with --forward datadog --forward-logs they do",
        };
        facts.say("log lines", lines, theme.text);
        facts.gap();
        facts.sentence(
            "Datadog bills ingested spans. They go as they are: nothing in their tags, queries and URLs is \
             obfuscated.",
            theme.warning,
        );
    }

    /// `2 that are marked`, `the selected one: GET /pages`.
    fn traces(&self, context: &ViewContext<'_>) -> String {
        let store = context.store;
        let first = self.keys.first().and_then(|key| store.trace(*key));
        let name = |entry: &TraceEntry| {
            let title = title(entry).to_lossy();
            format!("{}  {title}", text::short_id(entry.trace_id()))
        };
        let name = first.map(name).unwrap_or_default();
        let is_marked = self.keys.first().is_some_and(|key| store.is_marked(*key));
        match self.keys.len() {
            1 if is_marked => format!("the marked one: {name}"),
            1 => format!("the selected one: {name}"),
            2.. => format!("{} marked ones, the first of them: {name}", self.keys.len()),
            0 => String::new(),
        }
    }

    fn nothing_left(&self) -> String {
        match self.offer.n_gone {
            0 => "Nothing is left to send: the trace was evicted.".to_owned(),
            1 => "Nothing is left to send: its span is there already, or on the way.".to_owned(),
            n_gone => format!(
                "Nothing is left to send: all {n_gone} spans are there already, or on the way."
            ),
        }
    }
}
