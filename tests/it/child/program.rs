//! `run --headless` from outside: exit codes, what the child is told, and that it goes with us.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Finished, Headless, Scratch, clear_environment};

/// More than a busy machine needs; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end of a script that only a signal ends.
const FOR_EVER: &str = "while :; do sleep 0.05; done";

/// Runs a script to its end.
#[track_caller]
fn run(options: &[&str], script: &str) -> Finished {
    let command = ["--", "sh", "-c", script];
    let arguments: Vec<_> = ["run"].iter().chain(options).chain(&command).collect();
    let arguments: Vec<_> = arguments.into_iter().copied().collect();
    Headless::start(&arguments).wait()
}

#[track_caller]
fn check_code(script: &str, code: i32) {
    let finished = run(&[], script);
    assert_eq!(finished.status.code(), Some(code), "{}", finished.stderr);
    assert_eq!(finished.events.last().unwrap()["event"], "summary");
}

#[test]
fn it_ends_with_the_code_of_the_child() {
    check_code("exit 0", 0);
    check_code("exit 7", 7);
    check_code("exit 255", 255);
    check_code("kill -9 $$", 137);
    check_code("kill -TERM $$", 143);
}

#[test]
fn all_lines_are_counted_before_it_ends() {
    let finished = run(&[], "echo one; echo two >&2; printf three");
    assert_eq!(finished.export["counters"]["logs_received"], 3);
}

/// Runs a command that cannot be started, in an environment that says nothing.
fn start_in_vain(command: &[&str]) -> (Output, String) {
    let scratch = Scratch::new();
    let mut program = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    clear_environment(&mut program, "MODTRACE_");
    let output = program
        .args(["run", "--headless", "--listen", "127.0.0.1:0"])
        .arg("--export")
        .arg(scratch.path("all.json"))
        .arg("--")
        .args(command)
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .output()
        .unwrap();
    let export = fs::read_to_string(scratch.path("all.json")).unwrap();
    (output, export)
}

#[track_caller]
fn check_in_vain(command: &[&str], code: i32) {
    let (output, export) = start_in_vain(command);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(command[0]), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].contains("listening"), "{stdout}");
    assert!(lines.last().unwrap().contains("summary"), "{stdout}");
    assert!(export.contains("counters"), "{export}");
}

#[test]
fn a_child_that_cannot_be_started_is_one_sentence_after_export_and_summary() {
    check_in_vain(&["no-such-program", "--flag"], 127);
    check_in_vain(&["/dev/null"], 1);
}

