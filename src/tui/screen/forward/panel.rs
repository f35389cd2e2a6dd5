//! Where spans go on to, what went, and the last requests with what became of each, the newest first. Works
//! the same for a real Agent and for Datadog.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Facts;
use crate::forward::Exchange;
use crate::forward::courier::{LinesGo, Which};
use crate::forward::retry::{Attempt, Next};
use crate::store::Store;
use crate::tui::app::ByHandTo;
use crate::tui::screen::ViewContext;
use crate::tui::screen::sheet::Sheet;
use crate::tui::text;
use crate::tui::theme::Glyphs;

const WIDTH: u16 = 112;
/// Cells of a line before there is room for why a request failed.
const ROOM_FOR_ERROR: usize = 96;

/// What the panel cannot read from the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanelFacts<'a> {
    /// Where everything goes on to: `agent 127.0.0.1:8125`; empty if nowhere.
    pub(crate) forward: &'a str,
    /// Where traces go that are chosen.
    pub(crate) by_hand: &'a ByHandTo,
}

/// Paints the panel; `scroll` lines are above what is seen. Returns how far one can scroll.
pub(crate) fn draw_panel(
    facts: &PanelFacts<'_>,
    scroll: u16,
    context: &ViewContext<'_>,
    (area, buffer): (Rect, &mut Buffer),
) -> u16 {
    let room = Sheet::room(WIDTH, area);
    let mut lines = Facts::new(context, room);
    say_way(&mut lines, facts, context);
    let is_off = facts.forward.is_empty() && matches!(facts.by_hand, ByHandTo::Nowhere(_));
    if !is_off {
        say_sums(&mut lines, context);
        say_requests(&mut lines, context, room);
    }
    let sheet = Sheet {
        title: "Forward",
        note: "esc closes",
        width: WIDTH,
        lines: &lines.lines,
        scroll: Some(scroll),
    };
    sheet.draw(context.theme, (area, buffer))
}

/// Whether Datadog has refused the key: then nothing goes any more. What an Agent refuses is only that request.
pub(crate) fn is_refused(store: &Store, to: &ByHandTo) -> bool {
    if !matches!(to, ByHandTo::Datadog { .. }) {
        return false;
    }
    let mut exchanges = store.forwarding().exchanges();
    exchanges.any(|exchange| exchange.attempt.next() == Next::Stop)
}

/// Where to, and what goes there.
fn say_way(lines: &mut Facts<'_>, facts: &PanelFacts<'_>, context: &ViewContext<'_>) {
    let theme = context.theme;
    let store = context.store;
    let (to, what) = match (facts.by_hand, store.forwarding().which()) {
        (ByHandTo::Nowhere(why), _) if facts.forward.is_empty() => {
            lines.say("to", "nowhere: nothing leaves this machine", theme.key);
            return lines.say("by hand", why, theme.text);
        }
        (to, _) if is_refused(store, to) => (
            to.to_string(),
            "nothing any more: start again with another key",
        ),
        (ByHandTo::Nowhere(_), _) => (
            facts.forward.to_owned(),
            "every request as it came; nothing is chosen by hand",
        ),
        (to, Some(Which::All)) => (to.to_string(), "every span, once"),
        (to, Some(Which::Sampled)) => (
            to.to_string(),
            "what the simulated Agent keeps, and traces that you choose: F on one, or on those marked with m",
        ),
        (to, Some(Which::ByHand) | None) => (
            to.to_string(),
            "only traces that you choose: F on one, or on those marked with m",
        ),
    };
    lines.say("to", &to, theme.key);
    lines.say("what goes", what, theme.text);
    if store.forwarding().lines_go() == LinesGo::WithTheirTraces {
        lines.say(
            "log lines",
            "those that name a trace which goes",
            theme.text,
        );
    }
}

/// What went so far, and what went wrong last.
fn say_sums(lines: &mut Facts<'_>, context: &ViewContext<'_>) {
    let theme = context.theme;
    let (counters, forwarding) = (context.store.counters(), context.store.forwarding());
    let sent = format!(
        "{} with {}, {}",
        text::count(counters.forwarded_payloads, "payload"),
        text::count(counters.forwarded_spans, "span"),
        text::bytes(counters.forwarded_bytes),
    );
    lines.say("arrived", &sent, theme.text);
    let (failed, dropped) = (counters.forward_failed, counters.forward_dropped);
    if failed + dropped > 0 {
        let lost = format!(
            "{failed} failed, {dropped} dropped for lack of room or of time, of {}",
            text::count(counters.forwarded_payloads + failed + dropped, "payload"),
        );
        lines.say("lost", &lost, theme.warning);
    }
    if forwarding.n_wanted() > 0 {
        let n_wanted = u64::try_from(forwarding.n_wanted()).unwrap_or(u64::MAX);
        let waiting = format!("{} still to be handed over", text::count(n_wanted, "trace"));
        lines.say("waiting", &waiting, theme.text);
    }
    if let Some(error) = forwarding.last_error() {
        let error = format!("the receiver {error}");
        lines.say("last error", &error, theme.warning);
    }
}

fn say_requests(lines: &mut Facts<'_>, context: &ViewContext<'_>, room: usize) {
    let theme = context.theme;
    let exchanges = context.store.forwarding().exchanges();
    lines.gap();
    if exchanges.len() == 0 {
        return lines.sentence(none_yet(context.store), theme.dim);
    }
    let room_for_error = room >= ROOM_FOR_ERROR;
    let why = if room_for_error { "WHY" } else { "" };
    let heading = row(["TIME", "PATH", "SPANS", "BYTES", "STATUS", "TOOK", why]);
    lines.lines.push((heading, theme.dim));
    for exchange in exchanges.rev() {
        let style = match exchange.attempt.next() {
            Next::Done => theme.text,
            Next::Retry | Next::GiveUp | Next::Stop => theme.warning,
        };
        let error = if room_for_error { &*exchange.error } else { "" };
        let line = told(exchange, error, theme.glyphs);
        let line = text::cut(&line, room, theme.glyphs).into_owned();
        lines.lines.push((line, style));
    }
}

fn none_yet(store: &Store) -> &'static str {
    match store.counters().forward_dropped {
        0 => "No request has been made yet.",
        _ => "No request has been made: all of them were dropped.",
    }
}

/// A request in a line, with why it failed.
fn told(exchange: &Exchange, error: &str, glyphs: Glyphs) -> String {
    let status = match exchange.attempt {
        Attempt::Answered(status) => status.to_string(),
        Attempt::NoAnswer => "no answer".to_owned(),
    };
    let took = i64::try_from(exchange.took.as_nanos()).unwrap_or(i64::MAX);
    let path = text::visible((&*exchange.path).into(), glyphs);
    let error = text::visible(error.into(), glyphs);
    row([
        &text::time_of_day(exchange.at),
        &text::left(&path, PATH, glyphs),
        &exchange.n_spans.to_string(),
        &text::bytes(exchange.n_bytes),
        &status,
        &text::duration(took, glyphs),
        &error,
    ])
}

/// Cells for the longest path of an intake or of the endpoints for traces.
const PATH: usize = 20;

/// Cells in their columns; the last is as long as it is.
fn row(cells: [&str; 7]) -> String {
    let [time, path, spans, bytes, status, took, error] = cells;
    let line =
        format!("{time:<12}  {path:<PATH$} {spans:>6} {bytes:>7}  {status:<9} {took:>6}  {error}");
    line.trim_end().to_owned()
}
