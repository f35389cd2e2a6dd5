//! Whether spans would get to Datadog: what has to be asked, what the answers mean, and the sentences
//! that say so. Asks nobody and reads no clock; no sentence holds a key, or what a proxy's address holds.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::settings::{Address, ForwardSettings, Scheme};
use crate::trace::{harmless_lines, printable};

/// A reason may quote what a stranger sent, a certificate's names, say.
const REASON_BYTES_MAX: usize = 300;

/// What came of asking: one attempt each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What was answered about the key.
    pub validate: Result<Answer, Trouble>,
    /// How long it took to open a connection for traces and statistics.
    pub traces: Result<Duration, Trouble>,
    /// The same for log lines.
    pub logs: Result<Duration, Trouble>,
}

/// What was answered about the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// How long it took, from the first packet on.
    pub after: Duration,
}

/// Why there is no answer, or no connection: a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Whoever answers has a certificate that the system does not trust.
    Certificate(String),
    /// Anything else.
    Other(String),
}

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is fine.
    Fine,
    /// It is not.
    Wrong,
    /// It could not be found out.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its number, which stays: `F2`.
    pub code: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What is so.
    pub fact: String,
    /// Why, unless it is fine.
    pub reason: String,
    /// What to do, unless it is fine.
    pub fix: String,
    /// Which host it is about, with its port if that is unusual.
    pub host: Option<String>,
}

impl Diagnostic {
    fn fine(code: &'static str, fact: String, host: Option<String>) -> Self {
        Self {
            code,
            verdict: Verdict::Fine,
            fact,
            reason: String::new(),
            fix: String::new(),
            host,
        }
    }

    /// The only one where forwarding would not even start, because of what [`ForwardSettings::read`] says.
    pub fn refused(sentence: &str) -> Self {
        Self {
            code: "F1",
            verdict: Verdict::Wrong,
            fact: sentence.to_owned(),
            reason: "with this, --forward datadog ends at its start".to_owned(),
            fix: "set the variable it names where modtrace-tui is started".to_owned(),
            host: None,
        }
    }
}

/// What is to be said of what was seen, in the order it is told.
pub fn diagnostics(settings: &ForwardSettings, seen: &Seen) -> Vec<Diagnostic> {
    let read = format!("DD_API_KEY is set, the site is {}", settings.site);
    let traces = ("F3", "traces and statistics");
    vec![
        Diagnostic::fine("F1", read, None),
        key(settings, &seen.validate),
        reached(traces, &settings.traces, &seen.traces),
        reached(("F4", "log lines"), &settings.logs, &seen.logs),
    ]
}

