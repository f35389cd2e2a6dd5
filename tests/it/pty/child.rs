//! The viewer around a program that it started: quitting waits for it, its end is told, it can be
//! started again; and the viewer beside a program whose output is its stdin.

use super::screen::Screen;

/// The end of a script that only a signal ends.
const FOR_EVER: &str = "while :; do sleep 0.05; done";

/// Starts `run` with a script, and waits until that has set its traps and printed `armed`.
fn run(script: &str) -> Screen {
    let command = ["run", "--listen", "127.0.0.1:0", "--", "sh", "-c", script];
    let mut screen = Screen::start(&command, 36, 120);
    screen.press("2");
    screen.wait_for(|text| text.lines().any(|line| line.contains("  armed")));
    screen
}

#[test]
fn quitting_interrupts_the_child_reads_its_last_lines_and_leaves_with_its_code() {
    for ask in ["q", "\x03"] {
        let mut screen = run(&format!(
            "trap 'sleep 0.5; echo late line; sleep 1; exit 5' INT; echo armed; {FOR_EVER}"
        ));
        screen.press(ask);
        screen.wait_for(|text| text.contains("Waiting for"));
        screen.wait_for(|text| text.contains("late line"));
        assert_eq!(screen.exit_code(), 5);
        screen.assert_restored();
    }
}

#[test]
fn a_second_q_ends_a_child_that_takes_its_time() {
    let mut screen = run(&format!("trap 'echo no' INT; echo armed; {FOR_EVER}"));
    screen.press("q");
    screen.wait_for(|text| text.contains("Waiting for"));
    screen.press("q");
    assert_eq!(screen.exit_code(), 143);
    screen.assert_restored();
}

#[test]
fn a_third_q_does_not_wait_for_a_child_that_ignores_that() {
    let mut screen = run(&format!("trap '' INT TERM; echo armed; {FOR_EVER}"));
    for waiting in ["Waiting for", "at once: "] {
        screen.press("q");
        screen.wait_for(|text| text.contains(waiting));
    }
    screen.press("q");
    assert_eq!(screen.exit_code(), 137);
    screen.assert_restored();
}

#[test]
fn a_child_that_ends_first_is_told_with_its_code_and_can_be_started_again() {
    let mut screen = run("echo armed; exit 3");
    screen.wait_for(|text| text.contains("code 3") && text.contains("R restart"));
    screen.press("R");
    screen.wait_for(|text| text.lines().filter(|line| line.contains("  armed")).count() == 2);
    screen.press("q");
    assert_eq!(screen.exit_code(), 3);
    screen.assert_restored();
}

#[test]
fn a_signal_to_us_leaves_as_q_does() {
    let screen = run(&format!("trap 'exit 6' INT; echo armed; {FOR_EVER}"));
    screen.signal(rustix::process::Signal::TERM);
    assert_eq!(screen.exit_code(), 6);
    screen.assert_restored();
}

#[test]
fn a_child_that_cannot_be_started_gives_the_terminal_back_and_is_told() {
    let command = ["run", "--listen", "127.0.0.1:0", "--", "no-such-program"];
    let screen = Screen::start(&command, 36, 120);
    assert_eq!(screen.exit_code(), 127);
    screen.assert_restored();
    screen.wait_for(|text| text.contains("no-such-program was not found"));
}

#[test]
fn keys_come_from_the_terminal_while_lines_come_from_stdin() {
    let program = env!("CARGO_BIN_EXE_modtrace-tui");
    let script = format!("echo a line from a pipe | exec {program} --listen 127.0.0.1:0 --logs -");
    let mut screen = Screen::start_command(&["sh", "-c", &script], 36, 120);
    screen.wait_for(|text| text.contains("Connect"));
    screen.press("2");
    screen.wait_for(|text| text.contains("a line from a pipe"));
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_restored();
}

#[test]
fn idleness_leaves_as_q_does() {
    let options = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--exit-after-idle",
        "700ms",
    ];
    let script =
        format!("trap 'exit 6' INT; for n in 1 2 3; do echo armed; sleep 0.4; done; {FOR_EVER}");
    let command = [&options[..], &["--", "sh", "-c", &script]].concat();
    let mut screen = Screen::start(&command, 36, 120);
    screen.press("2");
    screen.wait_for(|text| text.matches("  armed").count() == 3);
    assert_eq!(screen.exit_code(), 6);
    screen.assert_restored();
}
