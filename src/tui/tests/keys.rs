//! Keys and what they lead to.

use super::fixture::{SpanSpec, at, chunk, payload, record, root, story};
use super::terminal::{Seat, options};
use crate::ingest::{Inbound, Request, RequestRecord};
use crate::store::{Arrival, TraceKey};
use crate::trace::{UnixNanos, Via};
use crate::tui::message::{Effect, ExportFormat, ExportScope, Message};
use ratatui::crossterm::event::{Event, MouseEventKind};

fn seated() -> Seat {
    let mut seat = Seat::new(80, 24);
    seat.receive(story());
    seat
}

fn many(n_traces: u64) -> Vec<crate::trace::TraceChunk> {
    (0..n_traces)
        .map(|number| {
            chunk(
                1_000 + number,
                &[root(number + 100, &format!("GET /{number}"), 5)],
            )
        })
        .collect()
}

#[test]
fn the_first_trace_opens_by_itself() {
    let mut seat = Seat::new(80, 24);
    assert!(seat.shows("Waiting for the first span"));
    seat.receive(story());
    assert!(seat.selected_row().contains("POST /v1/generate"));
    assert!(seat.shows("CudaOOM: out of memory"));
}

#[test]
fn it_waits_for_enter_if_a_key_was_pressed() {
    let mut seat = Seat::new(80, 24);
    seat.keys("j");
    seat.receive(story());
    assert!(seat.shows("6 traces came, 11 spans.   enter shows them"));
    seat.keys("<enter>");
    assert!(seat.selected_row().contains("POST /v1/generate"));
}

#[test]
fn the_selection_follows_the_newest_only_from_the_top_row() {
    let mut seat = seated();
    seat.receive(vec![chunk(200, &[root(90, "GET /new", 5)])]);
    assert!(seat.selected_row().contains("GET /new"));
    seat.keys("j");
    let before = seat.selected_row();
    seat.receive(many(500));
    assert!(
        seat.selected_row().contains("POST /v1/generate"),
        "{before}"
    );
    assert!(seat.shows("+500 new above"));
    assert!(seat.shows("CudaOOM"));
    seat.keys("g");
    assert!(seat.selected_row().contains("GET /499"));
    assert!(!seat.shows("new above"));
}

#[test]
fn rows_do_not_move_below_a_selection_that_does_not_follow() {
    let mut seat = seated();
    seat.keys("jj");
    let rows = seat.lines()[4..10].to_vec();
    seat.millis -= 1_000;
    seat.receive(many(1));
    assert_eq!(seat.lines()[4..10], rows);
}

#[test]
fn a_key_typed_right_after_escape_counts_as_both() {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let mut seat = seated();
    seat.keys("?");
    let typed = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
    let effects = seat.message(Message::Input(Event::Key(typed)));
    seat.draw();
    assert_eq!(effects, [Effect::Quit]);
    assert!(seat.shows("DURATION"), "the help is closed");
}

#[test]
fn motions_stop_at_the_ends() {
    let mut seat = seated();
    seat.keys("G");
    assert!(seat.selected_row().contains("POST /v1/embed"));
    assert!(seat.shows("6/6"));
    seat.keys("<pgdn><ctrl+d>j");
    assert!(seat.shows("6/6"));
    seat.keys("<home>k");
    assert!(seat.shows("1/6"));
}

#[test]
fn e_goes_through_the_traces_with_errors() {
    let mut seat = seated();
    let mut visited = Vec::new();
    for _ in 0..3 {
        seat.keys("e");
        visited.push(seat.line_with("─ err"));
    }
    assert!(visited[0].contains("KeyError: 'pages'"));
    assert!(visited[1].contains("TimeoutError"));
    assert!(visited[2].contains("CudaOOM"));
    seat.keys("E");
    assert!(seat.shows("TimeoutError (in llm.generate)"));
}

