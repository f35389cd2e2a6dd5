//! What the header says of requests that go on.

use super::terminal::{Seat, options};
use crate::forward::Forwarded;
use crate::ingest::Inbound;
use crate::tui::app::UiOptions;

fn seated(width: u16, height: u16, forward: &str) -> Seat {
    let options = UiOptions {
        forward: forward.into(),
        ..options()
    };
    Seat::with(width, height, options)
}

#[track_caller]
fn check(width: u16, forward: &str, outcome: &Forwarded, expected: &str) {
    let mut seat = seated(width, 24, forward);
    seat.inbound(Inbound::Forwarded(outcome.clone()));
    seat.draw();
    let header = seat.lines().swap_remove(0);
    assert!(
        header.trim_end().ends_with(expected),
        "{expected:?} is not the end of {header:?}"
    );
}

#[test]
fn the_header_says_where_requests_go_how_many_went_and_how_many_did_not() {
    let none = Forwarded::default();
    let went = Forwarded {
        payloads: 12,
        spans: 90,
        ..none.clone()
    };
    let lost = Forwarded {
        failed: 2,
        dropped: 1,
        last_error: Some("cannot be reached".into()),
        ..went.clone()
    };
    let agent = "agent 127.0.0.1:8125";
    for width in [60, 80, 120] {
        check(width, "", &none, "fwd off   LIVE");
    }
    check(120, agent, &none, "fwd agent 127.0.0.1:8125 0 sent   LIVE");
    check(120, agent, &went, "fwd agent 127.0.0.1:8125 12 sent   LIVE");
    check(
        120,
        agent,
        &lost,
        "fwd agent 127.0.0.1:8125 12 sent 3 lost   LIVE",
    );
    for width in [60, 80] {
        check(width, agent, &lost, "fwd agent 12 sent 3 lost   LIVE");
    }
}

#[test]
fn what_was_lost_on_the_way_stands_among_the_losses() {
    let mut seat = seated(120, 36, "agent unix");
    seat.inbound(Inbound::Forwarded(Forwarded {
        failed: 2,
        dropped: 1,
        ..Forwarded::default()
    }));
    seat.draw();
    let lines = seat.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("not sent on 3 requests")),
        "{lines:#?}"
    );
}

#[test]
fn a_name_from_the_command_line_steers_no_terminal() {
    let mut seat = seated(120, 24, "agent /run/\u{1b}[31m\u{202e}x");
    seat.draw();
    let header = seat.lines().swap_remove(0);
    assert!(!header.contains(['\u{1b}', '\u{202e}']), "{header:?}");
}
