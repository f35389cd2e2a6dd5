//! The lines above everything: what came, what was lost, whether the view goes on. Nothing that was
//! dropped goes unmentioned here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::traces::Badges;
use super::{Flow, ViewContext};
use crate::store::{ModalApp, ModalState, Simulated, Store, TraceEntry};
use crate::tui::text;
use crate::tui::theme::Glyphs;
use crate::tui::widget::{put, put_right, sparkline};

/// What the header cannot read from the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderFacts {
    /// `:8126`, or the number of files read.
    pub(crate) source: String,
    /// Nothing more can come.
    pub(crate) is_file: bool,
    /// `child ended 1`; empty while it runs.
    pub(crate) child: String,
    /// Spans in each of the last seconds, the current one last.
    pub(crate) rates: Vec<u64>,
    /// What the simulated Agent keeps, where no line of views says so.
    pub(crate) kept: String,
    /// Where spans go on to, and the same in a word: `agent 127.0.0.1:8125`, `agent`; empty if nowhere.
    pub(crate) forward: [String; 2],
    /// Traces that came since the view was paused.
    pub(crate) n_waiting: u64,
}

/// The first line. What does not fit is left out from the right; whether the view goes on and
/// whether anything leaves the machine always stand there.
pub(crate) fn draw(
    facts: &HeaderFacts,
    context: &ViewContext<'_>,
    line: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let (flow, style) = match context.flow {
        Flow::Live if facts.is_file => ("FILE ".to_owned(), theme.dim),
        Flow::Live => ("LIVE ".to_owned(), theme.live),
        Flow::Paused => (format!(" PAUSED +{} new ", facts.n_waiting), theme.paused),
    };
    let mut right = put_right(buffer, line, &flow, style);
    let forward = forward(facts, context, line.width) + "   ";
    right = right.saturating_sub(text::cells(text::width(&forward)));
    let style = match context.store.counters() {
        counters if counters.forward_failed + counters.forward_dropped > 0 => theme.warning,
        _ if is_off(facts) => theme.dim,
        _ => theme.text,
    };
    put(buffer, line, right, &forward, style);

    let mut column = put(buffer, line, 1, "modtrace-tui", theme.title_focused);
    for part in parts(facts, context) {
        let end = usize::from(column) + 2 + text::width(&part);
        if end + 2 > usize::from(right) {
            break;
        }
        let style = if part == facts.child {
            theme.warning
        } else {
            theme.text
        };
        column = put(buffer, line, column + 2, &part, style);
    }
}

/// `fwd off`, or where to, how many requests went and how many did not. Where there is little room, the
/// kind of place is enough; its name stands in the command.
fn forward(facts: &HeaderFacts, context: &ViewContext<'_>, width: u16) -> String {
    let glyphs = context.theme.glyphs;
    let counters = context.store.counters();
    if is_off(facts) {
        return "fwd off".to_owned();
    }
    let [at_length, briefly] = &facts.forward;
    let to = if width < 100 { briefly } else { at_length };
    let to = text::visible(to.as_str().into(), glyphs);
    let to = text::cut(&to, 40, glyphs);
    let lost = counters
        .forward_failed
        .saturating_add(counters.forward_dropped);
    let lost = match lost {
        0 => String::new(),
        lost => format!(" {lost} lost"),
    };
    let waits = match context.store.forwarding().n_wanted() {
        0 => String::new(),
        n_traces => format!(" {n_traces} wait"),
    };
    format!("fwd {to} {} sent{waits}{lost}", counters.forwarded_payloads)
}

/// Whether nothing goes on to anywhere.
fn is_off(facts: &HeaderFacts) -> bool {
    facts.forward.iter().all(String::is_empty)
}

