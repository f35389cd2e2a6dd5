//! What the file of a small capture looks like, to the byte.

use super::generate::{Node, Said, chunk};
use super::round_trip::{plain_span, with_trace_id_high};
use super::*;
use crate::export::{
    Export, ExportError, Progress, trace_event, trace_json, write_json, write_trace,
};
use crate::store::TraceKey;
use crate::trace::Attribute;

fn small_capture() -> Store {
    let mut store = Store::new(PLENTY);
    let root = with_trace_id_high(plain_span(123, 0), "6b00a83d00000000");
    let mut child = plain_span(18_446_744_073_709_551_615, 123);
    child.texts[3] = Said::This(b"llm".to_vec());
    child.error = Said::Null;
    child.attributes = vec![
        (
            Attribute::Meta,
            Node::Map(vec![
                (b"b".to_vec(), Node::Text(b"\x1b[31m\xe2\x80\xae".to_vec())),
                (b"a".to_vec(), Node::Text(vec![0xff])),
            ]),
        ),
        (
            Attribute::Metrics,
            Node::Map(vec![
                (b"int".to_vec(), Node::Int(1)),
                (b"float".to_vec(), Node::Float(1.0)),
                (b"nan".to_vec(), Node::Float(f64::NAN)),
            ]),
        ),
        (
            Attribute::MetaStruct,
            Node::Map(vec![(b"s".to_vec(), Node::Bytes(vec![0x81, 0xa1]))]),
        ),
        (
            Attribute::SpanLinks,
            Node::Array(vec![Node::Map(vec![
                (b"trace_id".to_vec(), Node::Uint(0xa)),
                (b"trace_id_high".to_vec(), Node::Uint(1)),
                (b"span_id".to_vec(), Node::Uint(u64::MAX)),
                (b"flags".to_vec(), Node::Uint(0x8000_0001)),
            ])]),
        ),
        (
            Attribute::Unknown,
            Node::Map(vec![(b"new".to_vec(), Node::Bytes(vec![0xc0]))]),
        ),
    ];
    deliver(&mut store, chunk(0x6f0d_bd9e_7942_056a, &[root, child]));
    store.record(request("/v0.4/traces", 200));
    store
}

const TRACE: &str = r#"{"trace_id":"6b00a83d000000006f0dbd9e7942056a","root":"document.process","service":"document-processor","resource":"document.process","start":1795205181950551406,"duration":124675,"error":0,"complete":true,"outcome":"ok","arrivals":[{"at":1795205182950551406,"via":"http","spans":2}],"tracer":{"language":"python","language_version":"3.11.7","tracer_version":"4.1.2"},"container":null,"start_kind":"unknown","start_evidence":"nothing says in which container it ran: the tag modal.task_id would","sampling":{"priority":null,"decision_maker":null,"mechanism":null,"rule_rate":null,"agent_rate":null,"limit_rate":null,"simulated":{"kept":true,"by":"no_priority","tracer":null,"agent":{"kept":true,"by":"no_priority","rate":1.0},"reason":"the client sent no priority; the Agent's no-priority sampler keeps it"}},"forwarded":null,"spans":[
{"span_id":"123","parent_id":"0","service":"document-processor","name":"document.process","resource":"document.process","start":1795205181950551406,"duration":124675,"error":0,"meta":{"_dd.p.tid":"6b00a83d00000000"}},
{"span_id":"18446744073709551615","parent_id":"123","service":"document-processor","name":"document.process","resource":"document.process","type":"llm","start":1795205181950551406,"duration":124675,"error":null,"meta":{"b":"\u001b[31m\u202e","a":{"$bytes":"/w=="}},"metrics":{"int":1,"float":1.0,"nan":{"$float":"NaN"}},"meta_struct":{"s":"gaE="},"span_links":[{"trace_id":"0000000000000001000000000000000a","trace_id_high":"1","span_id":"18446744073709551615","flags":2147483649}],"unknown_fields":{"new":{"$msgpack":"wA=="}}}
],"logs":[]}"#;