#[test]
fn the_filter_narrows_the_list_while_it_is_written() {
    let mut seat = seated();
    seat.keys("/GENERATE");
    assert!(seat.shows("3 of 6"));
    seat.keys("<backspace>");
    seat.keys("<ctrl+u>doc-7<enter>");
    assert!(seat.shows("/doc-7   1 of 6"));
    assert!(seat.line_with("│>").contains("412ms"));
    seat.keys("<esc>");
    assert!(seat.shows("3/6"), "clearing does not move the selection");
}

#[test]
fn a_filter_that_is_wrong_keeps_what_the_last_one_found_and_says_so() {
    let mut seat = seated();
    seat.keys("/GENERATE dur>");
    assert!(seat.shows("/GENERATE   3 of 6"), "half written");
    assert!(seat.line_with("/ GENERATE").contains("a value is missing"));
    seat.keys("1s");
    assert!(seat.shows("/GENERATE dur>1s   2 of 6"));
    seat.keys("<ctrl+u>dur>soon generate");
    assert!(seat.line_with("/ dur>soon").contains("not a time"));
    seat.keys("<enter>");
    assert!(seat.shows("/generate   3 of 6"), "what is kept is seen");
    assert!(!seat.shows("soon"));
}

#[test]
fn the_waterfall_speaks_the_same_language() {
    let mut seat = seated();
    seat.keys("<enter>/svc:vllm dur>500ms -err<enter>n");
    assert!(
        seat.line_with(">").contains("cold_start"),
        "{}",
        seat.lines().join("\n")
    );
    seat.keys("/ dur><enter>");
    assert!(
        seat.shows("/svc:vllm dur>500ms -err "),
        "the last one stays"
    );
}

#[test]
fn escape_closes_then_clears_then_goes_back_and_never_quits() {
    let mut seat = seated();
    assert_eq!(seat.keys("/embed<esc>"), []);
    assert!(seat.shows("/embed   2 of 6"));
    seat.keys("<enter>");
    assert!(seat.shows("esc back"));
    seat.keys("<esc>");
    assert!(seat.shows("/embed   2 of 6"));
    seat.keys("<esc>");
    assert!(!seat.shows("/embed   2"));
    assert_eq!(seat.keys("<esc><esc><esc>"), []);
}

#[test]
fn every_form_of_an_id_finds_its_trace() {
    let mut seat = seated();
    let ids = [
        "67b1a0c2000000000000000000000068",
        "137838867430418206513430143178465673320",
        "000000000000000d",
    ];
    let entry = seat.app.store().traces().nth(3).unwrap();
    assert_eq!(entry.trace_id().to_string(), ids[0]);
    let decimal = entry.trace_id().0.to_string();
    for id in [ids[0], &decimal, ids[2]] {
        seat.keys(&format!("/<ctrl+u>{id}<enter>"));
        assert!(seat.shows("1 of 6"), "{id}");
    }
}

#[test]
fn what_the_list_says_of_sampling_is_found() {
    let mut seat = seated();
    seat.keys("/by rule 0.3<enter>");
    assert!(seat.shows("/by rule 0.3   1 of 6"));
    assert!(seat.shows("drop rule 0.3 │"));
}

#[test]
fn why_stands_in_a_column_of_its_own_or_beside_the_verdict() {
    let mut seat = seated();
    for (width, heading, row) in [
        (110, "AGENT(sim) WHY", "drop       rule 0.3"),
        (109, "AGENT(sim)    │", "drop rule 0.3 │"),
        (80, "AGENT(sim)    │", "drop rule 0.3 │"),
        (60, "AGENT(sim)│", "drop rule │"),
    ] {
        seat.resize(width, 24);
        seat.draw();
        assert!(seat.shows(heading) && seat.shows(row), "{width}");
    }
}

#[test]
fn what_is_kept_is_counted_in_the_line_of_views_or_where_there_is_none() {
    let mut seat = seated();
    assert!(seat.shows("kept (sim) 5 of 6"));
    seat.keys("<enter>");
    assert!(seat.shows("kept(sim) 5/6"));
}

