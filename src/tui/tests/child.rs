//! A program that we started: how it ends, how we leave while it runs, how it is started again.

use super::fixture::{at, line, lines, record, story};
use super::terminal::{Seat, options};
use crate::ingest::{Brought, ChildEvent, Inbound, Lines, Request, RequestRecord};
use crate::tui::app::{ChildCommand, UiOptions};
use crate::tui::message::{ChildSignal, Effect, Message};

const INTERRUPT: Effect = Effect::SignalChild(ChildSignal::Interrupt);
const TERMINATE: Effect = Effect::SignalChild(ChildSignal::Terminate);

/// What `run` was given, and what it changes.
pub(super) fn running(command: &str) -> UiOptions {
    let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let mut options = options();
    options.listening.child = Some(ChildCommand {
        command: command.into(),
        environment: vec![
            set("DD_TRACE_AGENT_URL", "http://127.0.0.1:8126"),
            set("COLUMNS", "1000"),
            set("TTY_COMPATIBLE", "0"),
            ("FORCE_COLOR".into(), None),
        ],
    });
    options
}

impl Seat {
    /// A seat before a program that runs.
    pub(super) fn before(command: &str, width: u16, height: u16) -> Self {
        let mut seat = Self::with(width, height, running(command));
        seat.millis = 1_000;
        seat.child(ChildEvent::Started { pid: 48_213 });
        seat.millis = 7_000;
        seat.draw();
        seat
    }

    /// Something becomes of the program. Returns what is to be done.
    pub(super) fn child(&mut self, event: ChildEvent) -> Vec<Effect> {
        let effects = self.message(Message::Inbound(Inbound::Child(event)));
        self.draw();
        effects
    }

    pub(super) fn ends(&mut self, code: u8) -> Vec<Effect> {
        let mut effects = self.child(ChildEvent::Ended { code });
        effects.extend(self.child(ChildEvent::OutputEnded));
        effects
    }

    /// So many lines of the program.
    pub(super) fn prints(&mut self, n_lines: usize) {
        let now = at(self.millis);
        self.inbound(lines(vec![line("INFO ready", now); n_lines]));
        self.draw();
    }
}

#[test]
fn quitting_interrupts_a_program_waits_for_its_last_lines_and_leaves() {
    let mut seat = Seat::before("modal serve app.py", 200, 36);
    assert_eq!(seat.keys("q"), [INTERRUPT]);
    assert!(seat.shows("Waiting for `modal serve app.py` to end and print its last lines (Modal"));
    seat.millis += 3_000;
    seat.prints(2);
    assert!(seat.shows("3 s, 2 more lines. q again ends it at once."));
    assert_eq!(seat.child(ChildEvent::Ended { code: 0 }), []);
    assert!(!seat.shows("R starts it again"), "we are leaving");
    assert_eq!(seat.child(ChildEvent::OutputEnded), [Effect::Quit]);
}

#[test]
fn a_second_key_ends_it_and_a_third_leaves_without_it() {
    let mut seat = Seat::before("python a.py", 120, 36);
    assert_eq!(seat.keys("q"), [INTERRUPT]);
    assert_eq!(seat.keys("<ctrl+c>"), [TERMINATE]);
    assert!(seat.shows("q again leaves without waiting for it."));
    assert_eq!(seat.keys("q"), [Effect::Quit]);
}

#[test]
fn a_signal_counts_as_a_key() {
    let mut seat = Seat::before("python a.py", 80, 24);
    assert_eq!(seat.message(Message::Stop), [INTERRUPT]);
    assert_eq!(seat.message(Message::Stop), [TERMINATE]);
    let mut seat = Seat::new(80, 24);
    assert_eq!(seat.message(Message::Stop), [Effect::Quit]);
}

