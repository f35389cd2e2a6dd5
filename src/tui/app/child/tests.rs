//! Each way a program ends, and each way to leave it.

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
