//! What comes out of the inbox for a child: its lines as they were printed, and what became of it.

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use modtrace_tui::ingest::{ChildEvent, Inbound};
use modtrace_tui::io::child::{Child, ChildError, Launch};
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};

/// More than a busy machine needs; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running child and what it has said so far.
struct Observed {
    child: Child,
    receiver: InboxReceiver,
    /// `stdout: …` and `stderr: …`, in order of arrival.
    lines: Vec<String>,
    events: Vec<ChildEvent>,
    n_dropped: u64,
}

impl Observed {
    #[track_caller]
    fn start(script: &str) -> Self {
        Self::start_with(script, InboxLimits::default())
    }

    #[track_caller]
    fn start_with(script: &str, limits: InboxLimits) -> Self {
        let (inbox, receiver) = inbox::channel(limits);
        let child = Child::start(launch(&["sh", "-c", script]), inbox).unwrap();
        Self {
            child,
            receiver,
            lines: Vec::new(),
            events: Vec::new(),
            n_dropped: 0,
        }
    }

    /// Takes what comes until it is as wished.
    #[track_caller]
    fn wait_for(&mut self, wish: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !wish(self) {
            let mut batch = Vec::new();
            if self.receiver.try_recv_many(&mut batch, 256) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.take(batch);
            let shown = || (&self.lines, &self.events);
            assert!(begun.elapsed() < PATIENCE, "{:?}", shown());
        }
    }

    fn take(&mut self, batch: Vec<Inbound>) {
        for inbound in batch {
            match inbound {
                Inbound::Lines(lines) => {
                    self.n_dropped += lines.n_dropped;
                    for record in &lines.records {
                        self.lines
                            .push(format!("{}: {}", record.source, record.line()));
                    }
                }
                Inbound::Child(event) => self.events.push(event),
                Inbound::Notice(sentence) => self.lines.push(sentence),
                Inbound::Request(_) | Inbound::Overflow(_) | Inbound::Forwarded(_) => {}
            }
        }
    }

    fn is_over(&self) -> bool {
        self.events.last() == Some(&ChildEvent::OutputEnded)
    }

    #[track_caller]
    fn wait_for_line(&mut self, line: &str) {
        self.wait_for(|child| child.lines.iter().any(|known| known == line));
    }

    /// The code it ended with, once it has.
    fn code(&self) -> Option<u8> {
        self.events.iter().rev().find_map(|event| match event {
            ChildEvent::Ended { code } => Some(*code),
            _ => None,
        })
    }
}

fn launch(command: &[&str]) -> Launch {
    Launch {
        own_program: env!("CARGO_BIN_EXE_modtrace-tui").into(),
        ..Launch::new(command.iter().map(OsString::from).collect(), Vec::new())
    }
}

/// Runs a script to its end and compares its lines, those of each stream in their order.
#[track_caller]
fn check(script: &str, expected: &[&str]) -> Observed {
    let mut child = Observed::start(script);
    child.wait_for(Observed::is_over);
    assert_eq!(child.lines, expected, "{script}");
    assert_eq!(child.n_dropped, 0);
    child
}

#[test]
fn stdout_and_stderr_are_told_apart_and_keep_their_order() {
    let script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three";
    let child = check(script, &["stdout: one", "stderr: two", "stdout: three"]);
    assert!(matches!(
        child.events[..],
        [
            ChildEvent::Started { pid: 1.. },
            ChildEvent::Ended { code: 0 },
            ChildEvent::OutputEnded
        ]
    ));
}

#[test]
fn a_half_line_before_its_death_is_a_line() {
    let child = check(
        "printf 'whole\\nhalf'; kill -9 $$",
        &["stdout: whole", "stdout: half"],
    );
    assert_eq!(child.code(), Some(137));
}

#[test]
fn a_letter_that_is_cut_between_two_reads_is_whole() {
    check(
        r"printf 'caf\303'; sleep 0.3; printf '\251 \360\237'; sleep 0.3; printf '\222\241\n'",
        &["stdout: caf\u{e9} \u{1f4a1}"],
    );
}

#[test]
fn nul_and_bytes_that_are_no_text_do_not_end_a_line() {
    check(
        r"printf 'a\000b\377c\nnext\n'",
        &["stdout: a\0b\u{fffd}c", "stdout: next"],
    );
}

#[test]
fn its_stdin_is_empty_and_it_has_no_terminal_and_a_session_of_its_own() {
    let mut child = Observed::start(
        "read line || echo no input; ( : < /dev/tty ) 2> /dev/null || echo no terminal; \
         echo $$; cut -d' ' -f5,6 /proc/$$/stat",
    );
    child.wait_for(Observed::is_over);
    let [input, terminal, pid, group_and_session] = &child.lines[..] else {
        panic!("{:?}", child.lines);
    };
    assert_eq!(
        [input, terminal],
        ["stdout: no input", "stdout: no terminal"]
    );
    if cfg!(target_os = "linux") {
        let pid = pid.strip_prefix("stdout: ").unwrap();
        assert_eq!(*group_and_session, format!("stdout: {pid} {pid}"));
    }
}

#[test]
fn an_interrupt_lets_it_print_on_until_it_ends() {
    let mut child = Observed::start(
        "trap 'for n in 1 2 3; do echo late $n; sleep 0.3; done; exit 7' INT; echo up; \
         while :; do sleep 0.05; done",
    );
    child.wait_for_line("stdout: up");
    child.child.interrupt();
    child.wait_for(Observed::is_over);
    let late = ["stdout: late 1", "stdout: late 2", "stdout: late 3"];
    assert_eq!(child.lines[1..], late);
    assert_eq!(child.code(), Some(7));
}

