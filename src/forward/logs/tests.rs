//! Lines as the intake gets them.

use proptest::prelude::*;

use super::super::tests::{NOW, inflated};
use super::*;
use crate::logs::LogSource;

const ID: TraceId = TraceId(0x6b00_a83d_0000_0000_6f0d_bd9e_7942_056a);

fn line(record: &LogRecord) -> LogLine<'_> {
    LogLine {
        record,
        trace_id: ID,
        span_id: SpanId(u64::MAX),
        service: "api",
        env: "prod",
        version: "",
        language: "python",
    }
}

fn record(text: &str) -> LogRecord {
    LogRecord::parse(text, LogSource::Stdout, NOW)
}

#[track_caller]
fn lines(request: &IntakeRequest) -> Vec<Json> {
    assert_eq!(request.intake, Intake::Logs);
    let read: Json = serde_json::from_slice(&inflated(request)).unwrap();
    let lines = read.as_array().unwrap().clone();
    let n_lines = lines.len();
    assert_eq!(request.contents, Contents::Lines { n_lines });
    lines
}

#[track_caller]
fn sent(line: &LogLine<'_>) -> Json {
    let mut batch = LogBatch::new(AddedTags::default());
    assert_eq!(batch.push(line), None);
    let request = batch.flush().unwrap();
    assert_eq!((batch.flush(), batch.n_lines()), (None, 0));
    lines(&request).pop().unwrap()
}

#[test]
fn a_line_says_where_it_belongs() {
    let record = record("something happened");
    let mut batch = LogBatch::new(AddedTags::parse(["team:core", "env:lap,top"]).unwrap());
    batch.push(&line(&record));
    let request = batch.flush().unwrap();
    let expected = json!([{
        "message": "something happened",
        "timestamp": NOW.0 / 1_000_000,
        "ddsource": "python",
        "ddtags": "team:core,env:lap_top",
        "service": "api",
        "dd.trace_id": "6b00a83d000000006f0dbd9e7942056a",
        "dd.span_id": "18446744073709551615",
    }]);
    assert_eq!(Json::Array(lines(&request)), expected);
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["Content-Type", "Content-Encoding", "User-Agent"]);
}

#[test]
fn fields_go_along_and_do_not_hide_what_is_ours() {
    let text = r#"{"event": "saved", "level": "warning", "n": 12345678901234567, "service": "x",
        "ddtags": "a:b", "inner": {"a": [1, null]}, "odd": NaN}"#;
    let record = record(&text.replace('\n', " "));
    let sent = sent(&line(&record));
    assert_eq!(sent["n"], json!(12_345_678_901_234_567_u64));
    assert_eq!(sent["inner"], json!({"a": [1, null]}));
    assert_eq!(
        (&sent["service"], &sent["ddtags"]),
        (&json!("api"), &json!("env:prod"))
    );
    assert_eq!(sent["odd"], json!("NaN"));
    assert_eq!(sent["message"], json!(record.message()));
    assert_eq!(sent["status"], json!(record.level.unwrap().name()));
}

#[test]
fn an_id_of_64_bits_is_decimal_and_a_span_that_is_unknown_is_not_said() {
    let record = record("x");
    let sent = sent(&LogLine {
        trace_id: TraceId(7),
        span_id: SpanId::NONE,
        ..line(&record)
    });
    assert_eq!(sent["dd.trace_id"], json!("7"));
    assert_eq!(sent.get("dd.span_id"), None);
}

#[test]
fn a_line_that_is_too_long_loses_its_fields_then_its_end() {
    let mut batch = LogBatch::new(AddedTags::default());
    let fields = json!({"message": "short", "much": "x".repeat(1_100_000)}).to_string();
    let long = "\u{1f}é".repeat(700_000);
    let (fields, long) = (record(&fields), record(&long));
    let mut requests: Vec<_> = [&fields, &long]
        .into_iter()
        .filter_map(|record| batch.push(&line(record)))
        .collect();
    requests.extend(batch.flush());
    assert_eq!(batch.n_cut(), 2);
    for sent in requests.iter().flat_map(lines) {
        assert!(sent.to_string().len() <= 1_000_000);
        assert_eq!(sent["service"], json!("api"));
        assert_eq!(sent.get("much"), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_line_goes_once_within_the_limits(
        lengths in prop::collection::vec(
            prop_oneof![100 => 0..20_usize, 1 => 300_000..900_000_usize],
            0..1_300,
        ),
    ) {
        let mut batch = LogBatch::new(AddedTags::default());
        let mut requests = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            let record = LogRecord::parse(
                &format!("{number} {}", "x".repeat(*length)),
                LogSource::Stdout,
                NOW,
            );
            requests.extend(batch.push(&line(&record)));
        }
        requests.extend(batch.flush());
        let mut next = 0;
        for request in &requests {
            prop_assert!(request.plain_bytes <= LOGS_BYTES_MAX);
            let lines = lines(request);
            prop_assert!(lines.len() <= LINES_MAX);
            for line in lines {
                let number = line["message"].as_str().unwrap().split(' ').next();
                prop_assert_eq!(number, Some(&*next.to_string()));
                next += 1;
            }
        }
        prop_assert_eq!(next, lengths.len());
    }
}
