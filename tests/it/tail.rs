//! Log files that are followed, through everything that happens to log files.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use modtrace_tui::ingest::Inbound;
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};
use modtrace_tui::io::tail::Tail;

use crate::support::{Scratch, clear_environment};

/// More than a busy machine needs; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log file in a folder of its own, somebody who follows it, and what was read so far.
struct Followed {
    scratch: Scratch,
    tail: Option<Tail>,
    receiver: InboxReceiver,
    lines: Vec<String>,
}

impl Followed {
    /// Follows a file that begins with a text, or that is not there.
    fn start(text: Option<&str>) -> Self {
        let scratch = Scratch::new();
        if let Some(text) = text {
            fs::write(scratch.path("app.log"), text).unwrap();
        }
        let (inbox, receiver) = inbox::channel(InboxLimits::default());
        let tail = Tail::start(&scratch.path("app.log"), inbox).unwrap();
        Self {
            scratch,
            tail: Some(tail),
            receiver,
            lines: Vec::new(),
        }
    }

    fn append(&self, text: &str) {
        let path = self.scratch.path("app.log");
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the lines so far are these.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        let begun = Instant::now();
        while self.lines.len() < expected.len() {
            self.take();
            std::thread::sleep(Duration::from_millis(1));
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.lines);
        }
        self.take();
        assert_eq!(self.lines, expected);
    }

    fn take(&mut self) {
        let mut batch = Vec::new();
        self.receiver.try_recv_many(&mut batch, 256);
        for inbound in batch {
            match inbound {
                Inbound::Lines(lines) => {
                    assert_eq!(lines.n_dropped, 0);
                    let texts = lines.records.iter().map(|record| record.line().to_owned());
                    self.lines.extend(texts);
                }
                Inbound::Notice(sentence) => self.lines.push(sentence),
                _ => {}
            }
        }
    }

    /// The lines once nobody follows any more.
    fn finish(mut self) -> Vec<String> {
        drop(self.tail.take());
        self.take();
        self.lines
    }
}

#[test]
fn a_file_is_read_from_its_beginning_and_followed() {
    let mut log = Followed::start(Some("one\ntwo\n"));
    log.check(&["one", "two"]);
    log.append("three\n");
    log.check(&["one", "two", "three"]);
}

#[test]
fn the_rest_of_a_line_is_waited_for_and_at_the_end_the_half_is_taken() {
    let mut log = Followed::start(Some("one\ntw"));
    log.check(&["one"]);
    // Longer than anything is waited for.
    std::thread::sleep(Duration::from_millis(400));
    log.append("o\nthr");
    log.check(&["one", "two"]);
    log.append("ee");
    assert_eq!(log.finish(), ["one", "two", "three"]);
}

#[test]
fn a_file_that_is_begun_anew_is_read_anew_whether_it_gets_shorter_or_longer() {
    let mut log = Followed::start(Some("first line\n"));
    log.check(&["first line"]);
    fs::write(log.scratch.path("app.log"), "a\n").unwrap();
    log.check(&["first line", "a"]);
    fs::write(log.scratch.path("app.log"), "longer than before\nb\n").unwrap();
    log.check(&["first line", "a", "longer than before", "b"]);
    File::create(log.scratch.path("app.log")).unwrap();
    log.append("c\n");
    log.check(&["first line", "a", "longer than before", "b", "c"]);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    for new in ["new\n", "new, and longer than the old one\n"] {
        let mut log = Followed::start(Some("one\n"));
        log.check(&["one"]);
        log.append("last, half");
        fs::rename(log.scratch.path("app.log"), log.scratch.path("app.log.1")).unwrap();
        log.append(new);
        log.check(&["one", "last, half", new.trim_end()]);
        log.append("more\n");
        log.check(&["one", "last, half", new.trim_end(), "more"]);
    }
}

#[test]
fn a_renamed_file_is_still_read_until_another_takes_its_name() {
    let mut log = Followed::start(Some("one\n"));
    log.check(&["one"]);
    let old = log.scratch.path("app.log.1");
    fs::rename(log.scratch.path("app.log"), &old).unwrap();
    let mut writer = OpenOptions::new().append(true).open(old).unwrap();
    writer.write_all(b"two\n").unwrap();
    log.check(&["one", "two"]);
    log.append("three\n");
    log.check(&["one", "two", "three"]);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for_and_that_is_said_once() {
    let mut log = Followed::start(None);
    let sentence = format!(
        "{} is not there yet: waiting for it.",
        log.scratch.path("app.log").display()
    );
    log.check(&[&sentence]);
    std::thread::sleep(Duration::from_millis(300));
    log.append("one\n");
    log.check(&[&sentence, "one"]);
}

#[test]
fn a_named_pipe_is_followed_from_one_writer_to_the_next() {
    let scratch = Scratch::new();
    let path = scratch.path("app.log");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (inbox, receiver) = inbox::channel(InboxLimits::default());
    let tail = Some(Tail::start(&path, inbox).unwrap());
    let mut log = Followed {
        scratch,
        tail,
        receiver,
        lines: Vec::new(),
    };
    for (text, expected) in [("one\n", &["one"][..]), ("two\n", &["one", "two"])] {
        log.append(text);
        log.check(expected);
    }
}

#[test]
fn a_large_file_comes_whole_through_a_full_inbox() {
    let expected: Vec<_> = (0..100_000)
        .map(|number| format!("line {number}"))
        .collect();
    let text = expected.join("\n") + "\n";
    let mut log = Followed::start(Some(&text));
    // Nothing is taken for a while.
    std::thread::sleep(Duration::from_millis(300));
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    log.check(&expected);
}

#[test]
fn what_cannot_be_followed_is_an_error_at_the_start() {
    let scratch = Scratch::new();
    let (inbox, _receiver) = inbox::channel(InboxLimits::default());
    let error = Tail::start(&scratch.path(""), inbox)
        .unwrap_err()
        .to_string();
    assert!(error.contains("directory"), "{error}");
}

/// Starts `--headless` with its stdin as a log, in an environment that says nothing.
fn stdin_reader(scratch: &Scratch, stdin: Stdio) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut command, "MODTRACE_");
    command
        .args(["--headless", "--listen", "127.0.0.1:0", "--logs", "-"])
        .args(["--exit-after-idle", "500ms", "--log-file", "/dev/null"])
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn logs_received(program: std::process::Child) -> u64 {
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut lines = output.stdout.split(|byte| *byte == b'\n');
    let last = lines.rfind(|line| !line.is_empty()).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(last).unwrap();
    summary["counters"]["logs_received"].as_u64().unwrap()
}

#[test]
fn standard_input_is_read_to_its_end_and_counts_as_work() {
    let scratch = Scratch::new();
    let mut program = stdin_reader(&scratch, Stdio::piped());
    let mut stdin = program.stdin.take().unwrap();
    for _ in 0..4 {
        stdin.write_all(b"line\nha").unwrap();
        std::thread::sleep(Duration::from_millis(250));
        stdin.write_all(b"lf\n").unwrap();
    }
    stdin.write_all(b"the end").unwrap();
    drop(stdin);
    assert_eq!(logs_received(program), 9);
}

#[test]
fn a_file_as_standard_input_comes_whole() {
    let scratch = Scratch::new();
    let path = scratch.path("app.log");
    fs::write(&path, "line\n".repeat(300_000)).unwrap();
    let program = stdin_reader(&scratch, File::open(path).unwrap().into());
    assert_eq!(logs_received(program), 300_000);
}
