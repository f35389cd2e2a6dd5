//! Each silent hop has its verdict.

use super::*;
use crate::ingest::ChildEvent;
use crate::store::{Counters, ModalApp, Store};
use crate::trace::RelaySource;
use crate::tui::app::{Child, ChildCommand, Listening, Seen, UnsentSeen};

/// What is known, all of it nothing at first, a minute after the start.
#[derive(Default)]
struct Case {
    listening: Listening,
    child: Child,
    seen: Seen,
    counters: Counters,
    modal: ModalApp,
    refused: Option<&'static str>,
}

fn at(seconds: u64) -> Now {
    Now {
        uptime_ns: seconds * 1_000_000_000,
        ..Now::default()
    }
}

impl Case {
    /// A program that runs.
    fn running(command: &str) -> Self {
        let mut case = Self::default();
        case.listening.child = Some(ChildCommand {
            command: command.into(),
            environment: Vec::new(),
        });
        case.child = Child::starting(command);
        case.child.take(ChildEvent::Started { pid: 7 }, at(1));
        case
    }

    fn ended(mut self, code: u8) -> Self {
        self.child.take(ChildEvent::Ended { code }, at(5));
        self.child.take(ChildEvent::OutputEnded, at(5));
        self
    }

    /// Lines since a moment, some of which name traces.
    fn lines(mut self, n_lines: u64, n_with_ids: u64, since: u64) -> Self {
        self.seen.lines.n_lines += n_lines;
        self.seen.lines.n_with_ids = n_with_ids;
        self.seen.lines.first = Some(at(since));
        self.seen.lines.first_with_ids = (n_with_ids > 0).then(|| at(since));
        self
    }

    fn unsent(mut self, url: &str, at_second: u64) -> Self {
        self.counters.client_unsent_traces = 3;
        self.seen.unsent = Some(UnsentSeen {
            url: url.into(),
            reason: "client error (Connect)".into(),
            at: at(at_second),
        });
        self
    }

    fn spans(mut self, via: Via, last: u64) -> Self {
        self.seen.routes.push(RouteSeen {
            via,
            n_payloads: 1,
            n_spans: 9,
            last: at(last),
        });
        self
    }

    fn verdict(&self) -> Verdict {
        verdict(&Facts {
            listening: &self.listening,
            child: &self.child,
            seen: &self.seen,
            counters: &self.counters,
            modal: &self.modal,
            told: Store::new(1 << 20).told(),
            refused: self.refused,
            n_traces: 0,
            now: at(60),
        })
    }

    /// What the sentence says, and what the advice.
    #[track_caller]
    fn check(&self, mark: Mark, sentence: &str, advice: &str) {
        let verdict = self.verdict();
        assert_eq!(verdict.mark, mark, "{verdict:?}");
        assert_eq!(verdict.sentence, sentence);
        assert!(verdict.advice.contains(advice), "{}", verdict.advice);
    }
}

const MODAL: &str = "modal serve app.py";

#[test]
fn nothing_has_happened_yet() {
    Case::default().check(Mark::Waiting, "nobody has called yet", "");
    let mut files = Case::default();
    files.listening.log_files = vec!["app.log".into()];
    let sentence = "nobody has called and no line was read yet";
    files.check(Mark::Waiting, sentence, "");
}

#[test]
fn a_program_that_prints_nothing() {
    let mut starting = Case::running(MODAL);
    starting.child = Child::starting(MODAL);
    starting.check(Mark::Waiting, "the program is being started", "");
    let sentence = "the program runs and has printed nothing yet";
    Case::running("python a.py").check(Mark::Waiting, sentence, "Call something");
}

#[test]
fn an_app_on_modal_that_nobody_calls() {
    let mut case = Case::running(MODAL);
    case.seen.lines.n_lines = 4;
    case.seen.lines.n_of_modal = 4;
    let sentence = "Modal builds the app; no container has printed yet";
    case.check(Mark::Waiting, sentence, "");
    case.modal.state = ModalState::Serving;
    case.modal.web_urls = vec!["https://acme.modal.run".into()];
    let sentence = "the app is served; no container has printed yet";
    case.check(Mark::Waiting, sentence, "Call it: https://acme.modal.run");
}

#[test]
fn lines_without_spans_are_remarkable_after_a_while() {
    let early = Case::running(MODAL).lines(40, 0, 50);
    early.check(
        Mark::Waiting,
        "40 lines came, no span yet",
        "Call something",
    );
    let late = Case::running(MODAL).lines(40, 0, 10);
    let sentence = "40 lines came, and no span by any way";
    late.check(Mark::Warn, sentence, "bring them over stdout");
    let local = Case::running("python a.py").lines(40, 0, 10);
    local.check(Mark::Warn, sentence, "DD_TRACE_AGENT_URL points elsewhere");
}

