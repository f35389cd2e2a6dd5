//! How requests ended: by their spans, by lines alone, by what Modal says of their inputs.

use super::*;
use crate::analysis::Outcome;

/// A trace of a root and a child, each with the class of its error, if it has one.
fn trace_of(root: Option<&'static str>, child: Option<&'static str>) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    for (span, parent, class) in [(20, 0, root), (21, 20, child)] {
        builder.begin_span().unwrap();
        let name = builder.text(b"handle").unwrap();
        builder.set_text(Field::Name, name);
        builder.set_number(Field::TraceId, 2);
        builder.set_number(Field::SpanId, span);
        builder.set_number(Field::ParentId, parent);
        builder.set_number(Field::Error, u64::from(class.is_some()));
        let opened = builder.attribute(Attribute::Meta).open_map();
        let tags = [("error.type", class), ("modal.input_id", Some("in-7"))];
        for (tag, value) in tags {
            let Some(value) = value else { continue };
            let key = builder.key(None, tag.as_bytes()).unwrap();
            let value = builder.text(value.as_bytes()).unwrap();
            builder.writer().key(key);
            builder.writer().text(value);
        }
        builder.writer().close(opened);
    }
    builder.finish().pop().unwrap()
}

fn store_of(root: Option<&'static str>, child: Option<&'static str>) -> Store {
    let mut store = Store::new(PLENTY);
    store.insert(received(vec![trace_of(root, child)]), Now::default());
    store
}

fn outcome(store: &Store) -> Outcome {
    store.outcome(store.find(id(0, 2)).unwrap())
}

fn line(event: &str, level: &str) -> LogRecord {
    record(&format!(
        r#"{{"event":"{event}","level":"{level}","dd.trace_id":"{:032x}"}}"#,
        2
    ))
}

const OOM: &str = "torch.OutOfMemoryError";
const CANCELLED: &str = "asyncio.exceptions.CancelledError";
const VALUE: &str = "builtins.ValueError";

#[test]
fn the_root_names_the_class_and_else_the_most_telling_span() {
    let cases = [
        (None, None, Outcome::Ok),
        (Some(OOM), Some(VALUE), Outcome::CudaOom),
        (Some(VALUE), Some(OOM), Outcome::CudaOom),
        (None, Some(OOM), Outcome::CudaOom),
        // In a group of tasks the one that fails has the others cancelled.
        (Some(VALUE), Some(CANCELLED), Outcome::Error),
        (Some(CANCELLED), Some(OOM), Outcome::Cancelled),
    ];
    for (root, child, expected) in cases {
        assert_eq!(
            outcome(&store_of(root, child)),
            expected,
            "{root:?} {child:?}"
        );
    }
}

#[test]
fn a_line_alone_tells_and_one_that_is_no_error_does_not() {
    let mut store = store_of(None, None);
    store.insert_logs(vec![line("CUDA out of memory", "info")], Now::default());
    assert_eq!(outcome(&store), Outcome::Ok);
    let revision = store.find(id(0, 2)).unwrap().revision();
    let told = "CUDA out of memory. Tried to allocate 2.40 GiB. GPU 0 has a total capacity of 22.20 GiB \
                of which 1.12 GiB is free.";
    let changed = store.insert_logs(vec![line(told, "error")], Now::default());
    assert_eq!(outcome(&store), Outcome::CudaOom);
    let entry = store.find(id(0, 2)).unwrap();
    assert!(entry.revision() > revision && changed.contains(&entry.key()));
    let figures = store.oom_figures(entry).unwrap();
    assert_eq!(figures.gpu, Some(0));
    assert_laws(&store);
}

#[test]
fn modal_says_of_an_input_that_it_hit_its_timeout_before_or_after_its_spans() {
    let said = || record("Task's current input in-7 hit its timeout of 20s");
    let mut after = store_of(Some("modal.exception.InputCancellation"), None);
    assert_eq!(outcome(&after), Outcome::Cancelled);
    after.insert_logs(vec![said()], Now::default());
    assert_eq!(outcome(&after), Outcome::Timeout);
    let mut before = Store::new(PLENTY);
    before.insert_logs(vec![said()], Now::default());
    let chunk = trace_of(Some("modal.exception.InputCancellation"), None);
    before.insert(received(vec![chunk]), Now::default());
    assert_eq!(outcome(&before), Outcome::Timeout);
    assert_laws(&before);
}

#[test]
fn a_trace_whose_root_has_not_come_is_unfinished() {
    let mut store = Store::new(PLENTY);
    let piece = tagged_chunk(id(0, 2), &[Plan { parent: 77, ..SPAN }], "ta-A");
    store.insert(received(vec![piece]), Now::default());
    assert_eq!(outcome(&store), Outcome::Unfinished);
}
