//! Log lines in exports: written with their trace, read back as they were.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::generate::{Node, SpanPlan, chunk};
use super::round_trip::{check_comes_back, plain_span, with_trace_id_high};
use super::*;
use crate::export::{Export, Progress, log_event, write_json};
use crate::logs::{LogRecord, LogSource};
use crate::trace::Attribute;

const AT: UnixNanos = UnixNanos(1_795_205_182_950_551_406);
const LOW: u64 = 0x6f0d_bd9e_7942_056a;

fn take(store: &mut Store, lines: &[&str]) {
    let records = lines
        .iter()
        .map(|line| LogRecord::parse(line, LogSource::Stdout, AT));
    store.insert_logs(records.collect(), Now::default());
}

fn one_trace() -> Store {
    let mut store = Store::new(PLENTY);
    let root = with_trace_id_high(plain_span(123, 0), "6b00a83d00000000");
    deliver(&mut store, chunk(LOW, &[root]));
    store
}

/// What stands for the lines of the only trace, and for those of none.
fn written(store: &Store) -> (String, String) {
    let file = export(store, "json");
    let (_, of_trace) = file.split_once("\n],\"logs\":[").unwrap();
    let (of_trace, rest) = of_trace.split_once("]}\n],\n\"logs\":[").unwrap();
    let (loose, _) = rest.split_once("],\n\"requests\"").unwrap();
    (of_trace.to_owned(), loose.to_owned())
}

#[test]
fn lines_stand_with_their_trace_one_on_each_line() {
    let mut store = one_trace();
    take(
        &mut store,
        &[
            r#"{"k":0.10,"big":142230807100249176715567368663504182739,"nan":[NaN,-Infinity], "k":{"b" : "\u202e"},"event":"in-root","dd.trace_id":"6b00a83d000000006f0dbd9e7942056a","dd.span_id":"123","level":"info","timestamp":"2026-11-20T20:27:21.629862Z"}"#,
            r#"{"event":"low half","dd":{"trace_id":"8002260601244091754"},"level":"error"}"#,
            "plain text",
            r#"{"event":"of another","trace_id":"6b00a83d0000000000000000000000aa","span_id":"7"}"#,
        ],
    );
    let (of_trace, loose) = written(&store);
    let expected = concat!(
        "\n",
        r#"{"time":1795206441629862000,"trace_id":"6b00a83d000000006f0dbd9e7942056a","span_id":"123","level":"info","message":"in-root","source":"stdout","joined_by":"trace_id","fields":{"k":0.10,"big":142230807100249176715567368663504182739,"nan":[{"$float":"NaN"},{"$float":"-Infinity"}],"k":{"b":"\u202e"}},"#,
        r#""line":"{\"k\":0.10,\"big\":142230807100249176715567368663504182739,\"nan\":[NaN,-Infinity], \"k\":{\"b\" : \"\\u202e\"},\"event\":\"in-root\",\"dd.trace_id\":\"6b00a83d000000006f0dbd9e7942056a\",\"dd.span_id\":\"123\",\"level\":\"info\",\"timestamp\":\"2026-11-20T20:27:21.629862Z\"}","at":1795205182950551406,"container":null},"#,
        "\n",
        r#"{"time":null,"trace_id":"6b00a83d000000006f0dbd9e7942056a","span_id":null,"level":"error","message":"low half","source":"stdout","joined_by":"trace_id","fields":{},"line":"{\"event\":\"low half\",\"dd\":{\"trace_id\":\"8002260601244091754\"},\"level\":\"error\"}","at":1795205182950551406,"container":null}"#,
        "\n",
    );
    assert_eq!(of_trace, expected);
    let expected = concat!(
        "\n",
        r#"{"time":null,"trace_id":null,"span_id":null,"level":null,"message":"plain text","source":"stdout","joined_by":null,"fields":{},"line":"plain text","at":1795205182950551406,"container":null},"#,
        "\n",
        r#"{"time":null,"trace_id":"6b00a83d0000000000000000000000aa","span_id":"7","level":null,"message":"of another","source":"stdout","joined_by":null,"#,
    );
    assert!(loose.starts_with(expected), "{loose}");
    check_comes_back(&store);
    let one = crate::export::trace_json(&store, crate::store::TraceKey(0)).unwrap();
    assert!(
        one.ends_with(&format!("],\"logs\":[{of_trace}]}}")),
        "{one}"
    );
}

