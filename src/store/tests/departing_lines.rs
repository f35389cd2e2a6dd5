//! Lines that go on to Datadog: each once, whenever they find their trace.

use super::departing::courier_with;
use super::*;
use crate::forward::courier::{LinesGo, Which};
use crate::forward::{Contents, Intake};
use crate::logs::{LogRecord, LogSource};
use crate::store::Due;

fn store(which: Which) -> Store {
    Store::new(PLENTY).with_courier(courier_with(which, LinesGo::WithTheirTraces))
}

fn at(seconds: u64) -> Now {
    Now {
        wall: UnixNanos(1),
        uptime_ns: seconds * 1_000_000_000,
    }
}

fn line(store: &mut Store, trace: u64, seconds: u64) {
    let text = format!(r#"{{"event":"line","dd.trace_id":"{trace}"}}"#);
    let record = LogRecord::parse(&text, LogSource::Stdout, UnixNanos(5));
    store.insert_logs(vec![record], at(seconds));
}

fn spans(store: &mut Store, trace: u64, span: u64, seconds: u64) -> TraceKey {
    let spans = [Plan { id: span, ..SPAN }];
    let touched = store.insert(received(vec![chunk(id(0, trace), &spans)]), at(seconds));
    touched[0]
}

/// How many lines went by a moment.
fn gone(store: &mut Store, due: Due, seconds: u64) -> usize {
    while store.depart_next(at(seconds)) {}
    store.depart_lines(due, at(seconds));
    let courier = store.courier_mut().unwrap();
    courier.flush();
    let requests = courier.ready().into_iter();
    let lines = requests.filter(|request| request.intake == Intake::Logs);
    let lines = lines.map(|request| match request.contents {
        Contents::Lines { n_lines } => n_lines,
        other => panic!("{other:?}"),
    });
    lines.sum()
}

#[test]
fn lines_of_a_request_of_minutes_go_when_its_spans_come() {
    for which in [Which::All, Which::Sampled] {
        let mut store = store(which);
        line(&mut store, 7, 0);
        assert_eq!(gone(&mut store, Due::Settled, 20), 0, "{which:?}");
        line(&mut store, 7, 30);
        spans(&mut store, 7, 1, 31);
        assert_eq!(
            gone(&mut store, Due::Settled, 31),
            1,
            "{which:?}: the old one"
        );
        assert_eq!(
            gone(&mut store, Due::Settled, 36),
            1,
            "{which:?}: the new one"
        );
        spans(&mut store, 7, 2, 37);
        assert_eq!(gone(&mut store, Due::All, 99), 0, "{which:?}: each once");
    }
}

#[test]
fn by_hand_lines_go_with_their_trace_and_once() {
    let mut store = store(Which::ByHand);
    line(&mut store, 7, 0);
    let key = spans(&mut store, 7, 1, 1);
    assert_eq!(gone(&mut store, Due::Settled, 20), 0);
    // One that has just found it beside one whose turn has passed.
    line(&mut store, 7, 21);
    store.want_sent([key]);
    assert_eq!(gone(&mut store, Due::Settled, 22), 1);
    assert_eq!(gone(&mut store, Due::Settled, 27), 1);
    assert_eq!(gone(&mut store, Due::All, 99), 0);
}

#[test]
fn a_line_that_finds_its_trace_as_that_is_sent_goes_once() {
    let mut store = store(Which::ByHand);
    line(&mut store, 7, 0);
    assert_eq!(gone(&mut store, Due::Settled, 20), 0);
    let key = spans(&mut store, 7, 1, 21);
    store.want_sent([key]);
    assert_eq!(gone(&mut store, Due::Settled, 21), 1);
    assert_eq!(gone(&mut store, Due::All, 99), 0);
}
