//! What goes on to Datadog or to a real Agent, and what the user chooses of it.

use std::time::Duration;

use super::fixture::{at, chunk, payload, root, story};
use super::terminal::{Seat, options};
use crate::forward::courier::{Courier, CourierSettings, Which};
use crate::forward::retry::Attempt;
use crate::forward::{Exchange, Forwarded, Ticket};
use crate::ingest::Inbound;
use crate::store::{Store, TraceKey};
use crate::trace::UnixNanos;
use crate::tui::app::{ByHandTo, UiOptions};
use crate::tui::theme::{Color, Glyphs};

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

/// A seat whose traces go to Datadog when they are chosen.
fn chooser(width: u16, height: u16) -> Seat {
    let options = UiOptions {
        by_hand: ByHandTo::Datadog {
            host: "trace.agent.datadoghq.eu".into(),
            site: "datadoghq.eu".into(),
        },
        ..options()
    };
    let mut seat = Seat::over(with_courier(Which::ByHand), (width, height), options);
    seat.receive(story());
    seat
}

fn with_courier(which: Which) -> Store {
    let settings = CourierSettings {
        which,
        ..CourierSettings::default()
    };
    Store::new(64 << 20).with_courier(Courier::new(settings, UnixNanos(1)))
}

/// Hands over what is wanted, as the loop does, and tells what became of it.
fn carry(seat: &mut Seat, is_taken: impl Fn(Ticket) -> bool) -> Vec<Ticket> {
    let now = at(seat.millis);
    let store = seat.app.store_mut();
    while store.depart_next(now) {}
    let mut outcome = Forwarded::default();
    for request in store.courier_mut().unwrap().ready() {
        let (arrived, returned) = request
            .spans()
            .iter()
            .copied()
            .partition::<Vec<_>, _>(|span| is_taken(*span));
        outcome.payloads += 1;
        outcome.arrived.extend(arrived);
        outcome.returned.extend(returned);
    }
    let went = outcome.arrived.clone();
    seat.inbound(Inbound::Forwarded(outcome));
    seat.draw();
    went
}

fn n_wanted(seat: &Seat) -> usize {
    seat.app.store().forwarding().n_wanted()
}

#[test]
fn before_anything_goes_it_is_asked_and_escape_sends_nothing() {
    for (width, height) in [(120, 36), (80, 24)] {
        let mut seat = chooser(width, height);
        for no in ["<esc>", "n", "FF"] {
            seat.keys("F");
            assert!(seat.line_with("Send to Datadog?").contains("enter sends"));
            assert!(seat.line_with("│ to ").contains("trace.agent.datadoghq.eu"));
            assert!(seat.line_with("│ traces").contains("POST /v1/generate"));
            let goes = seat.line_with("│ goes");
            assert!(
                goes.contains("5 spans of 1 trace, about 762 B before compression"),
                "{goes}"
            );
            assert!(seat.shows("Datadog bills ingested spans"));
            assert!(seat.shows("obfuscated"));
            seat.keys(no);
            assert!(
                !seat.shows("Send to Datadog?") && n_wanted(&seat) == 0,
                "{no}"
            );
        }
        assert!(seat.lines()[0].contains("fwd off"));
    }
}

#[test]
fn enter_sends_exactly_the_marked_ones_in_their_order() {
    let mut seat = chooser(120, 36);
    seat.keys("jmjjjm");
    assert!(seat.shows("Traces  2 marked"));
    seat.keys("k");
    seat.keys("F");
    let goes = seat.line_with("│ goes");
    assert!(goes.contains("2 spans of 2 traces"), "{goes}");
    assert!(seat.line_with("│ traces").contains("2 marked ones"));
    seat.keys("<enter>");
    assert_eq!(n_wanted(&seat), 2);
    seat.resize(80, 24);
    assert!(seat.lines()[0].contains("fwd by hand 0 sent"));
    seat.resize(120, 36);
    assert!(seat.shows("Sending 2 spans of 2 traces."));
    assert!(seat.lines()[0].contains("fwd by hand datadog datadoghq.eu 0 sent"));
    let went = carry(&mut seat, |_| true);
    let traces: Vec<_> = went.iter().map(|span| span.trace).collect();
    assert_eq!(
        traces,
        [1, 4],
        "the second from the top of six, and the fifth"
    );
    assert!(seat.lines()[0].contains("fwd by hand datadog datadoghq.eu 1 sent"));
    assert!(seat.shows("Traces  2 marked"), "marks stay");
}