#[test]
fn an_export_has_a_line_for_each_trace_and_each_span() {
    let file = export(&small_capture(), "json");
    let (head, rest) = file.split_once("\"traces\":[\n").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "{{\"format\":\"modtrace\",\"version\":1,\"captured_by\":\"modtrace-tui {version}\",\"exported_at\":\"2026-11-20T19:53:45.287Z\",\n\"counters\":{{\"payloads_received\":1,"
    );
    assert!(head.starts_with(&expected), "{head}");
    assert!(head.ends_with("},\n\"forward\":null,\n"), "{head}");
    let (trace, tail) = rest.split_once("\n],\n\"logs\"").unwrap();
    assert_eq!(trace, TRACE);
    assert_eq!(
        tail,
        ":[],\n\"requests\":[\n{\"at\":1795205182950551406,\"method\":\"PUT\",\"path\":\"/v0.4/traces\",\"status\":200,\"bytes\":123,\"client\":\"ddtrace-py 4.1.2\",\"via\":\"uds\",\"note\":\"1 chunk, \\u001b[31m 9 spans\"}\n],\n\"client_stats\":null,\n\"findings\":[]}\n"
    );
}

#[test]
fn a_trace_on_the_clipboard_reads_as_in_an_export() {
    let store = small_capture();
    assert_eq!(trace_json(&store, TraceKey(0)).unwrap(), TRACE);
    assert!(matches!(
        trace_json(&store, TraceKey(1)),
        Err(ExportError::Evicted)
    ));
}

#[test]
fn the_headless_line_has_the_members_of_an_export() {
    let store = small_capture();
    let mut line = Vec::new();
    write_json(
        &mut line,
        &trace_event(store.trace(TraceKey(0)).unwrap(), &store),
    )
    .unwrap();
    let line = String::from_utf8(line).unwrap();
    let (summary, _) = TRACE.split_once(",\"spans\":[\n").unwrap();
    let (_, members) = summary.split_once(",\"root\"").unwrap();
    let expected = format!(
        "{{\"event\":\"trace\",\"trace_id\":\"6b00a83d000000006f0dbd9e7942056a\",\"spans\":2,\"root\"{members}}}"
    );
    assert_eq!(line, expected);
}

#[test]
fn steps_of_any_size_write_the_same_bytes() {
    let mut store = Store::new(PLENTY);
    for low in 1..6 {
        deliver(
            &mut store,
            chunk(low, &[plain_span(1, 0), plain_span(2, 1)]),
        );
    }
    let whole = export(&store, "json");
    for n_spans_max in [0, 1, 2, 3, 7] {
        let mut out = Vec::new();
        let format = Format::named("json").unwrap();
        let mut running = Export::begin(format, &store, EXPORTED_AT).unwrap();
        let mut n_steps = 0;
        let written = loop {
            n_steps += 1;
            match running.step(&store, &mut out, n_spans_max).unwrap() {
                Progress::Working(_) => {}
                Progress::Done(written) => break written,
            }
        };
        assert!(n_steps > 1);
        assert_eq!(
            (written.n_traces, written.n_spans, written.n_cut),
            (5, 10, 0)
        );
        assert_eq!(written.n_bytes, u64::try_from(out.len()).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), whole);
    }
}

#[test]
fn a_trace_evicted_while_it_is_written_leaves_a_file_that_opens() {
    let mut store = Store::new(8_000);
    deliver(&mut store, chunk(1, &[plain_span(1, 0), plain_span(2, 1)]));
    let mut out = Vec::new();
    let format = Format::named("json").unwrap();
    let mut running = Export::begin(format, &store, EXPORTED_AT).unwrap();
    running.step(&store, &mut out, 2).unwrap();
    for low in 2..99 {
        deliver(&mut store, chunk(low, &[plain_span(1, 0)]));
    }
    assert!(store.trace(TraceKey(0)).is_none());
    let Progress::Done(written) = running.step(&store, &mut out, 99).unwrap() else {
        panic!("not done")
    };
    assert_eq!(
        (written.n_traces, written.n_spans, written.n_cut),
        (1, 1, 1)
    );
    assert_eq!(opened(&String::from_utf8(out).unwrap()).n_traces(), 1);
}

#[test]
fn one_trace_is_exported_with_the_counters_of_the_capture() {
    let mut store = small_capture();
    deliver(&mut store, chunk(9, &[plain_span(1, 0)]));
    let mut out = Vec::new();
    let format = Format::named("json").unwrap();
    write_trace(format, &store, EXPORTED_AT, TraceKey(0), &mut out).unwrap();
    let file = String::from_utf8(out).unwrap();
    assert!(file.contains("\"spans_received\":3,"), "{file}");
    assert!(file.contains(TRACE), "{file}");
    let counters = opened(&file).counters().clone();
    assert_eq!((counters.spans_received, counters.spans_shown), (2, 2));
}
