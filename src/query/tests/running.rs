//! The words about containers, starts and ends, over a few traces of which each is known.

use super::*;

const TASK: &str = "modal.task_id";

/// A root of some trace, on a container if one is named.
fn root(trace: u64, start_ms: u64, duration_ms: u64, task: &str) -> Sample {
    let named: Vec<(String, String)> = vec![(TASK.to_owned(), task.to_owned())];
    Sample {
        trace,
        id: trace * 10,
        start_ms,
        duration_ms,
        names: names("gen", "handle", "POST /gen", "web"),
        meta: named
            .into_iter()
            .filter(|(_, task)| !task.is_empty())
            .collect(),
        ..Sample::default()
    }
}

fn failed(sample: Sample, kind: &str, message: &str) -> Sample {
    let mut meta = sample.meta.clone();
    meta.push(("error.type".to_owned(), kind.to_owned()));
    meta.push(("error.message".to_owned(), message.to_owned()));
    Sample {
        is_error: true,
        meta,
        ..sample
    }
}

/// ```text
/// ta-AAQK   init 0–1000   1: first at 1010   2: beside it   3, 4, 5: later   6: timed out   7: out of memory
/// ta-BB7M   8: a tag says cold, with a worker 81 on ta-CC9P that is warm
/// ta-DD1X   9: may have served before
///           10: nowhere      11: its root has not come, on ta-EE2Y
/// ```
fn fleet() -> Store {
    let mut store = Store::new(64 << 20);
    let init = Sample {
        names: names("gen", "modal.init", "modal.init", ""),
        ..root(99, 0, 1_000, "ta-AAQK")
    };
    let says_cold = |sample: Sample| {
        let mut meta = sample.meta.clone();
        meta.push(("cold_start".to_owned(), "true".to_owned()));
        Sample { meta, ..sample }
    };
    let worker = Sample {
        id: 81,
        parent: 80,
        names: names("gen", "cold_storage.read", "", ""),
        metrics: pairs([("process_id", 7.0)]),
        ..root(8, 60_050, 10, "ta-CC9P")
    };
    let sent: [&[Sample]; 14] = [
        &[init],
        &[root(1, 1_010, 500, "ta-AAQK")],
        &[root(2, 1_100, 500, "ta-AAQK")],
        &[root(3, 9_000, 5, "ta-AAQK")],
        &[root(4, 10_000, 5, "ta-AAQK")],
        &[root(5, 11_000, 5, "ta-AAQK")],
        &[failed(
            root(6, 12_000, 5, "ta-AAQK"),
            "modal.exception.FunctionTimeoutError",
            "Task's current input hit its timeout of 60s",
        )],
        &[failed(
            root(7, 13_000, 5, "ta-AAQK"),
            "torch.cuda.OutOfMemoryError",
            "CUDA out of memory",
        )],
        &[root(70, 50_000, 5, "ta-CC9P")],
        &[says_cold(root(8, 60_000, 100, "ta-BB7M"))],
        &[worker],
        &[root(9, 70_000, 5, "ta-DD1X")],
        &[root(10, 80_000, 5, "")],
        &[Sample {
            id: 111,
            parent: 110,
            ..root(11, 90_000, 5, "ta-EE2Y")
        }],
    ];
    for chunk in sent {
        send(&mut store, chunk);
    }
    store
}

