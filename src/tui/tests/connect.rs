//! The Connect screen: each trouble at each size, and the way to it.

use super::fixture::{at, chunk, line, lines, payload_by, record, root, story};
use super::terminal::Seat;
use crate::ingest::{Brought, ChildEvent, Inbound, Lines, Request};
use crate::logs::{LogRecord, Remark, modal};
use crate::stats::{ClientStats, StatsBucket, StatsCounts, StatsGroup};
use crate::store::ModalState;
use crate::trace::{ContainerFacts, Hello, RelaySource, TraceId, Via};
use crate::tui::message::Effect;

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

/// Reviewed at every size: what happens is told to a seat before `modal serve`.
#[track_caller]
fn review(name: &str, happens: impl Fn(&mut Seat)) {
    for (width, height) in SIZES {
        let mut seat = Seat::before("modal serve app.py", width, height);
        happens(&mut seat);
        seat.draw();
        insta::assert_snapshot!(format!("connect_{name}_{width}x{height}"), seat.picture());
    }
}

fn served(seat: &mut Seat) {
    let now = at(seat.millis);
    let mut status = line("Serving... hit Ctrl-C to stop!", now);
    status.remark = Some(Box::new(Remark::Modal(modal::Status::Serving)));
    seat.inbound(lines(vec![status]));
    let app = seat.app.store_mut().modal_mut();
    app.id = Some("ap-1J8xKqWm2vT7cRb4Zs0aPd".into());
    app.web_urls = vec!["https://acme--gen-dev.modal.run".into()];
    app.state = ModalState::Serving;
}

fn json(seat: &Seat, id: u128) -> LogRecord {
    let mut record = line(
        r#"{"event":"request.accepted","tokens":812}"#,
        at(seat.millis),
    );
    record.ids.trace = TraceId(id);
    record
}

fn prints_json(seat: &mut Seat, id: u128) {
    let mut records = vec![json(seat, id); 38];
    records.extend([line("INFO ready", at(seat.millis)), line("GET /", at(0))]);
    seat.inbound(lines(records));
}

/// A relay that has introduced itself, and how many of its messages came and did not.
fn relayed(seat: &mut Seat, n_messages: u64, n_lost: u64) {
    let hello = Hello {
        source: RelaySource(7),
        container: ContainerFacts {
            task_id: Some("ta-01J8XKQW".into()),
            ..ContainerFacts::default()
        },
    };
    let mut record = record("POST", "/modtrace/hello", 200, at(seat.millis));
    record.via = Via::Relay;
    let brought = Brought::Hello(Box::new(hello));
    seat.inbound(Inbound::Lines(Box::new(Lines {
        requests: vec![Request { record, brought }],
        relay_messages: n_messages,
        relay_lost: n_lost,
        ..Lines::default()
    })));
}

fn unsent(seat: &mut Seat) {
    let mut complaint = line("failed to send, dropping 3 traces", at(seat.millis));
    complaint.remark = Some(Box::new(Remark::Unsent {
        traces: 3,
        url: "http://localhost:8126".into(),
        reason: "client error (Connect)".into(),
    }));
    seat.inbound(lines(vec![complaint]));
    seat.app.store_mut().counters_mut().client_unsent_traces = 3;
}

#[test]
fn waiting_for_an_app_that_is_served() {
    review("waiting", served);
}

#[test]
fn lines_without_spans() {
    review("lines_only", |seat| {
        served(seat);
        prints_json(seat, 0);
        seat.millis += 40_000;
    });
}

#[test]
fn lines_that_name_traces_without_spans() {
    review("ids_only", |seat| {
        served(seat);
        prints_json(seat, 7);
        seat.millis += 9_000;
    });
}

#[test]
fn a_tracer_that_cannot_reach_its_agent() {
    review("unsent", |seat| {
        served(seat);
        prints_json(seat, 7);
        unsent(seat);
    });
}

#[test]
fn relay_messages_that_are_lost() {
    review("relay_lost", |seat| {
        served(seat);
        relayed(seat, 12, 2);
    });
}

#[test]
fn which_message_is_lost_and_why_is_told() {
    let mut seat = Seat::before("modal serve app.py", 120, 36);
    let loss = "message 7 of relay 5f3a09c1 is lost: its checksum is wrong".to_owned();
    seat.inbound(Inbound::Lines(Box::new(Lines {
        relay_lost: 1,
        relay_losses: vec![loss.clone()],
        ..Lines::default()
    })));
    seat.draw();
    assert!(seat.shows(&loss));
}

#[test]
fn leaving_while_the_program_prints() {
    review("draining", |seat| {
        served(seat);
        seat.keys("q");
        seat.millis += 3_000;
        seat.prints(12);
    });
}

#[test]
fn a_program_that_failed() {
    review("ended", |seat| {
        seat.prints(4);
        seat.ends(1);
    });
}

#[test]
fn spans_that_came_over_the_relay() {
    review("relay", |seat| {
        served(seat);
        relayed(seat, 9, 0);
        for chunk in story() {
            seat.millis += 1_000;
            seat.inbound(payload_by(Via::Relay, vec![chunk], at(seat.millis)));
        }
        seat.draw();
        seat.keys("w");
    });
}

