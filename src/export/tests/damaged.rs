//! Files that are something else, or were damaged: told with their place, and no panic.

use proptest::prelude::*;

use super::generate::chunk;
use super::round_trip::plain_span;
use super::*;

fn two_traces() -> String {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(1, &[plain_span(1, 0)]));
    deliver(&mut store, chunk(2, &[plain_span(1, 0), plain_span(2, 1)]));
    export(&store, "json")
}

fn failure(file: &str) -> (OpenError, Store) {
    let mut store = Store::new(PLENTY);
    let error = open(file.as_bytes(), &mut store, Now::default()).unwrap_err();
    (error, store)
}

#[track_caller]
fn check_refused(file: &str, expected: &str) {
    assert_eq!(failure(file).0.to_string(), expected);
}

const FILES: &str =
    "Files to open are written by `modtrace-tui --export FILE`, or hold an array of v0.4 spans.";

#[test]
fn what_is_no_capture_is_refused_by_name() {
    check_refused(
        "hello",
        &format!("This is not JSON: expected value at line 1 column 1. {FILES}"),
    );
    check_refused(
        r#"{"format":"har","version":"1"}"#,
        &format!("This JSON is no capture: its format is \"har\". {FILES}"),
    );
    check_refused(
        r#"{"resourceSpans":[]}"#,
        &format!(
            "This JSON is no capture: an object without `\"format\":\"modtrace\"` at line 1 column 20. {FILES}"
        ),
    );
    check_refused(
        r#"{"format":"modtrace","version":2,"traces":"a new form"}"#,
        "The file has version 2 of the format; this program reads up to 1. Update modtrace-tui.",
    );
    check_refused(
        "",
        "The file ends in the middle, at line 1, column 0. Nothing came before it. Was the export interrupted?",
    );
}

#[test]
fn a_file_cut_anywhere_gives_what_came_before_the_cut() {
    let file = two_traces();
    let mut most = 0;
    for cut in 0..file.trim_end().len() {
        let (error, store) = failure(file.get(..cut).unwrap());
        let OpenError::Truncated { kept, .. } = error else {
            panic!("{error}");
        };
        let counters = store.counters();
        assert_eq!(counters.spans_shown, kept.n_spans);
        assert_eq!(counters.spans_received, counters.spans_shown);
        assert!(most <= kept.n_spans);
        most = kept.n_spans;
    }
    assert_eq!(most, 3);
}

#[test]
fn half_a_span_is_not_shown() {
    let file = two_traces();
    let cut = file.rfind("\"duration\"").unwrap();
    let (error, store) = failure(file.get(..cut).unwrap());
    assert!(
        error.to_string().ends_with(
            "What came before it is kept: 2 traces, 2 spans. Was the export interrupted?"
        ),
        "{error}"
    );
    assert_eq!(store.n_traces(), 2);
}

#[test]
fn damage_is_told_with_its_place() {
    let replaced = |from: &str, to: &str| {
        let at = two_traces();
        let (before, after) = at.rsplit_once(from).unwrap();
        format!("{before}{to}{after}")
    };
    let cases = [
        (
            "\"duration\":124675",
            "\"duration\":1e99",
            "span 2: invalid type: floating point `1e99` (as f64?)",
        ),
        (
            "\"duration\":124675",
            "\"duration\":99999999999999999999",
            "span 2: invalid type: floating point",
        ),
        (
            "\"error\":0",
            "\"error\":4294967296",
            "span 2: invalid value: integer `4294967296`, expected i32",
        ),
        (
            "\"span_id\":\"2\"",
            "\"span_id\":\"-2\"",
            "span 2: invalid value: string \"-2\", expected an id of 64 bits in decimal",
        ),
        (
            "\"span_id\":\"2\"",
            "\"span_id\":\"99999999999999999999\"",
            "span 2: invalid value",
        ),
        (
            "\"span_id\":\"2\"",
            "\"meta\":{\"a\":[]}",
            "span 2: invalid type: sequence, expected a string, a number, or a tagged value",
        ),
        (
            "\"span_id\":\"2\"",
            "\"meta\":{\"a\":{\"$float\":\"1\"}}",
            "span 2: invalid value: string \"1\", expected NaN, Infinity or -Infinity",
        ),
        (
            "\"span_id\":\"2\"",
            "\"meta_struct\":{\"a\":\"?\"}",
            "span 2: invalid value: string \"?\", expected base64",
        ),
    ];
    for (from, to, message) in cases {
        let (error, store) = failure(&replaced(from, to));
        let message = message.split(" `1e99` (as").next().unwrap();
        let told = error.to_string();
        assert!(
            told.starts_with(&format!("The file is damaged in trace 2, {message}")),
            "{told}"
        );
        assert!(told.contains("kept: 2 traces, 2 spans."), "{told}");
        assert_eq!(store.counters().spans_shown, 2);
    }
}

#[test]
fn what_an_error_quotes_is_short_and_harmless() {
    let file = format!(
        r#"{{"format":"modtrace","traces":[{{"trace_id":"\u202e{}"}}]}}"#,
        "x".repeat(10_000)
    );
    let told = failure(&file).0.to_string();
    assert!(told.len() < 500, "{told}");
    assert!(!told.contains('\u{202e}'), "{told}");
}

#[test]
fn deep_nesting_is_refused_without_recursion_to_match() {
    let deep = "[".repeat(1_000_000);
    for member in ["span_events", "span_links", "meta", "novel"] {
        let file = format!(
            r#"{{"format":"modtrace","traces":[{{"trace_id":"6b00a83d000000006f0dbd9e7942056a","spans":[{{"{member}":{deep}"#
        );
        assert_eq!(failure(&file).1.n_traces(), 0);
    }
    failure(&"{\"a\":".repeat(100_000));
}

#[test]
fn counters_that_nothing_could_have_counted_are_refused() {
    let (error, _) =
        failure(r#"{"format":"modtrace","counters":{"spans_evicted":18446744073709551615}}"#);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn members_in_another_order_and_unknown_ones_are_read_all_the_same() {
    let file: serde_json::Value = serde_json::from_str(&two_traces()).unwrap();
    let mut sorted = file.clone();
    sorted.sort_all_objects();
    let mut store = Store::new(PLENTY);
    open(sorted.to_string().as_bytes(), &mut store, Now::default()).unwrap();
    let again: serde_json::Value = serde_json::from_str(&export(&store, "json")).unwrap();
    assert_eq!(again, file);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_byte_changed_anywhere_never_panics_and_the_law_stands(
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut file = two_traces().into_bytes();
        let place = place.index(file.len());
        file[place] = byte;
        let mut store = Store::new(PLENTY);
        let _either = open(&*file, &mut store, Now::default());
        let counters = store.counters();
        prop_assert_eq!(
            counters.spans_received,
            counters.spans_shown + counters.spans_evicted + counters.spans_duplicate
        );
    }
}