#[test]
fn a_filter_finds_what_comes_and_grows_later() {
    let mut seat = seated();
    seat.keys("/late<enter>");
    assert!(seat.shows("no trace matches late"));
    let late = SpanSpec::under(3, 70, "late.child", 1, 1);
    seat.receive(vec![
        chunk(103, &[late]),
        chunk(300, &[root(71, "GET /late", 5)]),
    ]);
    assert!(seat.shows("/late   2 of 7"));
}

#[test]
fn a_paused_view_stands_still_and_loses_nothing() {
    let mut seat = seated();
    seat.keys("<space>");
    let before: Vec<String> = seat.lines()[3..22].to_vec();
    seat.receive(many(50));
    assert_eq!(seat.lines()[3..22], before);
    assert!(seat.shows("PAUSED +50 new"));
    seat.keys("<space>");
    assert!(seat.shows("LIVE"));
    assert_eq!(seat.app.store().n_traces(), 56);
    assert!(seat.shows("1/56"));
}

#[test]
fn a_refused_payload_is_told_on_the_screen() {
    let mut seat = Seat::new(120, 36);
    seat.receive(story());
    let refused = RequestRecord {
        note: "byte 812: the array announces 3 spans, 2 are there".into(),
        ..record("PUT", "/v0.4/traces", 400, at(seat.millis))
    };
    seat.inbound(Inbound::Request(Box::new(Request {
        record: refused,
        brought: crate::ingest::Brought::Nothing,
    })));
    seat.draw();
    let notice = seat.line_with("refused PUT");
    assert!(notice.contains("refused PUT /v0.4/traces 400: byte 812: the array announces 3"));
    assert!(notice.contains("2.1 kB from ddtrace-py 4.1.2"));
    assert!(seat.shows("refused 1 payload (1 trace)"));
    seat.millis += 60_000;
    seat.draw();
    assert!(!seat.shows("refused PUT"));
    assert!(seat.shows("refused 1 payload"));
}

#[test]
fn export_asks_what_and_how() {
    let mut seat = seated();
    let newest = TraceKey(5);
    let check = |seat: &mut Seat, keys, scope, format| {
        assert_eq!(seat.keys(keys), [Effect::Export(scope, format)]);
    };
    assert_eq!(seat.keys("x"), []);
    assert!(seat.shows("everything captured as JSON"));
    check(
        &mut seat,
        "j",
        ExportScope::Trace(newest),
        ExportFormat::Json,
    );
    check(
        &mut seat,
        "xd",
        ExportScope::Trace(newest),
        ExportFormat::Datadog,
    );
    check(&mut seat, "xa", ExportScope::All, ExportFormat::Json);
    check(&mut seat, "xA", ExportScope::All, ExportFormat::Datadog);
    assert_eq!(seat.keys("x<esc>j"), []);
    seat.message(Message::Notice("wrote trace.json".into()));
    seat.draw();
    assert!(seat.shows("wrote trace.json"));
}

#[test]
fn copying_asks_for_the_clipboard() {
    let mut seat = seated();
    let id = "67b1a0c200000000000000000000006a".to_owned();
    assert_eq!(seat.keys("y"), [Effect::Copy(id)]);
    assert_eq!(seat.keys("Y"), [Effect::CopyTrace(TraceKey(5))]);
    let mut seat = Seat::new(80, 24);
    let line = "export DD_TRACE_AGENT_URL=http://127.0.0.1:8126".to_owned();
    assert_eq!(seat.keys("y"), [Effect::Copy(line)]);
    let mut options = options();
    options.listening.app_url = Some("https://me.example/".into());
    options.listening.token_set = true;
    let line = "export DD_TRACE_AGENT_URL=https://me.example/TOKEN/".to_owned();
    assert_eq!(Seat::with(80, 24, options).keys("y"), [Effect::Copy(line)]);
}

#[test]
fn quitting_takes_one_key_wherever_one_is() {
    for keys in ["", "?", "x", "<enter>", "<tab>", "d", "2"] {
        let mut seat = seated();
        seat.keys(keys);
        assert_eq!(seat.keys("q"), [Effect::Quit], "after {keys}");
    }
    for keys in ["", "?", "/", "x"] {
        let mut seat = seated();
        seat.keys(keys);
        assert_eq!(seat.keys("<ctrl+c>"), [Effect::Quit], "after {keys}");
    }
}

