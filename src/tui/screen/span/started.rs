//! What a local root says beside its span: whether it paid for the start of its container and why, how it
//! ended, and what is known of that container. Sentences and values; the store tells them.

use std::borrow::Cow;

use crate::analysis::overlap::most_at_once;
use crate::analysis::{self, Outcome};
use crate::store::{Container, KnownBy, Liveness, LocalRoot, Store, TraceEntry};
use crate::trace::{Text, UnixNanos};
use crate::tui::screen::detail::{Detail, Room, Tone};
use crate::tui::text;

/// Of more requests than these, the newest, is not looked for how many ran together.
const REQUESTS_MAX: usize = 10_000;
/// In traces of more processes than these a local root answers for its own span alone: whose error another
/// span is takes a walk for each.
const ROOTS_MAX: usize = 256;

/// What is shown of a container and changes without its traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    known_by: KnownBy,
    until: UnixNanos,
    n_requests: u64,
    n_in_flight: usize,
    liveness: Liveness,
}

impl Seen {
    pub(super) fn of(store: &Store, root: &LocalRoot, now: UnixNanos) -> Option<Self> {
        let container = store.fleet().container(root.container()?)?;
        Some(Self {
            known_by: container.known_by(),
            until: container.last_seen(),
            n_requests: container.n_requests(),
            n_in_flight: container.n_in_flight(),
            liveness: container.liveness(now),
        })
    }
}

/// What there is to say of a local root at a moment.
pub(super) fn started(
    store: &Store,
    trace: &TraceEntry,
    local_root: &LocalRoot,
    now: UnixNanos,
    room: Room,
) -> Vec<Detail> {
    let mut details = start(store, trace, local_root);
    for detail in &mut details {
        // The name of a container is a stranger's: marks stand on it in towers.
        detail.value = text::visible(Cow::Borrowed(&detail.value), room.glyphs).into_owned();
    }
    details.extend(ended(store, trace, local_root));
    let container = local_root
        .container()
        .and_then(|key| store.fleet().container(key));
    details.extend(container.map(|container| {
        let number = store.request_number(trace, local_root);
        block(store, container, number, (now, room))
    }));
    details
}

/// `cold: modal.init ended 12 ms before`, and what a tag says against it.
fn start(store: &Store, trace: &TraceEntry, root: &LocalRoot) -> Vec<Detail> {
    let Some(kind) = root.start_kind() else {
        return Vec::new();
    };
    let contradiction = store.contradiction(trace, root);
    let evidence = store.evidence(trace, root).unwrap_or_default();
    // The sentence ends with what stands on a line of its own here.
    let tail = contradiction.as_deref().unwrap_or_default();
    let why = evidence.strip_suffix(tail).unwrap_or(&evidence);
    let why = why.trim_end_matches("; ");
    let kind = kind.name().replace('_', ", ");
    let sentence = Detail::sentence("started", format!("{kind}: {why}"));
    let against = contradiction.map(|words| Detail {
        tone: Tone::Warning,
        ..Detail::sentence("but", words.trim_start_matches("but ").to_owned())
    });
    std::iter::once(sentence).chain(against).collect()
}

fn ended(store: &Store, trace: &TraceEntry, root: &LocalRoot) -> Vec<Detail> {
    let outcome = if trace.local_roots().len() <= ROOTS_MAX {
        Some(store.root_outcome(trace, root))
    } else {
        let span = trace.span(root.span());
        span.and_then(analysis::outcome::of_span)
    };
    let words = match outcome {
        Some(Outcome::CudaOom) => "out of memory on the GPU",
        Some(Outcome::Timeout) => "by a timeout",
        Some(Outcome::Cancelled) => "cancelled from without",
        Some(Outcome::ImportError) => "by an import that failed",
        // Another error is told by the span that has it.
        _ => return Vec::new(),
    };
    let figures = store
        .oom_figures(trace)
        .filter(|_| outcome == Some(Outcome::CudaOom));
    let figures = figures.map(|figures| figures.sentence());
    let toned = |detail: Detail| Detail {
        tone: Tone::Error,
        ..detail
    };
    let ended = std::iter::once(toned(Detail::new("ended", words)));
    ended
        .chain(
            figures
                .filter(|words| !words.is_empty())
                .map(|words| toned(Detail::sentence("memory", words))),
        )
        .collect()
}

