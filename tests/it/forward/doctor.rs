//! `doctor --forward`, against a stand-in for the validation endpoint and one for the intakes: what it
//! asks, what it says and with which exit code; the key nowhere.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::agent::{MockAgent, Plan, certificate};
use super::datadog::KEY;
use super::tls::{https, proxy};
use crate::support::Scratch;

/// A part of the key that is long enough to be looked for.
const PART: &str = "456789abcdef";
const PASSWORD: &str = "pa55word";

/// What was written, and how it ended.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    /// Its own log, if it came so far.
    log: Option<String>,
}

/// Runs the program with these variables and no others.
#[track_caller]
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Told {
    let scratch = Scratch::new();
    let output = Command::new(env!("CARGO_BIN_EXE_modtrace-tui"))
        .args(arguments)
        .env_clear()
        .env("HOME", scratch.path(""))
        .env("XDG_STATE_HOME", scratch.path(""))
        .env("RUST_LOG", "trace")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let log = scratch.path("modtrace-tui/modtrace-tui.log");
    let told = Told {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        log: fs::read_to_string(log).ok(),
    };
    for secret in [PART, PASSWORD] {
        assert!(!format!("{told:?}").contains(secret), "{told:?}");
    }
    told
}

#[track_caller]
fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Told {
    let told = run(&[&["doctor", "--forward"], arguments].concat(), variables);
    assert!(told.stderr.is_empty() && told.log.is_some(), "{told:?}");
    told
}

/// The variables of a key that is asked about at one address and would be used at another.
fn with_key<'a>(validate: &'a str, intake: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("DD_API_KEY", KEY),
        ("DD_DD_URL", validate),
        ("DD_APM_DD_URL", intake),
        ("DD_LOGS_CONFIG_LOGS_DD_URL", intake),
    ]
}

fn valid() -> MockAgent {
    MockAgent::start(|_, _| Plan::Take(r#"{"valid":true}"#.into()))
}

/// An intake that nobody is to send anything to.
fn intake() -> MockAgent {
    MockAgent::start(|_, _| Plan::Reset)
}

/// An address where nobody listens.
fn nobody() -> String {
    // No test is ever given a port below 1024.
    "http://127.0.0.1:1".to_owned()
}

#[test]
fn a_key_that_the_site_knows_is_asked_about_once_and_nothing_is_sent_to_the_intakes() {
    let (validate, intake) = (valid(), intake());
    let (asked, url) = (validate.url(), intake.url());
    let told = doctor(&[], &with_key(&asked, &url));
    assert_eq!(told.code, Some(0), "{told:?}");
    let lines: Vec<_> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{told:?}");
    for (line, code) in lines.iter().zip(["F1", "F2", "F3", "F4"]) {
        assert!(line.starts_with(&format!("ok    {code}  ")), "{line}");
    }
    assert!(lines[1].contains("answered in ") && lines[1].ends_with(" ms"));
    assert!(lines[2].contains("reached in ") && lines[3].contains("reached in "));
    let [seen] = &*validate.seen() else {
        panic!("{:?}", validate.seen());
    };
    assert_eq!((&*seen.method, &*seen.path), ("GET", "/api/v1/validate"));
    assert_eq!(seen.header("dd-api-key"), Some(KEY));
    assert_eq!(
        Some(seen.header("host").unwrap()),
        asked.strip_prefix("http://")
    );
    let sender = seen.header("user-agent").unwrap();
    assert!(sender.starts_with("modtrace-tui/"), "{sender}");
    assert!(seen.body.is_empty());
    assert_eq!(intake.n_asked(), 0);
    let json = doctor(&["--json"], &with_key(&asked, &url));
    assert_eq!(
        (json.code, &*json.stdout),
        (Some(0), "{\"findings\":[]}\n"),
        "{json:?}"
    );
}

#[test]
fn a_key_that_the_site_refuses_is_a_finding_and_not_tried_again() {
    let validate = MockAgent::start(|_, _| Plan::Refuse(403, ""));
    let (asked, url) = (validate.url(), intake().url());
    let told = doctor(&[], &with_key(&asked, &url));
    assert_eq!(told.code, Some(1), "{told:?}");
    for said in [
        "FAIL  F2  the key is not a key of this site",
        "DD_SITE says which site it is, now datadoghq.com",
        "ok    F3",
    ] {
        assert!(told.stdout.contains(said), "{told:?}");
    }
    assert_eq!(validate.n_asked(), 1);
}

/// Checks that it could not be found out what the key is worth.
#[track_caller]
fn check_unknown(validate: &str, said: &str) {
    let url = intake().url();
    let told = doctor(&[], &with_key(validate, &url));
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.stdout.contains("\n??    F2  "), "{told:?}");
    assert!(told.stdout.contains(said), "{told:?}");
}

#[test]
fn any_other_answer_says_nothing_of_the_key_and_leads_nowhere() {
    let elsewhere = intake();
    let location = format!("Location: {}/\r\n", elsewhere.url());
    let location: &'static str = location.leak();
    let long = format!("{{\"valid\":true,\"more\":\"{}\"}}", "x".repeat(100_000));
    for (plan, said) in [
        (Plan::Refuse(503, ""), "status 503"),
        (Plan::Refuse(429, "Retry-After: 1\r\n"), "status 429"),
        (Plan::Refuse(302, location), "status 302"),
        (Plan::Reset, "fix: "),
        (
            Plan::Take("<html>sign in</html>".into()),
            "does not speak of a key",
        ),
        (Plan::Take(long), "length limit exceeded"),
    ] {
        let validate = MockAgent::start(move |_, _| plan.clone());
        check_unknown(&validate.url(), said);
        assert_eq!(validate.n_asked(), 1, "{said}");
    }
    assert_eq!(elsewhere.n_asked(), 0);
    check_unknown(&nobody(), "onnection refused");
}

#[test]
fn an_intake_that_nobody_serves_is_a_finding_with_the_members_of_every_finding() {
    let (asked, url) = (valid(), nobody());
    let told = doctor(&["--json"], &with_key(&asked.url(), &url));
    assert_eq!((told.code, told.stdout.lines().count()), (Some(1), 1));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    assert_eq!((findings.len(), told.as_object().unwrap().len()), (2, 1));
    for (finding, code) in findings.iter().zip(["F3", "F4"]) {
        let members: Vec<_> = finding.as_object().unwrap().keys().collect();
        let expected = ["code", "severity", "fact", "reason", "fix", "where"];
        assert_eq!(members, expected);
        assert_eq!(
            (&finding["code"], &finding["severity"]),
            (&code.into(), &"error".into())
        );
        assert_eq!(
            finding["where"]["host"].as_str(),
            url.strip_prefix("http://")
        );
        let reason = finding["reason"].as_str().unwrap();
        assert!(reason.contains("onnection refused"), "{finding}");
    }
}

#[test]
fn what_forwarding_would_not_start_with_is_said_in_the_same_sentence() {
    let site = |site| [("DD_API_KEY", KEY), ("DD_SITE", site)];
    let url = |name| [("DD_API_KEY", KEY), (name, "ftp://example.com")];
    for (variables, said) in [
        (&[][..], "DD_API_KEY is not set"),
        (&[("DATADOG_API_KEY", KEY)], "but DATADOG_API_KEY is"),
        (&[("DD_API_KEY", PART)], "12 characters"),
        (&site("https://app.datadoghq.eu/"), "set it to datadoghq.eu"),
        (&site(KEY), "looks like a key"),
        (&url("DD_APM_DD_URL"), "DD_APM_DD_URL is neither"),
        (&url("DD_DD_URL"), "DD_DD_URL is neither"),
        (&url("HTTPS_PROXY"), "HTTPS_PROXY is written like"),
    ] {
        let forward = ["--headless", "--forward", "datadog"];
        let start = run(&forward, variables);
        assert_eq!(start.code, Some(2), "{start:?}");
        let sentence = start.stderr.trim().strip_prefix("error: ").unwrap();
        assert!(sentence.contains(said), "{sentence}");
        let told = doctor(&[], variables);
        assert_eq!(told.code, Some(1), "{told:?}");
        let first = format!("FAIL  F1  {sentence}");
        assert_eq!(told.stdout.lines().next(), Some(&*first));
        assert_eq!(told.stdout.lines().count(), 3, "{told:?}");
        let json = doctor(&["--json"], variables);
        assert_eq!(json.code, Some(1));
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["findings"][0]["fact"], sentence);
        assert_eq!(json["findings"][0]["where"], serde_json::json!({}));
    }
}

