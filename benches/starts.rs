//! What one more span costs where a hundred thousand traces of twenty containers are held: whether requests
//! paid for their start is found out again only for those that it can matter to.
//!
//! ```text
//! cargo bench --bench starts
//! ```

#![expect(clippy::unwrap_used, reason = "a bench says where it cannot go on")]

use std::cell::Cell;

use divan::Bencher;
use modtrace_tui::ingest::Received;
use modtrace_tui::store::Store;
use modtrace_tui::trace::{
    Attribute, ChunkBuilder, Field, Now, PayloadForm, TracerInfo, TracerPayload, UnixNanos, Via,
};

const N_TRACES: i64 = 100_000;
const N_CONTAINERS: i64 = 20;
const PLENTY: usize = 1 << 30;
const MS: i64 = 1_000_000;
/// Requests of a container begin so far apart.
const STEP_MS: i64 = 40;

fn main() {
    divan::main();
}

/// A local root with the tags of a container.
struct Work {
    name: &'static str,
    trace: i64,
    container: i64,
    start_ms: i64,
    duration_ms: i64,
}

impl Work {
    /// One of the requests, one after another on each container.
    fn request(number: i64) -> Self {
        Self {
            name: "handle",
            trace: number + 1,
            container: number % N_CONTAINERS,
            start_ms: number / N_CONTAINERS * STEP_MS,
            duration_ms: 30,
        }
    }

    fn received(&self, builder: &mut ChunkBuilder) -> Received {
        builder.begin_span().unwrap();
        for field in [Field::Service, Field::Name, Field::Resource] {
            let text = builder.field_text(field, self.name.as_bytes()).unwrap();
            builder.set_text(field, text);
        }
        let id = self.trace.cast_unsigned();
        builder.set_number(Field::TraceId, id);
        builder.set_number(Field::SpanId, id);
        builder.set_number(Field::ParentId, 0);
        builder.set_number(Field::Start, (self.start_ms * MS).cast_unsigned());
        builder.set_number(Field::Duration, (self.duration_ms * MS).cast_unsigned());
        let opened = builder.attribute(Attribute::Meta).open_map();
        let container = self.container;
        for (key, value) in [
            ("modal.task_id", format!("ta-{container}")),
            (
                "runtime-id",
                format!("00000000-0000-0000-0000-{container:012}"),
            ),
        ] {
            let key = builder.key(None, key.as_bytes()).unwrap();
            let value = builder.value_of(key, value.as_bytes()).unwrap();
            builder.writer().key(key);
            builder.writer().text(value);
        }
        builder.writer().close(opened);
        let chunks = builder.finish();
        Received::new(
            UnixNanos(1),
            Via::Http,
            TracerPayload {
                tracer: TracerInfo::default().into(),
                n_chunks: chunks.len(),
                chunks,
                form: PayloadForm::default(),
            },
        )
    }
}

fn filled(builder: &mut ChunkBuilder) -> Store {
    let mut store = Store::new(PLENTY);
    for number in 0..N_TRACES {
        store.insert(Work::request(number).received(builder), Now::default());
    }
    assert_eq!(store.n_traces(), usize::try_from(N_TRACES).unwrap());
    store
}

/// Inserts one span after another, each made by its number, into a store that is full.
fn bench_one_more(bencher: Bencher<'_, '_>, work: impl Fn(i64) -> Work + Sync) {
    let mut builder = ChunkBuilder::default();
    let mut store = filled(&mut builder);
    let number = Cell::new(N_TRACES);
    bencher
        .with_inputs(|| {
            number.set(number.get() + 1);
            work(number.get()).received(&mut ChunkBuilder::default())
        })
        .bench_local_values(|received| store.insert(received, Now::default()));
}

/// The next request of a container.
#[divan::bench]
fn a_later_request(bencher: Bencher<'_, '_>) {
    bench_one_more(bencher, Work::request);
}

/// One that began in the midst of those that are held.
#[divan::bench]
fn a_request_that_comes_late(bencher: Bencher<'_, '_>) {
    bench_one_more(bencher, |number| Work {
        start_ms: N_TRACES / N_CONTAINERS / 2 * STEP_MS,
        ..Work::request(number)
    });
}

/// One that began before all of them, and so is the first.
#[divan::bench]
fn a_request_before_all_others(bencher: Bencher<'_, '_>) {
    bench_one_more(bencher, |number| Work {
        start_ms: N_TRACES - number * 100,
        ..Work::request(number)
    });
}

/// An init, which may make the first request cold.
#[divan::bench]
fn an_init_that_comes_late(bencher: Bencher<'_, '_>) {
    bench_one_more(bencher, |number| Work {
        name: "modal.init",
        start_ms: -900,
        duration_ms: 800,
        ..Work::request(number)
    });
}