/// Which traces a query finds, by a search as well.
#[track_caller]
fn check(text: &str, expected: &[u64]) {
    let store = fleet();
    let query = query(text);
    let mut search = Search::new(query.clone());
    let mut found = Vec::new();
    for trace in store.traces() {
        let is_found = query.matches_trace(&store, trace);
        assert_eq!(search.matches_trace(&store, trace), is_found, "{text}");
        if is_found {
            found.push(trace.trace_id().low() ^ TRACE_ID.low());
        }
    }
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_trace_is_found_by_how_any_of_its_processes_started() {
    check("cold", &[1, 2, 8]);
    check("COLD", &[1, 2, 8]);
    check("cold_shared", &[2]);
    check("cold -cold_shared", &[1, 8]);
    check("warm", &[3, 4, 5, 6, 7, 8]);
    check("prewarmed", &[]);
    check("restored", &[]);
    check("unknown", &[70, 9, 10, 11]);
    check("cold warm", &[8]);
    check("cold -container:ta-7M", &[1, 2]);
}

#[test]
fn a_trace_is_found_by_the_container_of_any_of_its_processes() {
    check("container:ta-QK", &[99, 1, 2, 3, 4, 5, 6, 7]);
    check("container:ta-9P", &[70, 8]);
    check("container:ta-CC", &[70, 8]);
    check("container:ta-2Y", &[11]);
    check("-container:ta-*", &[10]);
}

#[test]
fn a_container_that_only_a_relay_or_a_line_names_is_found_too() {
    let mut store = Store::new(64 << 20);
    send(&mut store, &[root(1, 5, 5, "")]);
    let id = TraceId(TRACE_ID.0 ^ 1);
    let text = format!(r#"{{"trace_id":"{id}","modal":{{"task_id":"ta-0LINE"}},"message":"hi"}}"#);
    let mut line = LogRecord::parse(&text, LogSource::Stdout, UnixNanos(1));
    line.container = Some("ta-0LINE".into());
    line.ids.trace = id;
    store.insert_logs(vec![line], Now::default());
    let trace = store.traces().next().unwrap();
    assert!(trace.local_roots()[0].container().is_some());
    let is_found = |text: &str| query(text).matches_row(&store, trace, SpanIndex(0), RowMark::None);
    assert!(is_found("container:ta-LINE"));
    assert!(!is_found("container:ta-QK"));
}

#[test]
fn a_trace_is_found_by_its_number_on_its_container() {
    check("req:1", &[1, 70, 8, 9]);
    check("req:#1 container:ta-QK", &[1]);
    check("req:2", &[2, 8]);
    check("req:>3", &[4, 5, 6, 7]);
    check("req>=7", &[7]);
    check("req<=2 container:ta-QK", &[1, 2]);
    check("req:0", &[]);
}

#[test]
fn a_trace_is_found_by_how_it_ended() {
    check("oom", &[7]);
    check("timeout", &[6]);
    check("import_error", &[]);
    check("outcome:oom or outcome:cuda or outcome:cuda_oom", &[7]);
    check("outcome:t", &[6]);
    check("outcome:cancelled", &[]);
    check("outcome:unfinished", &[11]);
    check("outcome:ok cold", &[1, 2, 8]);
    check("\"timeout of 60s\"", &[6]);
    check("\"oom\"", &[]);
}

#[test]
fn words_that_are_looked_for_in_texts_stay_words_and_tags_stay_tags() {
    for text in [
        "cancelled",
        "unfinished",
        "\"cold\"",
        "\"timeout\"",
        "colder",
        "request:1",
    ] {
        let is_word = |expression: &Expression| {
            matches!(
                expression,
                Expression::Term(term::Term::Word(_) | term::Term::Tag(..))
            )
        };
        assert!(is_word(&query(text).expression), "{text}");
    }
    for text in ["outcome:success", "@outcome:timeout", "outcome:>1"] {
        let is_tag = matches!(
            query(text).expression,
            Expression::Term(term::Term::Tag(..))
        );
        assert!(is_tag, "{text}");
    }
    check_fault("req:x", "req:x", "not a number");
    check_fault("req:nan", "req:nan", "not a number");
    check_fault("req:", "req:", "a value is missing");
}

#[test]
fn of_spans_the_local_roots_know_how_they_started() {
    let store = fleet();
    let trace = store.traces().find(|trace| trace.n_spans() == 2).unwrap();
    let found = |text: &str| -> Vec<u64> {
        let query = query(text);
        let spans = trace.spans();
        let found =
            spans.filter(|(index, _)| query.matches_row(&store, trace, *index, RowMark::None));
        found.map(|(_, span)| span.span_id().0).collect()
    };
    assert_eq!(
        found("cold"),
        [80],
        "the other has the word in its name only"
    );
    assert_eq!(found("warm"), [81]);
    assert_eq!(found("\"cold\""), [81]);
    assert_eq!(found("req:2"), [81]);
    assert_eq!(found("container:ta-7M"), [80]);
    assert_eq!(found("outcome:timeout"), Vec::<u64>::new());
    let mut store = Store::new(64 << 20);
    let child = Sample {
        id: 11,
        parent: 10,
        names: names("gen", "cold_storage.read", "", ""),
        ..root(1, 5, 5, "ta-A")
    };
    let child = failed(child, "asyncio.exceptions.TimeoutError", "");
    send(&mut store, &[root(1, 5, 5, "ta-A"), child]);
    let trace = store.traces().next().unwrap();
    let is_found =
        |text: &str, index| query(text).matches_row(&store, trace, SpanIndex(index), RowMark::None);
    assert!(is_found("cold", 1), "no local root: a word");
    assert!(!is_found("cold", 0) && is_found("timeout", 1));
    assert!(is_found("timeout", 0), "all of it was the one process");
}

#[test]
fn a_line_is_found_by_the_end_it_tells_of() {
    let mut store = Store::new(64 << 20);
    let line = |text: &str, level| {
        let mut line = LogRecord::parse(text, LogSource::Stdout, UnixNanos(1));
        line.level = Some(level);
        line
    };
    let lines = vec![
        line(
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            Level::Error,
        ),
        line("a cold morning in room 4", Level::Info),
    ];
    store.insert_logs(lines, Now::default());
    let found = |text: &str| -> Vec<bool> {
        let query = query(text);
        store.logs().map(|line| query.matches_log(line)).collect()
    };
    assert_eq!(found("oom"), [true, false]);
    assert_eq!(found("outcome:oom"), [true, false]);
    assert_eq!(found("cold"), [false, true]);
    assert_eq!(found("import_error"), [false, false]);
    assert_eq!(found("req:1"), [false, false]);
    assert_eq!(found("\"oom\""), [false, true], "in quotes it is a text");
}
