//! A client that counts its spans and sends only some of them: what it counted and what came agree
//! with what it did.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::{Client, Exchange};
use crate::support::Headless;

const REQUESTS: u64 = 50;
/// A request, its query and what is within it.
const SPANS: u64 = 3 * REQUESTS;

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn everything_that_was_counted_came() {
    let exchange = run(&[]);
    exchange.check_spans();
    let told = &exchange.export()["client_stats"];
    // The requests and the queries, which are the first spans of their services.
    assert_eq!(
        (&told["hits"], &told["errors"]),
        (&(2 * REQUESTS).into(), &1.into())
    );
    assert_eq!(told["hits_without_span"], 0);
    check_requests(told, REQUESTS);
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn what_a_rule_keeps_back_is_missing() {
    let exchange = run(&[("DD_TRACE_SAMPLING_RULES", r#"[{"sample_rate":0.1}]"#)]);
    let count = |name: &str| exchange.export()["counters"][name].as_u64().expect(name);
    let arrived = exchange.traces().len() as u64;
    assert!(arrived < REQUESTS / 2, "{arrived} traces came of a tenth");
    // ddtrace 2 does not say what it dropped.
    if count("client_dropped_p0_traces") > 0 {
        assert_eq!(count("client_dropped_p0_traces"), REQUESTS - arrived);
    }
    assert_eq!(count("spans_received"), 3 * arrived);
    let told = &exchange.export()["client_stats"];
    assert_eq!(told["hits"], 2 * REQUESTS);
    assert_eq!(count("client_hits"), 2 * REQUESTS);
    assert_eq!(count("client_hits_without_span"), 2 * (REQUESTS - arrived));
    assert_eq!(told["hits_without_span"], 2 * (REQUESTS - arrived));
    check_requests(told, arrived);
    // Older versions do not count spans in their telemetry.
    if count("client_spans_created") > 0 {
        assert_eq!(count("client_spans_created"), SPANS);
        assert_eq!(count("client_spans_finished"), SPANS);
        assert_eq!(count("client_trace_chunks_dropped"), REQUESTS - arrived);
    }
    let summary = exchange.agent.events.last().expect("there are events");
    assert_eq!(summary["client_stats"]["hits"], told["hits"]);
}

/// What is said of the requests: all were counted, so many arrived, and each took some time.
#[track_caller]
fn check_requests(told: &Value, arrived: u64) {
    let groups = told["told"].as_array().expect("what was told");
    let requests = groups.iter().find(|group| group["resource"] == "GET /doc");
    let requests = requests.expect("the requests are told of");
    assert_eq!(
        (
            &requests["hits"],
            &requests["spans_arrived"],
            &requests["errors"]
        ),
        (&REQUESTS.into(), &arrived.into(), &1.into()),
        "{requests}"
    );
    assert_eq!(
        (&requests["service"], &requests["name"]),
        (&"api".into(), &"web.request".into())
    );
    assert_eq!(
        (&requests["ok"]["n"], &requests["error"]["n"]),
        (&(REQUESTS - 1).into(), &1.into())
    );
    let quantile = |name: &str| requests["ok"][name].as_u64().expect("nanoseconds");
    assert!(quantile("p50") > 1_000 && quantile("p50") <= quantile("p99"));
    assert!(quantile("max") < 10_000_000_000);
    let queries = groups.iter().filter(|group| group["service"] == "pg");
    let sum = |name: &str| {
        let numbers = queries
            .clone()
            .map(|group| group[name].as_u64().expect("a count"));
        numbers.sum::<u64>()
    };
    assert_eq!((sum("hits"), sum("spans_arrived")), (REQUESTS, arrived));
}

/// The client against us, with a proxy between that says it may drop what it rejects.
#[track_caller]
fn run(variables: &[(&str, &str)]) -> Exchange {
    let agent = Headless::start(&[]);
    let address = agent.url().strip_prefix("http://").expect("an address");
    let proxy = proxy(address.parse().expect("an address"));
    let mut client = Client::new("counted.py").env("DD_TRACE_STATS_COMPUTATION_ENABLED", "true");
    for (name, value) in variables {
        client = client.env(name, value);
    }
    client.run_against(agent, &format!("http://{proxy}"))
}

const DROPS_NOTHING: &[u8] = b"\"client_drop_p0s\": false";
/// As long as the other.
const DROPS: &[u8] = b"\"client_drop_p0s\": true ";

/// Passes everything on, and says in our name what we would not.
pub(super) fn proxy(agent: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let agent = TcpStream::connect(agent).expect("the agent listens");
            let [to_agent, from_agent] =
                [&agent, &agent].map(|it| it.try_clone().expect("a stream"));
            let to_client = client.try_clone().expect("a stream");
            thread::spawn(move || pass(client, to_agent));
            thread::spawn(move || pass(from_agent, to_client));
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        let said = bytes
            .windows(DROPS.len())
            .position(|it| it == DROPS_NOTHING);
        if let Some(at) = said {
            bytes[at..at + DROPS.len()].copy_from_slice(DROPS);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
