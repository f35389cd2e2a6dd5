//! The sampling rules that we write, in a shell and in a client: it keeps what they say, and decides the
//! rest as before.

use std::process::Command;

use modtrace_tui::env_lines::{RuleFor, sampling_rules};
use serde_json::{Value, json};

use super::Client;

/// A service and the resource of a trace.
type Work = (&'static str, &'static str);

const GENERATE: Work = ("gen-api", "POST /v1/generate");
const QUOTED: Work = ("it's", "SELECT 'a', \"b\" \\ $HOME `id`\nFROM ü");
const STARRED: Work = ("gen-api", "GET /files/*?x");

/// A client that does all of this, with rules for some of it.
#[track_caller]
fn run(rules_for: &[RuleFor], work: &[Work]) -> Vec<(String, Value)> {
    let line = sampling_rules(rules_for);
    let mut shell = Command::new("sh");
    let said = shell.args(["-c", &format!("{line} printenv DD_TRACE_SAMPLING_RULES")]);
    let said = said.output().expect("there is a shell");
    let rules = String::from_utf8(said.stdout).expect("the rules are text");
    let exchange = Client::new("ruled.py")
        .args(&[&json!(work).to_string()])
        .env("DD_TRACE_SAMPLING_RULES", rules.trim_end_matches('\n'))
        .run();
    exchange.check();
    let traces = exchange.traces().iter();
    traces
        .map(|trace| {
            let resource = trace["resource"].as_str().expect("a resource");
            let service = trace["service"].as_str().expect("a service");
            (format!("{service} {resource}"), trace["sampling"].clone())
        })
        .collect()
}

fn rule((service, resource): Work) -> RuleFor {
    RuleFor {
        service: service.to_owned(),
        resource: Some(resource.to_owned()),
    }
}

/// By a rule that keeps all, or as if there were none.
#[track_caller]
fn check(found: &[(String, Value)], kept: &[Work]) {
    for (name, sampling) in found {
        let mut kept = kept.iter();
        let is_kept = kept.any(|(service, resource)| *name == format!("{service} {resource}"));
        let decided = (&sampling["priority"], sampling["rule_rate"].as_f64());
        let expected = if is_kept {
            (&json!(2), Some(1.0))
        } else {
            (&json!(1), None)
        };
        assert_eq!(decided, expected, "{name}");
    }
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_rule_keeps_what_it_names_and_nothing_else() {
    let others = [
        ("gen-api", "GET /healthz"),
        ("other", "POST /v1/generate"),
        ("gen-api", "POST /v1/generate/stream"),
    ];
    let kept = [GENERATE, QUOTED, STARRED];
    let work = [&kept[..], &others].concat();
    let found = run(&kept.map(rule), &work);
    assert_eq!(found.len(), work.len());
    check(&found, &kept);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_rule_for_a_star_says_that_it_is_broader() {
    let alike = ("gen-api", "GET /files/abx");
    let longer = ("gen-api", "GET /files/abcx");
    assert!(rule(STARRED).is_broader());
    let found = run(&[rule(STARRED)], &[STARRED, alike, longer]);
    check(&found, &[STARRED, alike]);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_rule_for_a_service_keeps_all_of_it() {
    let all = RuleFor {
        service: "gen-api".to_owned(),
        resource: None,
    };
    let found = run(&[all], &[GENERATE, STARRED, QUOTED]);
    check(&found, &[GENERATE, STARRED]);
}
