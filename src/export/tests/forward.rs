//! Which spans went on, and what did not: written, read back, and harmless whatever a file says.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::generate::{Said, chunk, forward, span, went};
use super::round_trip::{check_comes_back, plain_span};
use super::*;
use crate::forward::courier::{Courier, CourierSettings, Which};
use crate::forward::{Forwarded, Ticket};
use crate::store::TraceKey;

/// A store whose spans go on.
fn forwarding() -> Store {
    let settings = CourierSettings {
        which: Which::All,
        ..CourierSettings::default()
    };
    Store::new(PLENTY)
        .with_courier(Courier::new(settings, UnixNanos(1)))
        .with_forwarding_to("datadog datadoghq.eu".into())
}

fn arrived(spans: &[u32]) -> Forwarded {
    let ticket = |span: &u32| Ticket {
        trace: 0,
        span: *span,
        version: 0,
    };
    Forwarded {
        arrived: spans.iter().map(ticket).collect(),
        last_error: Some("answers with status 503".into()),
        ..Forwarded::default()
    }
}

fn json_of(store: &Store) -> Json {
    serde_json::from_str(&export(store, "json")).unwrap()
}

/// A file of one trace with two spans, in which some text stands for another.
fn with(from: &str, to: &str) -> String {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(5, &[plain_span(1, 0), plain_span(2, 1)]));
    let file = export(&store, "json");
    assert!(file.contains(from));
    file.replace(from, to)
}

#[track_caller]
fn check_went(said: &str, forwarded: &Json, counted: &Json) {
    let store = opened(&with("\"forwarded\":null", said));
    check_comes_back(&store);
    let trace = &json_of(&store)["traces"][0];
    assert_eq!(
        (&trace["forwarded"], &trace["forward_counted"]),
        (forwarded, counted)
    );
}

#[test]
fn what_arrived_is_listed_in_order_and_what_was_to_arrive_is_an_empty_list() {
    let mut store = forwarding();
    let spans = [plain_span(9, 0), plain_span(8, 9), plain_span(7, 9)];
    deliver(&mut store, chunk(5, &spans));
    for (spans, expected) in [
        (&[][..], json!([])),
        (&[2], json!(["7"])),
        (&[0], json!(["9", "7"])),
        (&[1], json!("all")),
    ] {
        store.forwarded(&arrived(spans));
        let file = json_of(&store);
        assert_eq!(file["traces"][0]["forwarded"], expected);
        assert_eq!(file["traces"][0]["forward_counted"], "all");
        let way = json!({
            "to": "datadog datadoghq.eu",
            "last_error": "answers with status 503",
            "unsent": [],
        });
        assert_eq!(file["forward"], way);
        check_comes_back(&store);
        let again = opened(&export(&store, "json"));
        assert_eq!(again.trace(TraceKey(0)).unwrap().n_missing(), 0);
    }
}

#[test]
fn of_spans_with_equal_ids_none_is_taken_for_one_that_went() {
    let mut store = forwarding();
    let mut later = plain_span(9, 0);
    later.start = Said::This(1_795_205_181_950_551_407);
    deliver(
        &mut store,
        chunk(5, &[plain_span(9, 0), later, plain_span(8, 9)]),
    );
    for (arrives, expected) in [(1, json!([])), (2, json!(["8"])), (0, json!("all"))] {
        store.forwarded(&arrived(&[arrives]));
        assert_eq!(json_of(&store)["traces"][0]["forwarded"], expected);
        check_comes_back(&store);
    }
}

#[test]
fn an_export_without_forwarding_says_so_and_no_more() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(5, &[plain_span(1, 0)]));
    let file = json_of(&store);
    assert_eq!(file["forward"], Json::Null);
    assert_eq!(file["traces"][0]["forwarded"], Json::Null);
    assert!(file["traces"][0].get("forward_counted").is_none());
}

#[test]
fn a_file_may_say_of_any_spans_that_they_went() {
    let all = json!("all");
    check_went("\"forwarded\":\"all\"", &all, &Json::Null);
    check_went("\"forward_counted\":\"all\"", &Json::Null, &all);
    check_went(
        "\"forwarded\":[\"2\",2,\"2\",\"77\"]",
        &json!(["2"]),
        &Json::Null,
    );
    check_went("\"forwarded\":[\"77\"]", &json!([]), &Json::Null);
    check_went(
        "\"forward_counted\":[\"1\"],\"forwarded\":[\"2\",\"1\"]",
        &all,
        &json!(["1"]),
    );
}