/// A client that counted 50 requests and 50 queries, of which 7 traces came.
fn counts(seat: &mut Seat, sampled: u64) {
    let group = |resource: &str, hits: u64| {
        let mut counts = StatsCounts {
            hits,
            errors: u64::from(hits > 1),
            ..StatsCounts::default()
        };
        counts.ok.add(412e6, hits);
        StatsGroup {
            service: "gen-api".into(),
            name: "fastapi.request".into(),
            resource: resource.into(),
            counts,
            ..StatsGroup::default()
        }
    };
    let mut groups = vec![group("POST /v1/generate", 50), group("GET /\u{1b}[31m", 6)];
    groups.extend((0..20).map(|number| group(&format!("SELECT {number}"), 1)));
    let stats = ClientStats {
        buckets: vec![StatsBucket {
            start: at(0).wall,
            duration: 600_000_000_000,
            groups,
        }],
        ..ClientStats::default()
    };
    let record = record("POST", "/v0.6/stats", 200, at(seat.millis));
    let brought = Brought::Stats(Box::new(stats));
    for number in 1..=7 {
        let root = root(number, "POST /v1/generate", 412).metric("_dd.top_level", 1.0);
        let chunks = vec![chunk(number, &[root])];
        let Inbound::Request(mut request) = payload_by(Via::Http, chunks, at(seat.millis)) else {
            panic!("a payload is a request");
        };
        if let Brought::Spans(received) = &mut request.brought {
            received.client_computed_stats = true;
            received.client_dropped_p0_traces = sampled;
        }
        seat.inbound(Inbound::Request(request));
    }
    seat.inbound(Inbound::Request(Box::new(Request { record, brought })));
    seat.draw();
}

#[test]
fn hits_that_did_not_arrive() {
    review("told", |seat| {
        counts(seat, 7);
        seat.keys("w");
    });
    review("told_list", |seat| {
        counts(seat, 7);
        seat.keys("w<tab>");
    });
}

#[test]
fn what_clients_counted_is_moved_through_in_place_of_the_requests() {
    let mut seat = Seat::before("python a.py", 120, 36);
    seat.keys("w<tab>");
    assert!(
        seat.shows("Every request that reached us"),
        "nobody counted"
    );
    counts(&mut seat, 0);
    assert!(seat.shows("told    by tracer"));
    assert!(seat.shows("ddtrace 2 drops what it rejects"));
    assert!(seat.shows("What clients counted") && seat.shows("POST /v1/generate"));
    seat.keys("G");
    assert!(seat.shows("SELECT 9") && !seat.shows("POST /v1/generate"));
    seat.keys("g");
    assert!(seat.shows("POST /v1/generate"));
    seat.keys("<tab>");
    assert!(seat.shows("Every request that reached us"));
}

#[test]
fn the_screen_can_be_reached_again_and_left() {
    let mut seat = Seat::new(80, 24);
    seat.receive(story());
    for back in ["w", "<esc>", "<enter>"] {
        seat.keys("w");
        assert!(seat.shows("6 traces came, 11 spans.   enter shows them"));
        assert!(seat.shows("Every request that reached us"));
        seat.keys(back);
        assert!(seat.selected_row().contains("POST /v1/generate"), "{back}");
    }
    seat.keys("<enter>w<esc>");
    assert!(seat.shows("esc back"), "to the trace it was opened from");
    let mut seat = Seat::new(80, 24);
    seat.keys("w<esc>");
    assert!(seat.shows("Waiting for the first span"), "nowhere to go");
}

#[test]
fn old_requests_can_be_gone_back_to_and_stand_still() {
    let mut seat = Seat::new(80, 24);
    let ask = |seat: &mut Seat, path: &str| {
        let mut record = record("GET", path, 404, at(seat.millis));
        record.endpoint = "".into();
        let brought = Brought::Nothing;
        seat.inbound(Inbound::Request(Box::new(Request { record, brought })));
        seat.draw();
    };
    for number in 0..50 {
        ask(&mut seat, &format!("/path-{number}"));
    }
    assert!(seat.shows("/path-49") && !seat.shows("/path-0 "));
    seat.keys("g");
    assert!(seat.shows("/path-0 ") && !seat.shows("/path-49"));
    ask(&mut seat, "/path-50");
    assert!(seat.shows("/path-0 ") && !seat.shows("/path-50"));
    seat.keys("G");
    assert!(seat.shows("/path-50"));
}

#[test]
fn the_fix_of_the_verdict_is_copied() {
    let mut seat = Seat::before("modal serve app.py", 80, 24);
    unsent(&mut seat);
    let copied = format!("{:?}", seat.keys("y"));
    assert!(copied.contains("modtrace_relay.start()"), "{copied}");
    relayed(&mut seat, 1, 1);
    seat.receive(story());
    let repeat = "modtrace_relay.start(repeat=2)".to_owned();
    assert_eq!(seat.keys("y"), [Effect::Copy(repeat)]);
    let mut seat = Seat::before("python a.py", 80, 24);
    let line = "export DD_TRACE_AGENT_URL=http://127.0.0.1:8126".to_owned();
    assert_eq!(seat.keys("y"), [Effect::Copy(line)]);
}

#[test]
fn lines_alone_do_not_open_another_view() {
    let mut seat = Seat::before("python a.py", 80, 24);
    seat.prints(3);
    assert!(seat.shows("Waiting for the first span"));
    assert!(seat.shows("3 lines, 0 JSON"));
    seat.child(ChildEvent::OutputEnded);
    assert!(seat.shows("Waiting for the first span"));
}
