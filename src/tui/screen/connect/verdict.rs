//! Which hop between the program and this screen is silent, and what to do next: one verdict from
//! the facts. Draws nothing and decides nothing else.

use super::Facts;
use crate::store::ModalState;
use crate::trace::{Now, Via};
use crate::tui::app::{RouteSeen, Run, ended};
use crate::tui::text;

/// How long the spans of a line that names their trace may take: ddtrace sends once a second.
const SPANS_FOLLOW_NS: u64 = 5_000_000_000;
/// How long a program may print before the silence of its tracer is remarkable.
const FIRST_SPAN_NS: u64 = 30_000_000_000;

/// How a hop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Ok,
    /// Nothing is wrong; nothing has come either.
    Waiting,
    Warn,
    Fail,
}

/// What mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fix {
    /// The lines that bring spans here.
    Route,
    /// The relay says everything twice.
    Repeat,
}

/// What is to be said of the whole way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) mark: Mark,
    /// What is the case.
    pub(crate) sentence: String,
    /// What to do.
    pub(crate) advice: String,
    pub(crate) fix: Fix,
}

impl Verdict {
    fn new(mark: Mark, sentence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            mark,
            sentence: sentence.into(),
            advice: advice.into(),
            fix: Fix::Route,
        }
    }
}

/// The one thing to know now: what is lost before what is silent, and of the silent hops the one
/// nearest to the program.
pub(crate) fn verdict(facts: &Facts<'_>) -> Verdict {
    let spans = facts.seen.newest_route();
    leaving(facts)
        .or_else(|| unsent(facts, spans))
        .or_else(|| relay_lost(facts, spans))
        .or_else(|| spans.map(|route| spans_come(facts, route)))
        .or_else(|| refused(facts))
        .or_else(|| child_ended(facts))
        .or_else(|| ids_without_spans(facts))
        .or_else(|| tracer_called(facts))
        .or_else(|| relay_waits(facts))
        .or_else(|| lines_without_spans(facts))
        .or_else(|| child_is_silent(facts))
        .unwrap_or_else(|| nothing_yet(facts))
}

fn leaving(facts: &Facts<'_>) -> Option<Verdict> {
    facts.child.is_leaving().then(|| {
        let sentence = "the program was asked to end; its last lines are read";
        Verdict::new(Mark::Waiting, sentence, "q again does not wait so long.")
    })
}

/// A tracer says in its log that it cannot reach its agent, and nothing came since.
fn unsent(facts: &Facts<'_>, spans: Option<&RouteSeen>) -> Option<Verdict> {
    let unsent = facts.seen.unsent.as_ref()?;
    if spans.is_some_and(|route| route.last.uptime_ns > unsent.at.uptime_ns) {
        return None;
    }
    let n_traces = text::count(facts.counters.client_unsent_traces.max(1), "trace");
    let sentence = format!(
        "a tracer dropped {n_traces}: it could not reach {}: {}",
        unsent.url, unsent.reason
    );
    let advice = match (is_local(&unsent.url), facts.child.is_modal()) {
        (true, true) => {
            "In a container, localhost is the container and not this machine. y copies the lines \
             that bring its spans over stdout."
        }
        (true, false) => {
            "Nobody listened there. In a container, localhost is the container and not this \
             machine. y copies what points the tracer here."
        }
        (false, _) => {
            "Does that address lead here? A tunnel must be up and end at our port; the token, if \
             one is set, belongs into the path."
        }
    };
    Some(Verdict::new(Mark::Fail, sentence, advice))
}

/// Whether an address is that of the machine which uses it.
fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let locals = ["localhost", "127.", "[::1]", "0.0.0.0"];
    locals.iter().any(|local| host.starts_with(local))
}

fn relay_lost(facts: &Facts<'_>, spans: Option<&RouteSeen>) -> Option<Verdict> {
    let n_lost = facts.counters.relay_lost;
    if n_lost == 0 {
        return None;
    }
    let lost = text::count(n_lost, "relay message");
    let (mark, so_far) = match spans {
        Some(_) => (Mark::Warn, "spans come, but "),
        None => (Mark::Fail, ""),
    };
    let sentence = format!("{so_far}{lost} did not arrive whole: lines were torn on the way");
    let advice = format!(
        "{} prints every message twice, and the first whole one counts. y copies that.",
        super::paste::REPEAT
    );
    Some(Verdict {
        fix: Fix::Repeat,
        ..Verdict::new(mark, sentence, advice)
    })
}

fn spans_come(facts: &Facts<'_>, route: &RouteSeen) -> Verdict {
    let way = match route.via {
        Via::Http => "over HTTP",
        Via::Uds => "over the unix socket",
        Via::Relay => "from the relay, over stdout",
        Via::Stdout => "from the lines ddtrace prints on stdout",
        Via::Stderr => "from the lines ddtrace prints on stderr",
        Via::File => "from a log file",
        Via::Otlp => "over OTLP",
    };
    let age = facts.ago(route.last);
    let mut verdict = Verdict::new(Mark::Ok, format!("spans come {way}, the last {age}"), "");
    if facts.counters.payloads_refused > 0 {
        let refused = text::count(facts.counters.payloads_refused, "payload");
        verdict.mark = Mark::Warn;
        verdict.advice = format!("But {refused} could not be read: see the requests below.");
    }
    verdict
}