/// The container, folded below its name.
fn block(
    store: &Store,
    container: &Container,
    number: Option<u64>,
    (now, room): (UnixNanos, Room),
) -> Detail {
    let facts = container.facts();
    let said = [
        ("task id", &facts.task_id),
        ("region", &facts.region),
        ("cloud", &facts.cloud),
        ("environment", &facts.environment),
        ("image", &facts.image_id),
        ("gpu", &facts.gpu),
        ("python", &facts.python),
    ];
    let said = said
        .into_iter()
        .filter_map(|(label, text)| Some((label, text.as_deref()?)));
    let mut below: Vec<Detail> = said
        .map(|(label, text)| Detail::name(label, Text::from(text), room))
        .collect();
    below.push(Detail::new("known by", known_by(container.known_by())));
    below.extend(times(container, room));
    below.extend(work(store, container));
    let state = match container.liveness(now) {
        Liveness::Alive => "alive",
        Liveness::Quiet => "quiet for over 30 s: idle, or gone",
        Liveness::Ended => "ended: it said so",
    };
    below.push(Detail::new("state", state));
    let label = container.label();
    let label = text::show(Text::from(label.as_str()), room.glyphs);
    let number = number.map(|number| format!("  request {number}"));
    let value = format!("{label}{}", number.unwrap_or_default());
    Detail {
        below,
        whole: Some(container.name().to_owned()),
        ..Detail::new("container", value)
    }
}

fn known_by(by: KnownBy) -> &'static str {
    match by {
        KnownBy::Relay => "the relay in it, first hand",
        KnownBy::Tag => "a tag of its spans",
        KnownBy::Log => "a line of a trace",
        KnownBy::RuntimeId => "runtime-id and process_id alone",
    }
}

fn times(container: &Container, room: Room) -> Vec<Detail> {
    let at = |moment: UnixNanos| format!("{} UTC", text::time_of_day(moment));
    let duration = |nanos| text::duration(nanos, room.glyphs);
    let process_start = container.past().process_start;
    let boot = container.boot_ns().map(|boot| {
        let words = "from the process start to the first request, measured";
        format!("{}  {words}", duration(boot))
    });
    let generation = match container.generation() {
        0 => None,
        reloads => Some(format!("after {}", text::count(reloads, "reload"))),
    };
    let all = [
        ("process", process_start.map(at)),
        ("first seen", Some(at(container.first_seen()))),
        ("last seen", Some(at(container.last_seen()))),
        ("exit", container.exit().map(at)),
        ("init", container.init_ns().map(duration)),
        ("boot", boot),
        ("generation", generation),
    ];
    let said = all
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)));
    said.map(|(label, value)| Detail::new(label, value))
        .collect()
}

fn work(store: &Store, container: &Container) -> Vec<Detail> {
    let newest_first = container.requests().rev().take(REQUESTS_MAX);
    let ran = newest_first.filter_map(|(key, index)| {
        let span = store.trace(key)?.span(index)?;
        Some((span.start(), span.end()))
    });
    let peak = most_at_once(ran);
    let of = if container.requests().len() > REQUESTS_MAX {
        format!(" of the newest {REQUESTS_MAX}")
    } else {
        String::new()
    };
    let peak = format!("{peak} at once{of}, of the traces held");
    vec![
        Detail::new("served", text::count(container.n_requests(), "request")),
        Detail::new("in flight", container.n_in_flight().to_string()),
        Detail::new("peak", peak),
    ]
}

#[cfg(test)]
mod tests;