#[test]
fn lines_that_name_traces_say_that_ddtrace_runs() {
    let early = Case::running(MODAL).lines(40, 1, 58);
    let sentence = "lines name their traces; the spans should follow within seconds";
    early.check(Mark::Waiting, sentence, "");
    let late = Case::running(MODAL).lines(40, 38, 10);
    let sentence = "38 lines name their traces, so ddtrace runs, but no span comes by any way";
    late.check(Mark::Fail, sentence, "over stdout");
    let piped = Case::default().lines(40, 1, 10);
    let sentence = "1 line names its trace, so ddtrace runs, but no span comes by any way";
    piped.check(
        Mark::Fail,
        sentence,
        "in a container localhost is the container",
    );
}

#[test]
fn a_tracer_that_cannot_reach_its_agent() {
    let url = "http://localhost:8126";
    let sentence = "a tracer dropped 3 traces: it could not reach http://localhost:8126: client error (Connect)";
    let modal = Case::running(MODAL).lines(40, 38, 10).unsent(url, 20);
    modal.check(Mark::Fail, sentence, "localhost is the container");
    Case::default()
        .unsent(url, 20)
        .check(Mark::Fail, sentence, "Nobody listened there");
    let tunnel = Case::default().unsent("https://x.trycloudflare.com/t/", 20);
    assert!(tunnel.verdict().advice.contains("A tunnel must be up"));
}

#[test]
fn a_complaint_from_before_the_spans_came_is_settled() {
    let case = Case::default().unsent("http://localhost:8126", 20);
    let settled = case.spans(Via::Relay, 57);
    let sentence = "spans come from the relay, over stdout, the last 3s ago";
    settled.check(Mark::Ok, sentence, "");
    let again = settled.unsent("http://localhost:8126", 58);
    assert_eq!(again.verdict().mark, Mark::Fail);
}

#[test]
fn relay_messages_that_are_lost() {
    let mut case = Case::running(MODAL);
    case.counters.relay_lost = 1;
    let torn = "1 relay message did not arrive whole: lines were torn on the way";
    case.check(Mark::Fail, torn, "start(repeat=2)");
    assert_eq!(case.verdict().fix, Fix::Repeat);
    let case = case.spans(Via::Relay, 57);
    case.check(Mark::Warn, &format!("spans come, but {torn}"), "y copies");
}

#[test]
fn spans_come_the_newest_way() {
    let mut case = Case::default().spans(Via::Http, 10).spans(Via::Stdout, 50);
    let sentence = "spans come from the lines ddtrace prints on stdout, the last 10s ago";
    case.check(Mark::Ok, sentence, "");
    case.counters.payloads_refused = 2;
    case.check(Mark::Warn, sentence, "2 payloads could not be read");
}

#[test]
fn a_payload_that_could_not_be_read() {
    let mut case = Case::default();
    case.counters.payloads_refused = 1;
    case.refused = Some("byte 0: not msgpack");
    let sentence = "spans reached us and could not be read: byte 0: not msgpack";
    case.check(Mark::Fail, sentence, "requests below");
}

#[test]
fn a_tracer_that_has_only_asked() {
    let mut case = Case::default();
    case.counters.requests_by_endpoint.insert("/info".into(), 1);
    let sentence = "a program has called (/info), but no span has come yet";
    case.check(Mark::Waiting, sentence, "all of its spans have ended");
}

#[test]
fn a_relay_that_waits_for_spans() {
    let mut case = Case::running(MODAL).lines(3, 0, 58);
    case.seen.relays = vec![(RelaySource(1), None), (RelaySource(2), None)];
    let sentence = "the relay runs in 2 containers; no span has come yet";
    case.check(Mark::Waiting, sentence, "");
}

#[test]
fn a_program_that_ended_before_any_span() {
    let failed = Case::running(MODAL).lines(3, 0, 2).ended(1);
    let sentence = "the program ended with code 1, and no span came";
    failed.check(Mark::Fail, sentence, "Its last lines say why");
    let silent = Case::running(MODAL).ended(1);
    silent.check(Mark::Fail, sentence, "It printed nothing");
    let sentence = "the program has ended without an error (code 0), and no span came";
    let traced = Case::running("python a.py").lines(3, 2, 2).ended(0);
    traced.check(Mark::Fail, sentence, "tracer.flush()");
    let untraced = Case::running("python a.py").lines(3, 0, 2).ended(0);
    untraced.check(Mark::Fail, sentence, "ddtrace-run");
}

#[test]
fn nothing_else_matters_while_we_leave() {
    let mut case = Case::running(MODAL).unsent("http://localhost:8126", 20);
    case.child.quit(0, at(59));
    let sentence = "the program was asked to end; its last lines are read";
    case.check(Mark::Waiting, sentence, "q again");
}
