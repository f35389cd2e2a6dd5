//! An Agent that is slow, dead, refuses or is ourselves: clients are answered, nothing is lost as long
//! as it can be helped, nothing arrives twice, and what is lost is counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use modtrace_tui::io::forward::ForwardLimits;

use super::agent::{MockAgent, Plan, RATES, take};
use super::{Between, patient, span, wait_until};

const OURS: &str = r#"{"rate_by_service":{"service:,env:":1.0}}"#;

/// Which bodies were kept, and how often.
fn arrived(agent: &MockAgent) -> BTreeMap<Vec<u8>, usize> {
    let mut bodies = BTreeMap::new();
    for seen in agent.seen() {
        *bodies.entry(seen.body).or_default() += 1;
    }
    bodies
}

#[track_caller]
fn check_each_once(agent: &MockAgent, n_spans: u32) {
    let expected: BTreeMap<_, _> = (0..n_spans).map(|id| (span(id), 1)).collect();
    assert!(
        arrived(agent) == expected,
        "{} of {n_spans}",
        arrived(agent).len()
    );
}

#[test]
fn refusals_and_resets_lose_nothing_and_send_nothing_twice() {
    const SPANS: u32 = 60;
    let agent = MockAgent::start(|number, _| match number % 6 {
        0 => Plan::Refuse(429, "Retry-After: 0\r\n"),
        2 => Plan::Reset,
        4 => Plan::Refuse(503, ""),
        _ => take(),
    });
    let limits = ForwardLimits {
        requests_max: 100,
        ..patient()
    };
    let between = Between::start(&agent.url(), limits);
    let mut client = between.connect();
    for id in 0..SPANS {
        let answer = client.ask("PUT", "/v0.4/traces", &span(id));
        assert!(answer.status == 200 && [RATES, OURS].contains(&&*answer.body));
    }
    let (outcome, told) = between.stop();
    check_each_once(&agent, SPANS);
    assert_eq!(
        (outcome.payloads, outcome.spans),
        (SPANS.into(), SPANS.into())
    );
    assert_eq!((outcome.failed, outcome.dropped), (0, 0));
    assert_eq!(told.len(), 1, "once a minute is enough: {told:?}");
}

#[test]
fn a_dead_agent_is_answered_for_and_gets_everything_when_it_is_back() {
    let scratch = crate::support::Scratch::new();
    let path = scratch.path("apm.socket");
    let between = Between::start(&format!("unix:{}", path.display()), patient());
    let mut client = between.connect();
    for id in 0..10 {
        // As long as nobody waits for an Agent that refuses, this does not take PATIENCE.
        let answer = client.ask("PUT", "/v0.4/traces", &span(id));
        assert_eq!((answer.status, &*answer.body), (200, OURS));
    }
    let agent = MockAgent::start_at(&path, |_, _| take());
    wait_until("all came", || agent.seen().len() == 10);
    let answer = client.ask("PUT", "/v0.4/traces", &span(10));
    assert_eq!(answer.status, 200);
    let (outcome, told) = between.stop();
    check_each_once(&agent, 11);
    assert_eq!(
        (outcome.payloads, outcome.failed, outcome.dropped),
        (11, 0, 0)
    );
    let [told] = told.try_into().unwrap();
    assert!(
        told.contains("cannot be reached") && told.contains("tried again"),
        "{told}"
    );
}

#[test]
fn a_client_waits_for_a_silent_agent_once_and_no_longer_than_it_may() {
    let agent = MockAgent::start(|_, _| Plan::Silence);
    let wait = Duration::from_secs(3);
    let limits = ForwardLimits {
        answer_wait_max: wait,
        drain_max: Duration::ZERO,
        ..patient()
    };
    let between = Between::start(&agent.url(), limits);
    let mut client = between.connect();
    let begun = Instant::now();
    let answer = client.ask("PUT", "/v0.4/traces", &span(0));
    assert_eq!((answer.status, &*answer.body), (200, OURS));
    assert!(
        begun.elapsed() >= wait,
        "it did not wait: {:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    for id in 1..20 {
        assert_eq!(client.ask("PUT", "/v0.4/traces", &span(id)).body, OURS);
    }
    assert!(
        begun.elapsed() < wait,
        "it waited again: {:?}",
        begun.elapsed()
    );
    // The end does not wait for it either; what it did not answer is counted.
    let (outcome, _) = between.stop();
    assert_eq!((outcome.payloads, outcome.dropped), (0, 20));
}

