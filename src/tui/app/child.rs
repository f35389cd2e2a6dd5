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
        if self.command.chars().nth(COMMAND_CHARS_MAX).is_none() {
            return Cow::Borrowed(&self.command);
        }
        let start = self.command.chars().take(COMMAND_CHARS_MAX - 3);
        Cow::Owned(start.chain("...".chars()).collect())
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
mod tests;
