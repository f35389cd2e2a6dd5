//! Lines within the budget: what waits, what goes, what is counted.

use proptest::collection::vec;

use super::*;
use crate::logs::{LogRecord, LogSource};
use crate::store::{Counters, ModalState};

fn record(line: &str) -> LogRecord {
    LogRecord::parse(line, LogSource::Stdout, UnixNanos(5))
}

fn naming(low: u64) -> LogRecord {
    record(&format!(r#"{{"event":"line","dd.trace_id":"{low}"}}"#))
}

fn at(seconds: u64) -> Now {
    Now {
        wall: UnixNanos(0),
        uptime_ns: seconds * 1_000_000_000,
    }
}

fn joined(counters: &Counters) -> (u64, u64) {
    (counters.logs_joined, counters.logs_unjoined)
}

#[test]
fn a_line_waits_a_minute_for_its_spans_and_stays_in_the_pane() {
    let mut store = Store::new(PLENTY);
    for (low, seconds) in [(1, 0), (2, 1)] {
        store.insert_logs(vec![naming(low)], at(seconds));
    }
    let late = [chunk(id(0, 1), &[SPAN]), chunk(id(0, 2), &[SPAN])];
    store.insert_logs(Vec::new(), at(61));
    for chunk in late {
        store.insert(received(vec![chunk]), at(61));
    }
    assert_eq!(joined(store.counters()), (1, 1));
    assert_eq!(store.n_logs(), 2);
    assert_laws(&store);
}

#[test]
fn of_too_many_lines_the_newest_wait() {
    let n_lines = 10_050;
    let mut store = Store::new(PLENTY);
    store.insert_logs((1..=n_lines).map(naming).collect(), Now::default());
    assert_eq!(store.waiting_logs().count(), 10_000);
    for low in [1, 50, 51, n_lines] {
        store.insert(received(vec![chunk(id(0, low), &[SPAN])]), Now::default());
    }
    assert_eq!(joined(store.counters()), (2, n_lines - 2));
    assert_eq!(store.n_logs(), usize::try_from(n_lines).unwrap());
}

#[test]
fn the_lines_of_a_trace_go_with_it() {
    let mut store = Store::new(40_000);
    deliver(&mut store, id(0, 1), &[SPAN]);
    store.insert_logs((0..20).map(|_| naming(1)).collect(), Now::default());
    assert_eq!(store.n_logs(), 20);
    for low in 2..99 {
        deliver(&mut store, id(0, low), &[SPAN]);
    }
    assert_eq!(store.n_logs(), 0);
    assert_eq!(store.counters().logs_evicted, 20);
    assert_eq!(joined(store.counters()), (20, 0));
}

#[test]
fn lines_without_a_trace_keep_to_their_share_while_there_are_traces() {
    const MEMORY: usize = 200_000;
    let mut store = Store::new(MEMORY);
    for low in 1..=2_000 {
        deliver(&mut store, id(0, low), &[SPAN]);
        store.insert_logs(vec![record("plain text of a line")], Now::default());
        assert_laws(&store);
    }
    let loose = store.logs.loose_bytes();
    assert!((MEMORY / 5..MEMORY / 4 + 1_000).contains(&loose), "{loose}");
    assert!(store.n_traces() > 50);
    let oldest = store.logs().next().unwrap().key();
    assert_eq!(store.logs().count(), store.logs_from(oldest).count());
    assert_eq!(
        oldest.0,
        2_000 - store.n_logs() as u64,
        "not the oldest went"
    );
}

#[test]
fn lines_alone_may_take_everything() {
    const MEMORY: usize = 200_000;
    let mut store = Store::new(MEMORY);
    for _ in 0..2_000 {
        store.insert_logs(vec![record("plain text of a line")], Now::default());
    }
    assert_laws(&store);
    // What is over the share goes first, so they keep to it from then on.
    assert!(store.bytes() > MEMORY / 2, "{}", store.bytes());
}

#[test]
fn a_trace_on_the_screen_keeps_its_lines() {
    let mut store = Store::new(40_000);
    let held = deliver(&mut store, id(0, 1), &[SPAN]).unwrap();
    store.insert_logs((0..20).map(|_| naming(1)).collect(), Now::default());
    store.hold(vec![held]);
    for low in 2..99 {
        deliver(&mut store, id(0, low), &[SPAN]);
        store.insert_logs(vec![record("plain")], Now::default());
    }
    assert_eq!(store.trace(held).unwrap().logs().len(), 20);
}

#[test]
fn traces_evicted_by_lines_are_told() {
    let mut store = Store::new(20_000);
    deliver(&mut store, id(0, 1), &[SPAN]);
    store.insert_logs((0..99).map(|_| naming(1)).collect(), Now::default());
    let evicted: Vec<_> = store.evicted().map(TraceEntry::trace_id).collect();
    assert_eq!(evicted, [id(0, 1)]);
    assert_eq!(store.evicted().next().unwrap().logs().len(), 99);
    assert_eq!((store.bytes(), store.n_logs()), (0, 0));
}

#[test]
fn a_line_of_a_client_that_reaches_nobody_is_counted_by_its_traces() {
    let mut store = Store::new(PLENTY);
    let unsent = "failed to send, dropping 12 traces to intake at http://localhost:8126/v0.5/traces: \
                  client error (Connect)";
    store.insert_logs(vec![record(unsent), record("plain")], Now::default());
    assert_eq!(store.counters().client_unsent_traces, 12);
}

#[track_caller]
fn check_modal(lines: &str, n_reloads: usize, state: ModalState) {
    let mut store = Store::new(PLENTY);
    let records = lines.lines().filter(|line| !line.trim().is_empty());
    store.insert_logs(records.map(record).collect(), Now::default());
    let app = store.modal();
    assert_eq!((app.reloads.len(), app.state), (n_reloads, state));
    assert_eq!(app.generation(), n_reloads as u64);
}

#[test]
fn a_reload_is_counted_once_in_the_words_of_every_version() {
    let head =
        "✓ Initialized. View run at https://modal.com/apps/mock/main/ap-kdGVwaWBfNwVym97ZkYPCp\n";
    let start = format!("{head}✓ Created objects.\n⚡ Serving... hit Ctrl-C to stop!\n");
    check_modal("{}", 0, ModalState::Unseen);
    check_modal(head, 0, ModalState::Building);
    check_modal(&start, 0, ModalState::Serving);
    let ends = "Serve process 4265 terminated\nDisconnecting from Modal - This will terminate your \
                Modal app in a few seconds.\n";
    let reloads = [
        "✓ Created objects.\n",
        "Serve process 4265 terminated\n✓ Created objects.\n",
        "✓ Created objects.\n🧹 Terminating running containers\n",
    ];
    for reload in reloads {
        check_modal(&format!("{start}{reload}"), 1, ModalState::Serving);
        check_modal(&format!("{start}{reload}{reload}"), 2, ModalState::Serving);
        let end = format!("{start}{reload}{ends}");
        check_modal(&end, 1, ModalState::Disconnecting);
        check_modal(&format!("{end}✓ App aborted."), 1, ModalState::Stopped);
        let other = start.replace("ap-k", "ap-l");
        check_modal(&format!("{end}{other}"), 1, ModalState::Serving);
    }
}

#[test]
fn each_address_of_an_app_is_kept_once() {
    let mut store = Store::new(PLENTY);
    let line = "├── 🔨 Created web function web => https://acme--gen-dev.modal.run";
    store.insert_logs(vec![record(line), record(line)], Now::default());
    assert_eq!(store.modal().web_urls.len(), 1);
}

#[track_caller]
fn check_container(store: &Store, name: Option<&str>, region: Option<&str>, by: KnownBy) {
    let container = only_trace(store).container().unwrap();
    assert_eq!(container.facts.task_id.as_deref(), name);
    assert_eq!(container.facts.region.as_deref(), region);
    assert_eq!(container.known_by, by);
}

#[test]
fn the_better_word_for_a_container_counts() {
    let mut store = Store::new(PLENTY);
    deliver(&mut store, id(0, 1), &[SPAN]);
    assert!(only_trace(&store).container().is_none());
    let line =
        r#"{"event":"x","modal":{"region":"us-east-1","task_id":"ta-9"},"dd":{"trace_id":"1"}}"#;
    store.insert_logs(vec![record(line)], Now::default());
    check_container(&store, Some("ta-9"), Some("us-east-1"), KnownBy::Log);
    let tagged = tagged_chunk(id(0, 1), &[Plan { id: 2, ..SPAN }], "ta-1");
    store.insert(received(vec![tagged]), Now::default());
    check_container(&store, Some("ta-1"), None, KnownBy::Tag);
    assert_laws(&store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_stand_for_lines_in_any_budget(
        steps in vec((0..6_u64, 0..3_u64, vec(span_within(6), 0..4), any::<bool>()), 1..60),
        memory in prop_oneof![0..4_000_usize, 0..20_000_usize],
    ) {
        let mut store = Store::new(memory);
        for (low, n_lines, spans, is_held) in &steps {
            let lines = (0..*n_lines).map(|number| if number == 1 { record("plain") } else { naming(*low) });
            store.insert_logs(lines.collect(), Now::default());
            assert_laws(&store);
            if !spans.is_empty() {
                deliver(&mut store, id(0, *low), spans);
            }
            if *is_held {
                let newest = store.traces().next_back().map(TraceEntry::key);
                store.hold(newest.into_iter().collect());
            }
        }
    }
}
