//! Whether requests paid for the start of their container: each rule, each contradiction, and that no order
//! of arrival changes anything.

mod ending;
mod fleet;
mod going;
mod late;
mod laws;
mod tags;

use super::*;
use crate::analysis::StartKind;
use crate::logs::{LogRecord, LogSource};
use crate::store::{Gone, LocalRoot};
use crate::trace::{ContainerFacts, Hello, RelaySource};

const MS: i64 = 1_000_000;
/// Spans of these tests begin after this.
const NOON: i64 = 1_795_176_000_000_000_000;

/// Work of a process, one local root: a request unless it is called otherwise.
#[derive(Clone, Debug)]
struct Work {
    trace: u64,
    name: &'static str,
    service: &'static str,
    span: u64,
    start_ms: i64,
    duration_ms: i64,
    task: Option<&'static str>,
    runtime: Option<&'static str>,
    pid: Option<u32>,
    relay: Option<u32>,
    tags: Vec<(&'static str, &'static str)>,
    metrics: Vec<(&'static str, f64)>,
}

/// A request of some milliseconds on the container `ta-A`.
fn request(trace: u64, start_ms: i64, duration_ms: i64) -> Work {
    Work {
        trace,
        name: "handle",
        service: "gen",
        span: trace * 10,
        start_ms,
        duration_ms,
        task: Some("ta-A"),
        runtime: Some("r-A"),
        pid: Some(7),
        relay: None,
        tags: Vec::new(),
        metrics: Vec::new(),
    }
}

/// The init of the container `ta-A`.
fn init(trace: u64, start_ms: i64, duration_ms: i64) -> Work {
    Work {
        name: "modal.init",
        ..request(trace, start_ms, duration_ms)
    }
}

impl Work {
    fn tagged(mut self, tag: &'static str, value: &'static str) -> Self {
        self.tags.push((tag, value));
        self
    }

    fn measured(mut self, metric: &'static str, value: f64) -> Self {
        self.metrics.push((metric, value));
        self
    }

    fn on(self, task: Option<&'static str>) -> Self {
        Self { task, ..self }
    }

    fn of_process(self, runtime: &'static str) -> Self {
        Self {
            runtime: Some(runtime),
            ..self
        }
    }

    fn by_relay(self, source: u32) -> Self {
        Self {
            relay: Some(source),
            ..self.on(None)
        }
    }

    fn of_service(self, service: &'static str) -> Self {
        Self { service, ..self }
    }

