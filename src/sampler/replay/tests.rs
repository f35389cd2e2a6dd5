//! Loads that are replayed under other settings.

use super::*;
use crate::trace::{Attribute, ChunkBuilder, Field};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_795_176_000 * SECOND;

/// A root that a client kept by its rate, or what it says beside.
fn chunk(id: u64, metrics: &[(&str, f64)]) -> TraceChunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    let service = builder.text(b"gen-api").unwrap();
    builder.set_text(Field::Service, service);
    builder.set_number(Field::TraceId, id);
    builder.set_number(Field::SpanId, id);
    let metrics: Vec<_> = metrics
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
    builder.finish().pop().unwrap()
}

const KEPT: [(&str, f64); 1] = [("_sampling_priority_v1", 1.0)];

/// So many traces a second for so long, each as long as they say and sent when it ends, from so many
/// containers in turn.
struct Load {
    per_second: i64,
    seconds: i64,
    duration: i64,
    n_containers: u64,
}

const BUSY: Load = Load {
    per_second: 100,
    seconds: 6,
    duration: SECOND / 10,
    n_containers: 1,
};

impl Load {
    fn tape(&self) -> Tape {
        let mut tape = Tape::new(&Model::default(), RareSpans::LeftOut);
        for number in 0..self.per_second * self.seconds {
            let id = (number.cast_unsigned() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let start = UnixNanos(START + number * SECOND / self.per_second);
            tape.add_trace(TapedTrace {
                id: TraceId::from_halves(0, id),
                start,
                duration: self.duration,
                obeys_rules: true,
            });
            let container = number.cast_unsigned() % self.n_containers;
            let came = Came {
                delivery: Delivery {
                    at: start.plus(self.duration),
                    language: "python",
                    ..Delivery::default()
                },
                process: Process {
                    client: container,
                    container,
                },
                facts: None,
            };
            tape.add_chunk(&chunk(id, &KEPT), came);
        }
        tape.finish();
        tape
    }
}

fn slots(n_slots: usize) -> WhatIf {
    WhatIf {
        slots: NonZeroUsize::new(n_slots),
        ..WhatIf::default()
    }
}

#[test]
fn what_runs_one_after_the_other_comes_slowly_enough() {
    let tape = BUSY.tape();
    let as_it_ran = tape.replay(&WhatIf::default());
    // The first five seconds are kept whole, the rate after them is a tenth.
    assert!((495..540).contains(&as_it_ran.n_kept), "{as_it_ran:?}");
    assert_eq!(tape.replay(&slots(1)).n_kept, 600);
    // Fifty at a time come within a bucket or two.
    assert!(tape.replay(&slots(2)).n_kept < 600);
}

#[test]
fn each_slot_is_taken_again_once_it_is_free() {
    let load = Load {
        per_second: 5,
        seconds: 1,
        duration: 2 * SECOND,
        ..BUSY
    };
    let moved = load.tape().moved(NonZeroUsize::new(2).unwrap());
    let began = moved.iter().zip(0_i64..);
    let began: Vec<i64> = began.map(|(by, number)| by + number * SECOND / 5).collect();
    assert_eq!(began, [0, 0, 2 * SECOND, 2 * SECOND, 4 * SECOND]);
}

#[test]
fn a_rule_decides_and_its_limiter_lets_a_hundred_a_second_through() {
    let rule = WhatIf {
        rule: Some(1.0),
        ..WhatIf::default()
    };
    let at_once = Load {
        per_second: 500,
        seconds: 1,
        ..BUSY
    };
    let outcome = at_once.tape().replay(&rule);
    // A hundred tokens, and those of a second.
    assert!((199..=200).contains(&outcome.n_kept), "{outcome:?}");
    let calm = Load {
        per_second: 50,
        seconds: 10,
        ..BUSY
    };
    assert_eq!(calm.tape().replay(&rule).n_kept, 500);
    let tenth = WhatIf {
        rule: Some(0.1),
        ..WhatIf::default()
    };
    let kept = calm.tape().replay(&tenth).n_kept;
    assert!((30..70).contains(&kept), "{kept} of 500");
}

#[test]
fn a_rule_leaves_alone_what_a_person_decided() {
    let mut tape = BUSY.tape();
    for trace in &mut tape.traces {
        trace.obeys_rules = false;
    }
    let none = WhatIf {
        rule: Some(0.0),
        ..WhatIf::default()
    };
    assert_eq!(tape.replay(&none), tape.replay(&WhatIf::default()));
}

#[test]
fn each_container_has_an_agent_of_its_own_if_that_is_assumed() {
    let load = Load {
        per_second: 40,
        seconds: 30,
        n_containers: 4,
        ..BUSY
    };
    let tape = load.tape();
    let serverless = WhatIf {
        model: AgentModel::Serverless,
        ..WhatIf::default()
    };
    assert_eq!(tape.replay(&serverless).n_kept, 1_200);
    assert!(tape.replay(&WhatIf::default()).n_kept < 700);
}

#[test]
fn a_chunk_that_only_live_made_counts_for_nothing() {
    let early = [KEPT[0], ("_dd.py.partial_flush", 1.0)];
    let with_root = [KEPT[0], early[1], ("process_id", 7.0)];
    let n_chunks = |pieces, metrics: &[(&str, f64)]| {
        let model = Model::default().with_pieces(pieces);
        let mut tape = Tape::new(&model, RareSpans::LeftOut);
        tape.add_trace(TapedTrace {
            id: TraceId::from_halves(0, 7),
            start: UnixNanos(START),
            duration: 1,
            obeys_rules: true,
        });
        let came = Came {
            delivery: Delivery::default(),
            process: Process::default(),
            facts: None,
        };
        tape.add_chunk(&chunk(7, metrics), came);
        tape.chunks.len()
    };
    assert_eq!(n_chunks(Pieces::LeftOut, &early), 0);
    assert_eq!(n_chunks(Pieces::LeftOut, &with_root), 1);
    assert_eq!(n_chunks(Pieces::LeftOut, &KEPT), 1);
    assert_eq!(n_chunks(Pieces::Counted, &early), 1);
}
