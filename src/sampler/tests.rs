//! Laws of the simulated Agent, for any traffic; and what it reads of recorded payloads.

mod recorded;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::ingest::Received;
use crate::store::Store;
use crate::trace::{ChunkBuilder, Now, PayloadForm, TraceId, TracerPayload, UnixNanos, Via};
use crate::wire::v04;

const SECOND: i64 = 1_000_000_000;
/// A prime of which multiples are spread over all ids.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A chunk of a service in an environment, as the samplers see it.
fn digest(services: &mut Services, service: ServiceId, at: i64, number: u64) -> Digest {
    let signature = services.signature(service);
    Digest {
        at: UnixNanos(at),
        trace_id: TraceId::from_halves(0, SPREAD.wrapping_mul(number + 1)),
        form: PayloadForm::Older,
        priority: Some(SamplingPriority::AUTO_KEEP),
        service,
        asks: service,
        weight: 1.0,
        client_rate: 1.0,
        stamps_rate: true,
        is_drawn: true,
        signed: Some(Signed {
            signature,
            is_error: false,
        }),
        single_spans: SingleSpans::None,
        rare: Box::default(),
    }
}

/// Counts chunks of services within one bucket, and one in the next; what is answered then.
fn answered(order: &[usize]) -> BTreeMap<String, f64> {
    let mut services = Services::default();
    let mut agent = Agent::new(&Settings::default());
    for (number, service) in (0_u64..).zip(order) {
        let id = services.id(&format!("s{service}"), "dev");
        let digest = digest(&mut services, id, 0, number);
        agent.decide(&digest, None, 0.0, &mut services);
    }
    let id = services.id("s0", "dev");
    let next = digest(&mut services, id, 5 * SECOND, 0);
    agent.decide(&next, None, 0.0, &mut services);
    let entries = agent.table().entries();
    entries.map(|(key, rate)| (key.to_owned(), rate)).collect()
}

/// What the sampler for chunks without a priority keeps in the last of twelve buckets, of services that
/// send so many in each; and the rates that tracers are answered for the same traffic with one.
fn steady(target_tps: f64, per_bucket: &[u64]) -> (Vec<u64>, Vec<f64>) {
    let settings = Settings {
        target_tps,
        ..Settings::default()
    };
    let (mut services, mut agent) = (Services::default(), Agent::new(&settings));
    let mut kept = Vec::new();
    let mut number = 0;
    for bucket in 0..12 {
        for (service, n_chunks) in per_bucket.iter().enumerate() {
            let id = services.id(&format!("s{service}"), "dev");
            for _ in 0..*n_chunks {
                number += 1;
                let mut digest = digest(&mut services, id, bucket * 5 * SECOND, number);
                agent.decide(&digest, None, 0.0, &mut services);
                digest.priority = None;
                let decisions = agent.decide(&digest, None, 0.0, &mut services);
                if bucket == 11 && decisions.received.is_kept {
                    kept.push(number);
                }
            }
        }
    }
    let rates = (0..per_bucket.len()).map(|service| {
        let id = services.id(&format!("s{service}"), "dev");
        agent.rate(services.signature(id))
    });
    (kept, rates.collect())
}

fn sampler() -> impl Strategy<Value = Sampler> {
    (0..Sampler::NAMES.len()).prop_map(|place| Sampler::NAMES[place].0)
}

/// A verdict, of which the tracer's part is there for `Some`.
fn verdict(tracer: Option<bool>) -> impl Strategy<Value = Verdict> {
    (option::of(sampler()), option::of(sampler())).prop_map(move |(agent_by, kept_by)| {
        let tracer = tracer.map(|is_kept| Redraw { is_kept, rate: 0.5 });
        let agent = AgentDecision {
            by: agent_by,
            rate: Some(0.25),
        };
        Verdict::new(tracer, agent, kept_by)
    })
}