    fn chunk(&self) -> TraceChunk {
        let mut builder = ChunkBuilder::default();
        builder.begin_span().unwrap();
        for (field, text) in [
            (Field::Service, self.service),
            (Field::Name, self.name),
            (Field::Resource, self.name),
        ] {
            let text = builder.text(text.as_bytes()).unwrap();
            builder.set_text(field, text);
        }
        builder.set_number(Field::TraceId, self.trace);
        builder.set_number(Field::SpanId, self.span);
        builder.set_number(Field::ParentId, 0);
        let start = NOON + self.start_ms * MS;
        builder.set_number(Field::Start, start.cast_unsigned());
        builder.set_number(Field::Duration, (self.duration_ms * MS).cast_unsigned());
        let known = [("modal.task_id", self.task), ("runtime-id", self.runtime)];
        let known = known
            .into_iter()
            .filter_map(|(tag, value)| Some((tag, value?)));
        let opened = builder.attribute(Attribute::Meta).open_map();
        for (tag, value) in known.chain(self.tags.iter().copied()) {
            let key = builder.key(None, tag.as_bytes()).unwrap();
            let value = builder.text(value.as_bytes()).unwrap();
            builder.writer().key(key);
            builder.writer().text(value);
        }
        builder.writer().close(opened);
        let pid = self.pid.map(|pid| ("process_id", f64::from(pid)));
        let opened = builder.attribute(Attribute::Metrics).open_map();
        for (metric, value) in pid.into_iter().chain(self.metrics.iter().copied()) {
            let key = builder.key(None, metric.as_bytes()).unwrap();
            builder.writer().key(key);
            builder.writer().float(value);
        }
        builder.writer().close(opened);
        builder.finish().pop().unwrap()
    }
}

/// What comes.
#[derive(Clone, Debug)]
enum Step {
    Work(Work),
    /// A line of a trace that names a container.
    Line(u64, &'static str),
    /// A relay says who it is: its source, its container, when its process began, whether it was restored.
    Hello(u32, Option<&'static str>, i64, Option<bool>),
    /// Modal's client says something.
    Said(&'static str),
}

impl Step {
    fn take(&self, store: &mut Store) {
        self.take_unchecked(store);
        assert_laws(store);
    }

    fn take_unchecked(&self, store: &mut Store) {
        match self {
            Self::Work(work) => {
                let mut delivery = received(vec![work.chunk()]);
                delivery.relay = work.relay.map(RelaySource);
                store.insert(delivery, Now::default());
            }
            Self::Line(trace, container) => {
                let line = format!(
                    r#"{{"event":"line","modal.task_id":"{container}","dd.trace_id":"{trace:032x}"}}"#
                );
                store.insert_logs(vec![record(&line)], Now::default());
            }
            Self::Said(line) => {
                store.insert_logs(vec![record(line)], Now::default());
            }
            Self::Hello(source, task_id, process_start_ms, restored) => {
                let container = ContainerFacts {
                    task_id: task_id.map(Into::into),
                    process_start: Some(UnixNanos(NOON + process_start_ms * MS)),
                    restored: *restored,
                    ..ContainerFacts::default()
                };
                let source = RelaySource(*source);
                store.hello(Hello { source, container }, UnixNanos(NOON));
            }
        }
    }
}

fn record(line: &str) -> LogRecord {
    LogRecord::parse(line, LogSource::Stdout, UnixNanos(NOON))
}

fn taken(mut store: Store, steps: &[Step]) -> Store {
    for step in steps {
        step.take(&mut store);
    }
    store
}

fn works(works: &[Work]) -> Vec<Step> {
    works.iter().cloned().map(Step::Work).collect()
}

/// The local root of a trace that has one.
fn root(store: &Store, trace: u64) -> (&TraceEntry, &LocalRoot) {
    let entry = store.find(id(0, trace)).unwrap();
    (entry, entry.own_root().unwrap())
}

#[track_caller]
fn check(steps: &[Step], trace: u64, kind: StartKind, evidence: &str) {
    check_of(Store::new(PLENTY), steps, trace, (kind, evidence));
}

#[track_caller]
fn check_of(store: Store, steps: &[Step], trace: u64, expected: (StartKind, &str)) {
    let store = taken(store, steps);
    let (entry, _) = root(&store, trace);
    let found = (
        store.start_kind(entry).unwrap(),
        store.start_evidence(entry).unwrap(),
    );
    assert_eq!(found, (expected.0, expected.1.to_owned()));
}

#[test]
fn the_first_soon_after_the_init_is_cold() {
    let steps = works(&[init(1, 0, 4_000), request(2, 4_012, 50)]);
    check(&steps, 2, StartKind::Cold, "modal.init ended 12 ms before");
    let at_the_limit = works(&[init(1, 0, 4_000), request(2, 5_000, 50)]);
    check(
        &at_the_limit,
        2,
        StartKind::Cold,
        "modal.init ended 1.0 s before",
    );
}

#[test]
fn the_first_long_after_the_init_found_the_container_ready() {
    let steps = works(&[init(1, 0, 4_000), request(2, 7_250, 50)]);
    let evidence = "first on ta-A, which had been ready for 3.2 s: modal.init ended then";
    check(&steps, 2, StartKind::Prewarmed, evidence);
}

#[test]
fn one_that_comes_after_another_is_warm() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 4_012, 50),
        request(3, 4_100, 50),
    ]);
    check(&steps, 3, StartKind::Warm, "request 2 on ta-A");
}

#[test]
fn those_that_begin_while_a_cold_one_runs_share_its_start() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 4_012, 500),
        request(3, 4_312, 50),
    ]);
    let evidence = "began 300 ms after the first request on ta-A, which was waiting for the start";
    check(&steps, 3, StartKind::ColdShared, evidence);
}

