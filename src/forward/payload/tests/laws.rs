//! Whatever comes, in whatever pieces it goes: nothing is lost, nothing goes twice, nothing is too large.

use proptest::prelude::*;

use super::*;

/// A trace as the lengths of its spans' tags.
fn any_traces() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let span = prop_oneof![9 => 0..400_usize, 1 => 2_000..6_000_usize];
    let trace = prop::collection::vec(span, 1..40);
    prop::collection::vec(trace, 1..12)
}

fn built(traces: &[Vec<usize>]) -> Vec<TraceChunk> {
    let mut id = 0_u64;
    let traces: Vec<_> = traces
        .iter()
        .zip(1..)
        .map(|(lengths, trace_id)| {
            let spans = lengths.iter().map(|length| {
                id += 1;
                let mut span = span(trace_id, id);
                span["meta"] = json!({"padding": "x".repeat(*length)});
                span
            });
            spans.collect::<Vec<_>>()
        })
        .collect();
    chunks(&json!(traces))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_span_goes_once_and_no_payload_is_too_large(
        lengths in any_traces(),
        bytes_max in 1_500..20_000_usize,
        n_clients in 1..4_usize,
    ) {
        let chunks = built(&lengths);
        let clients = ["python", "nodejs", "go"].map(tracer);
        let added = AddedTags::default();
        let mut batch = Batch::new(PayloadSettings { bytes_max, ..settings(Coding::Zstd) });
        let mut requests = Vec::new();
        for (place, chunk) in chunks.iter().enumerate() {
            let trace = u64::try_from(place).unwrap();
            let outgoing = Outgoing { trace, ..all(chunk, &clients[place % n_clients]) };
            requests.extend(batch.push(&Prepared::new(outgoing, &added).unwrap()));
        }
        requests.extend(batch.flush());
        let mut went: Vec<u64> = Vec::new();
        for request in &requests {
            prop_assert!(request.plain_bytes <= bytes_max, "{} bytes", request.plain_bytes);
            let payload = traces(request);
            let ids: Vec<_> = spans(&payload).iter().map(|span| span.span_id).collect();
            let id_of = |ticket: &Ticket| {
                let chunk = &chunks[usize::try_from(ticket.trace).unwrap()];
                chunk.span(usize::try_from(ticket.span).unwrap()).unwrap().span_id().0
            };
            let mut said: Vec<_> = request.spans().iter().map(id_of).collect();
            let mut here = ids.clone();
            said.sort_unstable();
            here.sort_unstable();
            prop_assert_eq!(said, here, "what a request lists is what is in it");
            went.extend(ids);
        }
        let n_oversized = usize::try_from(batch.left_out().n_oversized_spans).unwrap();
        let n_spans: usize = lengths.iter().map(Vec::len).sum();
        prop_assert_eq!(went.len() + n_oversized, n_spans);
        went.sort_unstable();
        went.dedup();
        prop_assert_eq!(went.len() + n_oversized, n_spans, "one went twice");
        // Only what does not fit is left out.
        let n_small = lengths.iter().flatten().filter(|length| **length + 600 < bytes_max).count();
        prop_assert!(went.len() >= n_small);
        prop_assert_eq!((batch.n_spans(), batch.plain_bytes()), (0, 0));
    }
}

#[test]
fn a_trace_larger_than_a_payload_goes_in_pieces_that_all_say_whose_they_are() {
    let mut root = span(1, 1);
    root["meta"] = json!({"_dd.p.tid": "6b00a83d00000000", "_dd.p.dm": "-4"});
    let mut spans_of_trace = vec![root];
    for id in 2..100 {
        let mut child = span(1, id);
        child["parent_id"] = json!(1);
        child["metrics"] = json!({});
        child["meta"] = json!({"padding": "x".repeat(200)});
        spans_of_trace.push(child);
    }
    let chunks = chunks(&json!([spans_of_trace]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut batch = Batch::new(PayloadSettings {
        bytes_max: 4_000,
        ..settings(Coding::Gzip)
    });
    let mut requests = batch.push(&Prepared::new(all(&chunks[0], &python), &added).unwrap());
    requests.extend(batch.flush());
    assert!(requests.len() > 5, "{} pieces", requests.len());
    for request in &requests {
        let payload = traces(request);
        let chunk = &payload.tracer_payloads[0].chunks[0];
        assert_eq!((chunk.priority, &*chunk.tags["_dd.p.dm"]), (1, "-4"));
        assert_eq!(chunk.spans[0].meta["_dd.p.tid"], "6b00a83d00000000");
        let top_level = chunk.spans.iter();
        let mut top_level = top_level.filter(|span| span.metrics.contains_key("_top_level"));
        assert!(top_level.all(|span| span.span_id == 1));
    }
}

#[test]
fn a_client_that_is_larger_than_a_payload_is_left_out_and_counted() {
    let chunks = chunks(&json!([[span(1, 1), span(1, 2)], [span(2, 3)]]));
    let huge = TracerInfo {
        tags: [("a".into(), "x".repeat(5_000).into())].into(),
        ..tracer("python")
    };
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut batch = Batch::new(PayloadSettings {
        bytes_max: 4_000,
        ..settings(Coding::Gzip)
    });
    assert_eq!(
        batch.push(&Prepared::new(all(&chunks[0], &huge), &added).unwrap()),
        []
    );
    assert_eq!(batch.left_out().n_oversized_spans, 2);
    batch.push(&Prepared::new(all(&chunks[1], &python), &added).unwrap());
    assert_eq!(batch.flush().unwrap().spans().len(), 1);
}