#[track_caller]
fn check_event(store: &Store, place: usize, expected: &str) {
    let mut event = Vec::new();
    let line = store.logs().nth(place).unwrap();
    write_json(&mut event, &log_event(line, store)).unwrap();
    assert_eq!(String::from_utf8(event).unwrap(), expected);
}

#[test]
fn the_headless_line_names_the_trace_that_was_found_or_is_named_whole() {
    let mut store = one_trace();
    take(
        &mut store,
        &[
            r#"{"event":"a","dd":{"trace_id":"8002260601244091754","span_id":"000000000000007b"},"level":"warning"}"#,
            r#"{"event":"b","dd":{"trace_id":"6b00a83d0000000000000000000000aa","span_id":"7"}}"#,
            r#"{"event":"c","dd":{"trace_id":"17"}}"#,
        ],
    );
    check_event(
        &store,
        0,
        r#"{"event":"log","trace_id":"6b00a83d000000006f0dbd9e7942056a","span_id":"123","level":"warn","message":"a","time":null,"source":"stdout","joined_by":"trace_id"}"#,
    );
    check_event(
        &store,
        1,
        r#"{"event":"log","trace_id":"6b00a83d0000000000000000000000aa","span_id":"7","level":null,"message":"b","time":null,"source":"stdout","joined_by":null}"#,
    );
    check_event(
        &store,
        2,
        r#"{"event":"log","trace_id":null,"span_id":null,"level":null,"message":"c","time":null,"source":"stdout","joined_by":null}"#,
    );
}

fn tagged(mut span: SpanPlan, container: &str) -> SpanPlan {
    let tags = [
        ("modal.task_id", container),
        ("modal.region", "us-east-1"),
        ("modal.cloud_provider", "CLOUD_PROVIDER_AWS"),
        ("runtime-id", "757c"),
    ];
    let tags = tags.map(|(key, value)| (key.into(), Node::Text(value.into())));
    span.attributes
        .push((Attribute::Meta, Node::Map(tags.to_vec())));
    span
}

#[test]
fn a_container_is_written_as_it_is_known_and_comes_back() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, chunk(1, &[tagged(plain_span(1, 0), "ta-1")]));
    deliver(&mut store, chunk(2, &[plain_span(1, 0)]));
    let line =
        r#"{"event":"a","modal":{"task_id":"ta-2","image_id":"im-1"},"dd":{"trace_id":"2"}}"#;
    take(&mut store, &[line]);
    let mut relayed = Received {
        at: AT,
        via: Via::Relay,
        payload: TracerPayload {
            tracer: TracerInfo::default().into(),
            chunks: chunk(3, &[plain_span(1, 0)]),
            n_chunks: 1,
            form: crate::trace::PayloadForm::default(),
        },
        client_dropped_p0_traces: 0,
        client_dropped_p0_spans: 0,
        client_computed_stats: false,
        client_computed_top_level: false,
        relay: Some(crate::trace::RelaySource(1)),
    };
    let hello = crate::trace::Hello {
        source: crate::trace::RelaySource(1),
        container: crate::trace::ContainerFacts {
            task_id: Some("ta-3".into()),
            gpu: Some("H100".into()),
            ..Default::default()
        },
    };
    let request = crate::ingest::Request {
        record: request("/modtrace/hello", 200),
        brought: crate::ingest::Brought::Hello(Box::new(hello)),
    };
    store.take_request(request, Now::default());
    relayed.at = AT;
    store.insert(relayed, Now::default());
    let file = export(&store, "json");
    for expected in [
        r#""container":{"task_id":"ta-1","region":"us-east-1","cloud":"CLOUD_PROVIDER_AWS","environment":null,"image_id":null,"gpu":null,"runtime_id":"757c","known_by":"tag"}"#,
        r#""container":{"task_id":"ta-2","region":null,"cloud":null,"environment":null,"image_id":"im-1","gpu":null,"runtime_id":null,"known_by":"log"}"#,
        r#""container":{"task_id":"ta-3","region":null,"cloud":null,"environment":null,"image_id":null,"gpu":"H100","runtime_id":null,"known_by":"relay"}"#,
    ] {
        assert!(file.contains(expected), "{expected}\n{file}");
    }
    check_comes_back(&store);
}

