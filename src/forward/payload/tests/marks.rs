//! What the simulated Agent writes on what it keeps, and what is written when nobody asks it.

use super::*;
use crate::sampler::{AgentDecision, Redraw, Sampler, Verdict};
use crate::trace::PayloadForm;

fn kept(by: Sampler, rate: Option<f64>) -> Verdict {
    let agent = AgentDecision { by: Some(by), rate };
    Verdict::new(None, agent, Some(by))
}

/// The chunk of a root with these metrics and a child, under a verdict.
#[track_caller]
fn chunk_of(metrics: &serde_json::Value, verdict: Option<Verdict>) -> pb::TraceChunk {
    let mut root = span(1, 1);
    root["metrics"] = metrics.clone();
    let mut child = span(1, 2);
    child["parent_id"] = json!(1);
    child["metrics"] = json!({"_dd.span_sampling.mechanism": 8});
    let chunks = chunks(&json!([[root, child]]));
    let python = tracer("python");
    let outgoing = Outgoing {
        verdict,
        ..all(&chunks[0], &python)
    };
    let (_, payload) = sent(&[outgoing], &AddedTags::default());
    payload.tracer_payloads[0].chunks[0].clone()
}

/// The priority of the chunk, and a metric of its root.
#[track_caller]
fn check(
    metrics: &serde_json::Value,
    verdict: Option<Verdict>,
    (priority, key, rate): (i32, &str, Option<f64>),
) {
    let chunk = chunk_of(metrics, verdict);
    assert_eq!(chunk.priority, priority);
    assert_eq!(chunk.spans[0].metrics.get(key).copied(), rate, "{key}");
    assert_eq!(chunk.spans.len(), 2);
}

const RATE: &str = "_sampling_priority_rate_v1";

#[test]
fn what_nobody_judges_is_kept_by_hand_unless_the_client_keeps_it() {
    let said = |priority: i32| json!({"_sampling_priority_v1": priority});
    check(&said(1), None, (1, RATE, None));
    check(&said(2), None, (2, RATE, None));
    check(&said(0), None, (2, "_sampling_priority_v1", Some(0.0)));
    check(&said(-1), None, (2, "_sampling_priority_v1", Some(-1.0)));
    check(&json!({}), None, (2, RATE, None));
}

#[test]
fn each_sampler_writes_its_rate_where_the_agent_has_it() {
    let auto = || json!({"_sampling_priority_v1": 1});
    check(
        &auto(),
        Some(kept(Sampler::Priority, Some(0.5))),
        (1, RATE, Some(0.5)),
    );
    let user = json!({"_sampling_priority_v1": 2});
    check(
        &user,
        Some(kept(Sampler::Priority, Some(0.5))),
        (2, RATE, None),
    );
    for own in ["_dd.agent_psr", "_dd.rule_psr"] {
        let metrics = json!({"_sampling_priority_v1": 1, own: 0.25});
        check(
            &metrics,
            Some(kept(Sampler::Priority, Some(0.5))),
            (1, RATE, None),
        );
    }
    let rejected = json!({"_sampling_priority_v1": 0});
    let error = kept(Sampler::Error, Some(0.2));
    check(&rejected, Some(error), (0, "_dd.errors_sr", Some(0.2)));
    let unsaid = kept(Sampler::NoPriority, Some(0.3));
    check(&json!({}), Some(unsaid), (1, "_dd.no_p_sr", Some(0.3)));
    check(
        &auto(),
        Some(kept(Sampler::Rare, None)),
        (1, "_dd.rare", Some(1.0)),
    );
    let hashed = kept(Sampler::Probabilistic, Some(0.1));
    check(&json!({}), Some(hashed), (1, "_dd.prob_sr", Some(0.1)));
    assert_eq!(chunk_of(&json!({}), Some(hashed)).tags["_dd.p.dm"], "-9");
}

#[test]
fn a_trace_drawn_anew_has_the_rate_it_was_drawn_with() {
    let agent = AgentDecision {
        by: Some(Sampler::Priority),
        rate: Some(0.5),
    };
    let redraw = Redraw {
        is_kept: true,
        rate: 0.04,
    };
    let verdict = Verdict::new(Some(redraw), agent, Some(Sampler::Priority));
    let metrics = json!({"_sampling_priority_v1": 1, "_dd.agent_psr": 1.0});
    check(&metrics, Some(verdict), (1, "_dd.agent_psr", Some(0.04)));

    // An error that its client would have rejected, and that the error sampler keeps at an unknown rate.
    let rejected = Redraw {
        is_kept: false,
        rate: 0.04,
    };
    let verdict = Verdict::new(Some(rejected), agent, Some(Sampler::Error));
    let metrics = json!({"_sampling_priority_v1": 1});
    check(&metrics, Some(verdict), (0, "_dd.errors_sr", None));
}

#[test]
fn the_rate_of_the_client_stands_on_the_root() {
    let thinned = json!({"_sampling_priority_v1": 1, "_sample_rate": 0.25});
    check(&thinned, None, (1, "_dd1.sr.rcusr", Some(0.25)));
    let whole = json!({"_sampling_priority_v1": 1, "_dd1.sr.rcusr": 0.5});
    check(&whole, None, (1, "_dd1.sr.rcusr", None));
}

#[test]
fn of_a_dropped_trace_only_the_spans_go_that_a_rule_keeps() {
    let metrics = json!({"_sampling_priority_v1": 0});
    let chunk = chunk_of(&metrics, Some(kept(Sampler::SingleSpan, None)));
    let ids: Vec<_> = chunk.spans.iter().map(|span| span.span_id).collect();
    assert_eq!((chunk.priority, ids), (2, vec![2]));

    let chunks = chunks(&json!([[span(1, 1), span(1, 2)]]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let outgoing = Outgoing {
        verdict: Some(kept(Sampler::SingleSpan, None)),
        ..all(&chunks[0], &python)
    };
    let mut batch = Batch::new(settings(Coding::Gzip));
    batch.push(&Prepared::new(outgoing, &added).unwrap());
    assert_eq!((batch.n_spans(), batch.left_out().n_sampled_spans), (0, 2));
}

#[test]
fn what_the_simulated_agent_drops_is_counted_and_does_not_go() {
    let chunks = chunks(&json!([[span(1, 1), span(1, 2)]]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let outgoing = Outgoing {
        verdict: Some(Verdict::new(None, AgentDecision::default(), None)),
        ..all(&chunks[0], &python)
    };
    let mut batch = Batch::new(settings(Coding::Gzip));
    assert_eq!(batch.push(&Prepared::new(outgoing, &added).unwrap()), []);
    assert_eq!(batch.flush(), None);
    assert_eq!(batch.left_out().n_sampled_spans, 2);
}

#[test]
fn in_v1_0_a_priority_that_is_left_out_is_no_word_of_a_span() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let python = tracer("python");
    let outgoing = Outgoing {
        form: PayloadForm::V10,
        ..all(&chunks[0], &python)
    };
    let (_, payload) = sent(&[outgoing], &AddedTags::default());
    assert_eq!(payload.tracer_payloads[0].chunks[0].priority, 2);
}
