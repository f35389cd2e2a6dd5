//! What the screen of latency says of a small fleet, and where its rows lead.

use super::fixture::{SpanSpec, at, chunk, payload, root};
use super::terminal::{Seat, options};
use crate::export::{Format, open, write_all};
use crate::store::Store;
use crate::trace::TraceChunk;
use crate::tui::app::{Listening, UiOptions};
use crate::tui::theme::Glyphs;

const GENERATE: &str = "POST /v1/generate";

/// A request on a container, from a moment on.
fn request(id: u64, task: &str, start_ms: i64, duration_ms: i64) -> SpanSpec {
    SpanSpec {
        start_ms,
        ..root(id, GENERATE, duration_ms)
    }
    .tag("modal.task_id", task)
}

/// The init of a container, which ends shortly before a moment.
fn init(id: u64, task: &str, ends_ms: i64, duration_ms: i64) -> TraceChunk {
    let mut span = request(id, task, ends_ms - duration_ms, duration_ms);
    span.name = "modal.init".into();
    span.resource = "modal.init".into();
    chunk(id, &[span])
}

/// A request with what it does: a cold one imports and loads, all of them decode.
fn worked(span: &SpanSpec, import_ms: i64, load_ms: i64) -> TraceChunk {
    let id = span.id;
    let below = |place: u64, name: &str, after_ms: i64, duration_ms: i64| {
        let start_ms = span.start_ms + after_ms;
        SpanSpec::under(id, id * 1_000 + place, name, start_ms, duration_ms)
    };
    let mut spans = vec![span.clone()];
    if import_ms > 0 {
        spans.push(below(1, "import torch", 0, import_ms));
    }
    if load_ms > 0 {
        spans.push(below(2, "model.load", import_ms, load_ms));
    }
    let decode = below(3, "vllm.decode", import_ms + load_ms, 200).metric("modal.infer_ms", 200.0);
    spans.push(decode);
    chunk(id, &spans)
}

/// Containers that start, and what they serve: cold 5, of which one waited beside the first, and two were
/// restored; warm 12 and one that came long after its container was ready; one of a container that may be
/// older, and one of none that is known; another resource beside.
fn fleet() -> Vec<TraceChunk> {
    let mut chunks = Vec::new();
    for (place, task) in ["ta-01AAAA", "ta-01BBBB"].into_iter().enumerate() {
        let number = u64::try_from(place).unwrap();
        let from = i64::try_from(place).unwrap() * 500;
        chunks.push(init(100 + number, task, 4_000 + from, 4_000));
        let cold = request(200 + number, task, 4_010 + from, 1_600 + from / 5);
        let cold = cold.metric("modal.model_load_ms", 410.0);
        // Of the second one a tag says so as well.
        let cold = cold.metric("cold_start", f64::from(u8::from(place == 1)));
        chunks.push(worked(&cold, 700, 410));
        for nth in 0..6 {
            let after = i64::try_from(nth).unwrap();
            let id = 300 + number * 10 + nth;
            let warm = request(id, task, 6_500 + from + after * 600, 350 + after * 50);
            chunks.push(worked(&warm, 0, 0));
        }
    }
    // It began while the first one ran.
    chunks.push(worked(&request(400, "ta-01AAAA", 4_100, 1_500), 650, 380));
    chunks.push(init(401, "ta-01CCCC", 2_000, 3_000));
    let failed = request(402, "ta-01CCCC", 9_000, 310);
    let failed = failed.failed(
        "OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 2.40 GiB",
    );
    chunks.push(worked(&failed, 0, 0));
    // One runtime-id in two containers: both came from one snapshot.
    for (id, task, duration_ms) in [(403, "ta-01DDDD", 1_200), (406, "ta-01FFFF", 1_100)] {
        let restored = request(id, task, 8_000, duration_ms).tag("runtime-id", "r-1");
        chunks.push(worked(&restored, 0, 450));
    }
    chunks.push(worked(&request(404, "ta-01EEEE", 9_500, 420), 0, 0));
    chunks.push(chunk(
        405,
        &[SpanSpec {
            start_ms: 9_600,
            ..root(405, GENERATE, 380)
        }],
    ));
    let embed = |id, start_ms| {
        let mut span = request(id, "ta-01AAAA", start_ms, 40);
        span.resource = "POST /v1/embed".into();
        chunk(id, &[span])
    };
    chunks.extend([embed(500, 10_500), embed(501, 10_700)]);
    chunks
}

