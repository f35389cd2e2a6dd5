//! What answers mean, and what is said of them.

use super::*;
use crate::forward::settings::ForwardOptions;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn settings_through(proxy: Option<&str>) -> ForwardSettings {
    let options = ForwardOptions {
        api_key: Some(KEY),
        https_proxy: proxy,
        site: Some("datadoghq.eu"),
        ..ForwardOptions::default()
    };
    ForwardSettings::read(&options).unwrap()
}

fn settings() -> ForwardSettings {
    settings_through(None)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        body: body.into(),
        after: Duration::from_millis(41),
    }
}

fn fine() -> Seen {
    Seen {
        validate: Ok(answer(200, r#"{"valid":true}"#)),
        traces: Ok(Duration::from_micros(30_900)),
        logs: Ok(Duration::from_micros(1)),
    }
}

#[track_caller]
fn check_key(answered: Result<Answer, Trouble>, verdict: Verdict, said: &str) {
    let seen = Seen {
        validate: answered,
        ..fine()
    };
    let all = diagnostics(&settings(), &seen);
    let found = &all[1];
    assert_eq!((found.code, found.verdict), ("F2", verdict), "{found:?}");
    let sentences = format!("{}\n{}\n{}", found.fact, found.reason, found.fix);
    assert!(sentences.contains(said), "{sentences}");
    let code = match verdict {
        Verdict::Fine => 0,
        Verdict::Wrong => 1,
        Verdict::Unknown => 2,
    };
    assert_eq!(exit_code(&all), code);
}

#[test]
fn what_is_fine_is_a_line_each_and_no_finding() {
    let all = diagnostics(&settings(), &fine());
    assert_eq!(
        lines(&all),
        "ok    F1  DD_API_KEY is set, the site is datadoghq.eu\n\
         ok    F2  the site knows the key: api.datadoghq.eu answered in 41 ms\n\
         ok    F3  traces and statistics: trace.agent.datadoghq.eu was reached in 30 ms\n\
         ok    F4  log lines: http-intake.logs.datadoghq.eu was reached in 1 ms\n"
    );
    assert_eq!(findings(&all), json!({"findings": []}));
    assert_eq!(exit_code(&all), 0);
}

#[test]
fn only_the_sites_own_answers_speak_of_the_key() {
    let (fine, wrong, unknown) = (Verdict::Fine, Verdict::Wrong, Verdict::Unknown);
    check_key(Ok(answer(200, r#"{"valid":true,"more":1}"#)), fine, "41 ms");
    let forbidden = r#"{"errors":["Forbidden"]}"#;
    check_key(Ok(answer(403, forbidden)), wrong, "not a key of this site");
    check_key(Ok(answer(403, "")), wrong, "now datadoghq.eu");
    check_key(Ok(answer(200, r#"{"valid":false}"#)), wrong, "refuses it");
    for body in ["", "<html>", "true", "{}", r#"{"valid":"yes"}"#] {
        check_key(Ok(answer(200, body)), unknown, "does not speak of a key");
    }
    for status in [429, 500, 503] {
        check_key(Ok(answer(status, "")), unknown, "try again in a minute");
    }
    for status in [204, 302, 401, 404, 407] {
        let said = format!("status {status}\na proxy");
        check_key(Ok(answer(status, r#"{"valid":true}"#)), unknown, &said);
    }
    let late = Trouble::Other("no answer within 10s".to_owned());
    check_key(Err(late), unknown, "knows the key\nno answer within 10s");
}

#[track_caller]
fn check_fix(settings: &ForwardSettings, trouble: Trouble, said: &str) {
    let seen = Seen {
        logs: Err(trouble),
        ..fine()
    };
    let all = diagnostics(settings, &seen);
    let found = &all[3];
    assert_eq!((found.code, found.verdict), ("F4", Verdict::Wrong));
    assert!(found.fix.contains(said), "{found:?}");
    assert_eq!(exit_code(&all), 1);
}

#[test]
fn what_to_do_follows_from_the_way_there() {
    let refused = || Trouble::Other("Connection refused".to_owned());
    let intake = "connections to http-intake.logs.datadoghq.eu port 443";
    check_fix(&settings(), refused(), intake);
    let proxied = settings_through(Some("http://me:pa55word@proxy.internal:3128"));
    check_fix(&proxied, refused(), "proxy that HTTPS_PROXY names");
    let certificate = Trouble::Certificate("UnknownIssuer".to_owned());
    check_fix(&proxied, certificate, "SSL_CERT_FILE");
    let own = ForwardOptions {
        api_key: Some(KEY),
        logs_url: Some("http://127.0.0.1:9"),
        https_proxy: Some("http://proxy.internal"),
        ..ForwardOptions::default()
    };
    // What is sent in the clear takes no proxy.
    let own = ForwardSettings::read(&own).unwrap();
    check_fix(&own, refused(), "something listens there");
    for settings in [proxied, own] {
        let dead = Err(refused());
        let seen = Seen {
            validate: Err(refused()),
            traces: dead.clone(),
            logs: dead,
        };
        let all = diagnostics(&settings, &seen);
        let said = format!("{}{}", lines(&all), findings(&all));
        for secret in ["pa55word", "proxy.internal", KEY, "cdef"] {
            assert!(!said.contains(secret), "{said}");
        }
        assert_eq!(exit_code(&all), 2, "nothing was answered");
    }
}

#[test]
fn a_finding_has_the_members_of_every_finding_and_a_line_for_each_sentence() {
    let all = [Diagnostic::refused("DD_API_KEY is not set: set it.")];
    assert_eq!(exit_code(&all), 1);
    assert_eq!(
        lines(&all),
        "FAIL  F1  DD_API_KEY is not set: set it.\n          \
         with this, --forward datadog ends at its start\n          \
         fix: set the variable it names where modtrace-tui is started\n"
    );
    let seen = Seen {
        validate: Ok(answer(503, "")),
        traces: Err(Trouble::Other("\u{1b}[2Jreset\n\u{202e}".repeat(100))),
        ..fine()
    };
    let all = diagnostics(&settings(), &seen);
    let findings = findings(&all);
    let [unknown, wrong] = findings["findings"].as_array().unwrap().as_slice() else {
        panic!("{findings}");
    };
    assert_eq!(
        unknown,
        &json!({
            "code": "F2",
            "severity": "warn",
            "fact": "api.datadoghq.eu could not be asked whether it knows the key",
            "reason": "it answers with status 503",
            "fix": "try again in a minute",
            "where": {"host": "api.datadoghq.eu"},
        })
    );
    assert_eq!(
        (&wrong["code"], &wrong["severity"]),
        (&"F3".into(), &"error".into())
    );
    let said = lines(&all);
    assert_eq!(said.lines().count(), 4 + 2 * 2, "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'));
    assert!(said.lines().all(|line| line.len() < 500), "{said}");
}
