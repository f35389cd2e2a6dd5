//! Payloads, decoded as an intake decodes them and compared with what went in.

mod laws;
mod marks;

use std::collections::BTreeMap;

use serde_json::json;

use super::super::tests::{NOW, agent, all, chunks, recorded, span, tracer, traces};
use super::super::{AddedTags, Outgoing, Places, TopLevel};
use super::*;
use crate::trace::{ChunkFacts, Span, TraceChunk};

fn settings(coding: Coding) -> PayloadSettings {
    PayloadSettings {
        agent: agent(),
        coding,
        bytes_max: PAYLOAD_BYTES_MAX,
    }
}

/// What is sent of chunks, all of which fits into one payload.
#[track_caller]
fn sent(outgoing: &[Outgoing<'_>], added: &AddedTags) -> (IntakeRequest, pb::AgentPayload) {
    let mut batch = Batch::new(settings(Coding::Gzip));
    for outgoing in outgoing {
        let prepared = Prepared::new(*outgoing, added).unwrap();
        assert_eq!(batch.push(&prepared), []);
    }
    let request = batch.flush().unwrap();
    assert_eq!(batch.flush(), None);
    let payload = traces(&request);
    (request, payload)
}

fn spans(payload: &pb::AgentPayload) -> Vec<&pb::Span> {
    let chunks = payload.tracer_payloads.iter().flat_map(|of| &of.chunks);
    chunks.flat_map(|chunk| &chunk.spans).collect()
}

/// A span says what the client said, but for what the Agent writes itself.
#[track_caller]
fn check_same(sent: &pb::Span, (span, enters): (Span<'_>, bool), name: &str) {
    let text = |text: Text<'_>| text.to_str().unwrap().to_owned();
    assert_eq!(sent.service, text(span.service()), "{name}");
    // The one correction that recorded spans need.
    let kept_name = text(span.name()).replace('-', "_");
    assert_eq!(sent.name, kept_name, "{name}");
    assert_eq!(sent.resource, text(span.resource()), "{name}");
    assert_eq!(sent.r#type, text(span.span_type()), "{name}");
    assert_eq!(sent.trace_id, span.trace_id().low(), "{name}");
    assert_eq!(sent.span_id, span.span_id().0, "{name}");
    assert_eq!(sent.parent_id, span.parent_id().0, "{name}");
    assert_eq!(
        (sent.start, sent.duration, sent.error),
        (span.start().0, span.duration(), span.error())
    );
    let meta: BTreeMap<String, String> = span
        .meta()
        .map(|(key, value)| (text(key), text(value.as_text().unwrap())))
        .collect();
    let mut sent_meta: BTreeMap<_, _> = sent.meta.clone().into_iter().collect();
    if !meta.contains_key("_dd.p.tid") {
        sent_meta.remove("_dd.p.tid");
    }
    assert_eq!(sent_meta, meta, "{name}");
    let mut metrics: BTreeMap<String, f64> = span
        .metrics()
        .map(|(key, value)| (text(key), value.as_f64().unwrap()))
        .collect();
    if metrics.get("_dd.top_level") == Some(&1.0) || enters {
        metrics.insert("_top_level".to_owned(), 1.0);
    }
    let sent_metrics: BTreeMap<_, _> = sent.metrics.clone().into_iter().collect();
    assert_eq!(sent_metrics, metrics, "{name}");
    let n_structs = span.attribute(crate::trace::Attribute::MetaStruct);
    let n_structs = n_structs.map_or(0, |structs| structs.entries().count());
    assert_eq!(sent.meta_struct.len(), n_structs, "{name}");
    assert_eq!(sent.span_links.len(), span.links().count(), "{name}");
    assert_eq!(sent.span_events.len(), span.events().count(), "{name}");
    for (link, said) in sent.span_links.iter().zip(span.links()) {
        assert_eq!(link.trace_id, said.trace_id.low(), "{name}");
        assert_eq!(link.trace_id_high, said.trace_id.high(), "{name}");
        assert_eq!(link.span_id, said.span_id.0, "{name}");
        assert_eq!(link.attributes.len(), said.attributes.count(), "{name}");
    }
    for (event, said) in sent.span_events.iter().zip(span.events()) {
        assert_eq!(event.name, text(said.name), "{name}");
        assert_eq!(event.time_unix_nano.cast_signed(), said.time.0, "{name}");
        assert_eq!(event.attributes.len(), said.attributes.count(), "{name}");
    }
}

/// Whether its parent did not come with it, or belongs to another service.
fn is_entry(span: Span<'_>, chunks: &[TraceChunk]) -> bool {
    let mut chunks = chunks.iter();
    let has_both =
        |chunk: &&TraceChunk| chunk.trace_id() == span.trace_id() && chunk.contains(span.span_id());
    let chunk = chunks.find(has_both).unwrap();
    let mut spans = chunk.spans();
    let parent = spans.find(|other| other.span_id() == span.parent_id());
    parent.is_none_or(|parent| parent.service() != span.service())
}

#[test]
fn every_recorded_span_arrives_as_its_client_sent_it() {
    let added = AddedTags::default();
    let mut n_compared = 0;
    for recorded in recorded() {
        let outgoing = recorded.outgoing();
        if outgoing.is_empty() {
            continue;
        }
        let (name, tracer, chunks) = (&recorded.name, &recorded.tracer, &recorded.chunks);
        let (request, payload) = sent(&outgoing, &added);
        let sent = spans(&payload);
        let spans: Vec<_> = chunks.iter().flat_map(TraceChunk::spans).collect();
        assert_eq!(sent.len(), spans.len(), "{name}");
        assert_eq!(request.spans().len(), spans.len(), "{name}");
        // Clients of other environments stand in other groups: found by their ids.
        for span in spans {
            let is_it = |sent: &&&pb::Span| {
                sent.span_id == span.span_id().0 && sent.trace_id == span.trace_id().low()
            };
            let by_us = recorded.top_level == TopLevel::ByUs;
            let enters = by_us && is_entry(span, chunks);
            check_same(sent.iter().find(is_it).unwrap(), (span, enters), name);
            n_compared += 1;
        }
        for client in &payload.tracer_payloads {
            assert_eq!(client.language_name, &*tracer.language, "{name}");
            assert_eq!(client.tracer_version, &*tracer.tracer_version, "{name}");
        }
    }
    assert!(n_compared > 1_000, "only {n_compared} spans");
}

#[test]
fn a_payload_says_who_sends_and_has_the_headers_of_the_intake() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let python = tracer("python");
    let (request, payload) = sent(&[all(&chunks[0], &python)], &AddedTags::default());
    let expected = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "gzip"),
        ("X-Datadog-Reported-Languages", "python"),
        ("User-Agent", USER_AGENT),
    ];
    let expected = expected.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(request.headers, expected);
    assert_eq!((&*payload.host_name, &*payload.env), ("", "none"));
    assert_eq!(payload.agent_version, "7.79.0");
    assert_eq!((payload.target_tps, payload.error_tps), (10.0, 10.0));
    assert!(!payload.rare_sampler_enabled);
    assert!(request.heap_bytes() > request.body.len());
}

