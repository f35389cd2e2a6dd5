//! What matches what; and that any text is a query.

mod laws;
mod running;

use super::*;
use crate::ingest::Received;
use crate::logs::{Level, LogRecord, LogSource};
use crate::sampler::{Fate, Sampler};
use crate::store::SpanIndex;
use crate::trace::{
    Attribute, ChunkBuilder, Field, Now, SpanId, TraceId, TracerInfo, TracerPayload, UnixNanos, Via,
};

const MS: u64 = 1_000_000;
const TRACE_ID: TraceId = TraceId(0x67b1_a0c2_0000_0000_5f3c_9e11_d04b_e2f7);

/// A span to be made.
#[derive(Clone, Debug, Default)]
struct Sample {
    id: u64,
    parent: u64,
    names: [String; 4],
    /// Apart from the usual one.
    trace: u64,
    start_ms: u64,
    duration_ms: u64,
    is_error: bool,
    meta: Vec<(String, String)>,
    metrics: Vec<(String, f64)>,
}

fn names(service: &str, name: &str, resource: &str, kind: &str) -> [String; 4] {
    [service, name, resource, kind].map(str::to_owned)
}

fn pairs<V, W: From<V>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Vec<(String, W)> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

impl Sample {
    fn write(&self, builder: &mut ChunkBuilder) {
        builder.begin_span().unwrap();
        let fields = [Field::Service, Field::Name, Field::Resource, Field::Type];
        for (field, text) in fields.into_iter().zip(&self.names) {
            let text = builder.text(text.as_bytes()).unwrap();
            builder.set_text(field, text);
        }
        builder.set_number(Field::TraceId, TRACE_ID.low() ^ self.trace);
        builder.set_number(Field::Start, self.start_ms * MS);
        builder.set_number(Field::SpanId, self.id);
        builder.set_number(Field::ParentId, self.parent);
        builder.set_number(Field::Duration, self.duration_ms * MS);
        builder.set_number(Field::Error, u64::from(self.is_error));
        let high = ("_dd.p.tid".to_owned(), format!("{:016x}", TRACE_ID.high()));
        let meta = self.meta.iter().chain([&high]);
        let meta: Vec<_> = meta
            .map(|(key, value)| [key, value].map(|text| builder.text(text.as_bytes()).unwrap()))
            .collect();
        let mut writer = builder.attribute(Attribute::Meta);
        let map = writer.open_map();
        for [key, value] in meta {
            writer.key(key);
            writer.text(value);
        }
        writer.close(map);
        let metrics: Vec<_> = self
            .metrics
            .iter()
            .map(|(key, value)| (builder.text(key.as_bytes()).unwrap(), *value))
            .collect();
        let mut writer = builder.attribute(Attribute::Metrics);
        let map = writer.open_map();
        for (key, value) in metrics {
            writer.key(key);
            writer.float(value);
        }
        writer.close(map);
    }
}

/// A store with one trace of these spans.
fn store_of(samples: &[Sample]) -> Store {
    let mut store = Store::new(64 << 20);
    send(&mut store, samples);
    store
}

fn send(store: &mut Store, samples: &[Sample]) {
    let mut builder = ChunkBuilder::default();
    for sample in samples {
        sample.write(&mut builder);
    }
    let chunks = builder.finish();
    let received = Received::new(
        UnixNanos(1),
        Via::Uds,
        TracerPayload {
            tracer: TracerInfo::default().into(),
            n_chunks: chunks.len(),
            form: crate::trace::PayloadForm::default(),
            chunks,
        },
    );
    store.insert(received, Now::default());
}