#[test]
fn those_that_begin_while_a_prewarmed_one_runs_are_warm() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 9_000, 500),
        request(3, 9_100, 50),
    ]);
    check(&steps, 3, StartKind::Warm, "request 2 on ta-A");
}

#[test]
fn the_first_that_is_seen_may_not_be_the_first() {
    let steps = works(&[
        request(2, 100, 500),
        request(3, 200, 50),
        request(4, 700, 50),
    ]);
    let evidence = "first seen on ta-A, which may have served before without being seen";
    check(&steps, 2, StartKind::Unknown, evidence);
    let beside =
        "began while the first request seen on ta-A ran, and whether that was cold is not known";
    check(&steps, 3, StartKind::Unknown, beside);
    check(&steps, 4, StartKind::Warm, "request 3 on ta-A");
}

#[test]
fn what_says_nothing_of_where_it_ran_is_unknown() {
    let steps = works(&[Work {
        runtime: None,
        ..request(2, 0, 5).on(None)
    }]);
    let evidence = "nothing says in which container it ran: the tag modal.task_id would";
    check(&steps, 2, StartKind::Unknown, evidence);
}

#[test]
fn the_start_itself_is_no_request() {
    let store = taken(Store::new(PLENTY), &works(&[init(1, 0, 9)]));
    let (entry, _) = root(&store, 1);
    assert_eq!(store.start_kind(entry), None);
    assert_eq!(store.start_evidence(entry), None);
}

#[test]
fn work_within_the_init_is_no_request_and_not_the_first() {
    let download = request(2, 1_000, 500);
    let steps = works(&[download, request(3, 4_100, 50), init(1, 0, 4_000)]);
    let store = taken(Store::new(PLENTY), &steps);
    assert_eq!(store.start_kind(root(&store, 2).0), None);
    check(&steps, 3, StartKind::Cold, "modal.init ended 100 ms before");
    let (entry, third) = root(&store, 3);
    assert_eq!(store.request_number(entry, third), Some(1));
}

#[test]
fn a_relay_knows_when_the_process_began() {
    let hello = Step::Hello(9, Some("ta-A"), 0, Some(false));
    let with_init = [
        hello.clone(),
        Step::Work(init(1, 1_000, 5_000).by_relay(9)),
        Step::Work(request(2, 6_100, 50).by_relay(9)),
    ];
    let evidence = "modal.init ended 100 ms before, 6.1 s after the process began";
    check(&with_init, 2, StartKind::Cold, evidence);
    let late = [
        hello.clone(),
        Step::Work(init(1, 1_000, 5_000).by_relay(9)),
        Step::Work(request(2, 9_000, 50).by_relay(9)),
    ];
    let evidence = "first on ta-A, which had been ready for 3.0 s: modal.init ended then";
    check(&late, 2, StartKind::Prewarmed, evidence);
    let without_init = [hello.clone(), Step::Work(request(2, 400, 50).by_relay(9))];
    check(
        &without_init,
        2,
        StartKind::Cold,
        "the process began 400 ms before",
    );
    let long_after = [Step::Work(request(2, 6_100, 50).by_relay(9)), hello];
    let evidence =
        "first on ta-A, whose process began 6.1 s before; what it did in between no init span says";
    check(&long_after, 2, StartKind::Prewarmed, evidence);
}

#[test]
fn a_relay_knows_that_it_was_restored() {
    let steps = [
        Step::Hello(9, Some("ta-A"), 0, Some(true)),
        Step::Work(request(2, 900, 200).by_relay(9)),
        Step::Work(request(3, 1_000, 50).by_relay(9)),
    ];
    let evidence = "first on ta-A, which the relay in it says was restored from a memory snapshot";
    check(&steps, 2, StartKind::Restored, evidence);
    let evidence = "began 100 ms after the first request on ta-A, which was waiting for the start";
    check(&steps, 3, StartKind::ColdShared, evidence);
}

