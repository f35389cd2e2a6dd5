//! What a row says of the start and the end of its trace.

use super::*;
use crate::logs::{LogRecord, LogSource};
use crate::store::TraceKey;
use crate::trace::{ContainerFacts, Hello, Now, RelaySource};
use crate::tui::screen::waterfall::sample::{START, Sample, send, send_by, span};

const TASK: &[(&str, &str)] = &[("modal.task_id", "ta-01J8QK")];
const WIDE: usize = 40;

/// A root of a trace of its own on the container `ta-01J8QK`.
fn request(trace: u64, start: i64, duration: i64) -> Sample<'static> {
    Sample {
        trace,
        meta: TASK,
        ..span(trace * 10, 0, start, duration, "handle")
    }
}

fn init(start: i64, duration: i64) -> Sample<'static> {
    Sample {
        name: "modal.init",
        ..request(99, start, duration)
    }
}

fn words_at(store: &Store, key: TraceKey, seconds: i64, n_cells: usize) -> (String, Tone) {
    let entry = store.trace(key).unwrap();
    let now = UnixNanos(START + seconds * 1_000_000_000);
    let outcome = store.outcome(entry);
    let badges = Badges::of(store, entry, outcome, now, Glyphs::Unicode);
    (badges.words(n_cells), badges.tone)
}