#[test]
fn what_no_file_of_ours_says_is_damage() {
    let wrong = [
        ("\"forwarded\":null", "\"forwarded\":\"most\""),
        ("\"forwarded\":null", "\"forwarded\":[\"x\"]"),
        ("\"forwarded\":null", "\"forwarded\":{}"),
        ("\"forwarded\":null", "\"forward_counted\":7"),
        ("\"forward\":null", "\"forward\":[]"),
        ("\"forward\":null", "\"forward\":{\"to\":null}"),
        (
            "\"forward\":null",
            r#""forward":{"to":"x","unsent":[{"intake":"traces","headers":{},"body":""}]}"#,
        ),
        (
            "\"forward\":null",
            r#""forward":{"to":"x","unsent":[{"intake":"logs","headers":{"User-Agent":"a\nb"},"body":""}]}"#,
        ),
        (
            "\"forward\":null",
            r#""forward":{"to":"x","unsent":[{"intake":"logs","headers":{},"body":"%"}]}"#,
        ),
    ];
    for (from, to) in wrong {
        let opened = open(
            with(from, to).as_bytes(),
            &mut Store::new(PLENTY),
            Now::default(),
        );
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{to}");
    }
}

#[test]
fn what_goes_to_whom_is_not_the_files_to_say() {
    let said = r#""forward":{"to":"x","unsent":[{"intake":"logs","headers":{"Host":"evil","User-Agent":"a","DD-API-KEY":"k","User-Agent":"b"},"body":"AA==","plain_bytes":9,"n":2}]}"#;
    let store = opened(&with("\"forward\":null", said));
    let [request] = store.forwarding().unsent().collect::<Vec<_>>()[..] else {
        panic!("{store:?}");
    };
    assert_eq!(request.headers, [("User-Agent", "a".to_owned())]);
    check_comes_back(&store);
}

#[test]
fn requests_that_there_is_no_room_for_are_left_out_and_told() {
    let body = "AAAA".repeat(4 << 20);
    let request = format!(r#"{{"intake":"logs","headers":{{}},"body":"{body}"}}"#);
    let said = format!(r#""forward":{{"to":"x","unsent":[{request},{request},{request}]}}"#);
    let mut store = Store::new(PLENTY);
    let file = with("\"forward\":null", &said);
    let opened = open(file.as_bytes(), &mut store, Now::default()).unwrap();
    assert_eq!(store.forwarding().unsent().len(), 2);
    assert!(
        opened.warnings[0].ends_with("for lack of room: 1."),
        "{opened:?}"
    );
}

#[test]
fn a_request_that_is_larger_than_all_the_room_is_lost_and_no_other() {
    let body = "AAAA".repeat(12 << 20);
    let of = |body: &str| format!(r#"{{"intake":"stats","headers":{{}},"body":"{body}"}}"#);
    let (large, empty, small) = (of(&body), of(""), of("AAAA"));
    let said = format!(r#""forward":{{"to":"x","unsent":[{large},{empty},{small}]}}"#);
    let mut store = Store::new(PLENTY);
    let file = with("\"forward\":null", &said);
    let opened = open(file.as_bytes(), &mut store, Now::default()).unwrap();
    assert_eq!(store.forwarding().unsent().len(), 1);
    assert!(
        opened.warnings[0].ends_with("for lack of room: 2."),
        "{opened:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_a_file_says_of_the_way_on_is_said_again(
        deliveries in vec((1..4_u64, vec(span(), 1..4)), 1..5),
        went in vec((went(), went()), 4),
        forward in forward(),
        members_first in any::<bool>(),
    ) {
        let mut store = Store::new(PLENTY);
        for (trace_id_low, spans) in &deliveries {
            deliver(&mut store, chunk(*trace_id_low, spans));
        }
        let mut file = export(&store, "json").replace("\"forward\":null", &format!("\"forward\":{forward}"));
        for (forwarded, counted) in &went {
            let said = format!("\"forward_counted\":{counted},\"forwarded\":{forwarded} ");
            file = if members_first {
                file.replacen("\"forwarded\":null,", "", 1).replacen("\n{\"trace_id\"", &format!("\n{{{said}, \"trace_id\""), 1)
            } else {
                file.replacen("\"forwarded\":null,", &format!("{said},"), 1)
            };
        }
        check_comes_back(&opened(&file));
    }
}
