//! Streams as programs and pipes make them, and what is read from them.

use proptest::prelude::*;

use super::*;

const AT: UnixNanos = UnixNanos(1_795_204_900_000_000_000);
const SPANS: &str = r#"{"traces": [[{"trace_id": "F520A4F69E68AEF2", "parent_id": "0000000000000000", "span_id": "8912EAE04297A60A", "service": "s", "resource": "r", "name": "n", "error": 0, "start": 1795222412571312679, "duration": 34393474, "meta": {"_dd.p.tid": "6b00ad2500000000"}, "metrics": {"_sampling_priority_v1": 1}}]]}"#;

fn read(bytes: &[u8]) -> Lines {
    let mut reader = LineReader::new(LogSource::Stdout);
    let mut lines = Lines::default();
    reader.read(bytes, AT, &mut lines);
    reader.finish(AT, &mut lines);
    lines
}

/// The messages of the records, and the statuses of the requests.
fn told(lines: &Lines) -> (Vec<&str>, Vec<u16>) {
    (
        lines.records.iter().map(LogRecord::message).collect(),
        lines
            .requests
            .iter()
            .map(|request| request.record.status)
            .collect(),
    )
}

#[track_caller]
fn check(text: &str, messages: &[&str], statuses: &[u16]) {
    let lines = read(text.as_bytes());
    assert_eq!(
        told(&lines),
        (messages.to_vec(), statuses.to_vec()),
        "{text}"
    );
}

#[test]
fn lines_and_spans_come_out_of_one_stream() {
    check(
        &format!("{{\"event\":\"a\"}}\n{SPANS}\nplain\r\n\n"),
        &["a", "plain"],
        &[200],
    );
    let lines = read(SPANS.as_bytes());
    let Brought::Spans(received) = &lines.requests[0].brought else {
        panic!("no spans came");
    };
    assert_eq!(received.via, Via::Stdout);
    assert_eq!(received.payload.n_spans(), 1);
    assert_eq!(&*lines.requests[0].record.note, "1 chunk, 1 span");
}

#[test]
fn spans_behind_other_output_are_read() {
    check(&format!("progress 10%{SPANS}"), &["progress 10%"], &[200]);
    check(&format!("web-1  | {SPANS}"), &[], &[200]);
    check(&format!("ta-1 {SPANS}"), &[], &[200]);
    check(
        &format!("{{\"event\":\"a\"}}{SPANS}{{\"event\":\"b\"}}"),
        &["a", "b"],
        &[200],
    );
    check(&format!("\u{1b}[34m{SPANS}\u{1b}[0m"), &[], &[200]);
}

#[test]
fn two_containers_in_each_others_lines_are_taken_apart() {
    check(
        "{\"event\":\"A\",{\"event\":\"whole from B\"}\n\"n\":1}\n",
        &["whole from B", "A"],
        &[],
    );
    let line = r#"{"event":"B","level":"info","dd":{"trace_id":"1"}}"#;
    for cut in 1..SPANS.len() {
        let (head, tail) = SPANS.split_at(cut);
        check(&format!("{head}{line}\n{tail}\n"), &["B"], &[200]);
    }
    for cut in 1..line.len() {
        let (head, tail) = line.split_at(cut);
        check(&format!("{head}{SPANS}\n{tail}\n"), &["B"], &[200]);
    }
}

#[test]
fn what_cannot_be_saved_is_counted_and_shown() {
    let head = SPANS.get(..150).unwrap();
    check(head, &[], &[400]);
    check(
        &format!("{head}\nother\nlines\ncome\nafter\n"),
        &["other", "lines", "come", "after"],
        &[400],
    );
    check("{\"event\":\"half a li", &["{\"event\":\"half a li"], &[]);
    let broken = SPANS.replace("\"8912EAE04297A60A\"", "\"no id\"");
    check(&broken, &[], &[400]);
    let lines = read(broken.as_bytes());
    assert_eq!(lines.requests[0].record.announced_chunks, 1);
    assert!(lines.requests[0].record.note.contains("span_id"));
}

#[test]
fn an_object_over_many_lines_is_one_line() {
    let pretty = "{\n  \"event\": \"a\",\n  \"list\": [\n    1\n  ]\n}\nnext\n";
    check(pretty, &["a", "next"], &[]);
}

#[test]
fn a_long_line_is_cut_and_says_how_much() {
    let long = format!("{}\nnext\n", "x".repeat(LINE_BYTES_MAX + 5));
    let lines = read(long.as_bytes());
    let cut: Vec<_> = lines.records.iter().map(|record| record.n_cut).collect();
    assert_eq!(cut, [5, 0]);
    let spans = format!("{{\"traces\": [[{}", "x".repeat(LINE_BYTES_MAX));
    let lines = read(spans.as_bytes());
    assert_eq!(lines.records.len(), 0);
    assert!(lines.requests[0].record.note.contains("longer than"));
}

#[test]
fn bytes_that_are_no_text_are_repaired() {
    let lines = read(b"caf\xc3\nnul\0\n\xff\xfe");
    let messages = told(&lines).0;
    assert_eq!(messages, ["caf\u{fffd}", "nul\0", "\u{fffd}\u{fffd}"]);
}

#[test]
fn the_prefix_says_which_container_printed_it() {
    let lines = read(
        b"2026-01-09 23:06:40+00:00 ta-1 {\"event\":\"a\"}\nta-2 plain\nta-3 {\"a\":1}{\"b\":2}\n",
    );
    let containers: Vec<_> = lines
        .records
        .iter()
        .map(|record| record.container.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(containers, ["ta-1", "ta-2", "ta-3", "ta-3"]);
    assert_eq!(
        lines.records[0].time.unwrap().to_string(),
        "2026-01-09T23:06:40.000Z"
    );
}

#[test]
fn what_waits_is_given_up_after_a_while() {
    let mut reader = LineReader::new(LogSource::Stderr);
    let mut lines = Lines::default();
    reader.read(b"{\"event\":\n", AT, &mut lines);
    reader.idle(AT.plus(1_000_000_000), &mut lines);
    assert!(lines.is_empty());
    reader.idle(AT.plus(3_000_000_000), &mut lines);
    assert_eq!(told(&lines).0, ["{\"event\":"]);
}

#[test]
fn a_text_that_speaks_of_the_relay_is_no_relay_line() {
    check(
        "see modtrace1 for details",
        &["see modtrace1 for details"],
        &[],
    );
    check("modtrace1 modtrace1 ", &["modtrace1 modtrace1"], &[]);
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_read_the_same(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{\"event\":\"a\"}", "\n", "{\"eve", "nt\":", "1}", "plain ", SPANS, "\u{1b}[31m", "modtrace1 ", "\r", "é",
        ]), 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = pieces.concat();
        let whole = read(text.as_bytes());
        let (head, tail) = text.as_bytes().split_at(cut.index(text.len() + 1));
        let mut reader = LineReader::new(LogSource::Stdout);
        let mut lines = Lines::default();
        reader.read(head, AT, &mut lines);
        reader.read(tail, AT, &mut lines);
        reader.finish(AT, &mut lines);
        prop_assert_eq!(told(&whole), told(&lines));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }
}
