//! What spans of v1.0 become, and what is refused.

mod build;

use serde_json::{Value as Json, json};

use super::*;
use crate::trace::{Attribute, ChunkFacts, TraceId, TracerInfo};
use build::{FALSE, NIL, TRUE, bin, float, id, list, map, tags, text, values};
use build::{payload, refused, said, with_chunk, with_span};

/// Spans of one chunk say this beside the fields that are always there.
#[track_caller]
fn check_spans(body: &[u8], expect: &[Json]) {
    let payload = payload(body);
    let spans = payload.chunks[0].spans();
    let said: Vec<_> = spans
        .map(|span| {
            let mut said = said(span);
            let fields = said.as_object_mut().unwrap();
            fields.retain(|name, value| {
                let is_always = ["service", "name", "resource", "duration"].contains(&&**name);
                !(is_always && (*value == "" || *value == 0))
            });
            said
        })
        .collect();
    assert_eq!(said, expect);
}

#[track_caller]
fn check(fields: &[(u8, Vec<u8>)], expect: Json) {
    check_spans(&with_span(fields), &[expect]);
}

/// The tags of a first and a second span of a chunk, both without tags, and what is said of the chunk.
#[track_caller]
fn check_chunk(fields: &[(u8, Vec<u8>)], first: &Json, facts: Option<&ChunkFacts>) {
    let spans = (4, list(&[map(&[(4, vec![1])]), map(&[(4, vec![2])])]));
    for fields in [
        [&[spans.clone()][..], fields].concat(),
        [fields, &[spans.clone()][..]].concat(),
    ] {
        let body = with_chunk(&fields);
        let mut first = first.clone();
        first["span_id"] = 1.into();
        check_spans(&body, &[first, json!({ "span_id": 2 })]);
        assert_eq!(payload(&body).chunks[0].facts(), facts);
    }
}

#[test]
fn the_example_of_the_document_is_read() {
    let body = [
        &b"\x81\x0b\x91\x84\x01\x01\x06\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x07\x03\x04\x91\x85"[..],
        b"\x01\xa1s\x02\xa1a\x04\x02\x06\xcf\x18\xe3\xb0\xc8\xa5\xf4\0\0\x09\x93\xa1k\x01\x01",
    ]
    .concat();
    let payload = payload(&body);
    assert_eq!((payload.n_chunks, payload.chunks.len()), (1, 1));
    assert_eq!(payload.chunks[0].trace_id(), TraceId(1));
    let expect = json!({
        "service": "s", "name": "a", "resource": "", "span_id": 2, "start": 0x18e3_b0c8_a5f4_0000_u64,
        "duration": 0, "meta": { "_dd.p.dm": "-3", "k": "s" }, "metrics": { "_sampling_priority_v1": 1.0 },
    });
    assert_eq!(said(payload.chunks[0].span(0).unwrap()), expect);
    for end in 0..body.len() {
        assert!(decode(&body[..end], &mut ChunkBuilder::default()).is_err());
    }
}

