//! Lines of Modal, as they were seen, and lines that only look like them.

use super::*;

#[track_caller]
fn check(line: &str, expected: impl Into<Option<Status>>) {
    assert_eq!(status(line), expected.into(), "{line}");
}

#[test]
fn lines_of_the_client_are_recognised() {
    check(
        "✓ Initialized. View run at https://modal.com/apps/mock/main/ap-kdGVwaWBfNwVym97ZkYPCp",
        Some(Status::App {
            id: "ap-kdGVwaWBfNwVym97ZkYPCp".into(),
            page: Some("https://modal.com/apps/mock/main/ap-kdGVwaWBfNwVym97ZkYPCp".into()),
        }),
    );
    check("✓ Created objects.", Some(Status::Created));
    check(
        "\u{fe0f}\u{fe0f}⚡\u{fe0f} Serving... hit Ctrl-C to stop!",
        Some(Status::Serving),
    );
    let url = "https://acme--gen-dev.modal.run";
    check(
        &format!("├── 🔨 Created web function web => {url}"),
        Some(Status::WebUrl(url.into())),
    );
    check(&format!("│   └── {url}"), Some(Status::WebUrl(url.into())));
    check("└── Watching /home/dev/service.", Some(Status::Other));
    check("├── 🔨 Created function process.", Some(Status::Other));
    check("Serve process 4259 terminated", Some(Status::Reloading));
    check("🧹 Terminating running containers", Some(Status::Reloading));
    check(
        "Disconnecting from Modal - This will terminate your Modal app in a few seconds.",
        Some(Status::Disconnecting),
    );
    check(
        "✓ App aborted. View run at https://modal.com/apps/mock/main/ap-UCnDmmC4xhiypuHeJD26hK",
        Some(Status::Stopped),
    );
    check("=> Step 0: FROM base", Some(Status::Other));
    check(
        "Creating memory snapshot for Function.",
        Some(Status::Other),
    );
    check("✓ App deployed in 3.1s! 🎉", Some(Status::Other));
}

#[test]
fn lines_of_containers_are_not() {
    for line in [
        "Serving",
        "✓",
        "Created objects.",
        "ap-kdGVwaWBfNwVym97ZkYPCp",
        "",
        "Serve process",
        "⚡",
    ] {
        check(line, None);
    }
}

#[test]
fn a_restore_is_told_from_the_making_of_a_snapshot() {
    for line in [
        "Restoring Function from memory snapshot.",
        "Snapshot created. Restoring Function from memory snapshot.",
    ] {
        assert!(restores(line), "{line}");
        check(line, None);
    }
    for line in [
        "Creating memory snapshot for Function.",
        "Creating GPU memory snapshot for Function.",
        "Snapshot created.",
        "I am Restoring Function from memory snapshot.",
        "",
    ] {
        assert!(!restores(line), "{line}");
    }
}

#[track_caller]
fn check_end(line: &str, expected: Option<(End, Option<&str>)>) {
    assert_eq!(end(line), expected, "{line}");
    check(line, None);
}

#[test]
fn the_end_of_an_input_is_heard() {
    // A log of Modal that stands in a public repository: timeout of a function on a B200.
    let id = "in-01KPJ3A91C01CVK1YZXBJKX4K1:1776576439351-0";
    let timeout = Some((End::Timeout, Some(id)));
    let cancelled = Some((End::Cancelled, Some(id)));
    check_end(
        &format!("Task's current input {id} hit its timeout of 3600s"),
        timeout,
    );
    check_end(
        &format!(
            "Task's current input(s) [\"{id}\"] cancelled because: Task's current input {id} hit its timeout of 3600s"
        ),
        timeout,
    );
    check_end(
        "Task's current input hit its timeout of 600s",
        Some((End::Timeout, None)),
    );
    check_end(
        &format!("Task's current input(s) [\"{id}\"] cancelled because: app stopped"),
        cancelled,
    );
    check_end(
        &format!(
            "[modal-client] 2026-04-19T06:27:26+0000 Received a cancellation signal while processing input ('{id}',)"
        ),
        cancelled,
    );
    check_end(
        &format!("[modal-client] 2026-04-19T06:27:28+0000 Successfully canceled input ('{id}',)"),
        cancelled,
    );
    check_end(&format!("Successfully canceled input ('{id}',)"), cancelled);
    let killed = Some((End::Killed, None));
    check_end("Runner failed with exit code: 137", killed);
    // Found in logs of `modal run` that users have published.
    check_end(
        "Runner failed with exception: Worker disappeared, in-progress inputs will be re-scheduled.",
        killed,
    );
    check_end(
        "Runner has been shutting down for too long (grace period: 30 seconds)",
        killed,
    );
}

#[test]
fn what_only_sounds_like_an_end_is_none() {
    for line in [
        "",
        "Task's current input",
        "Task's current input in-1 is slow",
        "the runner hit its timeout of 5s",
        "[modal-client] 2026-04-19T06:27:26+0000 Input in-1 missing from active input tracking",
        "[modal-client]",
        "Successfully canceled",
        "Test runner failed with exit code: 1",
    ] {
        check_end(line, None);
    }
    let far = format!(
        "{CURRENT_INPUT} {}{HIT_ITS_TIMEOUT}5s",
        "é".repeat(END_BYTES_MAX)
    );
    check_end(&far, None);
}