#[test]
fn what_is_there_already_is_not_asked_about_and_what_was_not_taken_is() {
    let mut seat = chooser(120, 36);
    seat.keys("Fy");
    carry(&mut seat, |span| span.span > 1);
    assert!(seat.line_with("│>").contains("fwd 3/5"));
    seat.keys("F");
    assert!(seat.line_with("│ goes").contains("2 spans of 1 trace"));
    assert!(seat.line_with("│ stays").contains("3 spans there already"));
    seat.keys("<enter>");
    carry(&mut seat, |_| true);
    assert!(seat.line_with("│>").contains("fwd "));
    assert!(seat.line_with("┌ POST /v1/generate").contains("  fwd "));
    seat.keys("F");
    assert!(seat.shows("Nothing is left to send: all 5 spans are there already, or on the way."));
    assert!(!seat.shows("bills"));
    seat.keys("<enter>");
    assert_eq!(n_wanted(&seat), 0);
}

#[test]
fn without_a_key_the_reason_stands_where_the_question_would() {
    let options = UiOptions {
        by_hand: ByHandTo::Nowhere("DD_API_KEY is not set.".into()),
        ..options()
    };
    let mut seat = Seat::with(80, 24, options);
    seat.receive(story());
    seat.keys("F");
    assert!(seat.shows("DD_API_KEY is not set."));
    assert!(seat.shows("nothing leaves this machine"));
    assert!(!seat.shows("bills"));
    seat.keys("<enter>y");
    assert!(seat.shows("DD_API_KEY is not set."));
    seat.keys("F");
    assert!(!seat.shows("DD_API_KEY is not set."));
}

/// A request that was taken, and one that was not.
fn exchanges() -> Forwarded {
    let good = Exchange {
        at: at(61_200).wall,
        path: "/api/v0.2/traces".into(),
        n_spans: 31,
        n_bytes: 2_100,
        attempt: Attempt::Answered(202),
        error: "".into(),
        took: Duration::from_millis(41),
    };
    let error = "cannot be reached: the name trace.agent.datadoghq.eu means nothing here; is there a \
                 \u{1b}[31mnetwork, and does it need a proxy (HTTPS_PROXY)?";
    let bad = Exchange {
        at: at(62_000).wall,
        n_spans: 7,
        n_bytes: 812,
        attempt: Attempt::NoAnswer,
        error: error.into(),
        took: Duration::from_secs(5),
        ..good.clone()
    };
    Forwarded {
        payloads: 1,
        spans: 31,
        bytes: 2_100,
        failed: 1,
        last_error: Some(error.into()),
        exchanges: vec![good, bad],
        ..Forwarded::default()
    }
}

#[test]
fn the_panel_lists_the_last_requests_and_what_became_of_each() {
    for (width, height) in [(120, 36), (80, 24), (60, 15)] {
        let mut seat = chooser(width, height);
        seat.inbound(Inbound::Forwarded(exchanges()));
        seat.keys("FF");
        insta::assert_snapshot!(format!("forward_{width}x{height}"), seat.picture());
        seat.keys("<esc>F");
        insta::assert_snapshot!(format!("send_{width}x{height}"), seat.picture());
    }
}

#[test]
fn a_long_name_hides_nothing_that_is_asked_and_a_small_screen_scrolls() {
    let mut seat = chooser(60, 15);
    seat.receive(vec![chunk(900, &[root(900, &"long ".repeat(500), 5)])]);
    seat.keys("gF");
    assert!(seat.shows("before") && seat.shows("is obfuscated."));
    seat.resize(60, 11);
    assert!(!seat.shows("is obfuscated."));
    seat.keys("G");
    assert!(seat.shows("is obfuscated.") && n_wanted(&seat) == 0);
}

#[test]
fn once_the_key_is_refused_nothing_is_asked() {
    let mut seat = chooser(120, 36);
    let mut outcome = exchanges();
    for exchange in &mut outcome.exchanges {
        exchange.attempt = Attempt::Answered(403);
    }
    outcome.last_error = Some("refuses the key (403)".into());
    seat.inbound(Inbound::Forwarded(outcome));
    seat.keys("F");
    assert!(!seat.shows("bills"));
    assert!(
        seat.line_with("│ last error")
            .contains("the receiver refuses the key (403)")
    );
    assert!(seat.line_with("│ what goes").contains("another key"));
    seat.keys("<enter>");
    assert_eq!(n_wanted(&seat), 0);
}

#[test]
fn what_an_agent_refuses_is_that_request_and_no_other() {
    let options = UiOptions {
        forward: "agent 127.0.0.1:8125".into(),
        by_hand: ByHandTo::Nowhere("Everything goes on to the Agent.".into()),
        ..options()
    };
    let mut seat = Seat::with(120, 36, options);
    let mut outcome = exchanges();
    outcome.exchanges[1].attempt = Attempt::Answered(403);
    seat.inbound(Inbound::Forwarded(outcome));
    seat.keys("F");
    let to = seat.line_with("│ to ");
    assert!(to.contains("agent 127.0.0.1:8125"), "{to}");
    let goes = seat.line_with("│ what goes");
    assert!(goes.contains("every request as it came"), "{goes}");
    assert!(!seat.shows("another key") && seat.shows("403"));
}