fn parts(facts: &HeaderFacts, context: &ViewContext<'_>) -> Vec<String> {
    let store = context.store;
    let counters = store.counters();
    let rate = facts.rates.iter().rev().nth(1).copied().unwrap_or(0);
    let n_traces = u64::try_from(store.n_traces()).unwrap_or(u64::MAX);
    let traces = text::count(n_traces, "trace");
    let spans = text::count(counters.spans_shown, "span");
    let mut parts = vec![
        text::visible(facts.source.as_str().into(), context.theme.glyphs).into_owned(),
        facts.child.clone(),
        format!("{traces} {spans}"),
        facts.kept.clone(),
        modal(store.modal()),
        memory(store),
    ];
    let live = [
        format!("up {}", text::uptime(context.now.uptime_ns)),
        format!("{rate} span/s"),
        sparkline(&facts.rates, context.theme.glyphs),
        modal_id(store.modal(), context.theme.glyphs),
    ];
    if !facts.is_file {
        parts.extend(live);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// `kept (sim) 5 of 62`, and as briefly as can be: `kept(sim) 5/62`. Counts traces that came, so it says
/// so once some of them are gone; nothing before the first.
pub(crate) fn kept(store: &Store) -> [String; 2] {
    let counters = store.counters();
    let Simulated { n_kept, n_judged } = counters.simulated();
    if n_judged == 0 {
        return [String::new(), String::new()];
    }
    let received = match counters.traces_evicted {
        0 => "",
        _ => " received",
    };
    [
        format!("kept (sim) {n_kept} of {n_judged}{received}"),
        format!("kept(sim) {n_kept}/{n_judged}"),
    ]
}

/// `1.2/512 MiB`, or `1.2/64 KiB` of a budget that small.
fn memory(store: &Store) -> String {
    let budget = store.memory_bytes_max();
    let (unit, name) = match budget {
        ..0x10_0000 => (1 << 10, "KiB"),
        _ => (1 << 20, "MiB"),
    };
    let tenths = store.bytes() / (unit / 10);
    format!("{}.{}/{} {name}", tenths / 10, tenths % 10, budget / unit)
}

/// `serving`, `reload 2`, `reloading`: how far the Modal app is, and in which generation.
fn modal(app: &ModalApp) -> String {
    let n_reloads = app.reloads.len();
    let state = match app.state {
        ModalState::Unseen => return String::new(),
        ModalState::Building if n_reloads > 0 => "reloading",
        ModalState::Building => "building",
        ModalState::Serving => "serving",
        ModalState::Disconnecting => "disconnecting",
        ModalState::Stopped => "app stopped",
    };
    match n_reloads {
        0 => state.to_owned(),
        _ => format!("{state}, reload {n_reloads}"),
    }
}

/// `ap-1J8xKq..`; the whole of it stands on the Connect screen.
fn modal_id(app: &ModalApp, glyphs: Glyphs) -> String {
    let id = app.id.as_deref().unwrap_or_default();
    let id = text::visible(id.into(), glyphs);
    text::cut(&id, 10, glyphs).into_owned()
}

/// No more lines than this tell of losses.
const LOSS_LINES_MAX: usize = 3;

/// What was refused, evicted, sent twice or never sent, in lines of a width: nothing as long as
/// nothing was.
pub(crate) fn losses(store: &Store, width: u16) -> Vec<String> {
    const GAP: &str = "   ";
    let room = usize::from(width.saturating_sub(2));
    let mut lines: Vec<String> = Vec::new();
    for part in losses_of(store) {
        let is_full = lines.len() >= LOSS_LINES_MAX;
        match lines.last_mut() {
            Some(line) if is_full || text::width(line) + GAP.len() + text::width(&part) <= room => {
                line.push_str(GAP);
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}

/// Each kind of loss in words.
fn losses_of(store: &Store) -> Vec<String> {
    let counters = store.counters();
    let of = |number, noun, of_number, of_noun| {
        let whole = text::count(number, noun);
        match of_number {
            0 => whole,
            _ => format!("{whole} ({})", text::count(of_number, of_noun)),
        }
    };
    let refused = counters.payloads_refused;
    let evicted = counters.traces_evicted;
    let dropped = counters.client_dropped_p0_traces;
    let numbers = [
        (
            "refused",
            refused,
            of(refused, "payload", counters.chunks_undecodable, "trace"),
        ),
        (
            "evicted",
            evicted,
            of(evicted, "trace", counters.spans_evicted, "span"),
        ),
        (
            "duplicate",
            counters.spans_duplicate,
            text::count(counters.spans_duplicate, "span"),
        ),
        (
            "dropped by the client",
            dropped,
            of(dropped, "trace", counters.client_dropped_p0_spans, "span"),
        ),
        (
            "without a span",
            counters.client_hits_without_span,
            text::count(counters.client_hits_without_span, "hit"),
        ),
        (
            "unsent by the client",
            counters.client_unsent_traces,
            text::count(counters.client_unsent_traces, "trace"),
        ),
        (
            "not sent on",
            counters
                .forward_failed
                .saturating_add(counters.forward_dropped),
            text::count(
                counters
                    .forward_failed
                    .saturating_add(counters.forward_dropped),
                "request",
            ),
        ),
        (
            "lost",
            counters.logs_dropped,
            text::count(counters.logs_dropped, "line"),
        ),
        (
            "lost",
            counters.relay_lost,
            text::count(counters.relay_lost, "relay message"),
        ),
    ];
    numbers
        .iter()
        .filter(|(_, number, _)| *number > 0)
        .map(|(what, _, words)| format!("{what} {words}"))
        .collect()
}

/// All there is room for on a tiny screen: `modtrace-tui 62 traces, 1 err`.
pub(crate) fn one_line(store: &Store) -> String {
    let n_traces = u64::try_from(store.n_traces()).unwrap_or(u64::MAX);
    let n_errors = store.traces().filter(|entry| entry.is_error()).count();
    let traces = text::count(n_traces, "trace");
    let refused = match store.counters().payloads_refused {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    format!("modtrace-tui {traces}, {n_errors} err{refused}")
}

/// The line above a trace on the whole screen; without its id where room is short.
pub(crate) fn trace_line(entry: &TraceEntry, context: &ViewContext<'_>, width: u16) -> String {
    let glyphs = context.theme.glyphs;
    let id = match width {
        84.. => format!("{}  ", entry.trace_id()),
        60..84 => format!("{}  ", text::short_id(entry.trace_id())),
        _ => String::new(),
    };
    let spans = text::count(u64::try_from(entry.n_spans()).unwrap_or(u64::MAX), "span");
    let title = text::show(super::traces::title(entry), glyphs);
    let title = text::cut(&title, usize::from(width) * 2 / 5, glyphs);
    let duration = text::duration(entry.duration(), glyphs);
    let outcome = context.store.outcome(entry);
    let badges = Badges::of(context.store, entry, outcome, context.now.wall, glyphs);
    let badges = badges.words(usize::from(width));
    let verdict = entry.settled_verdict().map(|verdict| {
        let why = verdict.why(&entry.sampling());
        format!("{}(sim): {why}", verdict.word())
    });
    let facts = [Some(duration), Some(spans), Some(badges), verdict];
    let facts = facts.into_iter().flatten().filter(|fact| !fact.is_empty());
    let line = std::iter::once(format!("{id}{title}")).chain(facts);
    let line = line.collect::<Vec<_>>().join("  ");
    text::cut(line.trim_end(), usize::from(width), glyphs).into_owned()
}
