//! What a real Agent would make of a span, for whoever compares this screen with Datadog's. Our model,
//! not what the client said, so it always says `(sim)`, first, where no narrow pane cuts
//! it off; and nothing if nothing would change.

use std::borrow::Cow;

use crate::normalize::{Correction, Dropped, Request, normalize};
use crate::store::TraceEntry;
use crate::trace::{Span, SpanId, Text};
use crate::tui::screen::detail::{Detail, Room, Tone};
use crate::tui::text;

/// More corrections than this are counted, not shown.
const CORRECTIONS_MAX: usize = 200;
/// Cells of a text before or after a correction.
const TEXT_CELLS_MAX: usize = 40;

/// What the Agent changes about the span.
///
/// # Errors
///
/// It drops the span's trace, or a part of it, and says why.
pub(super) fn agent(
    trace: &TraceEntry,
    span: Span<'_>,
    room: Room,
) -> Result<Option<Detail>, Detail> {
    let request = Request {
        language: &trace.tracer().language,
        received: trace.first_seen().wall,
        ..Request::default()
    };
    let normalized = normalize(span, request).map_err(dropped)?;
    // Which spans came together is not kept by exports, so it is said of each.
    if trace.span_with_id(SpanId::NONE).is_some() {
        return Err(drop_of("what came with a span here whose id is 0"));
    }
    Ok(changes(&normalized.corrections(), room))
}

fn dropped(dropped: Dropped) -> Detail {
    match dropped {
        Dropped::SpanIdZero => drop_of("what came with this span, for its id is 0"),
        _ => drop_of(&format!("this trace: {dropped}")),
    }
}

fn drop_of(words: &str) -> Detail {
    let answer = "It answers 200 all the same: nothing tells the client.";
    Detail {
        tone: Tone::Error,
        is_open: true,
        below: vec![Detail::new("", answer)],
        ..Detail::new("agent", format!("(sim) will drop {words}"))
    }
}

fn changes(corrections: &[Correction<'_>], room: Room) -> Option<Detail> {
    let below = Detail::some(corrections.iter(), CORRECTIONS_MAX, |it| change(it, room));
    let n_fields = u64::try_from(corrections.len()).unwrap_or(u64::MAX);
    let value = format!("(sim) will change {}", text::count(n_fields, "field"));
    let heading = Detail::heading("agent", below)?;
    Some(Detail { value, ..heading })
}

/// `` `Foo Bar` → `Foo_Bar`  names are of ASCII letters, digits, . and _ ``
fn change(correction: &Correction<'_>, room: Room) -> Detail {
    let glyphs = room.glyphs;
    let rule = correction.rule;
    let label = Detail::label(Text::from(&*correction.field), room);
    let before = quoted(&correction.before, room);
    let after = correction.after.as_deref();
    let after = after.map_or(Cow::Borrowed("removed"), |after| quoted(after, room));
    let arrow = glyphs.pick("→", "->");
    let value = format!("{before} {arrow} {after}  {}", rule.words());
    let why = Detail::new("why", rule.words());
    let reason = rule.reason().map(|reason| Detail::new("reason", reason));
    let source = Detail::new("source", rule.source());
    Detail {
        below: [Some(why), reason, Some(source)]
            .into_iter()
            .flatten()
            .collect(),
        ..Detail::new(label, value)
    }
}

fn quoted(text: &str, room: Room) -> Cow<'static, str> {
    if text.is_empty() {
        return Cow::Borrowed("(empty)");
    }
    let shown = text::show(Text::from(text), room.glyphs);
    if text::width(&shown) <= TEXT_CELLS_MAX {
        return Cow::Owned(format!("`{shown}`"));
    }
    let start = text::cut(&shown, TEXT_CELLS_MAX, room.glyphs);
    Cow::Owned(format!("`{start}` ({} bytes)", text.len()))
}
