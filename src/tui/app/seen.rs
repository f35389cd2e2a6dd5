//! What has come by which way, counted as it passes on to the store: the facts of the Connect screen
//! that the store has no use for. Keeps numbers and a few names, no lines and no spans.

use std::sync::Arc;

use crate::ingest::{Brought, Inbound, Request};
use crate::logs::{LogRecord, Remark};
use crate::trace::{Hello, Now, RelaySource, Via};

/// More names of one kind are counted and not kept.
const NAMES_MAX: usize = 16;

/// What has come, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) lines: LinesSeen,
    /// A way by which spans came, each once.
    pub(crate) routes: Vec<RouteSeen>,
    /// Relays that have introduced themselves, by where they run.
    pub(crate) relays: Vec<(RelaySource, Option<Box<str>>)>,
    /// Who has called: `ddtrace-py 4.1.2`.
    pub(crate) clients: Vec<Arc<str>>,
    /// The newest complaint of a tracer that cannot reach its agent.
    pub(crate) unsent: Option<UnsentSeen>,
}

/// What the lines were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinesSeen {
    pub(crate) n_lines: u64,
    /// Those in which Modal's client speaks of itself.
    pub(crate) n_of_modal: u64,
    pub(crate) n_structured: u64,
    /// Those that name a trace.
    pub(crate) n_with_ids: u64,
    /// When the first line that is not of Modal's client came.
    pub(crate) first: Option<Now>,
    /// When the first line that names a trace came.
    pub(crate) first_with_ids: Option<Now>,
}

/// What came one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteSeen {
    pub(crate) via: Via,
    /// Requests with spans.
    pub(crate) n_payloads: u64,
    pub(crate) n_spans: u64,
    /// When the last came.
    pub(crate) last: Now,
}

/// A tracer's complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnsentSeen {
    /// The address it tried.
    pub(crate) url: Box<str>,
    /// Why it failed, in its words.
    pub(crate) reason: Box<str>,
    pub(crate) at: Now,
}

impl Seen {
    pub(crate) fn take(&mut self, inbound: &Inbound, now: Now) {
        match inbound {
            Inbound::Request(request) => self.take_request(request, now),
            Inbound::Lines(lines) => {
                self.take_records(&lines.records, now);
                for request in &lines.requests {
                    self.take_request(request, now);
                }
            }
            Inbound::Child(_)
            | Inbound::Overflow(_)
            | Inbound::Notice(_)
            | Inbound::Forwarded(_) => {}
        }
    }

    /// The way by which spans came last.
    pub(crate) fn newest_route(&self) -> Option<&RouteSeen> {
        self.routes.iter().max_by_key(|route| route.last.uptime_ns)
    }

    /// What came one way.
    pub(crate) fn route(&self, via: Via) -> Option<&RouteSeen> {
        self.routes.iter().find(|route| route.via == via)
    }

    fn take_request(&mut self, request: &Request, now: Now) {
        let client = &request.record.client;
        if !client.is_empty() && !self.clients.contains(client) && self.clients.len() < NAMES_MAX {
            self.clients.push(Arc::clone(client));
        }
        match &request.brought {
            Brought::Nothing | Brought::Stats(_) | Brought::Telemetry(_) => {}
            Brought::Logs(records) => self.take_records(records, now),
            Brought::Hello(hello) => self.take_hello(hello),
            Brought::Spans(received) => {
                let n_spans = received.payload.n_spans();
                if n_spans > 0 {
                    let n_spans = u64::try_from(n_spans).unwrap_or(u64::MAX);
                    self.take_spans(received.via, n_spans, now);
                }
            }
        }
    }

    fn take_spans(&mut self, via: Via, n_spans: u64, now: Now) {
        if let Some(route) = self.routes.iter_mut().find(|route| route.via == via) {
            route.n_payloads += 1;
            route.n_spans = route.n_spans.saturating_add(n_spans);
            route.last = now;
        } else {
            // There are as many ways as `Via` has names.
            self.routes.push(RouteSeen {
                via,
                n_payloads: 1,
                n_spans,
                last: now,
            });
        }
    }