#[test]
fn two_containers_with_one_runtime_id_came_from_one_snapshot() {
    let steps = works(&[
        request(2, 0, 5),
        request(3, 10, 5),
        request(4, 3, 5).on(Some("ta-B")),
        request(5, 30, 5).on(None),
    ]);
    let of = |task: &str| {
        format!(
            "first on {task}, which shares its runtime-id with another container: they came from one \
             memory snapshot"
        )
    };
    check(&steps, 2, StartKind::Restored, &of("ta-A"));
    check(&steps, 4, StartKind::Restored, &of("ta-B"));
    check(&steps, 3, StartKind::Warm, "request 2 on ta-A");
    let evidence = "nothing says in which container it ran: the tag modal.task_id would";
    check(&steps, 5, StartKind::Unknown, evidence);
}

#[test]
fn the_container_that_a_snapshot_was_made_of_has_an_init_of_its_own() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 4_012, 5),
        request(3, 9_000, 5).on(Some("ta-B")),
    ]);
    check(&steps, 2, StartKind::Cold, "modal.init ended 12 ms before");
    let evidence = "first on ta-B, which shares its runtime-id with another container: they came from one \
                    memory snapshot";
    check(&steps, 3, StartKind::Restored, evidence);
}

#[test]
fn containers_of_one_snapshot_that_repeat_a_trace_id_keep_their_traces_apart() {
    let mut store = taken(Store::new(PLENTY), &works(&[request(2, 0, 5)]));
    Step::Work(request(2, 70, 5).on(Some("ta-B"))).take(&mut store);
    let containers: Vec<_> = store
        .traces()
        .map(|entry| store.container(entry).unwrap().facts.task_id.clone())
        .collect();
    assert_eq!(containers, [Some("ta-A".into()), Some("ta-B".into())]);
    // A retry of either is still a retry.
    Step::Work(request(2, 0, 5)).take(&mut store);
    Step::Work(request(2, 70, 5).on(Some("ta-B"))).take(&mut store);
    assert_eq!(store.n_traces(), 2);
    assert_eq!(store.counters().spans_duplicate, 2);
}

#[test]
fn a_process_is_the_container_that_is_named_beside_its_runtime_id() {
    let unnamed = request(2, 0, 5).on(None);
    let store = taken(
        Store::new(PLENTY),
        &works(&[
            unnamed.clone(),
            request(3, 10, 5),
            request(4, 20, 5).on(None),
        ]),
    );
    let numbers = [2, 3, 4].map(|trace| {
        let (entry, root) = root(&store, trace);
        (store.request_number(entry, root), root.known_by().unwrap())
    });
    let (tag, runtime) = (KnownBy::Tag, KnownBy::RuntimeId);
    assert_eq!(
        numbers,
        [(Some(1), runtime), (Some(2), tag), (Some(3), runtime)]
    );
    assert_eq!(store.fleet().containers().count(), 1);
}

#[test]
fn a_fork_is_a_process_of_its_own_in_the_same_container() {
    let forked = request(3, 10, 5).of_process("r-fork");
    let store = taken(Store::new(PLENTY), &works(&[request(2, 0, 5), forked]));
    assert_eq!(store.fleet().containers().count(), 1);
    let alone = request(3, 10, 5).of_process("r-fork").on(None);
    let apart = taken(
        Store::new(PLENTY),
        &works(&[request(2, 0, 5).on(None), alone]),
    );
    assert_eq!(apart.fleet().containers().count(), 2);
}

#[test]
fn a_line_of_the_trace_names_its_container() {
    let unnamed = |trace, start_ms| request(trace, start_ms, 5).on(None);
    let steps = [
        Step::Work(unnamed(3, 10)),
        Step::Line(3, "ta-L"),
        Step::Line(2, "ta-L"),
        Step::Work(unnamed(2, 0).of_process("r-B")),
    ];
    check(&steps, 3, StartKind::Warm, "request 2 on ta-L");
    let store = taken(Store::new(PLENTY), &steps);
    let (_, root) = root(&store, 2);
    assert_eq!(root.known_by(), Some(KnownBy::Log));
}

