//! Services, names and tags, text by text.

use super::super::field::{env, is_status_code, service, span_name};
use super::super::text::{repair, tag_value, truncate};
use super::*;

#[track_caller]
fn check_tag(sent: &str, expected: &str) {
    let value = tag_value(sent);
    assert_eq!(value, expected);
    assert_eq!(tag_value(&value), expected, "once more");
    if sent == expected {
        assert!(matches!(value, Cow::Borrowed(_)), "{sent} was copied");
    }
}

#[test]
fn a_tag_is_lower_case_and_has_an_underscore_for_each_run_of_other_characters() {
    let cases = [
        ("#test_starting_hash", "_test_starting_hash"),
        ("TestCAPSandSuch", "testcapsandsuch"),
        (
            "Test Conversion Of Weird !@#$%^&**() Characters",
            "test_conversion_of_weird_characters",
        ),
        ("allowed:c0l0ns", "allowed:c0l0ns"),
        ("1love", "1love"),
        ("ünicöde:metäl", "ünicöde:metäl"),
        ("ÜNICÖDE", "ünicöde"),
        ("Data🐨dog🐶 繋がっ⛰てて", "data_dog_繋がっ_てて"),
        (" spaces   ", "_spaces"),
        (" #hashtag!@#spaces #__<>#  ", "_hashtag_spaces"),
        (":::test", ":::test"),
        ("_foo", "_foo"),
        ("__foo", "_foo"),
        ("foo_", "foo"),
        ("contiguous_____underscores", "contiguous_underscores"),
        ("", ""),
        (" ", ""),
        ("___", ""),
        ("™Ö™Ö™™Ö™", "_ö_ö_ö"),
        ("---fun:k####y_ta@#g/1_@@#", "---fun:k_y_ta_g/1"),
        ("AlsO:œ#@ö))œk", "also:œ_ö_œk"),
        ("a\u{fffd}\u{fffd}b", "a_b"),
        ("a\u{fffd}", "a"),
        ("modal-app/v1", "modal-app/v1"),
        ("Document Processor!", "document_processor"),
    ];
    for (sent, expected) in cases {
        check_tag(sent, expected);
    }
}

#[test]
fn letters_are_told_by_category_as_go_tells_them() {
    // Capitals whose small letter has another number of bytes stay: İ, Ω (ohm), K (kelvin), ẞ.
    for kept in [
        "\u{130}", "\u{2126}", "\u{212a}", "\u{1e9e}", "\u{1c5}", "ſ", "ª", "中",
    ] {
        check_tag(kept, kept);
    }
    // Numerals that are no digits, circled and combining letters: alphabetic to Rust, not to Go.
    for replaced in ["Ⅷ", "Ⓐ", "\u{345}", "\u{93e}", "²", "½", "一\u{301}b"] {
        let expected = if replaced.starts_with('一') {
            "一_b"
        } else {
            "a_b"
        };
        let sent = if replaced.starts_with('一') {
            replaced.to_owned()
        } else {
            format!("a{replaced}b")
        };
        check_tag(&sent, expected);
    }
    check_tag("٣٤", "٣٤");
}

#[test]
fn a_tag_ends_after_200_characters_or_400_bytes_looked_at() {
    check_tag(&"a".repeat(888), &"a".repeat(200));
    check_tag(&format!("a{}b", "🐶".repeat(799)), "a");
    check_tag(&"é".repeat(300), &"é".repeat(200));
    check_tag(&"中".repeat(300), &"中".repeat(134));
    let long = format!("A{} {}", "0".repeat(197), "0".repeat(12));
    check_tag(&long, &format!("a{}_0", "0".repeat(197)));
    check_tag(&format!("{} b", "a".repeat(199)), &"a".repeat(199));
}

#[track_caller]
fn check_service(sent: &str, expected: &str, rule: Option<Rule>) {
    let fixed = service(Text::from(sent), "");
    assert_eq!(
        (fixed.value.as_ref(), fixed.rule),
        (expected, rule),
        "{sent}"
    );
}

