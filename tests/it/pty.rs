//! The viewer in a terminal: a waterfall comes, keys work, and every way out gives the terminal
//! back as it was.

mod child;
pub(crate) mod screen;

use rustix::process::Signal;
use screen::Screen;

/// The demo with its first traces on the screen.
fn demo(arguments: &[&str]) -> Screen {
    let arguments: Vec<_> = ["demo"].iter().chain(arguments).copied().collect();
    let screen = Screen::start(&arguments, 36, 120);
    screen.wait_for(|text| text.contains("document.process"));
    screen
}

#[test]
fn the_demo_shows_a_waterfall_takes_keys_and_leaves_with_q() {
    let mut screen = demo(&[]);
    screen.wait_for(|text| text.contains("batch-worker") || text.contains("document.extract"));
    screen.press("jjk");
    screen.press("?");
    screen.wait_for(|text| text.contains("quit"));
    screen.press("\x1b");
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_restored();
    assert!(
        !screen.text().contains("document.process"),
        "{}",
        screen.text()
    );
}

#[test]
fn a_signal_that_ends_it_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let screen = demo(&[]);
        screen.signal(signal);
        assert_eq!(screen.exit_code(), 0, "{signal:?}");
        screen.assert_restored();
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_restores_the_terminal_before_it_is_told() {
    let screen = Screen::start(&["demo", "--panic-after", "200ms"], 36, 120);
    assert_eq!(screen.exit_code(), 101);
    screen.assert_restored();
    screen.wait_for(|text| text.contains("panicked at"));
}

#[test]
fn it_leaves_although_the_terminal_does_not_read_and_restores_it_once_it_does() {
    let mut screen = demo(&[]);
    screen.set_reading(false);
    // Whole frames, each more than the line takes in.
    for rows in [30, 36, 30, 36] {
        screen.resize(rows, 120);
        screen.press("j");
    }
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.set_reading(true);
    screen.assert_restored();
}

#[test]
fn it_leaves_when_the_terminal_is_gone_although_no_signal_says_so() {
    assert_eq!(screen::exit_code_without_terminal(&["demo"]), 0);
}

#[test]
fn any_size_can_come_while_it_draws() {
    let mut screen = demo(&[]);
    for (rows, columns) in [(1, 1), (2, 200), (60, 2), (0, 0), (36, 120)] {
        screen.resize(rows, columns);
        screen.press("j");
    }
    screen.wait_for(|text| text.contains("document.process"));
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_restored();
}

#[test]
fn without_a_shell_to_return_to_it_is_not_suspended() {
    let mut screen = demo(&[]);
    screen.press("\x1a");
    screen.press("?");
    screen.wait_for(|text| text.contains("quit"));
    screen.press("\x1b");
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_restored();
}

#[test]
fn without_a_terminal_it_names_the_option_for_that() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
        .args(["demo", "--log-file", "/dev/null"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--headless"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