fn request() -> [Sample; 2] {
    let root = Sample {
        id: 1,
        names: names("gen-api", "fastapi.request", "POST /v1/generate", "web"),
        duration_ms: 1_940,
        meta: pairs([
            ("modal.task_id", "ta-01J8QK"),
            ("http.status_code", "500"),
            ("_dd.p.dm", "-3"),
        ]),
        metrics: pairs([("_sampling_priority_v1", -1.0), ("_dd.rule_psr", 0.3)]),
        ..Sample::default()
    };
    let child = Sample {
        id: 77_777_777,
        parent: 1,
        names: names("vllm", "vllm.decode", "decode", "llm"),
        duration_ms: 462,
        is_error: true,
        meta: pairs([
            ("model", "Qwen2-7b"),
            ("user.name", "Jörg"),
            ("modal.region", "us-east-1"),
        ]),
        metrics: pairs([("batch_size", 16.0), ("temperature", 0.5)]),
        ..Sample::default()
    };
    [root, child]
}

fn lines() -> Store {
    let failed = concat!(
        r#"{"event":"generate.failed","exc":"CudaOOM: out of memory","tokens":812,"#,
        r#""user":"J\u00f6rg","dd":{"service":"gen-api","env":"dev"},"#,
        r#""modal":{"region":"us-east-1"},"gpus":["a10","h100"],"ok":false}"#,
    );
    let mut failed = LogRecord::parse(failed, LogSource::Stdout, UnixNanos::default());
    failed.level = Some(Level::Error);
    failed.source = LogSource::Stderr;
    failed.container = Some("ta-01J8QK".into());
    failed.ids.trace = TRACE_ID;
    failed.ids.span = SpanId(77_777_777);
    let text = "from=16 to=8 main() a->b";
    let mut plain = LogRecord::parse(text, LogSource::Stdout, UnixNanos(1));
    plain.level = Some(Level::Info);
    let mut store = Store::new(64 << 20);
    store.insert_logs(vec![failed, plain], Now::default());
    store
}

#[track_caller]
fn query(text: &str) -> Query {
    let query = Query::new(text);
    assert_eq!(query.fault(), None, "{text}");
    query
}

/// The queries of a table, two spaces or a line end between them.
fn each(table: &str) -> impl Iterator<Item = &str> {
    let cells = table.lines().flat_map(|line| line.split("  "));
    cells.map(str::trim).filter(|cell| !cell.is_empty())
}

#[track_caller]
fn check_span(text: &str, expected: bool) {
    let store = store_of(&request());
    let trace = store.traces().next().unwrap();
    let span = trace.span(SpanIndex(1)).unwrap();
    assert_eq!(
        query(text).matches_span(span, RowMark::None),
        expected,
        "{text}"
    );
}

/// With the first line as its own.
#[track_caller]
fn check_trace(text: &str, expected: bool) {
    let (store, lines) = (store_of(&request()), lines());
    let trace = store.traces().next().unwrap();
    let line: Vec<_> = lines.logs().take(1).collect();
    let found = query(text).matches_trace_with(&store, trace, &line.into_iter());
    assert_eq!(found, expected, "{text}");
}

