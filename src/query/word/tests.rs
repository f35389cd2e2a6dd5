//! What a word can stand in, and that nothing else is found in numbers and ids than in their texts.

use proptest::prelude::*;

use super::*;

#[test]
fn a_longer_word_narrows_unless_it_begins_to_mean_ids() {
    let implies = |new: &str, old: &str| Word::new(new).implies(&Word::new(old));
    assert!(implies("generate", "gen"));
    assert!(!implies("gen", "generate"));
    assert!(!implies("123456", "12345"));
    assert!(implies("1234567", "123456"));
    assert!(!implies("gen*x", "gen"), "simple, and on the safe side");
    assert!(!implies("ké", "k"), "the Kelvin sign folds to a k");
}

#[test]
fn an_id_in_full_finds_whoever_knows_its_low_half() {
    let word = Word::new("6b00a83d000000006f0dbd9e7942056a");
    assert!(word.is_in_trace_id(TraceId(0x6f0d_bd9e_7942_056a)));
    let other_high = TraceId::from_halves(1, 0x6f0d_bd9e_7942_056a);
    assert!(!word.is_in_trace_id(other_high));
    let decimal = 0x6b00_a83d_0000_0000_6f0d_bd9e_7942_056a_u128.to_string();
    assert!(Word::new(&decimal).is_in_trace_id(TraceId(0x6f0d_bd9e_7942_056a)));
}

/// Any word of what numbers and ids are written with.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}",
        "[0-9]{6,9}",
        "[0-9a-f]{1,7}",
        "[-0-9.]{1,4}",
        "[-a-fiNnrstu.]{1,3}"
    ]
}

/// A part of a text, so that something is found.
fn part(text: &str, (start, length): (usize, usize)) -> String {
    let start = start % text.len();
    text.chars().skip(start).take(length).collect()
}

#[track_caller]
fn check(word: &str, found: bool, texts: &[&str]) {
    let plain = word.to_lowercase();
    let expected = texts
        .iter()
        .any(|text| text.to_lowercase().contains(&plain));
    assert_eq!(found, expected, "{word:?} in {texts:?}");
}

fn check_numbers(word: &str, (int, uint, float): (i64, u64, f64)) {
    let looked_for = Word::literal(word);
    check(word, looked_for.is_in_int(int), &[&int.to_string()]);
    check(word, looked_for.is_in_uint(uint), &[&uint.to_string()]);
    check(word, looked_for.is_in_float(float), &[&float.to_string()]);
    for bool in [true, false] {
        check(word, looked_for.is_in_bool(bool), &[&bool.to_string()]);
    }
}

fn check_ids(word: &str, (high, low): (u64, u64)) {
    let looked_for = Word::literal(word);
    let is_id = word.len() >= ID_DIGITS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = word.bytes().all(|byte| byte.is_ascii_digit());
    let only = |is_asked: bool, text: String| if is_asked { text } else { String::new() };
    let trace = TraceId::from_halves(high, low);
    let hex = only(is_id, trace.to_string());
    let decimal = only(is_id && is_decimal, trace.0.to_string());
    let decimal_low = only(is_id && is_decimal, low.to_string());
    let is_low = looked_for.low == Some(low) && high == 0;
    check(
        word,
        looked_for.is_in_trace_id(trace) && !is_low,
        &[&hex, &decimal, &decimal_low],
    );
    let hex = only(is_id, format!("{low:016x}"));
    check(
        word,
        looked_for.is_in_span_id(SpanId(low)),
        &[&hex, &decimal_low],
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_word_is_found_in_a_number_or_an_id_if_its_text_holds_it(
        word in any_word(),
        (int, uint) in (any::<i64>(), any::<u64>()),
        n_bits in 0_u32..64,
        float in prop_oneof![
            any::<f64>(),
            (-1e6_f64..1e6),
            (-5_000_i32..5_000).prop_map(|cents| f64::from(cents) / 100.0),
            prop::sample::select(vec![0.0, -0.0, 1e16, 1e22, 1e-7, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ],
        place in (0_usize..40, 1_usize..12),
        high in prop_oneof![Just(0), any::<u64>()],
    ) {
        let numbers = (int >> n_bits, uint >> n_bits, float);
        let own = [numbers.0.to_string(), numbers.1.to_string(), float.to_string()];
        for word in own.iter().map(|own| part(own, place)).chain([word.clone()]).filter(|word| !word.is_empty()) {
            check_numbers(&word, numbers);
        }
        let trace = TraceId::from_halves(high, numbers.1);
        let own = [trace.to_string(), trace.0.to_string(), numbers.1.to_string()];
        for word in own.iter().map(|own| part(own, place)).chain([word]).filter(|word| !word.is_empty()) {
            check_ids(&word, (high, numbers.1));
        }
    }
}
