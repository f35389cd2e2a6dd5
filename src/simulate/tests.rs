//! The vectors of the Agent's own samplers, all of them, and ours; files that are not as they should be.

use super::*;
use crate::sampler::{HashedId, Probabilistic, Settings};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sampler");

/// Each file, and how many lines it has after the first.
const FILES: [(&str, usize); 20] = [
    ("01-steady-2tps", 123),
    ("02-burst-50-after-load", 21),
    ("02-burst-50", 18),
    ("02-burst-500", 26),
    ("03-steady-100tps", 88),
    ("07-no-priority", 5),
    ("07-priority-mix", 303),
    ("07-root-rates", 244),
    ("08-errors-50tps", 9),
    ("10-rare-two-services", 244),
    ("11-sample-by-rate", 1000),
    ("12-signatures", 263),
    ("13-probabilistic", 336),
    ("14-tps-per-signature", 120),
    ("20-closed-loop", 327),
    ("21-probabilistic", 152),
    ("22-probabilistic-128-bit", 151),
    ("23-signatures", 909),
    ("24-rare-kinds", 1026),
    ("25-load", 1071),
];

/// The first line of a file, and those after it.
fn lines(name: &str) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(format!("{FOLDER}/{name}.jsonl")).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.collect())
}

fn begin(header: &str) -> Result<Simulation, VectorError> {
    Simulation::begin(header, &Settings::default())
}

#[test]
fn every_vector_agrees() {
    for (name, n_lines) in FILES {
        let (header, lines) = lines(name);
        assert_eq!(lines.len(), n_lines, "{name}");
        let mut simulation = begin(&header).unwrap();
        assert_eq!(simulation.unknown_settings(), [""; 0], "{name}");
        for (place, line) in lines.iter().enumerate() {
            let answer = simulation.line(line).unwrap();
            assert_eq!(answer.agrees, Some(true), "{name}, line {}", place + 2);
        }
    }
}

/// Another value of the same kind.
fn changed(value: &Value) -> Value {
    match value {
        Value::Bool(is) => json!(!is),
        Value::Number(number) => json!(number.as_f64().unwrap() * (1.0 + 1e-6) + 1e-6),
        Value::String(text) => json!(format!("{text}0")),
        Value::Array(list) => {
            let (end, before) = list.split_last().unwrap();
            Value::Array(before.iter().cloned().chain([changed(end)]).collect())
        }
        Value::Object(members) if members.is_empty() => json!({"_dd.rare": 1}),
        Value::Object(members) => {
            let changed = |(name, value): (&String, &Value)| (name.clone(), changed(value));
            Value::Object(members.iter().map(changed).collect())
        }
        Value::Null => json!(0.5),
    }
}

#[test]
fn what_is_computed_does_not_depend_on_what_is_expected_and_another_expectation_differs() {
    let with_events = FILES
        .iter()
        .filter(|(name, _)| !name.starts_with('1') || name.starts_with("10"));
    for (name, _) in with_events {
        let (header, lines) = lines(name);
        let mut simulation = begin(&header).unwrap();
        for (place, line) in lines.iter().enumerate() {
            let mut line = object(line).unwrap();
            let Some(Value::Object(expected)) = line.remove("expect") else {
                panic!("{name}: an event without an expectation");
            };
            let stripped = serde_json::to_string(&line).unwrap();
            let answer = simulation.line(&stripped).unwrap();
            assert_eq!(answer.agrees, None);
            let place = format!("{name}, line {}", place + 2);
            assert!(agrees(&mut answer.computed.clone(), &expected), "{place}");
            for member in expected.keys() {
                let mut other = expected.clone();
                other[member] = changed(&expected[member]);
                let is_taken = agrees(&mut answer.computed.clone(), &other);
                assert!(!is_taken, "{place}: another {member} is taken");
            }
        }
    }
}

#[test]
fn a_metric_that_is_not_expected_differs() {
    let mut simulation = begin("{}").unwrap();
    let chunk =
        r#"{"op":"chunk","t":1,"priority":1,"root":{"trace_id":"7"},"expect":{"kept":true}}"#;
    let answer = simulation.line(chunk).unwrap();
    assert_eq!(answer.agrees, Some(false));
    assert_eq!(
        answer.computed["set_metrics"],
        json!({"_sampling_priority_rate_v1": 1.0})
    );
}

#[track_caller]
fn check_settings(config: &str, expected: &Settings, unknown: &[&str]) {
    let config = object(config).unwrap();
    let (read, told) = settings::read(Some(&config), &Settings::default()).unwrap();
    assert_eq!(read, *expected);
    assert_eq!(told, unknown);
}

#[test]
fn a_sampler_is_set_up_by_any_of_its_names() {
    let expected = Settings {
        probabilistic: Some(Probabilistic {
            percentage: 12.5,
            hash_seed: 3,
            id: HashedId::Full,
        }),
        ..Settings::default()
    };
    for config in [
        r#"{"probabilistic_enabled":true,"probabilistic_percentage":12.5,"probabilistic_hash_seed":3,"probabilistic_full_trace_id":true}"#,
        r#"{"probabilistic_sampling_percentage":12.5,"probabilistic_hash_seed":"3","features":["probabilistic_sampler_full_trace_id"]}"#,
        r#"{"probabilistic":{"enabled":true,"percentage":12.5,"hash_seed":3,"full_trace_id":true}}"#,
    ] {
        check_settings(config, &expected, &[]);
    }
    let off = r#"{"probabilistic_enabled":false,"probabilistic_percentage":100,"rare_enabled":false,"rare_tps":5}"#;
    check_settings(off, &Settings::default(), &[]);
}

#[test]
fn settings_that_are_not_known_are_told() {
    let config = r#"{"mood":"good","features":["other"],"rare":{"enabled":false,"color":1}}"#;
    check_settings(
        config,
        &Settings::default(),
        &["mood", "other", "rare_color"],
    );
}

#[track_caller]
fn check_refused(line: &str, expected: &str) {
    let refused = begin("{}").unwrap().line(line).unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn a_line_that_is_none_is_refused_in_a_sentence() {
    check_refused("hello", "no JSON object");
    check_refused("[1]", "a list");
    check_refused(&"[".repeat(100_000), "no JSON object");
    check_refused(r#"{"op":"sing"}"#, "none of the lines");
    check_refused(r#"{"op":"chunk","t":1e999,"root":{}}"#, "no JSON object");
    check_refused(r#"{"op":"chunk","t":1.5,"root":{}}"#, "`t`");
    check_refused(r#"{"op":"chunk","t":1}"#, "`root`");
    check_refused(r#"{"op":"chunk","t":1,"root":{}}"#, "`trace_id`");
    check_refused(
        r#"{"op":"chunk","t":1,"priority":0.5,"root":{}}"#,
        "`priority`",
    );
    let batch = r#"{"op":"chunks","t":1,"dt":1,"priority":1,"root":{},"n":"#;
    check_refused(&format!("{batch}1000000000000}}"), "1,000,000 events");
    check_refused(&format!("{batch}1000001}}"), "1,000,000 events");
    check_refused(&format!("{batch}1000000}}"), "`trace_id_first`");
    check_refused(&format!("{batch}2,\"trace_ids\":[1]}}"), "`trace_ids`");
    let is_header = begin(r#"{"op":"end"}"#).unwrap_err();
    assert_eq!(is_header, VectorError::NoHeader);
}