#[test]
fn the_mouse_selects_and_scrolls() {
    let mut seat = seated();
    seat.click(10, 6);
    assert!(seat.shows("3/6"), "{}", seat.lines().join("\n"));
    seat.receive(many(60));
    seat.mouse(MouseEventKind::ScrollDown, 10, 5);
    seat.mouse(MouseEventKind::ScrollUp, 10, 5);
    assert!(seat.lines().iter().any(|line| line.contains("│>")));
}

#[test]
fn a_paste_becomes_the_filter() {
    let mut seat = seated();
    seat.message(Message::Input(Event::Paste("doc-7\n\x1b[31m".into())));
    seat.draw();
    assert!(seat.shows("/ doc-7  [31m"));
    assert!(seat.shows("0 of 6"));
}

#[test]
fn an_unchanged_screen_is_not_drawn_again() {
    let mut seat = seated();
    assert!(!seat.app.is_dirty());
    seat.message(Message::Frame);
    assert!(!seat.app.is_dirty());
    seat.millis += 1_000;
    seat.message(Message::Frame);
    assert!(seat.app.is_dirty(), "ages have moved");
    seat.draw();
    seat.inbound(payload(many(1), at(seat.millis)));
    assert!(seat.app.is_dirty());
}

#[test]
fn a_trace_on_the_whole_screen_stays_while_others_come() {
    let mut seat = seated();
    seat.keys("<enter>");
    let before: Vec<String> = seat.lines()[1..22].to_vec();
    seat.receive(many(20));
    assert_eq!(seat.lines()[1..22], before);
    seat.keys("<esc>");
    assert!(seat.selected_row().contains("POST /v1/generate"));
    assert!(seat.shows("+20 new above"));
}

#[test]
fn a_paused_trace_does_not_grow() {
    let mut seat = seated();
    seat.keys("<enter><space>");
    let child = SpanSpec::under(10, 77, "late.child", 1, 1);
    seat.receive(vec![chunk(106, &[child])]);
    assert!(!seat.shows("late.child"));
    seat.keys("<space>");
    assert!(seat.shows("late.child"));
}

#[test]
fn a_paused_row_says_what_it_said() {
    let mut seat = seated();
    seat.keys("j<space>");
    let before: Vec<String> = seat.lines()[3..22].to_vec();
    seat.receive(vec![chunk(105, &[SpanSpec::under(6, 78, "late", 1, 1)])]);
    assert_eq!(seat.lines()[3..22], before);
    seat.keys("<space>");
    assert_ne!(seat.lines()[3..22], before);
}

#[test]
fn a_pane_that_goes_with_the_terminal_gives_the_keys_back() {
    let mut seat = Seat::new(120, 36);
    seat.receive(story());
    seat.keys("<tab><tab>");
    seat.resize(80, 24);
    seat.keys("j");
    assert!(seat.shows("2/6"), "{}", seat.lines().join("\n"));
}

#[test]
fn the_end_of_a_search_is_told() {
    let mut seat = Seat::new(80, 24);
    seat.receive(many(3));
    seat.keys("e");
    assert!(seat.shows("No other error here."));
}

#[test]
fn the_details_lie_on_top_where_they_have_no_pane() {
    let mut seat = seated();
    seat.keys("d");
    assert!(!seat.shows("─ Traces ─"));
    assert!(seat.line_with("close").contains("d close"));
    seat.keys("d");
    assert!(seat.shows("─ Traces ─"));
    seat.keys("<tab><enter>");
    assert!(
        !seat.shows("─ Traces ─"),
        "enter on a leaf shows its details"
    );
    seat.keys("<esc>");
    assert!(seat.shows("─ Traces ─"));
}

#[test]
fn one_pane_at_a_time_where_only_one_fits() {
    let mut seat = Seat::new(60, 15);
    seat.receive(story());
    assert!(seat.shows("─ Traces ─"));
    assert!(!seat.shows("vllm.decode  "));
    seat.keys("<tab>");
    assert!(!seat.shows("─ Traces ─"));
    seat.keys("<esc>");
    assert!(seat.shows("─ Traces ─"));
}