fn shown(width: u16, height: u16) -> Seat {
    shown_with(width, height, options())
}

fn shown_with(width: u16, height: u16, options: UiOptions) -> Seat {
    let mut seat = Seat::with(width, height, options);
    seat.millis = 12_000;
    seat.inbound(payload(fleet(), at(12_000)));
    seat.keys("4");
    seat
}

/// What one after another is said, without the spaces between.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

#[test]
fn a_small_fleet_at_every_size() {
    for (width, height) in SIZES {
        let seat = shown(width, height);
        insta::assert_snapshot!(format!("fleet_{width}x{height}"), seat.picture());
    }
}

#[test]
fn by_container_and_on_a_log_axis_at_every_size() {
    for (width, height) in SIZES {
        let mut seat = shown(width, height);
        seat.keys("oLG");
        insta::assert_snapshot!(format!("by_container_{width}x{height}"), seat.picture());
    }
}

#[test]
fn the_rule_lies_on_top() {
    for (width, height) in SIZES {
        let mut seat = shown(width, height);
        seat.keys("C");
        insta::assert_snapshot!(format!("rule_{width}x{height}"), seat.picture());
    }
}

#[test]
fn in_ascii_nothing_else_is_used() {
    let options = UiOptions {
        glyphs: Glyphs::Ascii,
        ..options()
    };
    let mut seat = shown_with(120, 36, options);
    for keys in ["", "o", "oooC"] {
        seat.keys(keys);
        assert!(seat.lines().iter().all(|line| line.is_ascii()), "{keys}");
    }
}

#[test]
fn the_numbers_are_those_of_a_count_by_hand() {
    let seat = shown(240, 50);
    // 1,100 1,200 1,500 1,600 1,700; twice 350 to 600 by 50, and 310; 380 and 420.
    let titles = seat.line_with("COLD");
    assert!(
        titles.contains("COLD  n 5 (shared 1, restored 2)"),
        "{titles}"
    );
    assert!(titles.contains("WARM  n 13 (prewarmed 1)"), "{titles}");
    assert!(titles.contains("UNKNOWN  n 2 "), "{titles}");
    let figures = seat.line_with("p50 1.50s");
    for figures_of in [
        "p50 1.50s  p90 1.70s  p95 1.70s  p99 1.70s  max 1.70s",
        "p50 450ms  p90 600ms  p95 600ms  p99 600ms  max 600ms",
        "p50 380ms  p90 420ms  p95 420ms  p99 420ms  max 420ms",
    ] {
        assert!(figures.contains(figures_of), "{figures}");
    }
    assert!(seat.shows("cold costs +1.05s at p50 (3.3 x)"));
    // (1,700 - 600) / 1,700
    assert!(seat.shows("what cold starts cost: 65 % of p95"));
    let read = words(&seat.line_with("read from:"));
    for part in [
        "later request 12",
        "snapshot 2",
        "init span 1",
        "tag 1",
        "init span long before 1",
        "beside the first 1",
        "may have served before 1",
        "no container 1",
    ] {
        assert!(read.contains(part), "{part}: {read}");
    }
    assert!(seat.shows("outcomes: ok 19, cuda_oom 1"));
    // Starts took 11 s, requests 13.91 s; 820 ms of it the model loaded, 19 times it worked for 200 ms.
    let time = seat.line_with("time spent:");
    for part in [
        "init 44 % (3 containers, p50 4.00s",
        "model load 3 %",
        "inference 15 %",
    ] {
        assert!(time.contains(part), "{part}: {time}");
    }
}

#[test]
fn the_time_that_cold_requests_take_longer_is_in_their_steps() {
    let seat = shown(120, 50);
    let import = words(&seat.line_with("import torch"));
    // 650, 700, 700 of five.
    assert!(import.contains("import torch 650ms - +650ms"), "{import}");
    let load = words(&seat.line_with("model.load"));
    assert!(load.contains("model.load 410ms - +410ms"), "{load}");
    assert!(words(&seat.line_with("vllm.decode")).contains("200ms 200ms"));
}

/// The number of the selected bucket.
fn selected_number(seat: &Seat) -> Option<String> {
    let line = seat.lines().into_iter().find(|line| line.contains("│>"))?;
    let (_, row) = line.split_once("│>")?;
    let row = row.split('│').next()?;
    let label = row.split_whitespace().next()?;
    let is_bucket = label.ends_with('s') && label.starts_with(|char: char| char.is_ascii_digit());
    let number = row.split_whitespace().last()?;
    is_bucket.then(|| number.to_owned())
}