/// What the row of the last chunk says.
#[track_caller]
fn check(store: Store, chunks: &[&[Sample<'_>]], expected: &str) -> Tone {
    let (store, key) = sent(store, chunks);
    let (words, tone) = words_at(&store, key, 1, WIDE);
    assert_eq!(words, expected);
    tone
}

fn sent(mut store: Store, chunks: &[&[Sample<'_>]]) -> (Store, TraceKey) {
    let keys = chunks.iter().map(|chunk| send(&mut store, chunk));
    let key = keys.last().unwrap();
    (store, key)
}

fn store() -> Store {
    Store::new(64 << 20)
}

#[test]
fn a_start_is_said_with_what_told_it() {
    let cold: &[&[Sample<'_>]] = &[&[init(0, 4_210)], &[request(1, 4_250, 900)]];
    assert_eq!(check(store(), cold, "COLD init 4.2s"), Tone::Warning);
    let quick: &[&[Sample<'_>]] = &[&[init(0, 412)], &[request(1, 500, 900)]];
    check(store(), quick, "COLD init 412ms");
    let late: &[&[Sample<'_>]] = &[&[init(0, 500)], &[request(1, 9_000, 5)]];
    assert_eq!(check(store(), late, "PREWARM"), Tone::Ordinary);
    let beside = request(2, 4_300, 5);
    check(store(), &[cold[0], cold[1], &[beside]], "cold+");
    let later = request(2, 9_300, 5);
    assert_eq!(
        check(store(), &[cold[0], cold[1], &[later]], "warm"),
        Tone::Ordinary
    );
    check(store(), &[&[request(1, 0, 5)]], "?");
    check(store().of_run(), &[&[span(1, 0, 0, 5, "handle")]], "?");
    check(store(), &[&[init(0, 9)]], "init");
    let exit = Sample {
        name: "modal.exit",
        ..request(5, 0, 5)
    };
    check(store(), &[&[exit]], "exit");
}

#[test]
fn tags_that_say_so_and_guesses_are_told_apart() {
    let tagged = |meta| Sample {
        meta,
        ..request(1, 0, 5)
    };
    check(store(), &[&[tagged(&[("cold_start", "True")])]], "COLD tag");
    check(store(), &[&[tagged(&[("modal.warm", "True")])]], "warm~");
    check(store(), &[&[tagged(&[("modal.warm", "False")])]], "cold~");
    let says_warm = Sample {
        meta: &[("modal.task_id", "ta-01J8QK"), ("cold_start", "False")],
        ..request(1, 510, 5)
    };
    check(
        store(),
        &[&[init(0, 500)], &[says_warm]],
        "COLD! init 500ms",
    );
}

#[test]
fn a_relay_says_when_the_process_began() {
    let mut store = store();
    let container = ContainerFacts {
        task_id: Some("ta-01J8QK".into()),
        process_start: Some(UnixNanos(START)),
        ..ContainerFacts::default()
    };
    let source = RelaySource(7);
    store.hello(Hello { source, container }, UnixNanos(START));
    send_by(&mut store, 7, &[init(1_000, 5_000)]);
    let key = send_by(&mut store, 7, &[request(1, 6_100, 5)]);
    assert_eq!(words_at(&store, key, 1, WIDE).0, "COLD boot 6.1s");
}

#[test]
fn a_restored_container_says_so() {
    let mut store = store();
    let line = "Restoring Function from memory snapshot.";
    let mut record = LogRecord::parse(line, LogSource::Stdout, UnixNanos(START));
    record.container = Some("ta-01J8QK".into());
    store.insert_logs(vec![record], Now::default());
    let key = send(&mut store, &[request(1, 0, 5)]);
    let expected = match store.trace(key).unwrap().own_root().unwrap().reason() {
        StartReason::Restored => "RESTORED",
        reason => panic!("{reason:?}"),
    };
    assert_eq!(words_at(&store, key, 1, WIDE).0, expected);
}

#[test]
fn cold_workers_are_counted_unless_the_request_was_cold_itself() {
    const COLD: &[(&str, &str)] = &[("cold_start", "true"), ("modal.task_id", "ta-W")];
    let worker = |id| Sample {
        parent: 10,
        meta: COLD,
        metrics: &[("process_id", 7.0)],
        ..Sample {
            trace: 1,
            ..span(id, 10, 20, 5, "work")
        }
    };
    let root = request(1, 9_000, 50);
    let before = request(2, 0, 5);
    let warm: &[&[Sample<'_>]] = &[&[before], &[root], &[worker(11)], &[worker(12)]];
    assert_eq!(check(store(), warm, "warm 2 cold"), Tone::Warning);
    let cold = Sample {
        meta: &[("modal.task_id", "ta-01J8QK"), ("cold_start", "true")],
        ..root
    };
    check(store(), &[&[cold], &[worker(11)]], "COLD tag");
}

#[test]
fn an_end_with_a_class_is_said_in_place_of_the_error() {
    let failed = |meta| Sample {
        error: true,
        meta,
        ..request(1, 0, 5)
    };
    let oom = failed(&[("error.type", "torch.cuda.OutOfMemoryError")]);
    assert_eq!(check(store(), &[&[oom]], "? OOM"), Tone::Error);
    let child = Sample {
        parent: 10,
        id: 11,
        ..oom
    };
    check(store(), &[&[oom, child]], "? OOM 2 err");
    let timeout = failed(&[("error.type", "asyncio.exceptions.TimeoutError")]);
    check(store(), &[&[timeout]], "? timeout");
    let cancelled = failed(&[("error.type", "asyncio.exceptions.CancelledError")]);
    check(store(), &[&[cancelled]], "? cancelled");
    let import = failed(&[("error.type", "builtins.ModuleNotFoundError")]);
    check(store(), &[&[import]], "? import");
    check(
        store(),
        &[&[failed(&[("error.type", "ValueError")])]],
        "? err",
    );
}

#[test]
fn a_trace_whose_container_has_gone_quiet_may_have_been_killed() {
    let child = Sample {
        id: 11,
        parent: 10,
        ..request(1, 0, 5)
    };
    let (store, key) = sent(store(), &[&[child]]);
    assert_eq!(words_at(&store, key, 10, WIDE).0, "partial");
    assert_eq!(words_at(&store, key, 40, WIDE).0, "killed?");
    let (store, key) = sent(store, &[&[child], &[request(1, 0, 9)]]);
    assert_eq!(words_at(&store, key, 40, WIDE).0, "?", "its root has come");
}

#[test]
fn after_its_exit_a_container_has_little_time() {
    let exit = Sample {
        name: "modal.exit",
        ..request(5, 1_000, 5)
    };
    let child = Sample {
        id: 11,
        parent: 10,
        ..request(1, 0, 5)
    };
    let (store, key) = sent(store(), &[&[exit], &[child]]);
    assert_eq!(words_at(&store, key, 4, WIDE).0, "partial");
    assert_eq!(words_at(&store, key, 6, WIDE).0, "killed?");
}

#[test]
fn where_room_is_short_the_most_telling_words_stay_whole() {
    let failed = Sample {
        error: true,
        ..request(1, 4_250, 900)
    };
    let (store, key) = sent(store(), &[&[init(0, 4_210)], &[failed]]);
    for (n_cells, expected) in [
        (20, "COLD init 4.2s err"),
        (18, "COLD init 4.2s err"),
        (17, "COLD err"),
        (8, "COLD err"),
        (7, "COLD"),
    ] {
        assert_eq!(words_at(&store, key, 1, n_cells).0, expected, "{n_cells}");
    }
    let warm = Sample {
        error: true,
        ..request(2, 9_250, 900)
    };
    let (store, key) = sent(store, &[&[warm]]);
    assert_eq!(words_at(&store, key, 1, 8).0, "warm err");
    assert_eq!(words_at(&store, key, 1, 7).0, "err");
}