#[track_caller]
fn check_line(text: &str, expected: [bool; 2]) {
    let store = lines();
    let query = query(text);
    let found: Vec<bool> = store.logs().map(|line| query.matches_log(line)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_span_is_found_by_its_names_tags_and_id() {
    let found = r#"
        VLLM  decode  qwen2  16  0.5  LLM  JÖRG  vllm*ode  svc:vllm  service:VLLM  svc:v*
        svc:"vllm"  name:vllm.*  resource:decode  type:llm  model:qwen2-7b  @model:*7B
        user.name:jörg  batch_size:16  @batch_size:16  batch_size:16.0  batch_size:>=16
        @batch_size>15  batch_size>15  temperature:0.5  temperature<1  temperature:.50
        modal.region:us-east-1  dur>400ms  dur:>0.4s  dur<=462ms  dur:462ms  dur=462ms  err
        ERR  04a2cb71  77777777  -web  !web  -svc:gen-api  vllm decode  web or llm
        web | llm  (web OR vllm) AND -dur>1s  -(web or orphan)  -open  -lvl:error
    "#;
    for text in each(found) {
        check_span(text, true);
    }
    let missing = r#"
        model  absent  svc:vl  svc:gen-api  name:decode  type:web  @svc:vllm  batch_size:>16
        batch_size:1  model:>1  dur>462ms  orphan  open  partial  joined  lvl:error
        log:memory  source:uds  container:ta-QK  web llm  web or open  -err  prio:-1  dm:-3
        dropped  kept  sim:drop
        "qwen2 7b"  "qwen*7b"  77777
    "#;
    for text in each(missing) {
        check_span(text, false);
    }
}

#[test]
fn nothing_asked_is_true_of_everything() {
    for text in ["", "  "] {
        assert!(query(text).is_empty());
        check_span(text, true);
        check_trace(text, true);
        check_line(text, [true, true]);
    }
    check_span(" qwen2 ", true);
}

#[test]
fn an_orphan_is_known_by_its_row() {
    let store = store_of(&request());
    let span = store.traces().next().unwrap().span(SpanIndex(0)).unwrap();
    let query = Query::new("orphan");
    assert!(query.matches_span(span, RowMark::Orphan));
    assert!(!query.matches_span(span, RowMark::Cycle));
}

#[test]
fn a_trace_is_found_by_itself_its_spans_and_its_lines() {
    let found = r#"
        generate vllm.decode  rejected rule 0.3  "by rule 0.3"  svc:vllm svc:gen-api  err
        dur>1s  dur<2s  http.status_code:500  http.status_code:>=500  http.status_code:5*
        http.status_code>499  prio:-1  prio<0  priority:<=-1  dm:-3  dm:3  container:ta-QK
        container:ta-01  container:QK  container:ta-  container:*qk  source:uds  source:ud
        source:stderr  lvl:error  lvl>=warn  level:err  log:"out of memory"  "out of memory"
        log:cudaoom  tokens:812  67b1a0c2000000005f3c9e11d04be2f7  6862533731552060151
        -open  -orphan  dropped  -kept  sim:drop  sim:dropped  -sim:keep  -sim:rate
    "#;
    for text in each(found) {
        check_trace(text, true);
    }
    let missing = "
        absent  -err  dur<1s  open  partial  orphan  container:ta-7M  source:http  lvl:info
        kept  sim:keep  sim:kept  sim:error  sim:rate  sim:unknown
        lvl<error  log:absent  prio:1  dm:-4  -svc:vllm  joined  svc:api  tokens:>812
    ";
    for text in each(missing) {
        check_trace(text, false);
    }
}

#[test]
fn a_line_is_found_by_its_text_its_fields_and_the_ids_it_names() {
    let first = r#"
        cudaoom  "OUT OF memory"  log:"out of memory"  jörg  user:JÖRG  lvl:error  lvl>=warn
        level:>warn  lvl:fatal or lvl:error  err  source:stderr  source:stde
        container:ta-QK  container:ta-01J8  svc:gen-api  service:gen*  env:dev  dd.env:dev
        @dd.env:dev  modal.region:us-east-1  @modal.region:us-*  gpus:h100  tokens:812
        tokens:>800  @tokens>=812  ok:false  event:generate.failed
        67b1a0c2000000005f3c9e11d04be2f7  137832780665607111440753883498431636215
        6862533731552060151  77777777  04a2cb71  -dur>1s memory  -open memory
    "#;
    for text in each(first) {
        check_line(text, [true, false]);
    }
    let second = "
        from=16  main()  a->b  lvl:info  lvl<warn  source:stdout  -err  -container:*
        (from=16)  -lvl>=warn  to=8 from=16
    ";
    for text in each(second) {
        check_line(text, [false, true]);
    }
    for text in each("unjoined  joined or unjoined  -joined  source:std  -dur<1s  *") {
        check_line(text, [true, true]);
    }
    for text in each(
        "sim:drop  kept  open  orphan  dur>0  prio:-1  dm:-3  joined  tokens:81  lvl:debug  name:x",
    ) {
        check_line(text, [false, false]);
    }
}

#[track_caller]
fn check_fate(fate: Fate, found: &str) {
    const ALL: &str = "sim:keep sim:drop sim:rate sim:error sim:rare sim:priority sim:no-priority \
                       sim:probabilistic sim:single_span sim:unknown";
    let is_found = |text: &&str| match query(text).expression {
        Expression::Term(term::Term::Simulated(wanted)) => wanted.is(fate),
        other => panic!("{other:?}"),
    };
    let all = ALL.split_whitespace().filter(is_found);
    assert_eq!(all.collect::<Vec<_>>().join(" "), found);
}

#[test]
fn a_trace_is_found_by_what_became_of_it_and_by_the_sampler_that_kept_it() {
    for (sampler, name) in [
        (Sampler::Priority, "priority"),
        (Sampler::NoPriority, "no-priority"),
        (Sampler::Error, "error"),
        (Sampler::Rare, "rare"),
        (Sampler::Probabilistic, "probabilistic"),
        (Sampler::SingleSpan, "single_span"),
    ] {
        check_fate(Fate::Kept(sampler), &format!("sim:keep sim:{name}"));
    }
    check_fate(Fate::Dropped, "sim:drop");
    check_fate(Fate::DroppedByRate, "sim:drop sim:rate");
    check_fate(Fate::Unknown, "sim:unknown");
}

#[test]
fn without_its_root_a_trace_has_a_verdict_only_if_no_rate_decided_it() {
    let child = |priority: f64, maker: &str| Sample {
        parent: 9,
        meta: pairs([("_dd.p.dm", maker.to_owned())]),
        metrics: pairs([("_sampling_priority_v1", priority)]),
        ..request()[1].clone()
    };
    for (priority, maker, found) in [
        (1.0, "-1", "kept sim:unknown"),
        (1.0, "", "kept sim:unknown"),
        (2.0, "-3", "kept sim:keep"),
        (-1.0, "-4", "dropped sim:drop"),
        (0.0, "-1", "dropped sim:unknown"),
    ] {
        let store = store_of(&[child(priority, maker)]);
        let trace = store.traces().next().unwrap();
        let is_found = |text: &&str| query(text).matches_trace(&store, trace);
        let all = ["kept", "dropped", "sim:keep", "sim:drop", "sim:unknown"];
        let all: Vec<_> = all.iter().copied().filter(|text| is_found(text)).collect();
        assert_eq!(all.join(" "), found, "{priority} {maker}");
    }
}

#[test]
fn what_is_no_term_is_a_word() {
    for text in each("http://x  127.0.0.1:8126  std::fmt  a->b  x=1  <b>  --flag  a@b.c  f(x:y)") {
        assert!(
            matches!(
                query(text).expression,
                Expression::Term(term::Term::Word(_))
            ),
            "{text}"
        );
    }
}

#[track_caller]
fn check_fault(text: &str, blamed: &str, words: &str) {
    let query = Query::new(text);
    let fault = query
        .fault()
        .unwrap_or_else(|| panic!("nothing is wrong with {text}"));
    let found = (text.get(fault.start..fault.end).unwrap(), fault.words);
    assert_eq!(found, (blamed, words), "{text}");
}

#[test]
fn a_fault_says_where_and_what() {
    check_fault("err svc:", "svc:", "a value is missing");
    check_fault("dur>", "dur>", "a value is missing");
    check_fault("from> x", "from>", "a value is missing");
    check_fault("@a.b:", "@a.b:", "a value is missing");
    check_fault("a dur>abc b", "dur>abc", "not a time: 250us 500ms 2s 1m");
    check_fault("dur>500", "dur>500", "not a time: 250us 500ms 2s 1m");
    check_fault(
        "lvl>=loud",
        "lvl>=loud",
        "not a level: debug info warn error",
    );
    check_fault("lvl:\"\"", "lvl:\"\"", "not a level: debug info warn error");
    check_fault(
        "source:tape",
        "source:tape",
        "not a source: stdout stderr file stdin http uds relay",
    );
    check_fault("prio:x", "prio:x", "not a number");
    check_fault(
        "sim:maybe",
        "sim:maybe",
        "not a verdict: keep drop rate error rare priority single_span",
    );
    check_fault("sim:>1", "sim:>1", "text is not greater or less");
    check_fault("a:>nan", "a:>nan", "not a number");
    check_fault("dm:x", "dm:x", "not a number: -0 to -13");
    check_fault("svc:>5", "svc:>5", "text is not greater or less");
    check_fault("é \"out of", "\"out of", "the quote is not closed");
    check_fault("svc:\"a b", "svc:\"a b", "the quote is not closed");
    check_fault("\"\"", "\"\"", "nothing is between the quotes");
    check_fault("a (b or c", "(b or c", "the bracket is not closed");
    check_fault("a ()", "()", "nothing is in the brackets");
    check_fault("a)", ")", "no bracket is open");
    check_fault("a or", "or", "or stands between two things");
    check_fault("or a", "or", "or stands between two things");
    check_fault("a | | b", "|", "or stands between two things");
    check_fault("a - b", "-", "what is left out follows at once");
    check_fault("!!a", "!", "what is left out follows at once");
    check_fault(&"(".repeat(17), "(", "too many brackets");
}

#[test]
fn a_wrong_query_is_read_as_well_as_it_goes() {
    for (wrong, right) in [
        ("\"out of memory", "\"out of memory\""),
        ("(err or web", "err or web"),
        ("err dur>abc", "err"),
        ("err)", "err"),
        ("err or", "err"),
        ("svc:\"a b", "svc:\"a b\""),
    ] {
        assert_eq!(
            Query::new(wrong).expression,
            query(right).expression,
            "{wrong}"
        );
    }
    assert!(Query::new("(((").is_empty());
}

#[test]
fn what_is_sound_of_a_wrong_query_is_a_query() {
    for (wrong, sound) in [
        ("err", "err"),
        ("err dur>", "err"),
        ("dur>5 err", "err"),
        ("err dur>abc svc:vllm", "err svc:vllm"),
        ("svc:vllm or", "svc:vllm"),
        ("\"out of mem", "\"out of mem\""),
        ("svc:\"a b", "svc:\"a b\""),
        ("\"", ""),
        ("a (b or lvl>=", "a (b)"),
        ("a (b or c", "a (b or c)"),
        ("(((", ""),
        ("-dur>x", ""),
        (")) a", "a"),
    ] {
        let found = Query::new(wrong).sound();
        assert_eq!((found.text(), found.fault()), (sound, None), "{wrong}");
    }
}

#[test]
fn the_examples_are_right() {
    for text in [EXAMPLE_TRACES, EXAMPLE_SPANS, EXAMPLE_LOGS] {
        assert!(!query(text).is_empty());
    }
}

#[test]
fn hostile_nesting_has_an_end() {
    for text in ["(", ")", "-(", "!", "\"", "a or (", "(a) ", "-a ", "a|"] {
        let query = Query::new(&text.repeat(100_000));
        let store = store_of(&request());
        let trace = store.traces().next().unwrap();
        let _either = query.matches_trace(&store, trace);
        // Each repair reads all of the text again.
        let pasted = Query::new(&text.repeat(5_000));
        assert_eq!(pasted.sound().fault(), None, "{text}");
    }
}

#[test]
fn what_is_added_narrows() {
    let narrows = |new: &str, old: &str| query(new).narrows(&query(old));
    for (new, old) in [
        ("gen", ""),
        ("generate", "gen"),
        ("generate err", "gen"),
        ("err generate", "generate"),
        ("svc:api", "svc:api"),
        ("-ge", "-gen"),
        ("a b c", "b a"),
        ("a or b", "a or b"),
        ("\"a b\"", "a"),
    ] {
        assert!(narrows(new, old), "{new} narrows {old}");
    }
    for (new, old) in [
        ("", "a"),
        ("gen", "generate"),
        ("a or b", "a"),
        ("-gen", "-ge"),
        ("erro", "err"),
        ("open", "ope or x"),
        ("123456", "12345"),
        ("dur>2s", "dur>1s"),
    ] {
        assert!(!narrows(new, old), "{new} need not narrow {old}");
    }
}