#[test]
fn what_would_go_is_found_out_once_a_second_and_when_it_is_answered() {
    let mut seat = chooser(120, 36);
    seat.keys("F");
    let more = |id| vec![chunk(106, &[root(id, "POST /v1/generate", 5)])];
    let begun = seat.millis;
    for (id, millis, n_spans) in [(900, 100, 5), (901, 999, 5), (902, 1_000, 8)] {
        seat.millis = begun + millis;
        seat.inbound(payload(more(id), at(seat.millis)));
        seat.draw();
        let goes = seat.line_with("│ goes");
        assert!(
            goes.contains(&format!("{n_spans} spans of 1 trace")),
            "{goes}"
        );
    }
    seat.inbound(payload(more(903), at(seat.millis)));
    seat.keys("<enter>");
    assert!(seat.shows("Sending 9 spans of 1 trace."));
}

#[test]
fn the_panel_is_one_key_away_wherever_no_trace_is_selected() {
    let mut seat = chooser(120, 36);
    for view in ["2", "3", "3M", "4", "4C", "w"] {
        seat.keys("1");
        seat.keys(view);
        seat.keys("F");
        assert!(seat.shows("No request has been made yet."), "{view}");
        seat.keys("F");
        assert!(!seat.shows("No request has been made yet."), "{view}");
    }
    seat.keys("1m2F");
    assert!(seat.shows("Send to Datadog?"), "a marked one is");
}

#[test]
fn a_real_agent_has_the_same_panel_and_nothing_to_choose() {
    let options = UiOptions {
        forward: "agent 127.0.0.1:8125".into(),
        by_hand: ByHandTo::Nowhere("Everything goes on to the Agent.".into()),
        ..options()
    };
    let mut seat = Seat::with(120, 36, options);
    seat.receive(story());
    let mut outcome = exchanges();
    outcome.exchanges = (0..100).map(|_| outcome.exchanges[0].clone()).collect();
    seat.inbound(Inbound::Forwarded(outcome));
    seat.keys("F");
    assert!(seat.line_with("│ to ").contains("agent 127.0.0.1:8125"));
    assert!(
        seat.line_with("│ what goes")
            .contains("every request as it came")
    );
    assert!(seat.shows("j k scroll: "));
    seat.keys("G");
    assert!(!seat.shows("what goes"));
    assert!(seat.shows("202"));
}

#[test]
fn marks_stay_with_their_traces_whatever_comes_and_are_evicted_last() {
    let mut seat = Seat::with_memory(80, 24, 20_000);
    seat.receive(story());
    seat.keys("Gm");
    let marked: Vec<_> = seat.app.store().marked().collect();
    assert_eq!(marked, [TraceKey(0)]);
    assert!(seat.line_with("│>").starts_with("│>◆"));
    seat.keys("g");
    let new = (1_000..1_100).map(|id| chunk(id, &[root(id, &format!("GET /{id}"), 5)]));
    seat.receive(new.collect());
    let store = seat.app.store();
    assert!(
        store.counters().traces_evicted > 10,
        "{:?}",
        store.counters()
    );
    assert!(store.trace(TraceKey(0)).is_some() && store.is_marked(TraceKey(0)));
    assert!(store.trace(TraceKey(2)).is_none());
    seat.keys("G");
    assert!(seat.line_with("│>").starts_with("│>◆"));
    seat.keys("<esc>");
    assert!(seat.shows("1 marked"), "esc leaves marks alone");
    seat.keys("/marked<enter>");
    assert!(seat.shows("/marked   1 of"));
    seat.keys("M");
    assert!(!seat.shows("1 marked") && seat.shows("no trace matches marked"));
}

#[test]
fn a_mark_goes_with_its_trace_and_is_set_in_every_pane_of_it() {
    let mut seat = Seat::new(120, 36);
    seat.receive(story());
    for pane in ["", "<enter>", "<tab>", "<tab>"] {
        seat.keys(pane);
        seat.keys("m");
        assert_eq!(seat.app.store().marked().len(), 1, "{pane}");
        assert!(seat.shows("◆ POST /v1/generate"), "{pane}");
        seat.keys("m");
        assert_eq!(seat.app.store().marked().len(), 0, "{pane}");
    }
    let mut store = Store::new(4_000);
    store.toggle_mark(TraceKey(0));
    assert_eq!(store.marked().len(), 0, "nobody is marked who is not there");
}

#[test]
fn a_mark_is_a_character_in_ascii_too() {
    let options = UiOptions {
        glyphs: Glyphs::Ascii,
        color: Color::Off,
        ..options()
    };
    let mut seat = Seat::with(80, 24, options);
    seat.receive(story());
    seat.keys("jmk");
    assert!(
        seat.line_with("202ms").starts_with("| *"),
        "{:#?}",
        seat.lines()
    );
    seat.keys("F");
    assert!(seat.lines().iter().all(|line| line.is_ascii()));
}
