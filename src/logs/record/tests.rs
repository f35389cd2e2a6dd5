//! Lines in the forms that loggers write, and what is read of them.

use super::*;

const AT: UnixNanos = UnixNanos(1_795_204_900_000_000_000);

fn parse(line: &str) -> LogRecord {
    LogRecord::parse(line, LogSource::Stdout, AT)
}

/// Message, level and time of a line.
#[track_caller]
fn check(line: &str, message: &str, level: Option<Level>, time: Option<&str>) {
    let record = parse(line);
    assert_eq!(record.message(), message, "{line}");
    assert_eq!(record.level, level, "{line}");
    assert_eq!(
        record.time.map(|time| time.to_string()).as_deref(),
        time,
        "{line}"
    );
}

#[track_caller]
fn check_ids(line: &str, trace: u128, span: u64) {
    let ids = parse(line).ids;
    assert_eq!((ids.trace.0, ids.span.0), (trace, span), "{line}");
}

fn fields(record: &LogRecord) -> Vec<(String, String)> {
    let fields = record.fields();
    fields
        .map(|(key, value)| (key.into_owned(), value.text().to_owned()))
        .collect()
}

#[test]
fn structlog_lines_are_read_in_all_their_forms() {
    let time = Some("2026-11-20T20:27:22.089Z");
    check(
        r#"{"k": 1, "event": "in-root", "level": "info", "timestamp": "2026-11-20T20:27:22.089453Z"}"#,
        "in-root",
        Some(Level::Info),
        time,
    );
    check(
        r#"{"message": "in-root", "levelname": "WARNING", "asctime": "2026-11-20 20:27:22,089"}"#,
        "in-root",
        Some(Level::Warn),
        time,
    );
    check(
        r#"{"level":50,"time":1795206442089,"pid":1,"hostname":"h","msg":"no \"way\"\n"}"#,
        "no \"way\"\n",
        Some(Level::Error),
        time,
    );
    check(
        r#"{"event": 5, "severity": "CRITICAL"}"#,
        "5",
        Some(Level::Critical),
        None,
    );
    check(r#"{"k": 1}"#, r#"{"k": 1}"#, None, None);
}

#[test]
fn loguru_keeps_its_line_in_a_record() {
    let line = r#"{"text": "2026-11-20 20:27:27.398 | INFO     | __main__:f:53 - in-root\n", "record": {"exception": null, "extra": {"dd.trace_id": "6b00ad2f000000008af7049464a618a5", "dd.span_id": "13208413561297607733"}, "level": {"icon": "i", "name": "INFO", "no": 20}, "message": "in-root", "time": {"repr": "2026-11-20 20:27:27.398012+00:00", "timestamp": 1795206447.398012}}}"#;
    check(
        line,
        "in-root",
        Some(Level::Info),
        Some("2026-11-20T20:27:27.398Z"),
    );
    check_ids(
        line,
        0x6b00_ad2f_0000_0000_8af7_0494_64a6_18a5,
        13_208_413_561_297_607_733,
    );
}

#[test]
fn plain_text_is_never_an_error() {
    check("hello", "hello", None, None);
    check(
        "2026-11-20 20:27:25,577 INFO [app] [x.py:42] [dd.trace_id=0 dd.span_id=0] - no-span",
        "2026-11-20 20:27:25,577 INFO [app] [x.py:42] [dd.trace_id=0 dd.span_id=0] - no-span",
        Some(Level::Info),
        Some("2026-11-20T20:27:25.577Z"),
    );
    check("{'event': 'python'}", "{'event': 'python'}", None, None);
    check("10%\r20%\r30%\r", "30%", None, None);
    check("\u{0}\u{7}", "\u{0}\u{7}", None, None);
}

#[test]
fn ids_are_read_in_every_form_and_place() {
    let whole = 142_230_677_100_249_176_715_567_368_663_504_182_739;
    check_ids(
        r#"{"dd":{"trace_id":"142230677100249176715567368663504182739","span_id":"132"}}"#,
        whole,
        132,
    );
    check_ids(
        r#"{"dd": {"trace_id": 142230677100249176715567368663504182739, "span_id": 9739408262587572409}}"#,
        whole,
        9_739_408_262_587_572_409,
    );
    check_ids(r#"{"dd": {"dd.trace_id": "5", "dd.span_id": "6"}}"#, 5, 6);
    check_ids(
        r#"{"dd.trace_id": "4665854412368237463", "dd.span_id": "2316588152654664387", "dd": {"trace_id": "142230677100249176715567368663504182739"}}"#,
        whole,
        2_316_588_152_654_664_387,
    );
    check_ids(r#"{"dd.trace_id": "0", "dd.span_id": "0"}"#, 0, 0);
    check_ids(r#"{"trace": {"id": "7"}, "span": {"id": "8"}}"#, 7, 8);
    check_ids(
        r#"{"otelTraceID": "6b00ad2f000000008af7049464a618a5", "otelSpanID": "463b59f5272bcafd"}"#,
        0x6b00_ad2f_0000_0000_8af7_0494_64a6_18a5,
        0x463b_59f5_272b_cafd,
    );
    check_ids(r#"{"trace_id": 1.5, "span_id": true}"#, 0, 0);
    check_ids(
        "\u{1b}[2m2026-11-20T20:27:25Z\u{1b}[0m [\u{1b}[32minfo\u{1b}[0m] hi dd={'trace_id': '142230677100249176715567368663504182739', 'span_id': '9'}",
        whole,
        9,
    );
}

#[test]
fn the_rest_are_fields_in_their_order() {
    let record = parse(
        r#"{"b": 142230677100249176715567368663504182739, "event": "x", "message": "also", "a": {"n": [1]}, "dd.env": "dev", "level": "info", "timestamp": "2026-11-20T20:27:22Z", "b": NaN}"#,
    );
    let expected = [
        ("b", "142230677100249176715567368663504182739"),
        ("message", "\"also\""),
        ("a", "{\"n\": [1]}"),
        ("b", "NaN"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(fields(&record), expected);
    assert_eq!(fields(&parse("plain")), []);
}

#[test]
fn exceptions_are_found_as_text_and_as_structure() {
    let cases = [
        (
            r#"{"event":"x","exception":"Traceback\nValueError: no"}"#,
            Some("Traceback\nValueError: no"),
        ),
        (
            r#"{"event":"x","exception":[{"exc_type":"E","exc_value":"v","frames":[]}]}"#,
            Some("Traceback (most recent call last):\nE: v\n"),
        ),
        (
            r#"{"text":"x","record":{"message":"m","exception":{"type":"E","value":"v","traceback":true}}}"#,
            Some("E: v\n"),
        ),
        (
            r#"{"message":"m","error":{"kind":"E","message":"v","stack":"at f"}}"#,
            Some("E: v\nat f\n"),
        ),
        (r#"{"event":"x","exc_info":true}"#, None),
        ("plain", None),
    ];
    for (line, expected) in cases {
        assert_eq!(parse(line).exception().as_deref(), expected, "{line}");
    }
}

#[test]
fn the_prefix_of_the_log_command_is_taken_apart() {
    let record = parse("2026-01-09 23:06:40+00:00 fu-AAAA fc-1 ta-A {\"event\":\"short\"}");
    assert_eq!(record.message(), "short");
    assert_eq!(record.container.as_deref(), Some("ta-A"));
    assert_eq!(record.time.unwrap().to_string(), "2026-01-09T23:06:40.000Z");
    let record = parse("ta-A hello");
    assert_eq!(
        (record.message(), record.container.as_deref()),
        ("hello", Some("ta-A"))
    );
    let record = parse(r#"{"event":"x","modal":{"task_id":"ta-01"},"task_id":"celery"}"#);
    assert_eq!(record.container.as_deref(), Some("ta-01"));
}

#[test]
fn a_line_behind_a_name_is_read_and_kept_whole() {
    let line = r#"web-1  | {"event":"x","level":"info"}"#;
    let record = parse(line);
    assert_eq!((record.message(), record.line()), ("x", line));
    assert_eq!(record.level, Some(Level::Info));
    let docker = r#"{"log":"{\"event\":\"x\",\"level\":\"info\"}\n","stream":"stdout","time":"2026-11-20T20:27:22.089282Z"}"#;
    let record = parse(docker);
    assert_eq!(
        (record.message(), record.line()),
        ("x", r#"{"event":"x","level":"info"}"#)
    );
    assert_eq!(record.time.unwrap().to_string(), "2026-11-20T20:27:22.089Z");
}

#[test]
fn items_of_the_log_intake_hold_lines() {
    let record = LogRecord::parse_item(
        r#"{"message":"{\"event\":\"x\",\"dd\":{\"trace_id\":\"7\"}}","status":"warn","timestamp":1795206442089,"service":"s","ddtags":"a:b"}"#,
        AT,
    );
    assert_eq!(
        (record.message(), record.level, record.ids.trace.0),
        ("x", Some(Level::Warn), 7)
    );
    assert_eq!(record.time.unwrap().to_string(), "2026-11-20T20:27:22.089Z");
    let record = LogRecord::parse_item(
        r#"{"message":"INFO [dd.trace_id=7 dd.span_id=8] plain","status":"info","hostname":"h"}"#,
        AT,
    );
    assert_eq!((record.ids.trace.0, record.ids.span.0), (7, 8));
    assert_eq!(
        fields(&record),
        [("hostname".to_owned(), "\"h\"".to_owned())]
    );
}

#[test]
fn ddtrace_and_modal_are_heard_in_any_dress() {
    let unsent = r#"{"event":"failed to send, dropping 2 traces to intake at http://localhost:8126/v0.5/traces: timed out","level":"error"}"#;
    assert!(matches!(
        parse(unsent).remark.as_deref(),
        Some(Remark::Unsent { traces: 2, .. })
    ));
    let plain = "2026-11-20 20:27:25,577 ERROR [ddtrace.internal.writer] failed to send, dropping 1 traces to intake at http://x/: timed out";
    assert!(matches!(
        parse(plain).remark.as_deref(),
        Some(Remark::Unsent { traces: 1, .. })
    ));
    let modal = "✓ Created objects.";
    assert_eq!(
        parse(modal).remark.as_deref(),
        Some(&Remark::Modal(crate::logs::modal::Status::Created))
    );
    assert_eq!(parse("hello").remark, None);
}

#[test]
fn a_record_reads_the_same_again() {
    let lines = [
        r#"  {"event":"x"}  "#,
        "\u{1b}[31m{\"event\":\"x\"}\u{1b}[0m",
        "\u{1b}[31mred\u{1b}[0m text",
        "a\rb",
        "é\u{0}ü",
    ];
    for line in lines {
        let record = parse(line);
        assert_eq!(
            LogRecord::parse(record.line(), record.source, AT),
            record,
            "{line:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_record(line in ".*", json in proptest::arbitrary::any::<Vec<(String, String)>>()) {
        let record = parse(&line);
        let _ = (record.message(), record.exception(), record.fields().count());
        let object = serde_json::Value::Object(json.into_iter().map(|(key, value)| (key, value.into())).collect());
        let record = parse(&object.to_string());
        let _ = (record.message(), record.exception(), record.fields().count());
        assert_eq!(LogRecord::parse(record.line(), record.source, AT), record);
    }
}