#[test]
fn enter_lists_what_a_bucket_counts() {
    let mut n_listed = 0;
    for axis in ["", "L", "S"] {
        for aside in ["", "l", "ll"] {
            for down in 1..=4 {
                let mut seat = shown(150, 40);
                seat.keys(&format!("{axis}{aside}{}", "j".repeat(down)));
                let Some(number) = selected_number(&seat) else {
                    continue;
                };
                let n_traces = seat.app.store().n_traces();
                let before = seat.lines().join("\n");
                seat.keys("<enter>");
                let found = format!("{number} of {n_traces}");
                let after = seat.lines().join("\n");
                assert!(seat.shows(&found), "{found}\n{before}\n{after}");
                n_listed += 1;
            }
        }
    }
    assert!(n_listed > 10, "{n_listed}");
}

#[test]
fn enter_on_the_figures_lists_the_whole_histogram() {
    for (keys, found) in [("", "5 of"), ("l", "13 of"), ("ll", "2 of")] {
        let mut seat = shown(120, 36);
        seat.keys(keys);
        let n_traces = seat.app.store().n_traces();
        seat.keys("<enter>");
        assert!(seat.shows(&format!("{found} {n_traces}")), "{keys:?}");
    }
}

#[test]
fn a_container_leads_to_its_requests() {
    let mut seat = shown(120, 36);
    seat.keys("o");
    while !seat.line_with("│>").contains("ta-01BBBB") {
        seat.keys("j");
    }
    let row = words(&seat.line_with("│>"));
    assert!(
        row.contains("ta-01BBBB 1 1.70s 1.70s 1.70s 6 450ms 600ms 600ms - - - -"),
        "{row}"
    );
    assert!(seat.shows("init 4.00s"));
    assert!(seat.shows("known by a tag"));
    let n_traces = seat.app.store().n_traces();
    seat.keys("<enter>");
    assert!(
        seat.shows(&format!("7 of {n_traces}")),
        "{}",
        seat.lines().join("\n")
    );
}

#[test]
fn a_step_opens_a_median_cold_trace_and_then_a_median_warm_one() {
    let mut seat = shown(120, 36);
    while !seat
        .lines()
        .iter()
        .any(|line| line.contains("│> import torch"))
    {
        seat.keys("j");
    }
    seat.keys("<enter>");
    assert!(seat.line_with("esc back").contains("1.50s"));
    seat.keys("<esc>");
    assert!(seat.shows("[4 Latency]"));
    assert!(seat.shows("opens a median warm one"));
    seat.keys("<enter>");
    assert!(seat.line_with("esc back").contains("450ms"));
}

#[test]
fn of_a_fan_out_the_slowest_is_opened() {
    let mut seat = Seat::new(120, 36);
    let mut chunks = vec![chunk(900, &[root(900, "POST /batch", 900)])];
    for place in 1..=3_u64 {
        let duration_ms = 100 * i64::try_from(place).unwrap();
        let mut worker = SpanSpec::under(900, 900 + place, "batch-worker", 10, duration_ms);
        worker = worker.tag("modal.task_id", &format!("ta-01WWW{place}"));
        worker = worker.metric("process_id", 7.0);
        chunks.push(chunk(900, &[worker]));
    }
    seat.inbound(payload(chunks, at(7_000)));
    seat.keys("4");
    assert!(
        seat.shows("batch-worker   resource 1 of 2"),
        "{}",
        seat.lines().join("\n")
    );
    assert!(seat.shows("UNKNOWN  n 3"));
    seat.keys("<enter>");
    assert!(seat.shows("POST /batch"));
    assert!(seat.shows("esc back"));
    seat.keys("<esc>b");
    assert!(seat.shows("POST /batch   resource 2 of 2"));
    seat.keys("b");
    assert!(seat.shows("resource 1 of 2"));
    seat.keys("B");
    assert!(seat.shows("resource 2 of 2"));
}

#[test]
fn starts_and_ends_are_in_no_histogram() {
    let mut seat = Seat::new(120, 36);
    seat.inbound(payload(vec![init(1, "ta-01AAAA", 4_000, 4_000)], at(7_000)));
    seat.keys("4");
    assert!(seat.shows("No request yet: of 1 trace here none shows"));
}