#[test]
fn hosts_are_asked_through_the_proxy_whose_password_nobody_reads() {
    let validate = MockAgent::start_tls(|_, _| Plan::Take(r#"{"valid":true}"#.into()));
    let intake = MockAgent::start_tls(|_, _| Plan::Reset);
    let (asked, url) = (https(&validate), https(&intake));
    let certificate = certificate().display().to_string();
    let trusted = ("SSL_CERT_FILE", &*certificate);
    let (proxy, connects) = proxy();
    let dead = format!("http://me:{PASSWORD}@{}", nobody().replace("http://", ""));
    for (more, code) in [
        (&[trusted][..], 0),
        (&[trusted, ("HTTPS_PROXY", &*proxy)], 0),
        (&[trusted, ("HTTPS_PROXY", &*dead)], 2),
        (
            &[trusted, ("HTTPS_PROXY", &*dead), ("NO_PROXY", "localhost")],
            0,
        ),
    ] {
        let told = doctor(&[], &[&with_key(&asked, &url)[..], more].concat());
        assert_eq!(told.code, Some(code), "{more:?} {told:?}");
        let blames = told.stdout.contains("the proxy that HTTPS_PROXY names");
        assert_eq!(blames, code == 2, "{told:?}");
    }
    let connects: Vec<_> = connects.try_iter().collect();
    assert_eq!(connects.len(), 3, "{connects:?}");
    assert_eq!((validate.n_asked(), intake.n_asked()), (3, 0));
}

#[test]
fn the_key_does_not_go_to_whom_the_system_does_not_trust() {
    let validate = MockAgent::start_tls(|_, _| Plan::Take(r#"{"valid":true}"#.into()));
    let asked = https(&validate);
    let nobody = certificate().with_file_name("README.md");
    let nobody = nobody.display().to_string();
    let more = [("SSL_CERT_FILE", &*nobody)];
    let told = doctor(&[], &[&with_key(&asked, &asked)[..], &more].concat());
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(
        told.stdout.contains("SSL_CERT_FILE names those"),
        "{told:?}"
    );
    assert_eq!(validate.n_asked(), 0);
}
