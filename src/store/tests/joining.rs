//! Lines and spans find each other in any order, and in the same way.

use proptest::collection::vec;

use super::*;
use crate::logs::{JoinedBy, LogRecord, LogSource};
use crate::store::logs::Joined;

/// What comes: spans of a trace, or a line.
#[derive(Clone, Debug)]
enum Piece {
    Chunk {
        low: u64,
        says_high: bool,
        container: Option<u64>,
        spans: Vec<u64>,
    },
    Line(LinePlan),
}

#[derive(Clone, Debug)]
struct LinePlan {
    /// Its number, so that it can be told from others.
    number: u64,
    trace: Option<(u64, bool)>,
    span: Option<u64>,
    container: Option<u64>,
    time: i64,
}

/// The high half that all of a trace's ids have, if they say it.
fn high(low: u64) -> u64 {
    low + 70
}

/// Spans of a trace have ids of their own; when one ran follows from its id.
fn span_plan(id: u64) -> Plan {
    Plan {
        id,
        start: (id * 7 % 20).cast_signed(),
        duration: (id * 3 % 10).cast_signed(),
        ..SPAN
    }
}

impl LinePlan {
    fn record(&self) -> LogRecord {
        let mut members = vec![format!(r#""event":"{}""#, self.number)];
        if let Some((low, is_whole)) = self.trace {
            let id = if is_whole {
                id(high(low), low).to_string()
            } else {
                low.to_string()
            };
            members.push(format!(r#""dd.trace_id":"{id}""#));
        }
        if let Some(span) = self.span {
            members.push(format!(r#""dd.span_id":"{span}""#));
        }
        if let Some(container) = self.container {
            members.push(format!(r#""modal.task_id":"ta-{container}""#));
        }
        let line = format!("{{{}}}", members.join(","));
        let mut record = LogRecord::parse(&line, LogSource::Stdout, UnixNanos(0));
        record.time = Some(UnixNanos(self.time));
        record
    }
}

fn deliver_piece(store: &mut Store, piece: &Piece) {
    match piece {
        Piece::Line(line) => {
            store.insert_logs(vec![line.record()], Now::default());
        }
        Piece::Chunk {
            low,
            says_high,
            container,
            spans,
        } => {
            let spans: Vec<Plan> = spans
                .iter()
                .map(|span| span_plan(low * 100 + span))
                .collect();
            let id = id(if *says_high { high(*low) } else { 0 }, *low);
            let chunk = match container {
                Some(container) => tagged_chunk(id, &spans, &format!("ta-{container}")),
                None => chunk(id, &spans),
            };
            store.insert(received(vec![chunk]), Now::default());
        }
    }
    assert_laws(store);
}

/// What all pieces together say of each trace.
#[derive(Debug, Default)]
struct Whole {
    spans: Vec<u64>,
    containers: Vec<u64>,
}

impl Whole {
    fn covers(&self, time: i64) -> bool {
        let plans = || self.spans.iter().map(|span| span_plan(*span));
        let start = plans().map(|plan| plan.start).min();
        let end = plans().map(|plan| plan.start + plan.duration).max();
        start.is_some_and(|start| start <= time) && end.is_some_and(|end| time <= end)
    }
}

/// Where each line belongs, once everything has come: looked up without any index.
fn expected(pieces: &[Piece]) -> BTreeMap<u64, Option<(u64, JoinedBy)>> {
    let mut wholes: BTreeMap<u64, Whole> = BTreeMap::new();
    for piece in pieces {
        if let Piece::Chunk {
            low,
            container,
            spans,
            ..
        } = piece
        {
            let whole = wholes.entry(*low).or_default();
            whole
                .spans
                .extend(spans.iter().map(|span| low * 100 + span));
            whole.containers.extend(container);
        }
    }
    let lines = pieces.iter().filter_map(|piece| match piece {
        Piece::Line(line) => Some(line),
        Piece::Chunk { .. } => None,
    });
    let by_ids = |line: &LinePlan, wholes: &BTreeMap<u64, Whole>| {
        let named = line.trace.map(|(low, _)| low);
        let named = named.filter(|low| wholes.contains_key(low));
        let of_span = || {
            let span = line.span?;
            let mut found = wholes
                .iter()
                .filter(|(_, whole)| whole.spans.contains(&span));
            found.next().map(|(low, _)| (*low, JoinedBy::SpanId))
        };
        named.map(|low| (low, JoinedBy::TraceId)).or_else(of_span)
    };
    for line in lines.clone() {
        let is_final = |by| by == JoinedBy::TraceId || line.trace.is_none();
        if let Some((low, by)) = by_ids(line, &wholes)
            && is_final(by)
        {
            wholes
                .get_mut(&low)
                .unwrap()
                .containers
                .extend(line.container);
        }
    }
    let guess = |line: &LinePlan| {
        let container = line.container?;
        let mut covering = wholes
            .iter()
            .filter(|(_, whole)| whole.containers.contains(&container) && whole.covers(line.time));
        let only = covering.next()?;
        covering
            .next()
            .is_none()
            .then_some((*only.0, JoinedBy::ContainerTime))
    };
    let place = |line: &LinePlan| {
        if line.trace.is_none() && line.span.is_none() {
            return guess(line);
        }
        by_ids(line, &wholes)
    };
    lines.map(|line| (line.number, place(line))).collect()
}

/// Where each line is.
fn found(store: &Store) -> BTreeMap<u64, Option<(u64, JoinedBy)>> {
    let place = |joined: Joined| {
        let trace = store.trace(joined.trace).unwrap();
        (trace.trace_id().low(), joined.by)
    };
    let lines = store.logs().map(|line| {
        let number = line.record().message().parse().unwrap();
        (number, line.joined().map(place))
    });
    lines.collect()
}

fn any_chunk() -> impl Strategy<Value = Piece> {
    let container = proptest::option::of(1..3_u64);
    (1..5_u64, any::<bool>(), container, vec(1..6_u64, 1..4)).prop_map(
        |(low, says_high, container, spans)| Piece::Chunk {
            low,
            says_high,
            container,
            spans,
        },
    )
}

fn any_line() -> impl Strategy<Value = LinePlan> {
    let trace = proptest::option::of((1..6_u64, any::<bool>()));
    let span = proptest::option::of((1..5_u64, 1..7_u64).prop_map(|(low, span)| low * 100 + span));
    let container = proptest::option::of(1..3_u64);
    (trace, span, container, 0..30_i64).prop_map(|(trace, span, container, time)| LinePlan {
        number: 0,
        trace,
        span,
        container,
        time,
    })
}

fn any_pieces() -> impl Strategy<Value = Vec<Piece>> {
    (vec(any_chunk(), 0..7), vec(any_line(), 1..9)).prop_flat_map(|(chunks, lines)| {
        let lines = (0..).zip(lines);
        let lines = lines.map(|(number, line)| Piece::Line(LinePlan { number, ..line }));
        Just(chunks.into_iter().chain(lines).collect::<Vec<_>>()).prop_shuffle()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_spans_and_lines_gives_the_same_joins(pieces in any_pieces()) {
        let mut store = Store::new(PLENTY);
        for piece in &pieces {
            deliver_piece(&mut store, piece);
        }
        prop_assert_eq!(found(&store), expected(&pieces));
    }
}

fn line(number: u64) -> LinePlan {
    LinePlan {
        number,
        trace: None,
        span: None,
        container: None,
        time: 12,
    }
}

fn spans_of(low: u64, container: Option<u64>) -> Piece {
    Piece::Chunk {
        low,
        says_high: true,
        container,
        spans: vec![1, 2],
    }
}

#[track_caller]
fn check_joined(store: &Store, number: u64, expected: Option<(u64, JoinedBy)>) {
    assert_eq!(found(store).get(&number).copied().flatten(), expected);
}

#[test]
fn a_guess_ends_when_a_second_trace_could_be_meant() {
    let mut store = Store::new(PLENTY);
    let guessed = LinePlan {
        container: Some(1),
        ..line(0)
    };
    deliver_piece(&mut store, &spans_of(1, Some(1)));
    deliver_piece(&mut store, &Piece::Line(guessed));
    check_joined(&store, 0, Some((1, JoinedBy::ContainerTime)));
    let before = store.traces().next().unwrap().logs_revision();
    deliver_piece(&mut store, &spans_of(3, Some(1)));
    check_joined(&store, 0, None);
    let first = store.traces().next().unwrap();
    assert!(first.logs().is_empty() && first.logs_revision() > before);
    assert_eq!(store.counters().logs_unjoined, 1);
}

#[test]
fn a_line_moves_from_the_span_it_names_to_the_trace_it_names() {
    let mut store = Store::new(PLENTY);
    let torn = LinePlan {
        trace: Some((2, true)),
        span: Some(101),
        ..line(0)
    };
    deliver_piece(&mut store, &spans_of(1, None));
    deliver_piece(&mut store, &Piece::Line(torn));
    check_joined(&store, 0, Some((1, JoinedBy::SpanId)));
    let changed = store.insert(received(vec![chunk(id(72, 2), &[SPAN])]), Now::default());
    check_joined(&store, 0, Some((2, JoinedBy::TraceId)));
    assert_eq!(changed.len(), 2, "the trace it left has changed too");
}

#[test]
fn a_container_that_a_relay_names_late_is_that_of_the_spans_it_brought() {
    let mut store = Store::new(PLENTY);
    let source = crate::trace::RelaySource(7);
    let mut delivery = received(vec![chunk(id(0, 1), &[SPAN])]);
    delivery.relay = Some(source);
    store.insert(delivery, Now::default());
    let guessed = LinePlan {
        container: Some(1),
        ..line(0)
    };
    deliver_piece(&mut store, &Piece::Line(guessed));
    check_joined(&store, 0, None);
    let facts = crate::trace::ContainerFacts {
        task_id: Some("ta-1".into()),
        ..Default::default()
    };
    let hello = crate::trace::Hello {
        source,
        container: facts,
    };
    store.hello(hello, UnixNanos(0));
    check_joined(&store, 0, Some((1, JoinedBy::ContainerTime)));
    let known = only_trace(&store).container().unwrap();
    assert_eq!(known.known_by, KnownBy::Relay);
    assert_laws(&store);
}

#[test]
fn sixteen_digits_join_as_decimal_and_as_hex() {
    let digits = "1234567890123456";
    let as_hex = u64::from_str_radix(digits, 16).unwrap();
    let as_decimal = digits.parse().unwrap();
    for low in [as_hex, as_decimal] {
        let mut store = Store::new(PLENTY);
        let line = format!(r#"{{"event":"0","dd":{{"trace_id":"{digits}","span_id":"1"}}}}"#);
        let record = LogRecord::parse(&line, LogSource::Stdout, UnixNanos(0));
        store.insert_logs(vec![record.clone()], Now::default());
        deliver(&mut store, id(5, low), &[SPAN]);
        store.insert_logs(vec![record.clone()], Now::default());
        assert_eq!(only_trace(&store).logs().len(), 2);
        let span = only_trace(&store).log_span(&record);
        assert_eq!(span, Some(crate::store::SpanIndex(0)));
    }
}

#[test]
fn the_span_of_a_line_is_found_in_traces_of_any_size() {
    for n_spans in [1, 64, 65, 2_000] {
        let spans: Vec<Plan> = (1..=n_spans).map(|id| Plan { id, ..SPAN }).collect();
        let mut store = Store::new(PLENTY);
        let key = deliver(&mut store, id(0, 1), &spans).unwrap();
        let trace = store.trace(key).unwrap();
        let named = |span| {
            let record = LinePlan {
                span: Some(span),
                ..line(0)
            };
            trace
                .log_span(&record.record())
                .map(|index| u64::from(index.0))
        };
        assert_eq!(named(n_spans), Some(n_spans - 1));
        assert_eq!(named(n_spans + 1), None);
    }
}