#[test]
fn plain_fields_are_those_of_v04() {
    check(&[(4, vec![9])], json!({ "span_id": 9 }));
    let all = [
        (1, text("s")),
        (2, text("n")),
        (3, text("r")),
        (
            4,
            vec![0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (5, vec![0]),
        (6, vec![1]),
        (7, vec![2]),
        (8, vec![TRUE]),
        (10, text("web")),
    ];
    let expect = json!({
        "service": "s", "name": "n", "resource": "r", "span_id": u64::MAX, "parent_id": 0, "start": 1,
        "duration": 2, "error": 1, "type": "web",
    });
    check(&all, expect);
    check(
        &[(4, vec![9]), (8, vec![FALSE]), (10, vec![0])],
        json!({ "span_id": 9, "error": 0, "type": "" }),
    );
    let nil = [1, 5, 8, 9, 11, 12, 13, 16, 99].map(|number| (number, vec![NIL]));
    check(
        &[&[(4, vec![9])][..], &nil].concat(),
        json!({ "span_id": 9 }),
    );
}

#[test]
fn what_has_a_field_of_its_own_is_a_tag() {
    let named = [
        (13, text("e")),
        (14, text("v")),
        (15, text("c")),
        (16, vec![2]),
    ];
    check(
        &named,
        json!({ "meta": { "env": "e", "version": "v", "component": "c", "span.kind": "server" } }),
    );
    let empty = [(13, vec![0]), (14, text("")), (15, vec![0]), (16, vec![0])];
    check(&empty, json!({}));
    for (kind, word) in [(3, "client"), (4, "producer"), (5, "consumer")] {
        check(
            &[(16, vec![kind])],
            json!({ "meta": { "span.kind": word } }),
        );
    }
    // libdatadog writes 1 for every span that says nothing; unknown kinds are internal.
    for kind in [1, 6, 99] {
        check(&[(16, vec![kind])], json!({}));
    }
    let go = map(&[
        (3, text("go")),
        (11, list(&[map(&[(4, list(&[map(&[(16, vec![1])])]))])])),
    ]);
    check_spans(&go, &[json!({ "meta": { "span.kind": "internal" } })]);
    // A field beats an attribute of its name, which stays where the field says nothing.
    let attributes = (
        9,
        tags(&[("env", 1, text("a")), ("span.kind", 1, text("internal"))]),
    );
    check(
        &[attributes.clone(), (13, text("e"))],
        json!({ "meta": { "env": "e", "span.kind": "internal" } }),
    );
    check(
        &[attributes, (16, vec![5])],
        json!({ "meta": { "env": "a", "span.kind": "consumer" } }),
    );
}

#[test]
fn attributes_go_where_v04_has_them_and_what_it_has_not_keeps_its_type() {
    let plain = tags(&[
        ("text", 1, text("t")),
        ("true", 2, vec![TRUE]),
        ("false", 2, vec![FALSE]),
        ("float", 3, float(0.5)),
        ("whole", 3, vec![3]),
        ("int", 4, vec![0xff]),
        ("bytes", 5, bin(&[0, 0xff])),
    ]);
    let expect = json!({
        "meta": { "text": "t", "true": "true", "false": "false" },
        "metrics": { "float": 0.5, "whole": 3.0, "int": -1 },
        "meta_struct": { "bytes": { "$bytes": "AP8=" } },
    });
    check(&[(9, plain)], expect);
    let array = values(&[
        (1, text("t")),
        (2, vec![TRUE]),
        (3, float(1.0)),
        (4, vec![1]),
        (5, bin(b"b")),
        (6, values(&[(4, vec![2])])),
        (7, tags(&[("k", 4, vec![3]), ("l", 7, tags(&[]))])),
    ]);
    let list = tags(&[("a", 6, values(&[])), ("b", 1, text("t"))]);
    let nested = tags(&[("array", 6, array), ("list", 7, list)]);
    let expect = json!({ "meta": {
        "array": ["t", true, 1.0, 1, { "$bytes": "Yg==" }, [2], { "k": 3, "l": {} }],
        "list": { "a": [], "b": "t" },
    } });
    check(&[(9, nested)], expect);
    check(&[(9, tags(&[]))], json!({}));
}

#[test]
fn links_and_events_are_maps_as_in_v04() {
    let full = map(&[
        (1, id(1, 2)),
        (2, vec![3]),
        (
            3,
            tags(&[("a", 1, text("b")), ("c", 2, vec![TRUE]), ("d", 4, vec![1])]),
        ),
        (4, text("dd=s:1")),
        (5, vec![0xce, 0x80, 0, 0, 1]),
    ]);
    let bare = map(&[(1, id(0, 2)), (3, tags(&[])), (4, vec![0]), (5, vec![0])]);
    let expect = json!({ "span_links": [
        {
            "trace_id": 2, "trace_id_high": 1, "span_id": 3, "attributes": { "a": "b", "c": "true", "d": 1 },
            "tracestate": "dd=s:1", "flags": 0x8000_0001_u32,
        },
        { "trace_id": 2, "trace_id_high": 0, "span_id": 0 },
        { "span_id": 0 },
    ] });
    check(
        &[(11, list(&[full, bare, map(&[(9, text("later"))])]))],
        expect,
    );
    let attributes = tags(&[
        ("text", 1, text("t")),
        ("bool", 2, vec![TRUE]),
        ("float", 3, float(0.5)),
        ("int", 4, vec![1]),
        (
            "array",
            6,
            values(&[
                (1, text("t")),
                (4, vec![1]),
                (6, values(&[(2, vec![FALSE])])),
            ]),
        ),
        ("bytes", 5, bin(b"b")),
        ("list", 7, tags(&[("k", 1, text("v"))])),
    ]);
    let event = map(&[(3, attributes), (2, text("e")), (1, vec![9])]);
    let expect = json!({ "span_events": [
        { "time_unix_nano": 9, "name": "e", "attributes": {
            "text": { "type": 0, "string_value": "t" },
            "bool": { "type": 1, "bool_value": true },
            "float": { "type": 3, "double_value": 0.5 },
            "int": { "type": 2, "int_value": 1 },
            "array": { "type": 4, "array_value": { "values": [
                { "type": 0, "string_value": "t" }, { "type": 2, "int_value": 1 }, [false],
            ] } },
            "bytes": { "$bytes": "Yg==" },
            "list": { "k": "v" },
        } },
        { "time_unix_nano": 0, "name": "" },
    ] });
    check(&[(12, list(&[event, map(&[])]))], expect);
    check(&[(11, list(&[])), (12, list(&[]))], json!({}));
}

#[test]
fn what_is_said_of_a_chunk_is_said_by_its_first_span() {
    check_chunk(&[], &json!({}), None);
    check_chunk(&[(6, id(0, 7))], &json!({}), None);
    check_chunk(
        &[(6, id(0x6b00_a83d_0000_0000, 7))],
        &json!({ "meta": { "_dd.p.tid": "6b00a83d00000000" } }),
        None,
    );
    let all = [
        (1, vec![2]),
        (2, text("rum")),
        (
            3,
            tags(&[
                ("_dd.p.ksr", 1, text("1")),
                ("n", 4, vec![1]),
                ("b", 2, vec![TRUE]),
            ]),
        ),
        (7, vec![11]),
    ];
    let expect = json!({
        "meta": { "_dd.origin": "rum", "_dd.p.dm": "-11", "_dd.p.ksr": "1", "b": "true" },
        "metrics": { "_sampling_priority_v1": 2.0, "n": 1 },
    });
    check_chunk(&all, &expect, None);
    check_chunk(&[(2, vec![0]), (99, tags(&[]))], &json!({}), None);
    // A span's own attributes beat those of its chunk, fields beat both.
    let own = map(&[(
        9,
        tags(&[
            ("a", 1, text("own")),
            ("_sampling_priority_v1", 3, float(0.0)),
            ("_dd.p.dm", 1, text("x")),
        ]),
    )]);
    let chunk = [
        (4, list(&[own.clone(), own])),
        (
            3,
            tags(&[
                ("a", 1, text("chunk")),
                ("_dd.p.dm", 1, text("y")),
                ("c", 1, text("chunk")),
            ]),
        ),
        (1, vec![1]),
        (7, vec![4]),
    ];
    let first = json!({ "meta": { "_dd.p.dm": "-4", "a": "own", "c": "chunk" }, "metrics": { "_sampling_priority_v1": 1.0 } });
    let second = json!({ "meta": { "_dd.p.dm": "x", "a": "own" }, "metrics": { "_sampling_priority_v1": 0.0 } });
    check_spans(&with_chunk(&chunk), &[first, second]);
}

#[test]
fn who_decided_by_default_has_kept_the_trace() {
    let metrics = |priority: i32| json!({ "_sampling_priority_v1": f64::from(priority) });
    check_chunk(
        &[(7, vec![0])],
        &json!({ "meta": { "_dd.p.dm": "-0" } }),
        None,
    );
    check_chunk(
        &[(1, vec![1]), (7, vec![0])],
        &json!({ "meta": { "_dd.p.dm": "-0" }, "metrics": metrics(1) }),
        None,
    );
    // dd-trace-go writes 0 where nobody has decided.
    check_chunk(
        &[(1, vec![0]), (7, vec![0])],
        &json!({ "metrics": metrics(0) }),
        None,
    );
    check_chunk(
        &[(1, vec![0xff]), (7, vec![0])],
        &json!({ "metrics": metrics(-1) }),
        None,
    );
    check_chunk(
        &[(1, vec![0]), (7, vec![1])],
        &json!({ "meta": { "_dd.p.dm": "-1" }, "metrics": metrics(0) }),
        None,
    );
}

#[test]
fn a_dropped_trace_is_one_that_the_tracer_rejects() {
    let dropped = |priority| ChunkFacts {
        dropped_trace: true,
        priority,
        ..ChunkFacts::default()
    };
    let rejected =
        |priority: i32| json!({ "metrics": { "_sampling_priority_v1": f64::from(priority) } });
    check_chunk(&[(5, vec![FALSE])], &json!({}), None);
    check_chunk(&[(5, vec![TRUE])], &rejected(-1), Some(&dropped(None)));
    check_chunk(
        &[(5, vec![TRUE]), (1, vec![1])],
        &rejected(-1),
        Some(&dropped(Some(1))),
    );
    check_chunk(
        &[(5, vec![TRUE]), (1, vec![0xfe])],
        &rejected(-2),
        Some(&dropped(None)),
    );
}

#[test]
fn the_service_that_go_repeats_for_each_chunk_becomes_no_tag() {
    let facts = ChunkFacts {
        tags: Box::new([("service".into(), "s".into())]),
        ..ChunkFacts::default()
    };
    check_chunk(
        &[(3, tags(&[("service", 1, text("s"))]))],
        &json!({}),
        Some(&facts),
    );
    check_chunk(
        &[(3, tags(&[("service", 4, vec![1])]))],
        &json!({ "metrics": { "service": 1 } }),
        None,
    );
}

#[test]
fn what_is_no_span_is_left_out_and_the_next_is_the_first() {
    let spans = list(&[
        map(&[]),
        vec![NIL],
        map(&[(4, vec![1])]),
        map(&[(4, vec![2])]),
    ]);
    let body = with_chunk(&[(4, spans), (1, vec![1])]);
    let first = json!({ "span_id": 1, "metrics": { "_sampling_priority_v1": 1.0 } });
    check_spans(&body, &[first, json!({ "span_id": 2 })]);
    let none = map(&[(
        11,
        list(&[vec![NIL], map(&[]), map(&[(4, vec![NIL]), (1, vec![1])])]),
    )]);
    let payload = payload(&none);
    assert_eq!((payload.n_chunks, payload.chunks.len()), (3, 0));
    assert_eq!(
        decode(&[0x80], &mut ChunkBuilder::default())
            .unwrap()
            .n_chunks,
        0
    );
    assert_eq!(
        decode(&map(&[(11, vec![NIL])]), &mut ChunkBuilder::default())
            .unwrap()
            .n_chunks,
        0
    );
}

#[test]
fn strings_are_numbered_as_they_come() {
    // 1 "a", again "a", the empty one, 2 "b", and then by number.
    let names = tags(&[("a", 1, text("a")), ("", 1, text("b"))]);
    let by_number = list(&[
        vec![1],
        vec![1],
        vec![2],
        vec![2],
        vec![1],
        vec![0xcd, 0, 1],
    ]);
    let spans = list(&[map(&[(9, names)]), map(&[(9, by_number)])]);
    check_spans(
        &with_chunk(&[(4, spans)]),
        &[
            json!({ "meta": { "a": "a", "": "b" } }),
            json!({ "meta": { "a": "b", "b": "a" } }),
        ],
    );
    // Those in what is skipped count, at any depth, as keys and as values; bytes do not.
    let skipped = [
        &[0x92][..],
        &bin(b"no"),
        &[0x81],
        &text("a"),
        &[0x91],
        &text("b"),
    ]
    .concat();
    let body = map(&[
        (99, skipped),
        (7, vec![1]),
        (11, list(&[map(&[(4, list(&[map(&[(1, vec![2])])]))])])),
    ]);
    let payload_of = payload(&body);
    assert_eq!(&*payload_of.tracer.env, "a");
    assert_eq!(payload_of.chunks[0].span(0).unwrap().service(), "b");
    // One that comes behind the spans has no number in them, though they are read after it.
    let spans = list(&[map(&[(1, vec![1])])]);
    refused(
        &with_chunk(&[(4, spans), (2, text("late"))]),
        ".chunks[0].spans[0].service: dictionary index 1 out of range: it has 1 strings at byte 18",
    );
}

#[test]
fn a_whole_table_of_strings_comes_first() {
    let table = (1, list(&[text("a"), text(""), text("b"), text("a")]));
    let payload_of = payload(&map(&[
        table.clone(),
        (7, vec![1]),
        (8, vec![2]),
        (9, vec![3]),
    ]));
    let tracer = payload_of.tracer;
    assert_eq!(
        [&*tracer.env, &*tracer.hostname, &*tracer.app_version],
        ["a", "b", "a"]
    );
    let late = map(&[(7, text("x")), table]);
    refused(
        &late,
        ".strings: the table of strings comes after other strings at byte 8",
    );
}

#[test]
fn what_is_said_of_the_tracer_stays_with_the_payload() {
    let nested = tags(&[
        ("k", 4, vec![1]),
        ("l", 6, values(&[(2, vec![TRUE]), (1, text("t"))])),
    ]);
    let attributes = tags(&[
        ("a", 1, text("x")),
        ("f", 3, float(0.5)),
        ("b", 5, bin(b"b")),
        ("n", 7, nested),
    ]);
    let texts = (2..=9).map(|number| (number, text(&format!("t{number}"))));
    let mut fields: Vec<_> = texts.collect();
    fields.push((10, attributes));
    fields.push((11, list(&[map(&[(4, list(&[map(&[(4, vec![1])])]))])])));
    let payload = payload(&map(&fields));
    let tags = [
        ("a", "x"),
        ("f", "0.5"),
        ("b", "Yg=="),
        ("n.k", "1"),
        ("n.l.0", "true"),
        ("n.l.1", "t"),
    ];
    let expect = TracerInfo {
        container_id: "t2".into(),
        language: "t3".into(),
        language_version: "t4".into(),
        tracer_version: "t5".into(),
        runtime_id: "t6".into(),
        env: "t7".into(),
        hostname: "t8".into(),
        app_version: "t9".into(),
        tags: tags.map(|(key, value)| (key.into(), value.into())).into(),
    };
    assert_eq!(*payload.tracer, expect);
    assert_eq!(
        said(payload.chunks[0].span(0).unwrap())
            .as_object()
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn errors_name_the_place_and_the_byte() {
    refused(&[0x90], "expected a map, found an array at byte 0");
    refused(
        &[0x81, 0xa1, b'a', 1],
        "expected an integer, found a string at byte 1",
    );
    refused(
        &with_chunk(&[(6, bin(&[0; 8]))]),
        ".chunks[0].trace_id: expected 16 bytes, found 8 at byte 11",
    );
    refused(
        &with_chunk(&[(6, vec![1])]),
        ".chunks[0].trace_id: expected 16 bytes, found an integer at byte 11",
    );
    refused(
        &with_span(&[(11, list(&[map(&[(1, bin(&[0; 17]))])]))]),
        ".chunks[0].spans[0].span_links[0].trace_id: expected 16 bytes, found 17 at byte 25",
    );
    refused(
        &with_chunk(&[(7, vec![0xff])]),
        ".chunks[0].sampling_mechanism: the number -1 does not fit in 32 bits without a sign at byte 11",
    );
    refused(
        &with_span(&[(9, list(&[text("a"), vec![1]]))]),
        ".chunks[0].spans[0].attributes: expected groups of 3, found 2 elements at byte 18",
    );
    refused(
        &with_span(&[(9, tags(&[("a", 8, vec![1])]))]),
        ".chunks[0].spans[0].attributes[\"a\"]: attributes have no type 8 at byte 24",
    );
    refused(
        &with_span(&[(9, tags(&[("a", 6, list(&[vec![4]]))]))]),
        ".chunks[0].spans[0].attributes[\"a\"]: expected groups of 2, found 1 elements at byte 25",
    );
    refused(
        &with_span(&[(9, tags(&[("a", 5, text("b"))]))]),
        ".chunks[0].spans[0].attributes[\"a\"]: expected bytes, found a string at byte 25",
    );
    refused(
        &with_span(&[(6, vec![0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0])]),
        ".chunks[0].spans[0].start: the number 18374686479671623680 does not fit in 64 bits with a sign at byte 18",
    );
    refused(
        &with_span(&[(1, vec![9])]),
        ".chunks[0].spans[0].service: dictionary index 9 out of range: it has 1 strings at byte 18",
    );
}

#[test]
fn attributes_nest_as_deep_as_a_limit() {
    let nested = |depth: usize| {
        let array = (1..depth).fold(values(&[]), |inner, _| values(&[(6, inner)]));
        let list = (1..depth).fold(tags(&[]), |inner, _| tags(&[("k", 7, inner)]));
        tags(&[("a", 6, array), ("l", 7, list)])
    };
    payload(&with_span(&[(9, nested(32))]));
    let error = decode(&with_span(&[(9, nested(33))]), &mut ChunkBuilder::default()).unwrap_err();
    assert_eq!(*error.problem(), Problem::TooDeep { max: 32 });
    let event = |depth| with_span(&[(12, list(&[map(&[(3, nested(depth))])]))]);
    payload(&event(32));
    decode(&event(33), &mut ChunkBuilder::default()).unwrap_err();
    let in_payload = |depth| map(&[(10, nested(depth))]);
    decode(&in_payload(31), &mut ChunkBuilder::default()).unwrap();
    decode(&in_payload(33), &mut ChunkBuilder::default()).unwrap_err();
}

#[test]
fn each_chunk_has_its_own_strings() {
    let chunk = |service: Vec<u8>| map(&[(4, list(&[map(&[(1, service)])]))]);
    let body = map(&[(
        11,
        list(&[chunk(text("s")), chunk(vec![1]), chunk(vec![1])]),
    )]);
    let payload = payload(&body);
    assert_eq!(payload.chunks.len(), 3);
    for chunk in &payload.chunks {
        assert_eq!(chunk.span(0).unwrap().service(), "s");
        assert_eq!(chunk.span(0).unwrap().attribute(Attribute::Meta), None);
    }
}
