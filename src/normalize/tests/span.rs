//! One span, field by field.

use super::*;

#[track_caller]
fn check(sent: &Sent, expected: &[&str]) {
    let chunk = chunk_of(sent);
    let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
    assert_eq!(told(&normalized.corrections()), expected);
}

#[test]
fn an_ordinary_span_is_left_alone_and_not_copied() {
    check(&Sent::default(), &[]);
    let chunk = chunk_of(&Sent::default());
    let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
    for fixed in [&normalized.service, &normalized.name, &normalized.resource] {
        assert!(matches!(fixed.value, Cow::Borrowed(_)), "{fixed:?}");
    }
    let tags = normalized.meta().map(|(key, _)| key.into_owned());
    assert_eq!(tags.collect::<Vec<_>>(), ["user", "pool"]);
}

#[test]
fn a_span_without_ids_takes_its_chunk_along() {
    let refused = |sent: Sent| {
        let chunk = chunk_of(&sent);
        normalize(chunk.span(0).unwrap(), REQUEST)
            .map(|_| ())
            .unwrap_err()
    };
    let sent = Sent {
        trace_id: 0,
        ..Sent::default()
    };
    assert_eq!(refused(sent).reason(), "trace_id_zero");
    let sent = Sent {
        span_id: 0,
        ..Sent::default()
    };
    assert_eq!(refused(sent).reason(), "span_id_zero");
}

#[test]
fn an_empty_resource_is_the_name_as_it_was_cleaned() {
    let sent = Sent {
        name: b"Foo Bar".to_vec(),
        resource: Vec::new(),
        ..Sent::default()
    };
    check(
        &sent,
        &[
            "name: Foo Bar -> Foo_Bar (-)",
            "resource:  -> Foo_Bar (resource_empty)",
        ],
    );
}

#[test]
fn a_resource_ends_after_5000_bytes_and_a_type_after_100() {
    let sent = Sent {
        resource: "TOOLONG".repeat(5_000).into_bytes(),
        kind: "sql".repeat(1_000).into_bytes(),
        ..Sent::default()
    };
    let chunk = chunk_of(&sent);
    let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
    assert_eq!(normalized.resource().len(), 5_000);
    assert_eq!(normalized.span_type().len(), 100);
    let rules: Vec<_> = normalized.corrections().iter().map(|it| it.rule).collect();
    assert_eq!(rules, [Rule::ResourceTruncate, Rule::TypeTruncate]);
}

#[test]
fn a_duration_that_cannot_be_is_none() {
    let with = |start, duration| Sent {
        start,
        duration,
        ..Sent::default()
    };
    let start = Sent::default().start;
    check(&with(start, 0), &[]);
    check(
        &with(start, -50),
        &["duration: -50 -> 0 (invalid_duration)"],
    );
    check(&with(start, i64::MAX - start), &[]);
    check(
        &with(start, i64::MAX),
        &["duration: 9223372036854775807 -> 0 (invalid_duration)"],
    );
}

#[test]
fn a_start_before_2000_is_the_arrival_less_the_duration() {
    let start = |start, duration| {
        let chunk = chunk_of(&Sent {
            start,
            duration,
            ..Sent::default()
        });
        let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
        assert_eq!(normalized.corrections().len(), 1);
        normalized.start()
    };
    assert_eq!(start(42, 1_000), UnixNanos(RECEIVED.0 - 1_000));
    assert_eq!(start(0, 2 * RECEIVED.0), RECEIVED);
    assert_eq!(start(946_684_799_999_999_999, 0), RECEIVED);
    check(
        &Sent {
            start: 946_684_800_000_000_000,
            ..Sent::default()
        },
        &[],
    );
    check(
        &Sent {
            start: i64::MAX,
            duration: 0,
            ..Sent::default()
        },
        &[],
    );
}

#[test]
fn a_root_in_the_way_of_zipkin_has_no_parent() {
    let ids = |trace_id, span_id, parent_id| Sent {
        trace_id,
        span_id,
        parent_id,
        ..Sent::default()
    };
    check(&ids(42, 42, 42), &["parent_id: 42 -> 0 (-)"]);
    check(&ids(41, 42, 42), &[]);
}

