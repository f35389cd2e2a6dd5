//! What holds for every span, however hostile.

use proptest::prelude::*;

use super::*;

/// Texts that stand at the edges of the rules: long, of many scripts, torn, with marks and controls.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: &'static str| text.prop_map(String::into_bytes);
    prop_oneof![
        4 => text("[a-zA-Z0-9_.:/ -]{0,12}"),
        2 => text("\\PC{0,40}"),
        2 => text("(?s:.){0,30}"),
        1 => text("[A-ZÀ-ÿĀ-ſΑ-ω\u{130}\u{1e9e}\u{212a}Ⓐ-ⓩⅠ-Ⅻ٠-٩\u{300}-\u{345}🐶_]{0,110}"),
        1 => text("[a_. é🐶]{95,110}"),
        1 => text("[a_é中]{190,210}"),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (4_990_usize..5_010, "[aé]").prop_map(|(n, text)| text.repeat(n).into_bytes()),
    ]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "env",
        "peer.service",
        "_dd.base_service",
        "http.status_code",
        "_dd.x.json",
        "_dd.p.dm",
    ];
    prop_oneof![
        3 => proptest::sample::select(known.map(|key| key.as_bytes().to_vec()).to_vec()),
        2 => bytes(),
    ]
}

fn nanos() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -5_i64..5,
        (RECEIVED.0 - 5..RECEIVED.0 + 5),
        Just(i64::MAX),
        Just(i64::MIN),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let texts = (bytes(), bytes(), bytes(), bytes());
    let ids = (0_u64..4, 0_u64..4, 0_u64..4);
    let value = prop_oneof![
        6 => bytes(),
        1 => "[+]?[0-9]{2,4}".prop_map(String::into_bytes),
        1 => (24_990_usize..25_010).prop_map(|n| vec![b'v'; n]),
    ];
    let meta = proptest::collection::vec((key(), value), 0..5);
    let metrics = proptest::collection::vec((key(), any::<f64>()), 0..3);
    let links = proptest::collection::vec(bytes(), 0..2);
    (texts, ids, (nanos(), nanos()), meta, metrics, links).prop_map(
        |(texts, ids, times, meta, metrics, link_names)| Sent {
            service: texts.0,
            name: texts.1,
            resource: texts.2,
            kind: texts.3,
            trace_id: ids.0,
            span_id: ids.1,
            parent_id: ids.2,
            start: times.0,
            duration: times.1,
            meta,
            metrics,
            link_names,
        },
    )
}

/// A normalised span as a tracer would send it.
fn resent(normalized: &Normalized<'_>) -> Sent {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let meta = normalized.meta().map(|(key, value)| match value {
        TagValue::Text(text) => (bytes(&key), bytes(&text)),
        TagValue::Other(value) => panic!("no text was sent: {value:?}"),
    });
    let metrics = normalized.metrics();
    let links = normalized.links();
    Sent {
        service: bytes(normalized.service()),
        name: bytes(normalized.name()),
        resource: bytes(normalized.resource()),
        kind: bytes(normalized.span_type()),
        trace_id: normalized.trace_id().low(),
        span_id: normalized.span_id().0,
        parent_id: normalized.parent_id().0,
        start: normalized.start().0,
        duration: normalized.duration(),
        meta: meta.collect(),
        metrics: metrics
            .map(|(key, value)| (bytes(&key), value.as_f64().unwrap()))
            .collect(),
        link_names: links.map(|link| bytes(&link.name.unwrap())).collect(),
    }
}

fn is_within_limits(normalized: &Normalized<'_>) -> bool {
    let named = [normalized.service(), normalized.name()];
    let (start, duration) = (normalized.start().0, normalized.duration());
    let is_moved = normalized.sent().start().0 < YEAR_2000;
    let tags_fit = normalized.meta().all(|(key, value)| match value {
        _ if key.starts_with("_dd.") => true,
        TagValue::Text(text) => key.len() <= 203 && text.len() <= 25_003,
        TagValue::Other(_) => false,
    });
    // The language of these requests is not told, so a fallback is as short as the rest.
    named.iter().all(|text| (1..=100).contains(&text.len()))
        && (1..=5_000).contains(&normalized.resource().len())
        && normalized.span_type().len() <= 100
        && duration >= 0
        && if is_moved {
            (0..=RECEIVED.0).contains(&start)
        } else {
            start >= YEAR_2000 && start.checked_add(duration).is_some()
        }
        && tags_fit
        && normalized.metrics().all(|(key, _)| key.len() <= 203)
}

const YEAR_2000: i64 = 946_684_800_000_000_000;

/// Whether nothing happened that the Agent itself would do once more. The three dots of a cut are over
/// the limit themselves, and a cut before a character of several bytes leaves room that the next
/// dots fill. A start that is moved back by a duration of decades is before 2000 again.
fn is_settled(normalized: &Normalized<'_>, corrections: &[Correction<'_>]) -> bool {
    corrections.iter().all(|correction| match correction.rule {
        Rule::MetaKeyTruncate | Rule::MetaValueTruncate | Rule::MetricKeyTruncate => false,
        Rule::InvalidStartDate => normalized.duration() <= RECEIVED.0 - YEAR_2000,
        _ => true,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalising_twice_changes_nothing_the_second_time(sent in sent()) {
        let chunk = chunk_of(&sent);
        if let Ok(once) = normalize(chunk.span(0).unwrap(), REQUEST) {
            prop_assume!(is_settled(&once, &once.corrections()));
            let again = chunk_of(&resent(&once));
            let twice = normalize(again.span(0).unwrap(), REQUEST).unwrap();
            prop_assert_eq!(told(&twice.corrections()), Vec::<String>::new());
            prop_assert!(chunk_of(&resent(&twice)).span(0).unwrap().same_as(again.span(0).unwrap()));
        }
    }

    #[test]
    fn a_normalised_span_is_within_the_limits(sent in sent()) {
        let chunk = chunk_of(&sent);
        match normalize(chunk.span(0).unwrap(), REQUEST) {
            Ok(normalized) => prop_assert!(is_within_limits(&normalized), "{normalized:?}"),
            Err(_) => prop_assert!(sent.trace_id == 0 || sent.span_id == 0),
        }
    }

    #[test]
    fn a_span_without_corrections_is_what_was_sent_and_the_other_way_round(sent in sent()) {
        let chunk = chunk_of(&sent);
        let span = chunk.span(0).unwrap();
        if let Ok(normalized) = normalize(span, REQUEST) {
            let rebuilt = chunk_of(&resent(&normalized));
            let is_same = rebuilt.span(0).unwrap().same_as(span);
            prop_assert_eq!(normalized.corrections().is_empty(), is_same);
        }
    }

    #[test]
    fn every_correction_says_something_else(sent in sent()) {
        let chunk = chunk_of(&sent);
        if let Ok(normalized) = normalize(chunk.span(0).unwrap(), REQUEST) {
            for correction in normalized.corrections() {
                let is_repair = correction.rule == Rule::NotUtf8;
                let after = correction.after.as_deref();
                prop_assert!(is_repair || after != Some(&correction.before), "{correction:?}");
            }
        }
    }
}