#[test]
fn nothing_that_lies_on_top_hides_what_we_wait_for() {
    for keys in ["?", "x", "d", "/gen", "<enter>", "w", "<space>"] {
        let mut seat = Seat::before("python a.py", 80, 24);
        seat.receive(story());
        seat.keys(keys);
        assert_eq!(seat.keys("<ctrl+c>"), [INTERRUPT], "after {keys}");
        assert!(seat.shows("Waiting for `python a.py`"), "after {keys}");
        assert_eq!(seat.keys("q"), [TERMINATE], "after {keys}");
    }
}

#[test]
fn a_filter_that_is_begun_while_we_wait_says_which_key_ends_the_waiting() {
    let mut seat = Seat::before("python a.py", 80, 24);
    seat.receive(story());
    seat.keys("q/gen");
    assert!(seat.shows("/ gen"));
    assert!(seat.shows("^c again ends it at once"));
    assert_eq!(seat.keys("<ctrl+c>"), [TERMINATE]);
}

#[test]
fn seconds_pass_on_a_paused_screen_while_we_wait() {
    let mut seat = Seat::before("python a.py", 80, 24);
    seat.receive(story());
    seat.keys("<space>q");
    seat.millis += 2_000;
    seat.message(Message::Frame);
    assert!(seat.app.is_dirty());
}

#[test]
fn a_tiny_screen_says_that_we_wait() {
    let mut seat = Seat::before("python a.py", 80, 5);
    seat.keys("q");
    assert!(seat.shows("ending the program; q again ends it at once"));
}

#[test]
fn a_program_that_ends_by_itself_is_told_and_can_be_started_again() {
    let mut seat = Seat::before("python a.py", 120, 36);
    seat.receive(story());
    assert_eq!(seat.keys("R"), [], "it runs");
    assert!(!seat.shows("restart"));
    assert_eq!(seat.ends(1), []);
    assert!(seat.shows("`python a.py` ended with code 1. What it sent stays here: R starts it"));
    assert!(seat.shows("child ended 1"));
    assert!(seat.shows("R restart"));
    seat.keys("?");
    assert!(seat.shows("start the program again"));
    seat.keys("<esc>");
    seat.millis += 60_000;
    seat.draw();
    assert!(!seat.shows("What it sent stays"), "it fades");
    assert!(seat.shows("child ended 1"), "the header does not forget");
    assert_eq!(seat.keys("R"), [Effect::RestartChild]);
    assert!(!seat.shows("R restart"));
    assert_eq!(seat.keys("R"), [], "once is enough");
    seat.child(ChildEvent::Started { pid: 5 });
    assert!(!seat.shows("child ended"));
    assert!(seat.shows("6 traces 11 spans"), "the counters go on");
    assert_eq!(seat.keys("q"), [INTERRUPT]);
}

#[test]
fn quitting_after_it_has_ended_takes_one_key() {
    let mut seat = Seat::before("python a.py", 80, 24);
    seat.ends(137);
    assert!(seat.shows("ended with code 137 (killed by SIGKILL)"));
    assert_eq!(seat.keys("q"), [Effect::Quit]);
}

#[test]
fn a_letter_of_a_filter_starts_nothing() {
    let mut seat = Seat::before("python a.py", 80, 24);
    seat.receive(story());
    seat.ends(0);
    assert_eq!(seat.keys("/R"), []);
    assert!(seat.shows("/ R"));
}

#[test]
fn spans_in_lines_that_could_not_be_read_are_told() {
    let mut seat = Seat::before("python a.py", 120, 36);
    let record = RequestRecord {
        note: "span 2: trace_id is no number".into(),
        ..record("PRINT", "/v0.4/traces", 400, at(seat.millis))
    };
    let brought = Brought::Nothing;
    seat.inbound(Inbound::Lines(Box::new(Lines {
        requests: vec![Request { record, brought }],
        ..Lines::default()
    })));
    seat.draw();
    assert!(seat.shows("refused PRINT /v0.4/traces 400: span 2: trace_id is no number"));
}