/// The variables that a child is given, as `NAME=value`, without what the machine has.
fn told(options: &[&str], set: &[(&str, &str)]) -> (Vec<String>, String) {
    let scratch = Scratch::new();
    let file = scratch.path("environment");
    let script = format!("env > {}", file.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    for prefix in [
        "MODTRACE_",
        "DD_",
        "DATADOG_",
        "AWS_",
        "COLUMNS",
        "TTY_",
        "FORCE_",
    ] {
        clear_environment(&mut command, prefix);
    }
    let output = command
        .args(["run", "--headless", "--listen", "127.0.0.1:0"])
        .args(options)
        .args(["--", "sh", "-c", &script])
        .env("XDG_CONFIG_HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .envs(set.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let listening: serde_json::Value =
        serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let environment = fs::read_to_string(file).unwrap();
    let ours = ["DD_", "COLUMNS", "TTY_", "FORCE_", "MODTRACE_RELAY"];
    let mut variables: Vec<_> = environment
        .lines()
        .filter(|line| ours.iter().any(|prefix| line.starts_with(prefix)))
        .map(str::to_owned)
        .collect();
    variables.sort();
    (variables, listening["url"].as_str().unwrap().to_owned())
}

#[test]
fn the_child_is_told_where_to_send_and_how_to_print() {
    let (variables, url) = told(&[], &[("FORCE_COLOR", "1"), ("COLUMNS", "80")]);
    let agent = format!("DD_TRACE_AGENT_URL={url}");
    let usual = [
        "COLUMNS=1000",
        &agent,
        "MODTRACE_RELAY=1",
        "TTY_COMPATIBLE=0",
    ];
    assert_eq!(variables, usual);
    let (variables, url) = told(&["--token", "s3cret", "--live"], &[]);
    assert!(variables.contains(&format!("DD_TRACE_AGENT_URL={url}/s3cret/")));
    assert!(variables.contains(&"DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=1".to_owned()));
    let tunnel = ["--token", "s3cret", "--url", "https://tunnel.example"];
    let (variables, _) = told(&tunnel, &[]);
    let agent = "DD_TRACE_AGENT_URL=https://tunnel.example/s3cret/".to_owned();
    assert!(variables.contains(&agent), "{variables:?}");
}

#[test]
fn what_the_user_has_told_the_child_stays() {
    for (name, value) in [
        ("DD_TRACE_AGENT_URL", "http://agent:8126"),
        ("DD_AGENT_HOST", "agent"),
    ] {
        let (variables, _) = told(&[], &[(name, value)]);
        let agents = variables
            .iter()
            .filter(|variable| variable.starts_with("DD_"));
        assert_eq!(agents.collect::<Vec<_>>(), [&format!("{name}={value}")]);
    }
    // It makes ddtrace print its spans, as long as no agent is named.
    let (variables, _) = told(&[], &[("AWS_LAMBDA_FUNCTION_NAME", "modtrace")]);
    assert!(!variables.iter().any(|variable| variable.starts_with("DD_")));
    let (variables, _) = told(&["--no-env"], &[("FORCE_COLOR", "1")]);
    assert_eq!(variables, ["FORCE_COLOR=1"]);
}

/// Starts a script that sets its traps, leaves its process number in a file and goes on; waits for
/// that file.
#[track_caller]
fn start(options: &[&str], traps: &str, script: &str) -> (Headless, Pid) {
    let scratch = Scratch::new();
    let file = scratch.path("pid");
    let script = format!(
        "{traps} echo $$ > {0}.new; mv {0}.new {0}; {script}",
        file.display()
    );
    let command = ["--", "sh", "-c", &script];
    let arguments: Vec<_> = ["run"]
        .iter()
        .chain(options)
        .chain(&command)
        .copied()
        .collect();
    let program = Headless::start_in(scratch, &arguments);
    let pid = wait_for(|| fs::read_to_string(&file).ok());
    (program, Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
}

#[track_caller]
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process still runs, or is there to be waited for.
fn is_there(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid).is_ok()
}

#[test]
fn a_signal_to_us_interrupts_the_child_and_its_last_lines_are_read() {
    for signal in [Signal::INT, Signal::TERM] {
        let traps = "trap 'echo late; sleep 0.5; echo later; exit 5' INT;";
        let (program, _) = start(&[], traps, FOR_EVER);
        kill_process(program.pid(), signal).unwrap();
        let finished = program.wait();
        assert_eq!(finished.status.code(), Some(5), "{}", finished.stderr);
        assert_eq!(finished.export["counters"]["logs_received"], 2);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_a_child_that_takes_its_time() {
    let (program, child) = start(&[], "trap 'echo no' INT;", FOR_EVER);
    kill_process(program.pid(), Signal::INT).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_there(child));
    let finished = program.finish();
    assert_eq!(finished.status.code(), Some(143), "{}", finished.stderr);
    assert!(!is_there(child));
}

#[test]
fn idleness_interrupts_the_child_and_lines_count_as_work() {
    let script = format!("for n in 1 2 3 4 5 6; do echo $n; sleep 0.2; done; {FOR_EVER}");
    let options = ["--exit-after-idle", "700ms"];
    let (program, _) = start(&options, "trap 'echo bye; exit 4' INT;", &script);
    let finished = program.wait();
    assert_eq!(finished.status.code(), Some(4), "{}", finished.stderr);
    assert_eq!(finished.export["counters"]["logs_received"], 7);
}

#[cfg(target_os = "linux")]
#[test]
fn killing_us_ends_the_child_and_its_group_whatever_they_ignore() {
    let (program, child) = start(&[], "trap '' TERM; sleep 300 &", FOR_EVER);
    let group = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (before, after) = stat.rsplit_once(") ")?;
            let pid = before.split(' ').next()?.parse().ok()?;
            let group: i32 = after.split(' ').nth(2)?.parse().ok()?;
            (group == child.as_raw_nonzero().get()).then_some(Pid::from_raw(pid)?)
        });
    let group: Vec<_> = group.collect();
    assert!(group.len() >= 2, "{group:?}");
    kill_process(program.pid(), Signal::KILL).unwrap();
    // Whoever takes over orphans in a test's container may leave them as zombies.
    wait_for(|| group.iter().all(|pid| !runs(*pid)).then_some(()));
}

#[cfg(target_os = "linux")]
#[test]
fn killing_us_ends_an_ordinary_child_at_once() {
    let (program, child) = start(&[], "", "exec sleep 300");
    let begun = Instant::now();
    kill_process(program.pid(), Signal::KILL).unwrap();
    wait_for(|| (!runs(child)).then_some(()));
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[cfg(target_os = "linux")]
fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

#[test]
fn a_child_is_ended_although_nobody_reads_what_we_print() {
    let scratch = Scratch::new();
    let file = scratch.path("pid");
    let script = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 300",
        file.display()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"));
    let mut program = command
        .args([
            "run",
            "--headless",
            "--listen",
            "127.0.0.1:0",
            "--log-file",
            "/dev/null",
        ])
        .args(["--", "sh", "-c", &script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = wait_for(|| fs::read_to_string(&file).ok());
    drop(program.stdout.take());
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(Pid::from_child(&program), Signal::INT).unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(130));
    assert!(!is_there(pid));
}
