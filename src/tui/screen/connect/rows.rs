//! The checklist as rows of words, in the order in which spans travel. Knows no cells and no colours.

use super::Facts;
use super::verdict::Mark;
use crate::trace::Via;
use crate::tui::app::{Run, ended};
use crate::tui::text;

/// A hop, how it stands, and what is known of it.
///
/// ```text
/// weight  3 child, what is missing   4 its page, tracer, what was told, logs   5 relay   6 stdout   7 port   8 socket   9 environment
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// What stays where room is short: the smallest weights.
    pub(super) weight: u8,
    pub(super) mark: Option<Mark>,
    pub(super) label: &'static str,
    pub(super) words: String,
    /// What is told beside, if there is room on the same line.
    pub(super) aside: String,
}

impl Row {
    fn new(weight: u8, mark: Mark, label: &'static str, words: impl Into<String>) -> Self {
        Self {
            weight,
            mark: Some(mark),
            label,
            words: words.into(),
            aside: String::new(),
        }
    }

    /// More of the row above.
    fn more(weight: u8, words: impl Into<String>) -> Self {
        Self {
            weight,
            mark: None,
            label: "",
            words: words.into(),
            aside: String::new(),
        }
    }
}

/// What listens, what runs, who called, what came over the pipe, what was logged.
pub(super) fn rows(facts: &Facts<'_>) -> Vec<Row> {
    let mut rows = listening(facts);
    if facts.is_file() {
        rows.extend(told(facts));
    } else {
        rows.extend(child(facts));
        rows.push(tracer(facts));
        rows.extend(told(facts));
        rows.extend(pipe(facts));
        rows.extend(logs(facts));
    }
    rows
}

fn listening(facts: &Facts<'_>) -> Vec<Row> {
    let listening = facts.listening;
    let mut rows = Vec::new();
    for file in &listening.opened_files {
        rows.push(Row::new(3, Mark::Ok, "file", file));
    }
    if let Some(url) = &listening.url {
        let token = if listening.token_set {
            ", only under /TOKEN/"
        } else {
            ""
        };
        let otlp = match &listening.otlp {
            Some(address) => format!("OTLP on {address}"),
            None => "OTLP off".to_owned(),
        };
        let words = format!("listening on {url}{token}");
        rows.push(Row {
            aside: otlp,
            ..Row::new(7, Mark::Ok, "port", words)
        });
    }
    if let Some(url) = &listening.app_url {
        rows.push(Row::more(8, format!("the app reaches us at {url}")));
    }
    if let Some(path) = &listening.uds {
        rows.push(Row::new(8, Mark::Ok, "socket", format!("unix://{path}")));
    }
    if !listening.log_files.is_empty() {
        let words = format!("reading {}", listening.log_files.join(", "));
        rows.push(Row::new(7, Mark::Ok, "file", words));
    }
    if listening.url.is_none() && listening.uds.is_none() {
        let words = "No port is bound: files are shown as they were read.";
        rows.push(Row::more(6, words));
    }
    rows
}

fn child(facts: &Facts<'_>) -> Vec<Row> {
    let command = facts.child.command();
    let (mark, state) = match facts.child.run() {
        Run::Absent => return Vec::new(),
        Run::Starting => (Mark::Waiting, "is being started".to_owned()),
        Run::Running { pid, since } => {
            let ran = facts.now.uptime_ns.saturating_sub(since.uptime_ns);
            let ran = text::uptime(ran);
            if facts.child.is_leaving() {
                (Mark::Waiting, format!("pid {pid}   was asked to end"))
            } else {
                (Mark::Ok, format!("pid {pid}   runs {ran}"))
            }
        }
        Run::Ended { code, ran_ns } => {
            let mark = if code == 0 { Mark::Ok } else { Mark::Fail };
            let words = format!("{} after {}", ended(code), text::uptime(ran_ns));
            (mark, words)
        }
    };
    let mut rows = vec![Row::new(3, mark, "child", format!("{command}   {state}"))];
    let app = facts.modal;
    let says = app.web_urls.iter().chain(&app.id);
    let says: Vec<&str> = says.map(AsRef::as_ref).collect();
    if !says.is_empty() {
        rows.push(Row::more(4, says.join("   ")));
    }
    rows.push(environment(facts));
    rows
}

/// What `run` changed in the environment of its child.
fn environment(facts: &Facts<'_>) -> Row {
    let child = facts.listening.child.as_ref();
    let changes = child.map_or(&[][..], |child| &child.environment);
    let set = changes
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let unset = changes
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| format!("without {name}"));
    let changes: Vec<String> = set.chain(unset).collect();
    if changes.is_empty() {
        return Row::more(9, "its environment is as it was");
    }
    Row::more(9, format!("run set {}", changes.join("  ")))
}

/// Who has called so far, and how often which endpoint.
fn tracer(facts: &Facts<'_>) -> Row {
    let by_endpoint = &facts.counters.requests_by_endpoint;
    if by_endpoint.is_empty() {
        return Row::new(4, Mark::Waiting, "tracer", "no request yet");
    }
    let counts = by_endpoint
        .iter()
        .map(|(endpoint, number)| format!("{endpoint} {number}"));
    let clients = facts.seen.clients.iter().take(2).map(ToString::to_string);
    let words: Vec<String> = counts.chain(clients).collect();
    let mark = if facts.counters.payloads_refused > 0 {
        Mark::Fail
    } else {
        Mark::Ok
    };
    Row::new(4, mark, "tracer", words.join("   "))
}