#[test]
fn a_container_of_the_program_that_was_started_is_no_older() {
    let run = || Store::new(PLENTY).of_run();
    let created = Step::Said("✓ Created objects.");
    let steps = [created, Step::Work(request(2, 0, 5))];
    let evidence = "first on ta-A, which cannot be older than this run";
    check_of(run(), &steps, 2, (StartKind::Cold, evidence));
    // A client that only follows the lines of an app has created nothing: its containers may be old.
    let evidence = "first seen on ta-A, which may have served before without being seen";
    check_of(run(), &steps[1..], 2, (StartKind::Unknown, evidence));
}

#[test]
fn a_container_that_comes_after_a_reload_is_new() {
    let created = || Step::Said("✓ Created objects.");
    let steps = [
        created(),
        Step::Work(request(2, 0, 5)),
        created(),
        Step::Work(request(3, 10, 5).on(Some("ta-B")).of_process("r-B")),
    ];
    let evidence = "first on ta-B, which came after reload 1";
    check(&steps, 3, StartKind::Cold, evidence);
    let evidence = "first seen on ta-A, which may have served before without being seen";
    check(&steps, 2, StartKind::Unknown, evidence);
}

#[test]
fn a_late_init_or_an_earlier_request_changes_what_was_said() {
    let mut store = taken(Store::new(PLENTY), &works(&[request(3, 4_200, 50)]));
    let kind = |store: &Store, trace| store.start_kind(root(store, trace).0).unwrap();
    assert_eq!(kind(&store, 3), StartKind::Unknown);
    let revision = root(&store, 3).0.revision();
    let changed = store.insert(received(vec![init(1, 0, 4_000).chunk()]), Now::default());
    assert_eq!(kind(&store, 3), StartKind::Cold);
    assert!(changed.contains(&root(&store, 3).0.key()));
    assert!(root(&store, 3).0.revision() > revision);
    store.insert(
        received(vec![request(2, 4_010, 100).chunk()]),
        Now::default(),
    );
    assert_eq!(kind(&store, 2), StartKind::Cold);
    assert_eq!(kind(&store, 3), StartKind::Warm);
    store.insert(received(vec![request(4, 4_050, 9).chunk()]), Now::default());
    assert_eq!(kind(&store, 4), StartKind::ColdShared);
}

#[test]
fn an_evicted_first_request_is_not_forgotten() {
    let steps = works(&[
        init(1, 0, 4_000),
        request(2, 4_012, 50),
        request(3, 4_030, 5),
    ]);
    let mut store = taken(Store::new(PLENTY), &steps);
    for trace in [1, 2] {
        let key = root(&store, trace).0.key();
        store.remove(Some(key));
    }
    Step::Work(request(4, 4_060, 5)).take(&mut store);
    Step::Work(request(5, 4_070, 5)).take(&mut store);
    let kind = |trace| store.start_kind(root(&store, trace).0).unwrap();
    assert_eq!(
        [3, 4, 5].map(kind),
        [
            StartKind::ColdShared,
            StartKind::ColdShared,
            StartKind::Warm
        ]
    );
    let (entry, last) = root(&store, 5);
    assert_eq!(store.request_number(entry, last), Some(4));
    assert_eq!(store.fleet().containers().next().unwrap().n_requests(), 4);
}

#[test]
fn a_trace_whose_root_has_not_come_is_in_flight() {
    let mut store = Store::new(PLENTY);
    let orphan = TraceChunk::default();
    assert!(orphan.is_empty());
    let piece = tagged_chunk(id(0, 5), &[Plan { parent: 77, ..SPAN }], "ta-A");
    store.insert(received(vec![piece]), Now::default());
    let in_flight = |store: &Store| store.fleet().containers().next().unwrap().n_in_flight();
    assert_eq!(in_flight(&store), 1);
    let entry = store.find(id(0, 5)).unwrap();
    assert_eq!(store.start_kind(entry), Some(StartKind::Unknown));
    assert_eq!(
        store.start_evidence(entry).as_deref(),
        Some("its local root has not been seen")
    );
    Step::Work(request(5, 0, 90)).take(&mut store);
    assert_eq!(in_flight(&store), 0);
}
