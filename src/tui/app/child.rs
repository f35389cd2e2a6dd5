//! The life of the program that we started, and the way out while it runs: first it is asked to end
//! and read to its last line, then it is ended, then it is left. Knows no signals and no pipes.
//!
//! ```text
//! Starting ──Started──▶ Running ──Ended──▶ Ended      over: Ended, and its output too
//!     ▲                    │ q                │
//!     └────────R───────────┼──────────────────┘
//!                          ▼
//!        Interrupted ──q──▶ Terminated ──q──▶ we leave without it; over ──▶ we leave
//! ```

use std::borrow::Cow;

use crate::ingest::ChildEvent;
use crate::trace::Now;
use crate::tui::message::{ChildSignal, Effect};
use crate::tui::text;

/// A command line is not longer in a sentence.
const COMMAND_CHARS_MAX: usize = 40;

/// How far the program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Run {
    /// There is none.
    #[default]
    Absent,
    /// It is being started.
    Starting,
    /// It runs.
    Running {
        /// Its process.
        pid: u32,
        /// When it was started.
        since: Now,
    },
    /// It has ended.
    Ended {
        /// The code a shell would give.
        code: u8,
        /// How long it ran.
        ran_ns: u64,
    },
}

/// Whether anybody can still write to its pipes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Output {
    Open,
    #[default]
    Ended,
}

/// What was done about it because the user wants to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leaving {
    #[default]
    No,
    Interrupted,
    Terminated,
}

/// The program that we started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Child {
    command: String,
    run: Run,
    output: Output,
    leaving: Leaving,
    /// When the user first asked to leave, and how many lines had been read.
    asked: (Now, u64),
}

impl Child {
    /// A program that is being started.
    pub(crate) fn starting(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            run: Run::Starting,
            ..Self::default()
        }
    }

    /// How far it is.
    pub(crate) fn run(&self) -> Run {
        self.run
    }

    /// Its command line.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// Whether it is `modal`, whose containers are out of reach.
    pub(crate) fn is_modal(&self) -> bool {
        runs_modal(&self.command)
    }

    /// Takes over what became of it. Returns what is to be done now.
    pub(crate) fn take(&mut self, event: ChildEvent, now: Now) -> Option<Effect> {
        match event {
            ChildEvent::Started { pid } => {
                self.run = Run::Running { pid, since: now };
                self.output = Output::Open;
            }
            ChildEvent::Ended { code } => {
                let ran_ns = match self.run {
                    Run::Running { since, .. } => now.uptime_ns.saturating_sub(since.uptime_ns),
                    _ => 0,
                };
                self.run = Run::Ended { code, ran_ns };
            }
            ChildEvent::OutputEnded => self.output = Output::Ended,
        }
        (self.is_leaving() && !self.is_alive()).then_some(Effect::Quit)
    }

    /// The user wants to leave.
    pub(crate) fn quit(&mut self, n_lines: u64, now: Now) -> Effect {
        if !self.is_alive() {
            return Effect::Quit;
        }
        match self.leaving {
            Leaving::No => {
                self.leaving = Leaving::Interrupted;
                self.asked = (now, n_lines);
                Effect::SignalChild(ChildSignal::Interrupt)
            }
            Leaving::Interrupted => {
                self.leaving = Leaving::Terminated;
                Effect::SignalChild(ChildSignal::Terminate)
            }
            Leaving::Terminated => Effect::Quit,
        }
    }

    /// The user wants it to run again. It can once it is over: what the last run still prints would
    /// be taken for the next one's.
    pub(crate) fn restart(&mut self) -> Option<Effect> {
        self.can_restart().then(|| {
            self.run = Run::Starting;
            Effect::RestartChild
        })
    }

    /// Whether it could be started again.
    pub(crate) fn can_restart(&self) -> bool {
        matches!(self.run, Run::Ended { .. }) && !self.is_alive() && !self.is_leaving()
    }

    /// Whether we wait for it in order to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// It, or what it started, may still print.
    fn is_alive(&self) -> bool {
        let is_running = matches!(self.run, Run::Running { .. });
        is_running || self.output == Output::Open
    }

    /// What we wait for before we leave. `key` is what ends the waiting.
    pub(crate) fn waiting(&self, n_lines: u64, now: Now, key: &str) -> Option<String> {
        let (asked, n_before) = self.asked;
        let seconds = now.uptime_ns.saturating_sub(asked.uptime_ns) / 1_000_000_000;
        let lines = text::count(n_lines.saturating_sub(n_before), "more line");
        let so_far = format!("{seconds} s, {lines}");
        let command = self.short_command();
        let sentence = match (self.leaving, self.run) {
            (Leaving::No, _) => return None,
            (Leaving::Interrupted, Run::Ended { .. }) => format!(
                "`{command}` has ended; what it started still prints: {so_far}. {key} again ends \
                 that at once."
            ),
            (Leaving::Interrupted, _) => {
                let patience = if self.is_modal() {
                    " (Modal takes up to 10 s)"
                } else {
                    ""
                };
                format!(
                    "Waiting for `{command}` to end and print its last lines{patience}: {so_far}. \
                     {key} again ends it at once."
                )
            }
            (Leaving::Terminated, _) => format!(
                "Ending `{command}` at once: {so_far}. {key} again leaves without waiting for it."
            ),
        };
        Some(sentence)
    }

    /// What the header says of it; nothing as long as it runs.
    pub(crate) fn brief(&self) -> String {
        match (self.run, self.leaving) {
            (Run::Ended { code, .. }, _) => format!("child ended {code}"),
            (_, Leaving::Interrupted | Leaving::Terminated) => "child ending".to_owned(),
            _ => String::new(),
        }
    }

    /// Its command line in a sentence, whose end matters more.
    fn short_command(&self) -> Cow<'_, str> {
        match self.command.char_indices().nth(COMMAND_CHARS_MAX) {
            None => Cow::Borrowed(&self.command),
            Some(_) => {
                let start = self.command.chars().take(COMMAND_CHARS_MAX - 3);
                Cow::Owned(start.chain("...".chars()).collect())
            }
        }
    }

    /// That it has ended, and what can be done.
    pub(crate) fn obituary(&self) -> Option<String> {
        let Run::Ended { code, .. } = self.run else {
            return None;
        };
        let command = self.short_command();
        let ended = ended(code);
        Some(format!(
            "`{command}` {ended}. What it sent stays here: R starts it again, q quits."
        ))
    }
}