#[test]
fn help_names_only_keys_of_the_pane_and_scrolls() {
    let mut seat = seated();
    seat.keys("?");
    assert!(seat.shows("Help: Traces"));
    assert!(!seat.shows("fold all"));
    seat.keys("?<tab>?");
    assert!(seat.shows("Help: Waterfall"));
    assert!(!seat.shows("suspend"));
    seat.keys("G");
    assert!(seat.shows("suspend"));
    seat.keys("<esc>");
    assert!(!seat.shows("Help:"));
}

#[test]
fn what_is_looked_at_is_evicted_last() {
    let mut seat = Seat::with_memory(80, 24, 40_000);
    seat.receive(story());
    seat.keys("G");
    assert!(seat.line_with("│>").contains("187ms"));
    seat.receive(many(100));
    assert!(seat.app.store().counters().traces_evicted > 0);
    assert!(seat.shows("evicted"));
    assert!(seat.line_with("│>").contains("187ms"));
}

#[test]
fn spans_restored_before_the_first_frame_are_listed() {
    let mut seat = Seat::new(80, 24);
    let chunk = chunk(1, &[root(1, "GET /restored", 5)]);
    let id = chunk.trace_id();
    let two_hours_ago = UnixNanos(super::fixture::NOON - 2 * 3_600_000_000_000);
    let arrival = Arrival {
        at: two_hours_ago,
        via: Via::Http,
        n_spans: 1,
        facts: None,
    };
    let said = crate::store::Restored {
        arrivals: &[arrival],
        ..Default::default()
    };
    seat.app.store_mut().restore(id, chunk, said);
    seat.draw();
    assert!(seat.selected_row().contains("2h GET /restored"));
}

#[test]
fn a_paused_list_can_be_filtered_and_shows_nothing_that_came_since() {
    let mut seat = seated();
    seat.keys("<space>");
    seat.receive(many(3));
    seat.keys("/\"get /\"<enter>");
    assert!(
        seat.shows("/\"get /\"   1 of 9"),
        "{}",
        seat.lines().join("\n")
    );
    assert!(seat.selected_row().contains("GET /healthz"));
    seat.keys("<esc>");
    assert!(seat.shows("4/6"), "{}", seat.lines().join("\n"));
    seat.keys("/\"get /\"<enter><space>");
    assert!(
        seat.shows("/\"get /\"   4 of 9"),
        "{}",
        seat.lines().join("\n")
    );
}

#[test]
fn a_large_trace_that_grows_out_of_sight_asks_for_no_frames() {
    let mut seat = Seat::new(60, 15);
    let spans = |from: u64| -> Vec<SpanSpec> {
        (from..from + 3_000)
            .map(|id| SpanSpec::under(1, id, "step", 1, 1))
            .collect()
    };
    seat.receive(vec![chunk(1, &[root(1, "GET /large", 5)])]);
    seat.receive(vec![chunk(1, &spans(10))]);
    seat.receive(vec![chunk(1, &spans(10_000))]);
    seat.receive(vec![chunk(1, &spans(20_000))]);
    assert!(!seat.app.is_dirty(), "the waterfall is not on the screen");
    seat.keys("<tab>");
    assert!(seat.shows("9001 spans"), "{}", seat.lines().join("\n"));
}

#[test]
fn a_filter_over_many_spans_goes_on_between_frames() {
    let mut seat = Seat::new(80, 24);
    seat.receive(many(1));
    let spans: Vec<SpanSpec> = (0..100_001)
        .map(|number| root(1_000 + number, "GET /wide", 5))
        .collect();
    seat.receive(vec![chunk(7, &spans)]);
    seat.keys("/");
    seat.message(Message::Input(Event::Paste("GET".to_owned())));
    seat.draw();
    assert!(seat.app.is_searching() && seat.shows("so far"));
    seat.app.go_on_searching();
    assert!(!seat.app.is_searching());
    seat.draw();
    assert!(!seat.shows("so far"));
}