#[test]
fn zstd_comes_back_too() {
    let chunks = chunks(&json!([[span(1, 1)]]));
    let (python, added) = (tracer("python"), AddedTags::default());
    let mut batch = Batch::new(settings(Coding::Zstd));
    batch.push(&Prepared::new(all(&chunks[0], &python), &added).unwrap());
    let request = batch.flush().unwrap();
    assert_eq!(spans(&traces(&request)).len(), 1);
}

#[test]
fn chunks_are_grouped_by_their_client() {
    let traces = json!([[span(1, 1)], [span(2, 2)], [span(3, 3)], [span(4, 4)]]);
    let chunks = chunks(&traces);
    let (python, node) = (tracer("python"), tracer("nodejs"));
    let other = TracerInfo {
        runtime_id: "f00".into(),
        tags: [("team".into(), "core".into())].into(),
        ..tracer("python")
    };
    let outgoing = [
        all(&chunks[0], &python),
        all(&chunks[1], &node),
        all(&chunks[2], &python),
        all(&chunks[3], &other),
    ];
    let (request, payload) = sent(&outgoing, &AddedTags::default());
    let groups: Vec<_> = payload
        .tracer_payloads
        .iter()
        .map(|client| {
            let ids = client.chunks.iter().map(|chunk| chunk.spans[0].span_id);
            (
                &*client.language_name,
                &*client.runtime_id,
                ids.collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("python", "", vec![1, 3]),
            ("nodejs", "", vec![2]),
            ("python", "f00", vec![4])
        ]
    );
    assert_eq!(payload.tracer_payloads[2].tags["team"], "core");
    assert_eq!(request.n_traces(), 4);
    let languages = &request.headers[2];
    assert_eq!(languages.1, "nodejs|python");
}

#[test]
fn a_client_is_completed_from_its_spans_and_added_tags_win() {
    let mut root = span(1, 1);
    root["meta"] = json!({"env": "Prod Eu", "version": "2.0", "_dd.hostname": "box",
        "team": "old", "_dd.tags.process": "entrypoint:x"});
    let chunks = chunks(&json!([[root]]));
    let python = tracer("python");
    let (_, payload) = sent(&[all(&chunks[0], &python)], &AddedTags::default());
    let client = &payload.tracer_payloads[0];
    assert_eq!(client.env, "prod_eu");
    assert_eq!((&*client.app_version, &*client.hostname), ("2.0", "box"));
    assert_eq!(client.tags["_dd.tags.process"], "entrypoint:x");

    let added = AddedTags::parse(["team:search", "env:Laptop"]).unwrap();
    let (_, payload) = sent(&[all(&chunks[0], &python)], &added);
    let span = spans(&payload)[0];
    assert_eq!(
        (&*span.meta["team"], &*span.meta["env"]),
        ("search", "Laptop")
    );
    assert_eq!(payload.tracer_payloads[0].env, "laptop");
}

#[test]
fn languages_of_strangers_cannot_end_a_header() {
    let languages = [
        "go\r\nX: y",
        "go|java",
        "",
        "go\u{202e}",
        "python",
        "python",
    ];
    assert_eq!(joined(languages.into_iter()), "go|goX:y|gojava|python");
}

#[test]
fn the_chunk_says_what_was_said_of_it() {
    let mut root = span(1, 1);
    root["meta"] = json!({"_dd.p.dm": "-3"});
    let chunks = chunks(&json!([[root]]));
    let facts = ChunkFacts {
        priority: Some(2),
        origin: "rum".into(),
        dropped_trace: true,
        tags: [("_dd.p.ksr".into(), "0.5".into())].into(),
    };
    let python = tracer("python");
    let outgoing = Outgoing {
        facts: Some(&facts),
        ..all(&chunks[0], &python)
    };
    let (_, payload) = sent(&[outgoing], &AddedTags::default());
    let chunk = &payload.tracer_payloads[0].chunks[0];
    assert_eq!((chunk.priority, &*chunk.origin), (2, "rum"));
    assert_eq!(
        (&*chunk.tags["_dd.p.ksr"], &*chunk.tags["_dd.p.dm"]),
        ("0.5", "-3")
    );
    assert_eq!(chunk.spans[0].meta["_dd.p.dm"], "-3");
    // It goes, so it is not dropped.
    assert!(!chunk.dropped_trace);
}

#[test]
fn a_span_whose_parent_went_before_enters_no_service() {
    let mut child = span(1, 2);
    child["parent_id"] = json!(1);
    let mut grandchild = span(1, 3);
    grandchild["parent_id"] = json!(2);
    grandchild["service"] = json!("db");
    let mut root = span(1, 1);
    root["meta"] = json!({"_dd.p.tid": "6b00a83d00000000"});
    let chunks = chunks(&json!([[root, child, grandchild]]));
    let python = tracer("python");
    let outgoing = Outgoing {
        places: Places::Only(&[(1, 1), (2, 2)].map(super::super::tests::placed)),
        ..all(&chunks[0], &python)
    };
    let (request, payload) = sent(&[outgoing], &AddedTags::default());
    let sent = spans(&payload);
    let top_level: Vec<_> = sent
        .iter()
        .map(|span| (span.span_id, span.metrics.contains_key("_top_level")))
        .collect();
    assert_eq!(top_level, [(2, false), (3, true)]);
    // The high half of the id stands on the root, which is not here.
    assert_eq!(sent[0].meta["_dd.p.tid"], "6b00a83d00000000");
    assert!(!sent[1].meta.contains_key("_dd.p.tid"));
    assert_eq!((request.n_traces(), request.spans().len()), (1, 2));
}

#[test]
fn tags_that_are_no_strings_become_their_json_and_events_keep_their_types() {
    let mut root = span(1, 1);
    root["span_events"] = json!([{"time_unix_nano": 7, "name": "e", "attributes": {
        "text": {"type": 0, "string_value": "s"}, "truth": {"type": 1, "bool_value": true},
        "int": {"type": 2, "int_value": -3}, "float": {"type": 3, "double_value": 2},
        "list": {"type": 4, "array_value": {"values": [
            {"type": 2, "int_value": 1}, {"type": 0, "string_value": "x"}]}}}}]);
    root["span_links"] = json!([{"trace_id": 5, "trace_id_high": 6, "span_id": 7, "flags": 1,
        "tracestate": "dd=s:1", "attributes": {"link.name": "a b", "n": "1"}}]);
    let chunks = chunks(&json!([[root]]));
    let python = tracer("python");
    let (_, payload) = sent(&[all(&chunks[0], &python)], &AddedTags::default());
    let span = spans(&payload)[0];
    let any = &span.span_events[0].attributes;
    assert_eq!((any["text"].r#type, &*any["text"].string_value), (0, "s"));
    assert_eq!((any["truth"].r#type, any["truth"].bool_value), (1, true));
    assert_eq!((any["int"].r#type, any["int"].int_value), (2, -3));
    assert_eq!((any["float"].r#type, any["float"].double_value), (3, 2.0));
    let list = any["list"].array_value.as_ref().unwrap();
    assert_eq!((any["list"].r#type, list.values[0].int_value), (4, 1));
    assert_eq!(list.values[1].string_value, "x");
    let link = &span.span_links[0];
    assert_eq!((link.trace_id, link.trace_id_high, link.span_id), (5, 6, 7));
    assert_eq!((link.flags, &*link.tracestate), (1, "dd=s:1"));
    assert_eq!(link.attributes["link.name"], "a_b");
    assert_eq!(NOW.0, span.start);
}