#[test]
fn before_the_first_request_the_screen_says_what_to_do() {
    let mut seat = Seat::new(120, 36);
    seat.keys("4");
    assert!(seat.shows("No request yet: send one to the app."));
}

#[test]
fn where_nothing_says_where_requests_ran_the_helper_is_named() {
    let mut seat = Seat::new(120, 36);
    let chunks = (1..=9).map(|id| chunk(id, &[root(id, GENERATE, 400)]));
    seat.inbound(payload(chunks.collect(), at(7_000)));
    seat.keys("4");
    assert!(seat.shows("UNKNOWN  n 9"));
    assert!(seat.shows("what cold starts cost: none that is known to be cold or warm"));
    assert!(seat.shows("tag modal.task_id"));
    assert!(seat.shows("`modtrace-tui env modal` prints the helper"));
}

/// So many requests on a container that is known, one each tenth of a second.
fn warm(first: u64, n: u64, from_ms: i64, duration_ms: i64) -> Vec<TraceChunk> {
    let one = |number: u64| {
        let place = i64::try_from(number).unwrap();
        let span = request(
            first + number,
            "ta-01AAAA",
            from_ms + place * 100,
            duration_ms + place,
        );
        chunk(first + number, &[span])
    };
    (0..n).map(one).collect()
}

#[test]
fn at_a_border_what_came_before_is_compared_with_what_comes_after() {
    let mut seat = shown(120, 36);
    seat.keys("m");
    assert!(seat.shows("Before and after 12:00:12 (m)"));
    assert!(seat.shows("COLD  n 5 before, 0 after"));
    seat.millis = 30_000;
    seat.inbound(payload(warm(600, 60, 13_000, 900), at(30_000)));
    seat.draw();
    assert!(seat.shows("WARM  n 13 before, 60 after"));
    let row = words(&seat.line_with("- p50"));
    assert!(row.contains("- p50 450ms → 929ms +479ms sure"), "{row}");
    let row = words(&seat.line_with("- p95"));
    assert!(row.contains("- p95 600ms → 956ms +356ms too few"), "{row}");
    seat.keys("M");
    assert!(!seat.shows("Before and after"));
    seat.keys("M");
    assert!(seat.shows("Before and after 12:00:12 (m)"));
}

#[test]
fn a_reload_sets_a_border_by_itself() {
    let mut seat = shown(120, 36);
    assert!(!seat.shows("Before and after"));
    let reload = at(7_000);
    let reloads = &mut seat.app.store_mut().modal_mut().reloads;
    reloads.push((reload.wall, reload));
    seat.millis = 30_000;
    seat.inbound(payload(warm(600, 1, 13_000, 900), at(30_000)));
    seat.draw();
    assert!(
        seat.shows("Before and after 12:00:07 (reload 1)"),
        "{}",
        seat.lines().join("\n")
    );
    // The first of ta-01AAAA after 6.5 s, and nothing of ta-01BBBB before 7 s.
    assert!(seat.shows("WARM  n 1 before, 13 after"));
}

#[test]
fn what_comes_while_the_view_is_paused_is_counted_afterwards() {
    let mut seat = shown(120, 36);
    seat.keys("<space>");
    seat.millis = 30_000;
    seat.inbound(payload(warm(600, 7, 13_000, 900), at(30_000)));
    seat.draw();
    assert!(seat.shows("WARM  n 13"));
    seat.keys("S");
    assert!(seat.shows("WARM  n 13"));
    seat.keys("<space>");
    assert!(seat.shows("WARM  n 20"));
}

#[test]
fn what_comes_is_counted_four_times_a_second_at_most() {
    let mut seat = shown(120, 36);
    for (first, later, expected) in [(600, 100, "WARM  n 13"), (601, 200, "WARM  n 15")] {
        seat.millis += later;
        let millis = seat.millis;
        seat.inbound(payload(warm(first, 1, 13_000, 900), at(millis)));
        seat.draw();
        assert!(seat.shows(expected), "{expected}");
    }
}

#[test]
fn the_selection_stays_on_what_it_stands_for() {
    let mut seat = shown(120, 36);
    seat.keys("jj");
    let before = seat.line_with("│>");
    assert!(before.contains("1.5-2s"), "{before}");
    seat.millis = 30_000;
    seat.inbound(payload(warm(600, 7, 13_000, 100), at(30_000)));
    seat.draw();
    assert!(seat.line_with("│>").contains("1.5-2s"));
}