/// One delivery of chunks: of each its trace, its priority, and whether it has an error.
fn delivery(chunks: &[(u64, Option<i8>, bool)], span: u64) -> TracerPayload {
    let chunks = (span..)
        .zip(chunks)
        .map(|(span, (trace, priority, is_error))| {
            let mut metrics = serde_json::Map::new();
            if let Some(priority) = priority {
                metrics.insert("_sampling_priority_v1".to_owned(), (*priority).into());
            }
            serde_json::json!([{"trace_id": trace, "span_id": span + 1, "service": "s", "name": "n",
            "start": span, "duration": 1, "error": i32::from(*is_error), "metrics": metrics}])
        });
    let body = rmp_serde::to_vec_named(&chunks.collect::<Vec<_>>()).unwrap();
    v04::decode(&body, &mut ChunkBuilder::default()).unwrap()
}

fn receive(store: &mut Store, at: i64, payload: TracerPayload) {
    let received = Received::new(UnixNanos(at), Via::Http, payload);
    store.insert(received, Now::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_whole_chunks_within_a_bucket_does_not_change_the_rates(
        (order, other) in vec(0..5_usize, 1..400)
            .prop_flat_map(|order| (Just(order.clone()), Just(order).prop_shuffle())),
    ) {
        prop_assert_eq!(answered(&order), answered(&other));
    }

    #[test]
    fn a_higher_target_never_keeps_less_once_all_is_steady(
        (low, more) in (1.0..20.0_f64, 0.0..20.0_f64),
        per_bucket in vec(1..150_u64, 1..4),
    ) {
        let (kept, rates) = steady(low, &per_bucket);
        let (kept_more, rates_more) = steady(low + more, &per_bucket);
        prop_assert!(kept.iter().all(|number| kept_more.contains(number)));
        for (rate, more) in rates.iter().zip(&rates_more) {
            prop_assert!(more >= rate, "{} after {}", more, rate);
        }
    }

    #[test]
    fn pieces_without_a_root_join_in_any_order(a in verdict(None), b in verdict(None)) {
        let (ab, ba) = (a.joined(b), b.joined(a));
        prop_assert_eq!(ab.is_kept(), ba.is_kept());
        prop_assert_eq!(ab.is_kept(), a.is_kept() || b.is_kept());
        prop_assert_eq!(ab.agent().by.is_some(), ba.agent().by.is_some());
        prop_assert_eq!(ab.tracer(), None);
    }

    #[test]
    fn the_piece_with_the_root_speaks_whenever_it_comes(
        root in any::<bool>().prop_flat_map(|is_kept| verdict(Some(is_kept))),
        other in verdict(None),
    ) {
        prop_assert_eq!(root.joined(other), other.joined(root));
        prop_assert_eq!(root.joined(other).tracer(), root.tracer());
    }

    #[test]
    fn every_trace_that_came_has_one_fate_evicted_or_not(
        deliveries in vec(vec((1..60_u64, option::of(-1..4_i8), any::<bool>()), 1..60), 1..12),
        is_scarce in any::<bool>(),
    ) {
        let mut store = Store::new(if is_scarce { 8 << 10 } else { 1 << 30 });
        let mut span = 0;
        for (place, chunks) in (0..).zip(&deliveries) {
            receive(&mut store, place * SECOND, delivery(chunks, span));
            span += 1_000;
        }
        let counters = store.counters();
        let counted: u64 = counters.traces_by_verdict.values().sum();
        let held = u64::try_from(store.n_traces()).unwrap();
        prop_assert_eq!(counted, held + counters.traces_evicted);
        if !is_scarce {
            let mut by_fate: BTreeMap<&str, u64> = BTreeMap::new();
            for trace in store.traces() {
                *by_fate.entry(trace.fate().name()).or_default() += 1;
            }
            let told = counters.traces_by_verdict.iter().filter(|(_, n)| **n > 0);
            let told: BTreeMap<&str, u64> = told.map(|(name, n)| (&**name, *n)).collect();
            prop_assert_eq!(told, by_fate);
        }
    }
}

#[track_caller]
fn check_table(default_env: &str, envs: &[&str], expected: &[&str]) {
    let settings = Settings {
        default_env: default_env.into(),
        ..Settings::default()
    };
    let mut model = Model::new(AgentModel::Agent, settings);
    for at in [0, 5 * SECOND] {
        for env in envs {
            let payload = delivery(&[(1, Some(1), false)], 0);
            let sent = Delivery {
                at: UnixNanos(at),
                language: "python",
                env,
                ..Delivery::default()
            };
            let mut turn = model.begin(sent, Process::default(), 1, 0);
            model.decide(&mut turn, &payload.chunks[0], None, None);
        }
    }
    let (_, table) = model.tables().next().unwrap();
    let keys: Vec<&str> = table.entries().map(|(key, _)| key).collect();
    assert_eq!(keys, expected);
    let rates: Vec<f64> = table.entries().map(|(_, rate)| rate).collect();
    assert_eq!(rates, vec![1.0; expected.len()]);
}

#[test]
fn a_service_without_an_environment_is_answered_under_the_agents_own_and_under_none() {
    let own = ["service:,env:", "service:s,env:", "service:s,env:none"];
    check_table("none", &[""], &own);
    check_table("none", &["none"], &own);
    check_table("none", &["", "none"], &own);
    check_table("none", &["dev"], &["service:,env:", "service:s,env:dev"]);
    let both = ["service:,env:", "service:s,env:", "service:s,env:dev"];
    check_table("dev", &["", "dev"], &both);
    check_table("", &[""], &["service:,env:", "service:s,env:"]);
}

#[test]
fn an_error_sampler_that_is_off_decides_and_drops() {
    let settings = Settings {
        error_tps: 0.0,
        ..Settings::default()
    };
    let (mut services, mut agent) = (Services::default(), Agent::new(&settings));
    let service = services.id("s", "dev");
    let mut digest = digest(&mut services, service, 0, 0);
    digest.priority = Some(SamplingPriority::AUTO_REJECT);
    digest.signed = digest.signed.map(|signed| Signed {
        is_error: true,
        ..signed
    });
    let decision = agent.decide(&digest, None, 0.0, &mut services).received;
    assert_eq!((decision.is_kept, decision.by), (false, Sampler::Error));
    assert_eq!(decision.error_rate, Some(0.0));
}

#[test]
fn on_an_error_in_v10_the_error_sampler_overrules_the_probabilistic_one() {
    let settings = Settings {
        error_tps: 0.0,
        probabilistic: Some(Probabilistic::of_percentage(100.0)),
        ..Settings::default()
    };
    let mut services = Services::default();
    let service = services.id("gen-api", "dev");
    for (form, expected) in [(PayloadForm::Older, true), (PayloadForm::V10, false)] {
        let mut error = digest(&mut services, service, 0, 1);
        error.form = form;
        error.signed = error.signed.map(|signed| Signed {
            is_error: true,
            ..signed
        });
        let decisions = Agent::new(&settings).decide(&error, None, 0.0, &mut services);
        assert_eq!(decisions.received.is_kept, expected, "{form:?}");
    }
}

#[test]
fn a_priority_that_v10_leaves_out_is_0() {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    builder.set_number(crate::trace::Field::TraceId, 1);
    builder.set_number(crate::trace::Field::SpanId, 1);
    let chunk = builder.finish().pop().unwrap();
    for (form, expected) in [
        (PayloadForm::Older, None),
        (PayloadForm::V10, Some(SamplingPriority::AUTO_REJECT)),
    ] {
        let mut services = Services::default();
        let mut reader = Reader {
            delivery: Delivery {
                form,
                ..Delivery::default()
            },
            default_env: "none",
            services: &mut services,
            rare: RareSpans::LeftOut,
        };
        assert_eq!(reader.read(&chunk, None).unwrap().priority, expected);
    }
}