/// `ended with code 1`, `has ended without an error (code 0)`, `ended with code 137 (SIGKILL)`.
pub(crate) fn ended(code: u8) -> String {
    match (code, code.checked_sub(128)) {
        (0, _) => "has ended without an error (code 0)".to_owned(),
        (_, Some(signal @ 1..=64)) => {
            format!("ended with code {code} (killed by {})", signal_name(signal))
        }
        _ => format!("ended with code {code}"),
    }
}

/// Signals have the same numbers everywhere, but for those that are left out here.
fn signal_name(signal: u8) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// Whether a command line runs `modal`: by its name, by a path to it, or as a module of Python.
fn runs_modal(command: &str) -> bool {
    let is_modal = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or(word);
        name == "modal"
    };
    // `uv run modal serve`, `python -m modal serve`: the name stands among the first words.
    command.split_whitespace().take(4).any(is_modal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            uptime_ns: seconds * 1_000_000_000,
            ..Now::default()
        }
    }

    fn running(command: &str) -> Child {
        let mut child = Child::starting(command);
        assert_eq!(child.take(ChildEvent::Started { pid: 7 }, at(1)), None);
        child
    }

    const INTERRUPT: Effect = Effect::SignalChild(ChildSignal::Interrupt);
    const TERMINATE: Effect = Effect::SignalChild(ChildSignal::Terminate);

    #[test]
    fn without_a_child_one_key_leaves() {
        assert_eq!(Child::default().quit(0, at(1)), Effect::Quit);
        assert_eq!(Child::starting("python a.py").quit(0, at(1)), Effect::Quit);
    }

    #[test]
    fn it_is_asked_then_ended_then_left() {
        let mut child = running("python a.py");
        assert_eq!(child.quit(0, at(2)), INTERRUPT);
        assert_eq!(child.quit(0, at(3)), TERMINATE);
        assert_eq!(child.quit(0, at(4)), Effect::Quit);
    }

    #[test]
    fn we_leave_when_it_has_ended_and_its_output_too_in_either_order() {
        let ended = ChildEvent::Ended { code: 0 };
        for events in [
            [ended, ChildEvent::OutputEnded],
            [ChildEvent::OutputEnded, ended],
        ] {
            let mut child = running("python a.py");
            child.quit(0, at(2));
            let effects = events.map(|event| child.take(event, at(3)));
            assert_eq!(effects, [None, Some(Effect::Quit)], "{events:?}");
        }
    }

    #[test]
    fn one_that_ends_by_itself_does_not_end_us_and_can_be_started_again() {
        let mut child = running("python a.py");
        assert_eq!(child.restart(), None, "it runs");
        assert_eq!(child.take(ChildEvent::Ended { code: 3 }, at(9)), None);
        assert_eq!(child.restart(), None, "its output may still come");
        assert_eq!(child.take(ChildEvent::OutputEnded, at(9)), None);
        assert_eq!(child.restart(), Some(Effect::RestartChild));
        assert_eq!(child.restart(), None, "it is being started");
        child.take(ChildEvent::Started { pid: 8 }, at(10));
        assert_eq!(child.quit(0, at(11)), INTERRUPT);
    }

    #[test]
    fn one_that_cannot_be_started_again_may_be_tried_once_more() {
        let mut child = running("python a.py");
        child.take(ChildEvent::Ended { code: 0 }, at(2));
        child.take(ChildEvent::OutputEnded, at(2));
        child.restart();
        child.take(ChildEvent::Ended { code: 127 }, at(3));
        assert_eq!(child.restart(), Some(Effect::RestartChild));
    }

    #[test]
    fn what_it_started_is_waited_for_as_well() {
        let mut child = running("python a.py");
        child.take(ChildEvent::Ended { code: 0 }, at(2));
        assert_eq!(child.quit(0, at(3)), INTERRUPT);
        let words = child.waiting(0, at(3), "q").unwrap();
        assert!(words.contains("what it started still prints"), "{words}");
        assert_eq!(
            child.take(ChildEvent::OutputEnded, at(4)),
            Some(Effect::Quit)
        );
    }

    #[test]
    fn waiting_counts_seconds_and_lines() {
        let mut child = running("modal serve app.py");
        assert_eq!(child.waiting(40, at(2), "q"), None);
        child.quit(40, at(2));
        assert_eq!(
            child.waiting(43, at(5), "q").unwrap(),
            "Waiting for `modal serve app.py` to end and print its last lines (Modal takes up to \
             10 s): 3 s, 3 more lines. q again ends it at once."
        );
        let long = format!("modal serve {}/app.py", "deep/".repeat(30));
        let mut child_with_a_long_line = running(&long);
        child_with_a_long_line.quit(0, at(2));
        let words = child_with_a_long_line.waiting(0, at(2), "q").unwrap();
        assert!(words.len() < 160, "{words}");
        child.quit(43, at(6));
        let words = child.waiting(43, at(6), "q").unwrap();
        assert!(words.ends_with("q again leaves without waiting for it."));
    }

    #[test]
    fn codes_are_told_in_words() {
        let cases = [
            (0, "has ended without an error (code 0)"),
            (1, "ended with code 1"),
            (128, "ended with code 128"),
            (130, "ended with code 130 (killed by SIGINT)"),
            (137, "ended with code 137 (killed by SIGKILL)"),
            (135, "ended with code 135 (killed by signal 7)"),
            (255, "ended with code 255"),
        ];
        for (code, expected) in cases {
            assert_eq!(ended(code), expected);
        }
    }

    #[test]
    fn modal_is_known_by_its_name() {
        for command in [
            "modal serve app.py",
            "/venv/bin/modal run a.py",
            "uv run modal serve a.py",
            "python -m modal serve a.py",
        ] {
            assert!(runs_modal(command), "{command}");
        }
        for command in ["python modal_app.py", "python a.py", ""] {
            assert!(!runs_modal(command), "{command}");
        }
    }
}