/// 0 if all is fine, 1 if something is wrong, 2 if something could not be found out: then what is wrong
/// may have the same cause.
pub fn exit_code(diagnostics: &[Diagnostic]) -> u8 {
    let has = |verdict| diagnostics.iter().any(|found| found.verdict == verdict);
    match (has(Verdict::Unknown), has(Verdict::Wrong)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// For people: a line each, and below what is not fine why and what to do.
pub fn lines(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|found| {
        let Diagnostic {
            code,
            fact,
            reason,
            fix,
            ..
        } = found;
        let below = format!("          {reason}\n          fix: {fix}\n");
        match found.verdict {
            Verdict::Fine => format!("ok    {code}  {fact}\n"),
            Verdict::Wrong => format!("FAIL  {code}  {fact}\n{below}"),
            Verdict::Unknown => format!("??    {code}  {fact}\n{below}"),
        }
    });
    let lines: String = lines.collect();
    harmless_lines(&lines).into_owned()
}

/// For programs: `{"findings":[..]}` with what is not fine.
pub fn findings(diagnostics: &[Diagnostic]) -> Json {
    let findings = diagnostics.iter().filter_map(|found| {
        let severity = match found.verdict {
            Verdict::Fine => return None,
            Verdict::Wrong => "error",
            Verdict::Unknown => "warn",
        };
        let place = match &found.host {
            Some(host) => json!({"host": host}),
            None => json!({}),
        };
        Some(json!({
            "code": found.code,
            "severity": severity,
            "fact": found.fact,
            "reason": found.reason,
            "fix": found.fix,
            "where": place,
        }))
    });
    json!({"findings": findings.collect::<Vec<_>>()})
}

/// What the answer says of the key. Datadog answers 200 and `{"valid":true}`, or 403; what anybody else
/// may answer who stands in between says nothing.
fn key(settings: &ForwardSettings, answered: &Result<Answer, Trouble>) -> Diagnostic {
    let host = settings.validate.authority();
    let unknown = |reason: String, fix: String| Diagnostic {
        code: "F2",
        verdict: Verdict::Unknown,
        fact: format!("{host} could not be asked whether it knows the key"),
        reason,
        fix,
        host: Some(host.clone()),
    };
    let in_between = "a proxy, a firewall or a login page may answer in its place: see what \
                      stands between this machine and that host";
    let answer = match answered {
        Ok(answer) => answer,
        Err(trouble) => return unknown(reason(trouble), fix(&settings.validate, trouble)),
    };
    match (answer.status, says_valid(&answer.body)) {
        (200, Some(true)) => {
            let took = shown(answer.after);
            let fact = format!("the site knows the key: {host} answered in {took}");
            Diagnostic::fine("F2", fact, Some(host))
        }
        (403, _) | (200, Some(false)) => Diagnostic {
            code: "F2",
            verdict: Verdict::Wrong,
            fact: "the key is not a key of this site".to_owned(),
            reason: format!("{host} refuses it (status {})", answer.status),
            fix: format!(
                "DD_SITE says which site it is, now {}: set it to the one you sign in at, without \
                 app.; or set DD_API_KEY to a key of this one",
                settings.site
            ),
            host: Some(host.clone()),
        },
        (200, None) => {
            let reason = "its answer does not speak of a key".to_owned();
            unknown(reason, in_between.to_owned())
        }
        (status, _) => {
            let fix = match status {
                408 | 429 | 500.. => "try again in a minute",
                _ => in_between,
            };
            let reason = format!("it answers with status {status}");
            unknown(reason, fix.to_owned())
        }
    }
}

fn says_valid(body: &[u8]) -> Option<bool> {
    let body: Json = serde_json::from_slice(body).ok()?;
    body.get("valid")?.as_bool()
}

fn reached(
    (code, what): (&'static str, &str),
    to: &Address,
    reached: &Result<Duration, Trouble>,
) -> Diagnostic {
    let host = to.authority();
    match reached {
        Ok(after) => {
            let fact = format!("{what}: {host} was reached in {}", shown(*after));
            Diagnostic::fine(code, fact, Some(host))
        }
        Err(trouble) => Diagnostic {
            code,
            verdict: Verdict::Wrong,
            fact: format!("{what} would not arrive: {host} cannot be reached"),
            reason: reason(trouble),
            fix: fix(to, trouble),
            host: Some(host),
        },
    }
}

fn reason(trouble: &Trouble) -> String {
    let (Trouble::Certificate(words) | Trouble::Other(words)) = trouble;
    printable(words, REASON_BYTES_MAX).into()
}

fn fix(to: &Address, trouble: &Trouble) -> String {
    let Address { host, port, .. } = to;
    match (trouble, &to.proxy, to.scheme) {
        (Trouble::Certificate(_), ..) => "whoever answers is not trusted here: see that the system's \
                                          certificates are installed; SSL_CERT_FILE names those of a \
                                          company's proxy"
            .to_owned(),
        (_, Some(_), _) => "the way there leads through the proxy that HTTPS_PROXY names: see that \
                            it lets this host pass, or name the host in NO_PROXY"
            .to_owned(),
        (_, None, Scheme::Http) => {
            "see that something listens there, or change the variable that names this address"
                .to_owned()
        }
        (_, None, Scheme::Https) => format!(
            "see that DD_SITE is right and that the firewall lets connections to {host} port {port} \
             pass, or name your proxy in HTTPS_PROXY"
        ),
    }
}

fn shown(duration: Duration) -> String {
    format!("{} ms", duration.as_millis().max(1))
}

#[cfg(test)]
mod tests;