/// One line must not make the file unreadable for others: `serde_json` refuses what no float holds, and
/// what nests deeper than 128.
#[test]
fn what_strict_readers_refuse_of_a_line_is_written_otherwise() {
    let mut store = one_trace();
    let long = format!(r#"{{"event":"a","n":[1e999,-{}]}}"#, "9".repeat(400));
    let deep = format!(
        r#"{{"event":"a","n":{}0{}}}"#,
        "[".repeat(120),
        "]".repeat(120)
    );
    take(&mut store, &[&long, &deep]);
    let file: serde_json::Value = export(&store, "json").parse().unwrap();
    let of = |line: usize| &file["logs"][line]["fields"]["n"];
    let float = |text: &str| serde_json::json!({"$float": text});
    assert_eq!(
        of(0),
        &serde_json::json!([float("Infinity"), float("-Infinity")])
    );
    let (mut value, mut depth) = (of(1), 0);
    while let Some(inner) = value.get(0) {
        (value, depth) = (inner, depth + 1);
    }
    let rest = 120 - depth;
    let text = format!("{}0{}", "[".repeat(rest), "]".repeat(rest));
    assert_eq!((depth, value.as_str()), (100, Some(&*text)));
    check_comes_back(&store);
}

#[test]
fn lines_come_back_in_the_order_in_which_they_were_read() {
    let mut store = Store::new(PLENTY);
    for low in 1..4 {
        deliver(&mut store, chunk(low, &[plain_span(low, 0)]));
    }
    for (number, at) in [30, 10, 20, 21, 40, 35].into_iter().enumerate() {
        let line = format!(
            r#"{{"event":"{number}","dd":{{"trace_id":"{}"}}}}"#,
            number % 4
        );
        let record = LogRecord::parse(&line, LogSource::Stderr, UnixNanos(at));
        store.insert_logs(vec![record], Now::default());
    }
    let again = opened(&export(&store, "json"));
    let order: Vec<_> = again.logs().map(|line| line.record().message()).collect();
    // Those of one trace, here 1 and 5, and 0 and 4, keep theirs.
    assert_eq!(order, ["1", "2", "3", "0", "5", "4"]);
    check_comes_back(&store);
}

#[test]
fn steps_of_any_size_write_the_same_lines() {
    let mut store = Store::new(PLENTY);
    for low in 1..4 {
        deliver(&mut store, chunk(low, &[plain_span(low, 0)]));
    }
    for number in 0..300 {
        let line = format!(
            r#"{{"event":"{number}","dd":{{"trace_id":"{}"}}}}"#,
            number % 5
        );
        take(&mut store, &[&line]);
    }
    let whole = export(&store, "json");
    for n_max in [1, 2, 7] {
        let mut out = Vec::new();
        let mut running = Export::begin(&Format::JSON, &store, EXPORTED_AT).unwrap();
        let written = loop {
            if let Progress::Done(written) = running.step(&store, &mut out, n_max).unwrap() {
                break written;
            }
        };
        assert_eq!((written.n_spans, written.n_lines), (3, 300));
        assert_eq!(String::from_utf8(out).unwrap(), whole);
    }
    check_comes_back(&store);
}

#[test]
fn a_line_that_joins_a_trace_while_it_is_written_is_in_the_file_once() {
    for n_steps in 0..12 {
        let mut store = Store::new(PLENTY);
        deliver(&mut store, chunk(1, &[plain_span(1, 0)]));
        take(
            &mut store,
            &[
                r#"{"event":"now","dd":{"trace_id":"1"}}"#,
                r#"{"event":"later","dd":{"trace_id":"2","span_id":"1"}}"#,
                r#"{"event":"later","dd":{"trace_id":"3"}}"#,
            ],
        );
        let mut out = Vec::new();
        let mut running = Export::begin(&Format::JSON, &store, EXPORTED_AT).unwrap();
        for _ in 0..n_steps {
            running.step(&store, &mut out, 1).unwrap();
        }
        deliver(&mut store, chunk(2, &[plain_span(2, 0)]));
        deliver(&mut store, chunk(3, &[plain_span(3, 0)]));
        take(
            &mut store,
            &[r#"{"event":"too late","dd":{"trace_id":"1"}}"#],
        );
        running.step(&store, &mut out, 99).unwrap();
        let file = String::from_utf8(out).unwrap();
        assert_eq!(file.matches(r#""message":"later""#).count(), 2, "{file}");
        assert!(!file.contains("too late"));
        assert_eq!(opened(&file).n_logs(), 3);
    }
}

#[test]
fn a_trace_evicted_between_its_lines_is_told_as_cut() {
    let mut store = Store::new(20_000);
    deliver(&mut store, chunk(1, &[plain_span(1, 0)]));
    take(&mut store, &[r#"{"event":"a","dd":{"trace_id":"1"}}"#; 4]);
    let mut out = Vec::new();
    let mut running = Export::begin(&Format::JSON, &store, EXPORTED_AT).unwrap();
    running.step(&store, &mut out, 4).unwrap();
    for low in 2..99 {
        deliver(&mut store, chunk(low, &[plain_span(1, 0)]));
    }
    let Progress::Done(written) = running.step(&store, &mut out, 999).unwrap() else {
        panic!("not done")
    };
    assert_eq!((written.n_lines, written.n_cut), (1, 1));
    let again = opened(&String::from_utf8(out).unwrap());
    assert_eq!((again.n_traces(), again.n_logs()), (1, 1));
}

#[test]
fn what_a_file_says_of_a_line_is_right_where_it_was_read_otherwise() {
    let line = r#"{"time":5,"trace_id":"000000000000000000000000000000aa","span_id":"9","level":"trace","message":"what another version read","source":"file","joined_by":null,"fields":{},"line":"{\"event\":\"x\",\"k\":1,\"dd.trace_id\":\"7\"}","at":6,"container":"ta-1","n_cut":3}"#;
    let file = format!("{{\"format\":\"modtrace\",\"version\":1,\"traces\":[],\"logs\":[{line}]}}");
    let store = opened(&file);
    assert!(
        export(&store, "json").contains(line),
        "{}",
        export(&store, "json")
    );
    let bad = file.replace("\"source\":\"file\"", "\"source\":\"pigeon\"");
    let mut store = Store::new(PLENTY);
    let error = open(bad.as_bytes(), &mut store, Now::default()).unwrap_err();
    assert!(
        error.to_string().contains("is no source of lines"),
        "{error}"
    );
}

#[test]
fn half_a_capture_keeps_the_lines_before_the_damage() {
    let mut store = one_trace();
    take(
        &mut store,
        &[r#"{"event":"a","dd":{"trace_id":"8002260601244091754"}}"#; 3],
    );
    let file = export(&store, "json");
    let cut = file.rfind("\"line\"").unwrap();
    let mut again = Store::new(PLENTY);
    open(
        file.as_bytes().get(..cut).unwrap(),
        &mut again,
        Now::default(),
    )
    .unwrap_err();
    assert_eq!((again.n_traces(), again.n_logs()), (1, 2));
    assert_eq!(again.traces().next().unwrap().logs().len(), 2);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "$float",
            "event",
            "dd.trace_id",
            "{\"a\":1}",
            "\u{1b}[31mred\u{1b}[0m",
            "ta-1",
            "fc-1 ta-2 {\"event\":\"x\"}",
            "\u{202e}\u{0}\u{7f}\u{9b}\n\t\"\\",
            "2026-11-20 20:27:21+00:00 ta-1 {\"event\":\"y\",\"level\":\"info\"}",
            "dd.trace_id=6b00a83d000000006f0dbd9e7942056a dd.span_id=1 ERROR x",
            "{\"a\":1}{\"b\":2}",
            "{\"event\":\"a",
            "{\"log\":\"INFO inner\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T20:27:21Z\"}",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

/// A line: any text, or a structured one with ids that may be known.
fn line() -> impl Strategy<Value = String> {
    let id = select(vec![
        "1",
        "2",
        "3",
        "0",
        "1234567890123456",
        "000000000000000a",
        "6b00a83d000000000000000000000001",
    ]);
    let key = select(vec![
        "event",
        "message",
        "level",
        "timestamp",
        "k",
        "modal.task_id",
        "error",
        "exception",
    ]);
    let value = prop_oneof![
        text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        select(vec![
            "null",
            "NaN",
            "-0.0",
            "1e999",
            "[1, {\"a\" : [\"\\ud800\"]}]",
            "\"ta-7\"",
            "\"info\"",
            "1795205182",
            "true"
        ])
        .prop_map(str::to_owned),
    ];
    let structured = (vec((key, value), 0..5), id.clone(), id, any::<bool>()).prop_map(
        |(members, trace, span, is_nested)| {
            let mut members: Vec<String> = members
                .into_iter()
                .map(|(key, value)| format!("\"{key}\": {value}"))
                .collect();
            members.push(if is_nested {
                format!(r#""dd":{{"trace_id":"{trace}","span_id":"{span}"}}"#)
            } else {
                format!(r#""dd.trace_id":"{trace}","dd.span_id":"{span}""#)
            });
            format!("{{{}}}", members.join(","))
        },
    );
    prop_oneof![1 => text(), 3 => structured]
}

#[derive(Clone, Debug)]
enum Piece {
    Spans(u64),
    Line(String, LogSource, i64, bool),
}

fn piece() -> impl Strategy<Value = Piece> {
    let source = select(LogSource::NAMES.map(|(source, _)| source).to_vec());
    prop_oneof![
        1 => (1..4_u64).prop_map(Piece::Spans),
        3 => (line(), source, 0..9_i64, any::<bool>())
            .prop_map(|(line, source, at, is_item)| Piece::Line(line, source, at, is_item)),
    ]
}

fn play(pieces: &[Piece], memory: usize) -> Store {
    let mut store = Store::new(memory);
    for piece in pieces {
        match piece {
            Piece::Spans(low) => {
                let spans = [tagged(plain_span(*low, 0), "ta-1")];
                deliver(&mut store, chunk(*low, &spans));
            }
            Piece::Line(line, source, at, is_item) => {
                let record = if *is_item {
                    LogRecord::parse_item(line, UnixNanos(*at))
                } else {
                    LogRecord::parse(line, *source, UnixNanos(*at))
                };
                store.insert_logs(vec![record], Now::default());
            }
        }
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_of_any_kind_come_back_byte_by_byte(pieces in vec(piece(), 1..12)) {
        let store = play(&pieces, PLENTY);
        check_comes_back(&store);
    }

    #[test]
    fn lines_open_into_any_budget_and_the_law_stands(
        pieces in vec(piece(), 1..20),
        memories in (0..9_000_usize, 0..9_000_usize),
    ) {
        let first = play(&pieces, memories.0);
        let mut small = Store::new(memories.1);
        open(export(&first, "json").as_bytes(), &mut small, Now::default()).unwrap();
        let (before, after) = (first.counters(), small.counters());
        prop_assert_eq!(after.logs_received, after.logs_joined + after.logs_unjoined);
        prop_assert_eq!(after.logs_received, before.logs_received);
        let n_held = u64::try_from(small.n_logs()).unwrap();
        prop_assert_eq!(after.logs_received, n_held + after.logs_evicted);
        prop_assert!(small.bytes() <= memories.1);
    }
}