#[test]
fn a_span_that_comes_late_makes_a_request_cold() {
    let mut seat = Seat::new(120, 36);
    seat.inbound(payload(
        vec![chunk(1, &[request(1, "ta-01AAAA", 4_010, 900)])],
        at(7_000),
    ));
    seat.keys("4");
    assert!(seat.shows("UNKNOWN  n 1"));
    seat.millis += 1_000;
    let millis = seat.millis;
    seat.inbound(payload(
        vec![init(2, "ta-01AAAA", 4_000, 4_000)],
        at(millis),
    ));
    seat.draw();
    assert!(seat.shows("COLD  n 1"), "{}", seat.lines().join("\n"));
    assert!(!seat.shows("UNKNOWN"));
}

#[test]
fn evicted_requests_are_counted_and_named() {
    let mut seat = Seat::with_memory(120, 36, 150_000);
    for second in 0..20 {
        seat.millis += 1_000;
        let (millis, first) = (seat.millis, 1_000 + 100 * u64::try_from(second).unwrap());
        seat.inbound(payload(warm(first, 100, second * 10_000, 300), at(millis)));
    }
    seat.keys("4");
    let n_evicted = seat.app.store().counters().traces_evicted;
    assert!(n_evicted > 1_000, "{n_evicted}");
    // The first three began together.
    assert!(seat.shows("WARM  n 1,997"));
    assert!(seat.shows("UNKNOWN  n 3"));
    let said = seat.line_with("evicted: those within 1 %");
    let grouped = format!("1,{:03} evicted", n_evicted - 1_000);
    assert!(said.contains(&grouped), "{said}");
}

#[test]
fn many_traces_are_read_over_several_frames() {
    let mut seat = Seat::new(120, 36);
    seat.inbound(payload(warm(1, 25_000, 0, 300), at(7_000)));
    seat.keys("4");
    assert!(seat.shows("Reading the traces: 10000 of 25000."));
    seat.draw();
    assert!(seat.app.is_dirty());
    seat.draw();
    assert!(!seat.app.is_dirty());
    assert!(seat.shows("WARM  n 24,997"));
}

#[test]
fn an_export_that_was_opened_says_the_same() {
    let seat = shown(120, 50);
    let mut file = Vec::new();
    let format = Format::named("json").unwrap();
    write_all(format, seat.app.store(), at(12_000).wall, &mut file).unwrap();
    let mut store = Store::new(64 << 20);
    open(&*file, &mut store, at(900_000)).unwrap();
    let listening = Listening {
        opened_files: vec!["capture.json".into()],
        ..Listening::default()
    };
    let options = UiOptions {
        listening,
        ..UiOptions::default()
    };
    let mut opened = Seat::over(store, (120, 50), options);
    opened.keys("4");
    let told = |seat: &Seat| {
        let is_told = |line: &String| {
            [
                "p50",
                "n 5",
                "│ cold costs",
                "│ import",
                "│ outcomes",
                "▓",
                "█",
            ]
            .iter()
            .any(|part| line.contains(part))
        };
        let lines = seat.lines().into_iter().skip(2).filter(is_told);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(told(&opened), told(&seat));
    assert!(opened.shows("read from: the file 20"));
    opened.keys("m");
    assert!(opened.shows("the start of the trace that is selected in the list"));
}

#[test]
fn every_line_of_the_rule_says_how_many_it_decided() {
    let mut seat = shown(120, 60);
    seat.keys("C");
    let n = |part: &str| {
        let line = seat.line_with(part);
        let (before, _) = line.split_once(part).unwrap();
        before.split_whitespace().nth_back(1).unwrap().to_owned()
    };
    assert_eq!(n("an earlier request ran on the container"), "12");
    assert_eq!(n("first on its container, at most 1 s"), "1");
    assert_eq!(n("nothing says where it ran"), "1");
    seat.keys("C");
    assert!(!seat.shows("What is cold, what is warm"));
}

#[test]
fn a_click_selects_a_bucket() {
    let mut seat = shown(120, 36);
    let row = seat
        .lines()
        .iter()
        .position(|line| line.contains("0-500ms"))
        .unwrap();
    seat.click(60, u16::try_from(row).unwrap());
    let line = seat.line_with("│>");
    assert!(
        line.contains("││> 0-500ms") || line.contains("││>0-500ms"),
        "{line}"
    );
}