#[test]
fn tags_that_the_agent_knows_are_held_to_their_rules() {
    let meta = tags(&[
        ("env", "DEVELOPMENT"),
        ("peer.service", "My Database"),
        ("_dd.base_service", "$$"),
        ("http.status_code", "teapot"),
        ("version", "As It Is"),
    ]);
    check(
        &Sent {
            meta,
            ..Sent::default()
        },
        &[
            "meta.http.status_code: teapot -> (removed) (invalid_http_status_code)",
            "meta.env: DEVELOPMENT -> development (-)",
            "meta.peer.service: My Database -> my_database (-)",
            "meta._dd.base_service: $$ ->  (base_service_invalid)",
        ],
    );
    let meta = tags(&[("peer.service", ""), ("http.status_code", "404")]);
    check(
        &Sent {
            meta,
            ..Sent::default()
        },
        &[],
    );
}

#[test]
fn of_a_status_code_that_comes_twice_the_last_counts() {
    let codes = |first, last| {
        let meta = tags(&[("http.status_code", first), ("http.status_code", last)]);
        let chunk = chunk_of(&Sent {
            meta,
            ..Sent::default()
        });
        let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
        normalized
            .meta_text("http.status_code")
            .map(Cow::into_owned)
    };
    assert_eq!(codes("bad", "200").as_deref(), Some("200"));
    assert_eq!(codes("200", "bad"), None);
}

#[test]
fn keys_and_values_are_cut_and_end_in_dots() {
    let key = "TOOLONG".repeat(1_000);
    let value = "v".repeat(25_001);
    let exact = value.strip_suffix('v').unwrap();
    let meta = tags(&[
        (&key, "foo"),
        ("key.json", &value),
        ("_dd.appsec.json", &value),
        ("exact", exact),
    ]);
    let metrics = vec![(key.clone().into_bytes(), 42.0)];
    let chunk = chunk_of(&Sent {
        meta,
        metrics,
        ..Sent::default()
    });
    let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
    let short_key = format!("{}...", key.get(..200).unwrap());
    assert_eq!(normalized.meta_text(&short_key).as_deref(), Some("foo"));
    assert_eq!(normalized.meta_text("key.json").unwrap().len(), 25_003);
    assert_eq!(
        normalized.meta_text("_dd.appsec.json").unwrap().len(),
        25_001
    );
    assert_eq!(normalized.meta_text("exact").unwrap().len(), 25_000);
    let (metric, _) = normalized.metrics().next().unwrap();
    assert_eq!(metric, short_key);
    let rules: Vec<_> = normalized.corrections().iter().map(|it| it.rule).collect();
    let expected = [
        Rule::MetaKeyTruncate,
        Rule::MetaValueTruncate,
        Rule::MetricKeyTruncate,
    ];
    assert_eq!(rules, expected);
}

#[test]
fn a_link_is_named_like_a_span() {
    let link_names = ["", "!@#$%^&*()_+", "valid_name"].map(|name| name.as_bytes().to_vec());
    let sent = Sent {
        link_names: link_names.to_vec(),
        ..Sent::default()
    };
    let chunk = chunk_of(&sent);
    let normalized = normalize(chunk.span(0).unwrap(), REQUEST).unwrap();
    let names: Vec<_> = normalized.links().map(|link| link.name.unwrap()).collect();
    assert_eq!(
        names,
        ["unnamed_operation", "unnamed_operation", "valid_name"]
    );
    check(
        &sent,
        &[
            "link.name:  -> unnamed_operation (-)",
            "link.name: !@#$%^&*()_+ -> unnamed_operation (-)",
        ],
    );
}

#[test]
fn bytes_that_are_no_text_are_repaired_before_anything_else() {
    let sent = Sent {
        service: b"caf\xc3".to_vec(),
        name: b"a\xffb".to_vec(),
        resource: b"GET \xff".to_vec(),
        meta: vec![(b"k\xff".to_vec(), b"v\xff".to_vec())],
        ..Sent::default()
    };
    check(
        &sent,
        &[
            "service: caf\u{fffd} -> caf (-)",
            "name: a\u{fffd}b -> a_b (-)",
            "resource: GET \u{fffd} -> GET \u{fffd} (-)",
            "meta.k\u{fffd}: v\u{fffd} -> v\u{fffd} (-)",
            "meta key: k\u{fffd} -> k\u{fffd} (-)",
        ],
    );
}
