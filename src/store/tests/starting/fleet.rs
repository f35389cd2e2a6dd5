//! A fleet whose truth is known: containers that begin, wait, serve and are replaced by reloads, each
//! instrumented in a way of its own, and what comes of it in the order in which tracers flush.

use std::collections::BTreeMap;

use super::*;

const CONTAINERS: usize = 20;
const REQUESTS: usize = 2_000;
const GENERATIONS: usize = 4;

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = i64::try_from(self.0 >> 33).unwrap();
        high % limit.max(1)
    }
}

/// How an app shows its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// An init span, and the task id on every span.
    Init,
    /// Only the task id.
    TaskId,
    /// The relay, and an init span.
    Relay,
    /// An init span, and nothing but the process.
    Process,
    /// The task id, and a tag that always says not cold.
    FalseTag,
}

const SHOWN: [Shown; 5] = [
    Shown::Init,
    Shown::TaskId,
    Shown::Relay,
    Shown::Process,
    Shown::FalseTag,
];

/// What happened at a moment, and when it came.
struct Happened {
    at_ms: i64,
    step: Step,
}

struct Fleet {
    dice: Dice,
    happened: Vec<Happened>,
    truth: BTreeMap<u64, StartKind>,
    shown: BTreeMap<u64, Shown>,
    n_traces: u64,
}

fn named(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

impl Fleet {
    fn trace(&mut self) -> u64 {
        self.n_traces += 1;
        self.n_traces
    }

    /// A container from its start to a reload, with its share of the requests.
    fn container(&mut self, number: usize, (from_ms, until_ms): (i64, i64), n_requests: usize) {
        let shown = SHOWN[number % SHOWN.len()];
        let (task, process) = (
            named(format!("ta-{number:02}")),
            named(format!("run-{number:02}")),
        );
        let source = u32::try_from(number).unwrap();
        let place = |work: Work| {
            let work = work.of_process(process);
            let work = Work {
                pid: Some(source + 100),
                ..work
            };
            match shown {
                Shown::Process => work.on(None),
                Shown::Relay => work.on(None).by_relay(source),
                Shown::Init | Shown::TaskId => work.on(Some(task)),
                Shown::FalseTag => work.on(Some(task)).tagged("cold_start", "False"),
            }
        };
        let began = from_ms + self.dice.below(2_000);
        let ready = began + 1_000 + self.dice.below(9_000);
        if shown == Shown::Relay {
            let step = Step::Hello(source, Some(task), began, Some(false));
            self.happened.push(Happened {
                at_ms: began + 300,
                step,
            });
        }
        if matches!(shown, Shown::Init | Shown::Relay | Shown::Process) {
            let trace = self.trace();
            let work = place(init(trace, began + 500, ready - began - 500));
            // The tracer flushes once a second: an init may come after the request that waited for it.
            let at_ms = ready + self.dice.below(1_500);
            self.happened.push(Happened {
                at_ms,
                step: Step::Work(work),
            });
        }
        let waits = self.dice.below(4) > 0;
        let mut start = if waits {
            ready + 5 + self.dice.below(300)
        } else {
            ready + 1_500 + self.dice.below(20_000)
        };
        let mut first_end = None;
        for _ in 0..n_requests {
            let duration = 20 + self.dice.below(900);
            let trace = self.trace();
            let kind = match first_end {
                None if waits => StartKind::Cold,
                None => StartKind::Prewarmed,
                Some(end) if start < end && waits => StartKind::ColdShared,
                Some(_) => StartKind::Warm,
            };
            first_end = first_end.or(Some(start + duration));
            self.truth.insert(trace, kind);
            self.shown.insert(trace, shown);
            let step = Step::Work(place(request(trace, start, duration)));
            let at_ms = start + duration + self.dice.below(1_000);
            self.happened.push(Happened { at_ms, step });
            let gap = self.dice.below((until_ms - start) / 40 + 40);
            start += if self.dice.below(3) == 0 {
                gap
            } else {
                self.dice.below(60)
            };
        }
    }

    fn simulate(seed: u64) -> Self {
        let mut fleet = Self {
            dice: Dice(seed),
            happened: Vec::new(),
            truth: BTreeMap::new(),
            shown: BTreeMap::new(),
            n_traces: 0,
        };
        let (each, of_each) = (CONTAINERS / GENERATIONS, REQUESTS / CONTAINERS);
        for generation in 0..GENERATIONS {
            let from_ms = i64::try_from(generation).unwrap() * 300_000;
            let step = Step::Said("✓ Created objects.");
            fleet.happened.push(Happened {
                at_ms: from_ms,
                step,
            });
            for number in 0..each {
                let number = generation * each + number;
                fleet.container(number, (from_ms, from_ms + 280_000), of_each);
            }
        }
        fleet.happened.sort_by_key(|happened| happened.at_ms);
        fleet
    }
}

/// What was found of each request, for those whose truth is another.
fn differences(fleet: &Fleet, store: &Store) -> Vec<(Shown, StartKind, StartKind, String)> {
    let mut differences = Vec::new();
    for (trace, truth) in &fleet.truth {
        let (entry, _) = root(store, *trace);
        let found = store.start_kind(entry).unwrap();
        if found != *truth {
            let evidence = store.start_evidence(entry).unwrap();
            differences.push((fleet.shown[trace], *truth, found, evidence));
        }
    }
    differences
}

fn taken_as_it_came(fleet: &Fleet, mut store: Store) -> Store {
    let happened = fleet.happened.iter();
    happened.for_each(|happened| happened.step.take_unchecked(&mut store));
    store
}

#[test]
fn of_a_fleet_beside_modal_serve_nearly_every_start_is_told_as_it_was() {
    for seed in 0..8 {
        let fleet = Fleet::simulate(seed);
        assert_eq!(fleet.truth.len(), REQUESTS);
        let store = taken_as_it_came(&fleet, Store::new(PLENTY).of_run());
        let differences = differences(&fleet, &store);
        // Without a word of when it was ready, a container that had been ready looks cold.
        let known = differences
            .iter()
            .filter(|(shown, truth, ..)| {
                let is_blind = matches!(shown, Shown::TaskId | Shown::FalseTag);
                !(is_blind && matches!(truth, StartKind::Prewarmed | StartKind::Warm))
            })
            .count();
        assert_eq!(known, 0, "{seed}: {differences:?}");
        assert!(
            differences.len() * 100 <= REQUESTS,
            "{seed}: {differences:?}"
        );
        let is_false_warm = |(_, truth, found, _): &&(_, StartKind, StartKind, _)| {
            *found == StartKind::Warm && truth.waited()
        };
        assert_eq!(differences.iter().filter(is_false_warm).count(), 0);
    }
}

#[test]
fn of_a_fleet_that_may_have_been_there_before_what_cannot_be_known_is_unknown() {
    for seed in 0..8 {
        let fleet = Fleet::simulate(seed);
        let quiet = fleet
            .happened
            .iter()
            .filter(|happened| !matches!(happened.step, Step::Said(_)));
        let mut store = Store::new(PLENTY);
        quiet.for_each(|happened| happened.step.take_unchecked(&mut store));
        for (shown, truth, found, evidence) in differences(&fleet, &store) {
            assert!(
                matches!(shown, Shown::TaskId | Shown::FalseTag),
                "{evidence}"
            );
            assert_eq!(found, StartKind::Unknown, "{truth:?}: {evidence}");
        }
    }
}
