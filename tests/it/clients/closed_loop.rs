//! Real clients that heed what they are answered: with `--sampling agent` as in production, with a rate
//! at that rate.

use serde_json::Value;

use super::Client;
use crate::support::{Finished, Headless};

/// What a client sent at so many traces a second, for so many seconds.
#[track_caller]
fn steady(options: &[&str], per_second: &str, seconds: &str) -> Finished {
    let agent = Headless::start(options);
    let url = agent.url().to_owned();
    let client = Client::new("steady.py").args(&[per_second, seconds]);
    let output = client.send(&url);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let finished = agent.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    finished
}

fn traces(finished: &Finished) -> &[Value] {
    let traces = finished.export["traces"].as_array();
    traces.expect("the export has traces")
}

/// Those that began in the last so many seconds.
fn last(finished: &Finished, seconds: i64) -> Vec<&Value> {
    let start = |trace: &Value| trace["start"].as_i64().expect("a trace has a start");
    let traces = traces(finished).iter();
    let latest = traces.clone().map(start).max().expect("there are traces");
    let begin = latest - seconds * 1_000_000_000;
    traces.filter(|trace| start(trace) > begin).collect()
}

#[track_caller]
fn check_verdicts(finished: &Finished, n_traces: usize) {
    assert_eq!(traces(finished).len(), n_traces);
    let counted = finished.export["counters"]["traces_by_verdict"].as_object();
    let counted = counted.expect("verdicts are counted").values();
    let counted: u64 = counted.filter_map(Value::as_u64).sum();
    assert_eq!(usize::try_from(counted).ok(), Some(n_traces));
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_client_that_is_answered_as_by_an_agent_settles_near_the_target() {
    let finished = steady(&["--sampling", "agent"], "200", "30");
    check_verdicts(&finished, 6_000);
    let settled = last(&finished, 10);
    let is_kept = |trace: &&&Value| trace["sampling"]["priority"].as_i64() > Some(0);
    let n_kept = settled.iter().filter(is_kept).count();
    assert!(
        (50..=200).contains(&n_kept),
        "{n_kept} of {} in ten seconds, for a target of 10 a second",
        settled.len()
    );
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn a_client_draws_with_the_rate_that_it_is_answered() {
    let finished = steady(&["--sampling", "0.25"], "100", "6");
    check_verdicts(&finished, 600);
    let rates = last(&finished, 2);
    let rates = rates.iter().map(|trace| &trace["sampling"]["agent_rate"]);
    let rates: Vec<&Value> = rates.collect();
    assert!(rates.iter().all(|rate| **rate == 0.25), "{rates:?}");
}
