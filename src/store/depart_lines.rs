//! Log lines that go on to Datadog, each once: with the trace that they name. Makes no request.

use super::departed::Departed;
use super::{Joined, LogEntry, LogKey, Store, TraceEntry, TraceKey};
use crate::forward::courier::{Courier, LinesGo, Which};
use crate::forward::logs::LogLine;
use crate::logs::JoinedBy;
use crate::trace::{Now, Span, SpanId, Text};

/// Which lines go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Those whose spans have had time to come.
    Settled,
    /// All: nothing more comes.
    All,
}

/// Spans of short requests come after the lines that name them, within so long. Lines of longer ones go when they
/// have found their trace.
const SETTLE_NS: u64 = 5_000_000_000;

impl Store {
    /// Hands over the lines that came since the last time and name a trace or a span that goes. A line
    /// placed by time alone is a guess, and stays.
    pub fn depart_lines(&mut self, due: Due, now: Now) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let lines_go = courier.lines_go() == LinesGo::WithTheirTraces;
        let mut next = self.forwarding.next_line;
        let late = std::mem::take(&mut self.forwarding.late_lines);
        for line in late.iter().filter_map(|key| self.log(*key)) {
            if let Some(entry) = self.trace_of(line, courier.which()) {
                take_line(&mut courier, line, entry, now);
            }
        }
        for line in self.logs_from(next) {
            let age_ns = now.uptime_ns.saturating_sub(line.first_seen().uptime_ns);
            if due == Due::Settled && age_ns < SETTLE_NS {
                break;
            }
            next = LogKey(line.key().0.saturating_add(1));
            if lines_go && let Some(entry) = self.trace_of(line, courier.which()) {
                take_line(&mut courier, line, entry, now);
            }
        }
        self.forwarding.next_line = next;
        self.forwarding.courier = Some(courier);
    }

    /// Hands over the lines of a trace whose turn has passed, if any of its spans goes.
    pub(super) fn depart_lines_of(&mut self, key: TraceKey, now: Now) {
        let Some(mut courier) = self.forwarding.courier.take() else {
            return;
        };
        let entry = self.trace(key).filter(|entry| {
            let departed = entry.departed();
            departed.is_some_and(Departed::has_begun)
        });
        if let (LinesGo::WithTheirTraces, Some(entry)) = (courier.lines_go(), entry) {
            let lines = entry.logs().iter();
            let passed = lines.take_while(|line| **line < self.forwarding.next_line);
            for line in passed.filter_map(|line| self.log(*line)) {
                // Those that have just found it go with the next ones.
                let is_late = self.forwarding.late_lines.contains(&line.key());
                if line.joined().is_some_and(is_named) && !is_late {
                    take_line(&mut courier, line, entry, now);
                }
            }
        }
        self.forwarding.courier = Some(courier);
    }

    /// Notes that a line has found its trace: if its turn has passed, it goes with the next ones.
    pub(super) fn note_joined(&mut self, key: LogKey, before: Option<Joined>, now: Option<Joined>) {
        let Some(courier) = &self.forwarding.courier else {
            return;
        };
        let is_found = now.is_some_and(is_named) && !before.is_some_and(is_named);
        if is_found
            && courier.lines_go() == LinesGo::WithTheirTraces
            && key < self.forwarding.next_line
        {
            self.forwarding.late_lines.insert(key);
        }
    }

    /// Lines that are here have had their turn: they were opened, and go with their traces if those do.
    pub fn pass_lines(&mut self) {
        self.forwarding.next_line = self.next_log_key();
    }

    /// The trace that a line names, if that goes.
    fn trace_of(&self, line: &LogEntry, which: Which) -> Option<&TraceEntry> {
        let joined = line.joined().filter(|joined| is_named(*joined))?;
        let entry = self.trace(joined.trace)?;
        let is_kept = || entry.verdict().is_some_and(|verdict| verdict.is_kept());
        let has_begun = || entry.departed().is_some_and(Departed::has_begun);
        let goes = match which {
            Which::All => true,
            Which::Sampled => is_kept() || has_begun(),
            Which::ByHand => has_begun(),
        };
        goes.then_some(entry)
    }
}

/// Whether a line was joined by what it names: its trace or its span.
fn is_named(joined: Joined) -> bool {
    joined.by != JoinedBy::ContainerTime
}

fn take_line(courier: &mut Courier, line: &LogEntry, entry: &TraceEntry, now: Now) {
    let named = entry.log_span(line.record());
    let named = named.and_then(|index| entry.span(index));
    let Some(span) = named.or_else(|| entry.head()) else {
        return;
    };
    let tracer = entry.tracer();
    let said = |key: &str| span.meta_text(key).unwrap_or_default();
    let or = |said: Text<'_>, other: &str| {
        if said.is_empty() {
            other.to_owned()
        } else {
            said.to_lossy().into_owned()
        }
    };
    courier.take_line(
        &LogLine {
            record: line.record(),
            trace_id: entry.trace_id(),
            span_id: named.map_or(SpanId::NONE, Span::span_id),
            service: &span.service().to_lossy(),
            env: &or(said("env"), &tracer.env),
            version: &or(said("version"), &tracer.app_version),
            language: &tracer.language,
        },
        now.wall,
    );
}
