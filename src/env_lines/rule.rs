//! The sampling rules that make a client keep certain traces, as one line for its environment.

use std::collections::BTreeSet;

use serde_json::json;

/// The variable by which tracers take rules.
const VARIABLE: &str = "DD_TRACE_SAMPLING_RULES";

/// Traces of a service, all of them or those of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleFor {
    /// The root's service.
    pub service: String,
    /// The root's resource; all, if it is not given.
    pub resource: Option<String>,
}

impl RuleFor {
    /// Whether the rule may keep more than it says: a rule has no way to write `*` and `?` as such.
    pub fn is_broader(&self) -> bool {
        let resource = self.resource.as_deref().unwrap_or("");
        [&*self.service, resource]
            .iter()
            .any(|text| text.contains(['*', '?']))
    }
}

/// `DD_TRACE_SAMPLING_RULES='[{"service":"gen-api","resource":"POST /","sample_rate":1.0}]'`, each rule
/// once, in order. In a shell the quotes hold: no text can end them.
pub fn sampling_rules(rules_for: &[RuleFor]) -> String {
    let mut known = BTreeSet::new();
    let rules = rules_for.iter().filter(|it| known.insert(*it)).map(|it| {
        let mut rule = serde_json::Map::new();
        // What is empty would be compared with nothing at all.
        let resource = it.resource.as_deref().unwrap_or("");
        for (key, text) in [("service", &*it.service), ("resource", resource)] {
            if !text.is_empty() {
                rule.insert(key.to_owned(), json!(literal(text)));
            }
        }
        rule.insert("sample_rate".to_owned(), json!(1.0));
        rule
    });
    let rules = rules.collect::<serde_json::Value>().to_string();
    format!("{VARIABLE}='{}'", rules.replace('\'', "\\u0027"))
}

/// Rules are patterns, in which `?` is any letter: there is no way to write a star or a question mark
/// (`ddtrace/internal/glob_matching.py` of `DataDog/dd-trace-py`).
fn literal(text: &str) -> String {
    text.replace('*', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(service: &str, resource: Option<&str>, expected: &str) {
        let rule = RuleFor {
            service: service.to_owned(),
            resource: resource.map(str::to_owned),
        };
        let line = sampling_rules(&[rule.clone(), rule]);
        assert_eq!(line, format!("DD_TRACE_SAMPLING_RULES='[{expected}]'"));
    }

    #[test]
    fn a_rule_is_json_between_quotes_that_no_text_ends() {
        check(
            "gen-api",
            Some("POST /v1/generate"),
            r#"{"service":"gen-api","resource":"POST /v1/generate","sample_rate":1.0}"#,
        );
        check(
            "gen-api",
            None,
            r#"{"service":"gen-api","sample_rate":1.0}"#,
        );
        check("", Some(""), r#"{"sample_rate":1.0}"#);
        check(
            "it's",
            Some("SELECT \"a\" \\ 'b'\n"),
            r#"{"service":"it\u0027s","resource":"SELECT \"a\" \\ \u0027b\u0027\n","sample_rate":1.0}"#,
        );
    }

    #[test]
    fn what_a_pattern_cannot_say_is_any_letter() {
        check(
            "a",
            Some("GET /files/*?x"),
            r#"{"service":"a","resource":"GET /files/??x","sample_rate":1.0}"#,
        );
        let rule = |resource: &str| RuleFor {
            service: "a".to_owned(),
            resource: Some(resource.to_owned()),
        };
        assert!(rule("GET /*").is_broader());
        assert!(!rule("GET /").is_broader());
    }
}