#[test]
fn a_full_queue_drops_counts_and_says_so_once() {
    let agent = MockAgent::start(|_, _| Plan::Silence);
    let limits = ForwardLimits {
        requests_max: 2,
        senders: 1,
        answer_wait_max: Duration::ZERO,
        drain_max: Duration::ZERO,
        ..patient()
    };
    let between = Between::start(&agent.url(), limits);
    let mut client = between.connect();
    for id in 0..10 {
        assert_eq!(client.ask("PUT", "/v0.4/traces", &span(id)).body, OURS);
    }
    let (outcome, told) = between.stop();
    assert_eq!((outcome.payloads, outcome.dropped), (0, 10));
    assert!(agent.n_asked() <= 1);
    let [told] = told.try_into().unwrap();
    assert!(
        told.contains("too slow") && told.contains("no room for it: 2 requests wait already"),
        "{told}"
    );
    assert!(outcome.last_error.unwrap().contains("no room"));
}

#[test]
fn the_queue_is_bounded_in_bytes_and_a_single_large_request_passes() {
    let agent = MockAgent::start(|_, _| Plan::Silence);
    let limits = ForwardLimits {
        bytes_max: 1_000,
        senders: 1,
        answer_wait_max: Duration::ZERO,
        drain_max: Duration::ZERO,
        ..patient()
    };
    let between = Between::start(&agent.url(), limits);
    let mut client = between.connect();
    let large = vec![b' '; 100_000];
    client.ask("POST", "/profiling/v1/input", &large);
    wait_until("it came", || agent.seen().len() == 1);
    client.ask("POST", "/profiling/v1/input", b"{}");
    let (outcome, told) = between.stop();
    assert_eq!(outcome.dropped, 2);
    assert_eq!(agent.seen()[0].body.len(), 100_000);
    let [told] = told.try_into().unwrap();
    assert!(
        told.contains(
            "no room for it: the requests that wait may take no more than 1000 bytes together"
        ),
        "{told}"
    );
}

#[test]
fn what_the_agent_says_no_to_is_not_sent_again() {
    let agent = MockAgent::start(|_, _| Plan::Refuse(400, ""));
    let between = Between::start(&agent.url(), patient());
    let answer = between.connect().ask("PUT", "/v0.4/traces", &span(1));
    assert_eq!((answer.status, &*answer.body), (200, OURS));
    let (outcome, told) = between.stop();
    assert_eq!(
        (agent.n_asked(), outcome.failed, outcome.payloads),
        (1, 1, 0)
    );
    let [told] = told.try_into().unwrap();
    assert!(
        told.contains("answers with status 400 (1 request lost)"),
        "{told}"
    );
}

#[test]
fn quitting_sends_what_waits() {
    let agent = MockAgent::start(|_, _| take());
    let limits = ForwardLimits {
        answer_wait_max: Duration::ZERO,
        ..patient()
    };
    let between = Between::start(&agent.url(), limits);
    let mut client = between.connect();
    for id in 0..50 {
        client.ask("PUT", "/v0.4/traces", &span(id));
    }
    let (outcome, _) = between.stop();
    check_each_once(&agent, 50);
    assert_eq!((outcome.payloads, outcome.dropped), (50, 0));
}

#[test]
fn a_request_that_comes_back_to_us_ends_there() {
    let agent = MockAgent::start(|_, _| take());
    let between = Between::start(&agent.url(), patient());
    let mut client = between.connect();
    client.ask("PUT", "/v0.4/traces", &span(1));
    let via = agent.seen()[0].header("via").unwrap().to_owned();
    let via = format!("Via: 1.1 proxy\r\nVia: {via}\r\n");
    let answer = client.ask_with("PUT", "/v0.4/traces", &via, &span(2));
    assert_eq!((answer.status, &*answer.body), (200, OURS));
    let (outcome, told) = between.stop();
    assert_eq!(
        (agent.seen().len(), outcome.payloads, outcome.failed),
        (1, 1, 1)
    );
    let [told] = told.try_into().unwrap();
    assert!(told.contains("is this program itself"), "{told}");
}
