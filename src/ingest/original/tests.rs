//! Requests as they came, and the same as v0.4.

use super::*;
use crate::ingest::{LineReader, Lines};
use crate::logs::LogSource;

fn spans(body: &[u8]) -> TracerPayload {
    crate::wire::v04::decode(body, &mut ChunkBuilder::default()).unwrap()
}

#[track_caller]
fn check_passage(path: &str, expected: Passage) {
    assert_eq!(Passage::of_path(path), expected, "{path}");
}

#[test]
fn an_agent_gets_what_it_takes_and_the_rest_as_v04() {
    for path in [
        "/v0.4/traces",
        "/v1.0/traces",
        "/v0.6/stats",
        "/profiling/v1/input",
    ] {
        check_passage(path, Passage::AsItCame);
    }
    check_passage("/telemetry/proxy/api/v2/apmtelemetry", Passage::AsItCame);
    check_passage("/evp_proxy/v2/api/v2/llmobs", Passage::AsItCame);
    check_passage("/v1/traces", Passage::AsV04);
    check_passage("/v1/input", Passage::AsV04);
    for path in [
        "/info",
        "/v0.7/config",
        "/api/v2/logs",
        "/v1/metrics",
        "/elsewhere",
    ] {
        check_passage(path, Passage::Kept);
    }
}

fn original(path: &str, body: &[u8]) -> Original {
    Original {
        method: "POST".into(),
        path: path.into(),
        headers: vec![
            ("datadog-meta-lang".into(), (*b"python").into()),
            ("content-type".into(), (*b"application/x-other").into()),
            ("datadog-container-id".into(), (*b"c1").into()),
        ],
        body: body.to_vec().into(),
        n_spans: 1,
    }
}

#[test]
fn a_format_the_agent_does_not_know_becomes_v04_with_what_the_client_said() {
    let v05 = b"\x92\x92\xa0\xa1s\x91\x91\x9c\x01\x01\x01\x07\x02\x00\x05\x06\x00\x80\x80\x00";
    let v10 = b"\x81\x0b\x91\x83\x01\x02\x06\xc4\x10\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x07\x04\x91\x82\x01\xa1s\x04\x02";
    for (path, body) in [("/v0.5/traces", &v05[..]), ("/v1.0/traces?x=y", v10)] {
        let other = original(path, body).as_v04().unwrap();
        assert_eq!((&*other.path, other.n_spans), ("/v0.4/traces", 1));
        let payload = spans(&other.body);
        let span = payload.chunks[0].span(0).unwrap();
        assert_eq!((span.trace_id().low(), span.span_id().0), (7, 2), "{path}");
        assert_eq!(span.service().to_lossy(), "s");
        let said = |name: &str| {
            let found = other
                .headers
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found
                .map(|(_, value)| String::from_utf8_lossy(value))
                .collect::<Vec<_>>()
        };
        assert_eq!(said("Content-Type"), ["application/msgpack"]);
        assert_eq!(said("Datadog-Meta-Lang"), ["python"]);
        assert_eq!(said("Datadog-Container-ID"), ["c1"]);
        assert_eq!(said("X-Datadog-Trace-Count"), ["1"]);
        if path.starts_with("/v1.0") {
            let high = span.meta_text("_dd.p.tid").unwrap();
            assert_eq!(high.to_lossy(), "0000000000000009");
            assert_eq!(span.metric("_sampling_priority_v1"), Some(2.0));
        }
    }
    assert_eq!(original("/v0.4/traces", b"\x90").as_v04(), None);
    assert_eq!(original("/v0.6/stats", b"\x80").as_v04(), None);
    assert_eq!(original("/v0.5/traces", b"\xc1").as_v04(), None);
}

fn read(text: &str, keep: Keep) -> Vec<Original> {
    let mut reader = LineReader::keeping(LogSource::Stdout, keep);
    let mut lines = Lines::default();
    reader.read(text.as_bytes(), UnixNanos(1), &mut lines);
    lines.originals.take().collect()
}

#[test]
fn lines_with_spans_become_one_request_and_only_if_it_is_wanted() {
    let line = |id: u32| {
        format!(
            r#"{{"traces":[[{{"trace_id":"000000000000000900000000000000{id:02x}","span_id":"0000000000000002","parent_id":"0000000000000000","name":"n","service":"s","resource":"r","start":5,"duration":6,"error":0,"meta":{{"language":"python"}},"metrics":{{}}}}]]}}
"#
        )
    };
    let text = format!("{}a line between\n{}", line(7), line(8));
    assert!(read(&text, Keep::Nothing).is_empty());
    let originals = read(&text, Keep::Originals);
    let [original] = originals.as_slice() else {
        panic!("{originals:?}");
    };
    assert_eq!((&*original.path, original.n_spans), ("/v0.4/traces", 2));
    let payload = spans(&original.body);
    let ids: Vec<_> = payload
        .chunks
        .iter()
        .map(|chunk| chunk.trace_id().low())
        .collect();
    assert_eq!(ids, [7, 8]);
}