fn refused(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.counters.payloads_refused == 0 {
        return None;
    }
    let reason = facts.refused.unwrap_or("too many at once (429)");
    Some(Verdict::new(
        Mark::Fail,
        format!("spans reached us and could not be read: {reason}"),
        "The requests below say which; the tracer was told the same.",
    ))
}

fn child_ended(facts: &Facts<'_>) -> Option<Verdict> {
    let Run::Ended { code, .. } = facts.child.run() else {
        return None;
    };
    let sentence = format!("the program {}, and no span came", ended(code));
    let lines = facts.seen.lines;
    let advice = match (code, lines.n_lines, lines.n_with_ids) {
        (0, _, 1..) => {
            "It traced: its lines name traces. One that ends at once may end before it has sent: \
             call tracer.flush() at the end. R starts it again."
        }
        (0, ..) => {
            "Was anything in it traced (ddtrace-run, import ddtrace.auto)? R starts it again."
        }
        (_, 0, _) => "It printed nothing. R starts it again.",
        _ => "Its last lines say why (2 shows them). R starts it again.",
    };
    Some(Verdict::new(Mark::Fail, sentence, advice))
}

fn ids_without_spans(facts: &Facts<'_>) -> Option<Verdict> {
    let lines = facts.seen.lines;
    let first = lines.first_with_ids?;
    let n_lines = text::count(lines.n_with_ids, "line");
    if facts.since(first) < SPANS_FOLLOW_NS {
        let sentence = "lines name their traces; the spans should follow within seconds";
        return Some(Verdict::new(Mark::Waiting, sentence, ""));
    }
    let verb = if lines.n_with_ids == 1 {
        "names its trace"
    } else {
        "name their traces"
    };
    let sentence = format!("{n_lines} {verb}, so ddtrace runs, but no span comes by any way");
    let advice = if facts.child.is_modal() {
        "The container cannot reach this machine. y copies the lines that bring its spans over \
         stdout."
    } else {
        "They go elsewhere: DD_TRACE_AGENT_URL decides, and in a container localhost is the \
         container. y copies what points the tracer here."
    };
    Some(Verdict::new(Mark::Fail, sentence, advice))
}

fn tracer_called(facts: &Facts<'_>) -> Option<Verdict> {
    let endpoint = facts.counters.requests_by_endpoint.keys().next()?;
    Some(Verdict::new(
        Mark::Waiting,
        format!("a program has called ({endpoint}), but no span has come yet"),
        "Call something that is traced: ddtrace sends a trace once all of its spans have ended.",
    ))
}

fn relay_waits(facts: &Facts<'_>) -> Option<Verdict> {
    let n_relays = text::cells(facts.seen.relays.len());
    if n_relays == 0 {
        return None;
    }
    let relays = text::count(n_relays.into(), "container");
    Some(Verdict::new(
        Mark::Waiting,
        format!("the relay runs in {relays}; no span has come yet"),
        "Call something that is traced: ddtrace sends a trace once all of its spans have ended.",
    ))
}

fn lines_without_spans(facts: &Facts<'_>) -> Option<Verdict> {
    let lines = facts.seen.lines;
    let first = lines.first.filter(|_| lines.n_of_app() > 0)?;
    let n_lines = text::count(lines.n_of_app(), "line");
    if facts.since(first) < FIRST_SPAN_NS {
        let sentence = format!("{n_lines} came, no span yet");
        let advice = "Call something that is traced.";
        return Some(Verdict::new(Mark::Waiting, sentence, advice));
    }
    let sentence = format!("{n_lines} came, and no span by any way");
    let advice = if facts.child.is_modal() {
        "Either nothing traced was called, or the spans stay in the container. y copies the lines \
         that bring them over stdout."
    } else {
        "Either nothing traced was called, or ddtrace is not started (ddtrace-run, import \
         ddtrace.auto), or DD_TRACE_AGENT_URL points elsewhere. y copies what points it here."
    };
    Some(Verdict::new(Mark::Warn, sentence, advice))
}

fn child_is_silent(facts: &Facts<'_>) -> Option<Verdict> {
    let sentence = match facts.child.run() {
        Run::Absent | Run::Ended { .. } => return None,
        Run::Starting => "the program is being started".to_owned(),
        Run::Running { .. } if facts.seen.lines.n_of_modal > 0 => match facts.modal.state {
            ModalState::Serving => "the app is served; no container has printed yet".to_owned(),
            _ => "Modal builds the app; no container has printed yet".to_owned(),
        },
        Run::Running { .. } => "the program runs and has printed nothing yet".to_owned(),
    };
    let advice = match facts.modal.web_urls.first() {
        Some(url) => format!("Call it: {url}"),
        None if facts.child.is_modal() => String::new(),
        None => "Call something that is traced.".to_owned(),
    };
    Some(Verdict::new(Mark::Waiting, sentence, advice))
}

fn nothing_yet(facts: &Facts<'_>) -> Verdict {
    let sentence = if facts.listening.log_files.is_empty() {
        "nobody has called yet"
    } else {
        "nobody has called and no line was read yet"
    };
    Verdict::new(Mark::Waiting, sentence, "")
}

impl Facts<'_> {
    fn since(&self, then: Now) -> u64 {
        self.now.uptime_ns.saturating_sub(then.uptime_ns)
    }

    /// `3s ago`.
    pub(super) fn ago(&self, then: Now) -> String {
        let nanos = i64::try_from(self.since(then)).unwrap_or(i64::MAX);
        format!("{} ago", text::age(nanos))
    }
}

#[cfg(test)]
mod tests;