/// What clients say they counted, and whether as much arrived.
fn told(facts: &Facts<'_>) -> Vec<Row> {
    let (told, counters) = (facts.told, facts.counters);
    let sums = told.sums();
    let mut rows = Vec::new();
    if sums.n_buckets > 0 {
        let n_missing = counters.client_hits_without_span;
        let (mark, outcome) = match (told.is_compared(), n_missing) {
            (false, _) => (Mark::Waiting, "not compared".to_owned()),
            (true, 0) => (Mark::Ok, "agrees".to_owned()),
            _ => {
                let missing = text::count(n_missing, "hit");
                (Mark::Warn, format!("{missing} without a span"))
            }
        };
        let lists = if facts.is_file() {
            ""
        } else {
            "   tab lists them"
        };
        let words = format!(
            "by tracer  stats: {}, {}, {}: {outcome}{lists}   Datadog-Client-Dropped-P0-Traces {}  \
             ...-Spans {}",
            text::count(sums.n_buckets, "bucket"),
            text::count(sums.hits, "hit"),
            text::count(sums.errors, "error"),
            counters.client_dropped_p0_traces,
            counters.client_dropped_p0_spans,
        );
        let weight = if mark == Mark::Warn { 3 } else { 4 };
        rows.push(Row::new(weight, mark, "told", words));
        rows.extend(told_advice(facts).map(|words| Row::more(4, words)));
    }
    let said = sums.telemetry;
    if said.spans_finished > 0 || said.trace_chunks_dropped > 0 {
        let words = format!(
            "by telemetry  {} created, {} finished, {} sent, {} dropped",
            text::count(said.spans_created, "span"),
            said.spans_finished,
            text::count(said.trace_chunks_sent, "chunk"),
            said.trace_chunks_dropped,
        );
        rows.push(Row::more(6, words));
    }
    rows
}

/// What to do where the hits and the spans differ.
fn told_advice(facts: &Facts<'_>) -> Option<&'static str> {
    if !facts.told.is_compared() {
        return Some(
            "Spans come without the header Datadog-Client-Computed-Stats: who counts them is not \
             known. Start the traced program again, so that it asks /info first.",
        );
    }
    match (
        facts.counters.client_hits_without_span,
        facts.counters.client_dropped_p0_traces,
    ) {
        (0, _) => None,
        (_, 0) => Some(
            "ddtrace 2 drops what it rejects and does not say so: \
             DD_TRACE_STATS_COMPUTATION_ENABLED=false sends all. Others lost them on the way: the \
             program's log may say where.",
        ),
        _ => Some(
            "DD_TRACE_STATS_COMPUTATION_ENABLED=false sends all, as does a sampling rule that keeps \
             them: an agent said client_drop_p0s, so the tracer drops what it rejects.",
        ),
    }
}

/// What came in the lines of a program or a file: messages of the relay, and spans as ddtrace prints
/// them.
fn pipe(facts: &Facts<'_>) -> Vec<Row> {
    let has_pipe = facts.child.run() != Run::Absent || !facts.listening.log_files.is_empty();
    let mut rows: Vec<Row> = relay(facts).into_iter().collect();
    for (via, label) in [
        (Via::Stdout, "stdout"),
        (Via::Stderr, "stderr"),
        (Via::File, "file"),
    ] {
        if let Some(route) = facts.seen.route(via) {
            let words = format!(
                "{} in {} of ddtrace's, last {}",
                text::count(route.n_spans, "span"),
                text::count(route.n_payloads, "line"),
                facts.ago(route.last),
            );
            rows.push(Row::new(5, Mark::Ok, label, words));
        }
    }
    if rows.is_empty() && has_pipe {
        let words = "no span in its lines, neither the relay's nor ddtrace's own";
        rows.push(Row::new(6, Mark::Waiting, "stdout", words));
    }
    rows
}

fn relay(facts: &Facts<'_>) -> Option<Row> {
    let (n_messages, n_lost) = (facts.counters.relay_messages, facts.counters.relay_lost);
    let relays = &facts.seen.relays;
    if n_messages == 0 && n_lost == 0 && relays.is_empty() {
        return None;
    }
    let names: Vec<&str> = relays
        .iter()
        .rev()
        .filter_map(|(_, task_id)| task_id.as_deref())
        .take(2)
        .collect();
    let from = match (relays.len(), names.len()) {
        (0, _) => String::new(),
        (n_relays, 0) => format!(" from {}", containers(n_relays)),
        (n_relays, n_names) => {
            let more = if n_relays > n_names { ", more" } else { "" };
            let names = names.join(", ");
            format!(" from {} ({names}{more})", containers(n_relays))
        }
    };
    let mut parts = vec![format!("{}{from}", text::count(n_messages, "message"))];
    if n_lost > 0 {
        parts.push(format!("{n_lost} lost"));
    }
    if let Some(route) = facts.seen.route(Via::Relay) {
        parts.push(text::count(route.n_spans, "span"));
        parts.push(format!("last {}", facts.ago(route.last)));
    }
    let mark = if n_lost > 0 { Mark::Warn } else { Mark::Ok };
    Some(Row::new(5, mark, "relay", parts.join(", ")))
}

fn containers(number: usize) -> String {
    text::count(text::cells(number).into(), "container")
}

fn logs(facts: &Facts<'_>) -> Option<Row> {
    let lines = facts.seen.lines;
    let has_source = facts.child.run() != Run::Absent || !facts.listening.log_files.is_empty();
    if lines.n_lines == 0 {
        return has_source.then(|| Row::new(6, Mark::Waiting, "logs", "no line yet"));
    }
    let words = format!(
        "{}, {} JSON, {} with a trace id, {} joined   2 shows them",
        text::count(lines.n_lines, "line"),
        lines.n_structured,
        lines.n_with_ids,
        facts.counters.logs_joined,
    );
    let mark = match lines.n_with_ids {
        0 => Mark::Waiting,
        _ => Mark::Ok,
    };
    Some(Row::new(4, mark, "logs", words))
}