#[test]
fn an_interrupt_and_the_end_reach_what_it_started() {
    let mut child = Observed::start("sh -c 'echo up; sleep 300' & wait; echo end");
    child.wait_for_line("stdout: up");
    child.child.terminate();
    child.wait_for(Observed::is_over);
    assert_eq!(child.code(), Some(143));
}

#[test]
fn what_does_not_end_when_terminated_is_killed() {
    let mut child = Observed::start("trap '' INT TERM; echo up; while :; do sleep 0.05; done");
    child.wait_for_line("stdout: up");
    let begun = Instant::now();
    child.child.terminate();
    child.wait_for(Observed::is_over);
    assert_eq!(child.code(), Some(137));
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_keep_us() {
    let mut child = Observed::start("sleep 300 & echo $!");
    child.wait_for(|child| child.code().is_some());
    let ended = Instant::now();
    child.wait_for(Observed::is_over);
    let wait = ended.elapsed();
    assert!((1..20).contains(&wait.as_secs()), "{wait:?}");
    let grandchild = child.lines[0].strip_prefix("stdout: ").unwrap();
    let grandchild = rustix::process::Pid::from_raw(grandchild.parse().unwrap()).unwrap();
    // Nobody wanted it to end, so it was left alone.
    rustix::process::kill_process(grandchild, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn it_can_be_started_again_once_it_has_ended() {
    let mut child = Observed::start("echo up; exit 3");
    for n_runs in 1..=3 {
        child.wait_for(|child| child.lines.len() == n_runs && child.is_over());
        assert_eq!(child.code(), Some(3));
        child.child.restart();
    }
    child.wait_for(|child| child.lines.len() == 4 && child.is_over());
    let started = |event: &&ChildEvent| matches!(event, ChildEvent::Started { .. });
    assert_eq!(child.events.iter().filter(started).count(), 4);
}

#[test]
fn a_running_child_is_not_started_twice() {
    let mut child = Observed::start("echo up; sleep 0.5");
    child.wait_for_line("stdout: up");
    child.child.restart();
    child.wait_for(Observed::is_over);
    assert_eq!(child.lines.len(), 1);
}

#[test]
fn it_ends_with_the_value_that_stands_for_it() {
    let mut child = Observed::start("trap '' TERM; echo $$; while :; do sleep 0.05; done");
    child.wait_for(|child| !child.lines.is_empty());
    let pid = child.lines[0].strip_prefix("stdout: ").unwrap();
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    drop(child);
    assert!(rustix::process::test_kill_process(pid).is_err());
}

/// Prints so many lines as fast as it can.
fn flood(n_lines: u32) -> String {
    format!("awk 'BEGIN {{ for (n = 0; n < {n_lines}; n++) print \"line \" n \" of a flood\" }}'")
}

#[test]
fn a_flood_comes_whole_and_in_order() {
    let mut child = Observed::start(&flood(200_000));
    child.wait_for(Observed::is_over);
    assert_eq!((child.lines.len(), child.n_dropped), (200_000, 0));
    for (number, line) in child.lines.iter().enumerate() {
        assert_eq!(*line, format!("stdout: line {number} of a flood"));
    }
}

#[test]
fn a_flood_that_nobody_takes_does_not_stop_the_child_and_is_counted() {
    let limits = InboxLimits {
        items_max: 2,
        ..InboxLimits::default()
    };
    let script = format!("{}; echo end >&2", flood(300_000));
    let mut child = Observed::start_with(&script, limits);
    let (inbox_is_read, wait) = (mpsc::channel::<()>(), Duration::from_millis(1));
    // Nothing is taken until it has ended by itself: only its process tells.
    let ChildEvent::Started { pid } = started(&mut child) else {
        panic!("{:?}", child.events);
    };
    let begun = Instant::now();
    while has_process(pid) {
        let _never = inbox_is_read.1.recv_timeout(wait);
        assert!(begun.elapsed() < PATIENCE, "it waits for us");
    }
    child.wait_for(Observed::is_over);
    assert!(child.n_dropped > 0);
    assert_eq!(child.lines.len() as u64 + child.n_dropped, 300_001);
}

fn started(child: &mut Observed) -> ChildEvent {
    child.wait_for(|child| !child.events.is_empty());
    child.events[0]
}

/// Whether a process runs; one that has ended and is not waited for yet does not.
fn has_process(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

#[track_caller]
fn check_not_started(command: &[&str], code: u8, part: &str) {
    let (inbox, _receiver) = inbox::channel(InboxLimits::default());
    let error: ChildError = Child::start(launch(command), inbox).unwrap_err();
    assert_eq!(error.exit_code(), code, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn what_cannot_be_started_is_told_in_a_sentence() {
    check_not_started(&["no-such-program"], 127, "no-such-program was not found");
    check_not_started(&["./no/such/program"], 127, "was not found");
    check_not_started(&[""], 127, "was not found");
    check_not_started(&["/"], 1, "name a program in it");
    let not_executable = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    check_not_started(&[not_executable], 1, "chmod +x");
    let scratch = crate::support::Scratch::new();
    let script = scratch.path("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    check_not_started(&[script.to_str().unwrap()], 1, "interpreter");
}