    fn take_hello(&mut self, hello: &Hello) {
        let is_known = |(source, _): &(RelaySource, _)| *source == hello.source;
        if self.relays.iter().any(is_known) {
            return;
        }
        if self.relays.len() >= NAMES_MAX {
            self.relays.remove(0);
        }
        let task_id = hello.container.task_id.clone();
        self.relays.push((hello.source, task_id));
    }

    fn take_records(&mut self, records: &[LogRecord], now: Now) {
        for record in records {
            self.lines.take(record, now);
            if let Some(Remark::Unsent { url, reason, .. }) = record.remark.as_deref() {
                self.unsent = Some(UnsentSeen {
                    url: url.clone(),
                    reason: reason.clone(),
                    at: now,
                });
            }
        }
    }
}

impl LinesSeen {
    /// Lines of containers or of a program, not of Modal's client.
    pub(crate) fn n_of_app(&self) -> u64 {
        self.n_lines.saturating_sub(self.n_of_modal)
    }

    fn take(&mut self, record: &LogRecord, now: Now) {
        self.n_lines += 1;
        self.n_structured += u64::from(record.is_structured());
        if record.remark.as_deref().is_some_and(Remark::is_of_modal) {
            self.n_of_modal += 1;
        } else {
            self.first.get_or_insert(now);
        }
        if record.ids.traces().next().is_some() {
            self.n_with_ids += 1;
            self.first_with_ids.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Lines;
    use crate::logs::{LogSource, modal};
    use crate::trace::TraceId;

    fn line(text: &str) -> LogRecord {
        LogRecord::parse(text, LogSource::Stdout, Now::default().wall)
    }

    fn remarked(text: &str, remark: Remark) -> LogRecord {
        let mut record = line(text);
        record.remark = Some(Box::new(remark));
        record
    }

    fn at(uptime_ns: u64) -> Now {
        Now {
            uptime_ns,
            ..Now::default()
        }
    }

    fn take(seen: &mut Seen, records: Vec<LogRecord>, now: Now) {
        let lines = Lines {
            records,
            ..Lines::default()
        };
        seen.take(&Inbound::Lines(Box::new(lines)), now);
    }

    #[test]
    fn lines_are_counted_by_what_they_are() {
        let mut seen = Seen::default();
        let status = modal::Status::Serving;
        let mut with_ids = line(r#"{"event":"x"}"#);
        with_ids.ids.trace = TraceId(7);
        take(
            &mut seen,
            vec![remarked("Serving...", Remark::Modal(status))],
            at(1),
        );
        take(&mut seen, vec![line("plain"), with_ids], at(2));
        assert_eq!(
            seen.lines,
            LinesSeen {
                n_lines: 3,
                n_of_modal: 1,
                n_structured: 1,
                n_with_ids: 1,
                first: Some(at(2)),
                first_with_ids: Some(at(2)),
            }
        );
        assert_eq!(seen.lines.n_of_app(), 2);
    }

    #[test]
    fn the_newest_complaint_is_kept() {
        let mut seen = Seen::default();
        for url in ["http://one", "http://two"] {
            let unsent = Remark::Unsent {
                traces: 1,
                url: url.into(),
                reason: "timed out".into(),
            };
            take(&mut seen, vec![remarked("failed to send", unsent)], at(5));
        }
        assert_eq!(&*seen.unsent.unwrap().url, "http://two");
    }

    #[test]
    fn a_relay_is_counted_once_and_only_so_many_are_kept() {
        let mut seen = Seen::default();
        for number in 0..100 {
            let hello = Hello {
                source: RelaySource(number / 2),
                container: crate::trace::ContainerFacts::default(),
            };
            seen.take_hello(&hello);
        }
        assert_eq!(seen.relays.len(), NAMES_MAX);
        assert_eq!(seen.relays.last().unwrap().0, RelaySource(49));
    }
}