#[test]
fn a_service_is_a_tag_of_at_most_100_bytes() {
    check_service("good", "good", None);
    check_service("127.0.0.1", "127.0.0.1", None);
    check_service(
        "127.site.platform-db-replica1",
        "127.site.platform-db-replica1",
        None,
    );
    let characters = Some(Rule::ServiceCharacters);
    check_service("🐨animal-db🐶", "_animal-db", characters);
    check_service("🐨1animal-db🐶", "_1animal-db", characters);
    check_service("1🐨1animal-db🐶", "1_1animal-db", characters);
    check_service("bad$service", "bad_service", characters);
    check_service(
        "retargeting(api-Staging ",
        "retargeting_api-staging",
        characters,
    );
    check_service(
        &"Too$Long$.".repeat(11),
        &"too_long_.".repeat(10),
        Some(Rule::ServiceTruncate),
    );
    check_service(
        &"é".repeat(51),
        &"é".repeat(50),
        Some(Rule::ServiceTruncate),
    );
    check_service(
        &"中".repeat(34),
        &"中".repeat(33),
        Some(Rule::ServiceTruncate),
    );
    check_service("", "unnamed-service", Some(Rule::ServiceEmpty));
    check_service("🐨", "unnamed-service", Some(Rule::ServiceInvalid));
    check_service(
        &"!".repeat(101),
        "unnamed-service",
        Some(Rule::ServiceInvalid),
    );
}

#[test]
fn a_service_without_a_name_is_called_after_the_language() {
    let fixed = service(Text::from(""), "java");
    assert_eq!(fixed.value, "unnamed-java-service");
    assert_eq!(
        service(Text::from("$"), "python").value,
        "unnamed-python-service"
    );
}

#[track_caller]
fn check_name(sent: &str, expected: &str, rule: Option<Rule>) {
    let fixed = span_name(Text::from(sent));
    assert_eq!(
        (fixed.value.as_ref(), fixed.rule),
        (expected, rule),
        "{sent}"
    );
    let again = span_name(Text::from(expected));
    assert_eq!(
        (again.value.as_ref(), again.rule),
        (expected, None),
        "once more"
    );
}

#[test]
fn a_name_is_that_of_a_metric() {
    let characters = Some(Rule::SpanNameCharacters);
    check_name("good", "good", None);
    check_name("pylons.controller", "pylons.controller", None);
    check_name("trace-api.request", "trace_api.request", characters);
    check_name("bad-name", "bad_name", characters);
    check_name("modal.Function-call", "modal.Function_call", characters);
    check_name("Foo Bar", "Foo_Bar", characters);
    check_name("1.2-first", "first", characters);
    check_name("web..request", "web..request", None);
    check_name("web._request", "web._request", None);
    check_name("web._request-1", "web.request_1", characters);
    check_name("web_.request", "web.request", characters);
    check_name("web__request", "web_request", characters);
    check_name("trailing_", "trailing", characters);
    check_name("trailing--", "trailing", characters);
    check_name("größe", "gr_e", characters);
    check_name("", "unnamed_operation", Some(Rule::SpanNameEmpty));
    check_name("/", "unnamed_operation", Some(Rule::SpanNameInvalid));
    check_name("処理", "unnamed_operation", Some(Rule::SpanNameInvalid));
    check_name(
        &"Too-Long-.".repeat(11),
        &"Too_Long.".repeat(10),
        Some(Rule::SpanNameTruncate),
    );
    check_name(
        &"a".repeat(101),
        &"a".repeat(100),
        Some(Rule::SpanNameTruncate),
    );
}

#[test]
fn an_environment_is_a_tag_that_may_become_empty() {
    let env = |sent: &str| env(Text::from(sent)).value.into_owned();
    assert_eq!(env("DEVELOPMENT"), "development");
    assert_eq!(env("prod "), "prod");
    assert_eq!(env("1st"), "1st");
    assert_eq!(env("$"), "");
}

#[test]
fn a_status_code_has_digits_and_no_sign() {
    for code in ["100", "599", "0200", "000000000000000000000404"] {
        assert!(is_status_code(Text::from(code)), "{code}");
    }
    for code in [
        "99",
        "600",
        "",
        "+200",
        "-200",
        " 200",
        "200 OK",
        "2e2",
        "18446744073709551816",
    ] {
        assert!(!is_status_code(Text::from(code)), "{code}");
    }
}

#[test]
fn every_byte_that_is_no_text_becomes_one_replacement() {
    assert_eq!(repair(Text(b"test\x99\x8faaa")), "test\u{fffd}\u{fffd}aaa");
    // A torn character of two bytes: two replacements, where Rust would have one.
    assert_eq!(repair(Text(b"\xe4\xbdA")), "\u{fffd}\u{fffd}A");
    assert!(matches!(repair(Text(b"text")), Cow::Borrowed("text")));
}

#[test]
fn a_cut_never_tears_a_character() {
    assert_eq!(truncate("aéé", 4), "aé");
    assert_eq!(truncate("🐶🐶", 7), "🐶");
    assert_eq!(truncate("🐶", 3), "");
    assert_eq!(truncate("abc", 3), "abc");
}
