//! Bodies that no client would send, over HTTP by the thousand, while a good client sends its traces:
//! it is answered at once, nothing of it is lost, every refusal is counted, memory stays where it is.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::fuzz::mutate::{Random, mutate};
use crate::fuzz::target::{Entry, TARGETS};
use crate::support::{Client, Finished, Headless};

/// Connections on which changed bodies come.
const CONNECTIONS: usize = 4;

/// The ids of the good client's traces follow this one, which is in no recording.
const GOOD_TRACE_ID: u64 = 0x600d_0000_0000_0000;

/// What memory may grow by after the first fifth, beside growing to twice of what it was then: some of
/// what was changed is still a trace, and is kept.
const GROWTH_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What is sent.
#[derive(Clone, Copy)]
struct Plan {
    n_changed: u64,
    n_good: u64,
}

/// A connection that is kept as long as the agent keeps it.
struct Kept {
    url: String,
    client: Option<Client<TcpStream>>,
}

impl Kept {
    fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: None,
        }
    }

    /// Sends a body, and gives the status of the answer.
    fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> u16 {
        let client = self.client.take();
        let mut client = client.unwrap_or_else(|| Client::of(&self.url));
        let answer = client.ask_with("POST", path, headers, body);
        if !answer.head.contains("connection: close") {
            self.client = Some(client);
        }
        answer.status
    }
}

/// Sends those of the changed bodies that are this connection's, and tells the good client how it goes
/// on. Returns how often which status was answered to payloads that are counted.
fn send_changed(
    url: &str,
    plan: Plan,
    connection: usize,
    turns: &SyncSender<()>,
) -> BTreeMap<u16, u64> {
    let bodies = TARGETS.iter().filter_map(|target| match target.entry {
        Entry::Body { path, headers, .. } => Some((path, headers, (target.seeds)())),
        _ => None,
    });
    let bodies: Vec<_> = bodies.collect();
    let mut client = Kept::new(url);
    let mut answers = BTreeMap::new();
    let per_turn = plan.n_changed / plan.n_good;
    let numbers = (0..plan.n_changed).skip(connection);
    for number in numbers.step_by(CONNECTIONS) {
        let mut random = Random::new(number);
        let (path, headers, seeds) = &bodies[random.below(bodies.len())];
        let status = client.post(path, headers, &mutate(seeds, &mut random));
        // What is said about a program is no payload.
        if !path.contains("telemetry") {
            *answers.entry(status).or_default() += 1;
        }
        if number % per_turn == 0 {
            // The good client has sent all it has, if it does not listen any more.
            let _ = turns.send(());
        }
    }
    answers
}

/// Sends a trace at each turn. Returns the memory of the program after the first fifth and at the
/// end, in bytes.
fn send_good(url: &str, plan: Plan, pid: u32, turns: Receiver<()>) -> (u64, u64) {
    let mut client = Kept::new(url);
    let mut early = 0;
    for (number, ()) in (0..plan.n_good).zip(turns) {
        let status = client.post("/v0.4/traces", "", &good(number));
        assert_eq!(status, 200, "{number}");
        if number == plan.n_good / 5 {
            early = resident_bytes(pid);
        }
    }
    (early, resident_bytes(pid))
}

/// A root and its child, with the number as their trace.
fn good(number: u64) -> Vec<u8> {
    let span = |span_id: u8, parent_id: u8| {
        let trace_id = (GOOD_TRACE_ID + number).to_be_bytes();
        [
            &b"\x84\xa4name\xa4good\xa8trace_id\xcf"[..],
            &trace_id,
            &[&b"\xa7span_id"[..], &[span_id]].concat(),
            &[&b"\xa9parent_id"[..], &[parent_id]].concat(),
        ]
        .concat()
    };
    [&b"\x91\x92"[..], &span(1, 0), &span(2, 1)].concat()
}

fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().split(' ').next().unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

fn counter(finished: &Finished, name: &str) -> u64 {
    finished.export["counters"][name].as_u64().unwrap()
}

#[track_caller]
fn check(plan: Plan) {
    let program = Headless::start(&[]);
    let pid = u32::try_from(program.pid().as_raw_nonzero().get()).unwrap();
    let url = program.url().to_owned();
    let (turns, turn) = sync_channel(1);
    let (answers, resident) = thread::scope(|scope| {
        let changed = (0..CONNECTIONS).map(|connection| {
            let (url, turns) = (&url, turns.clone());
            scope.spawn(move || send_changed(url, plan, connection, &turns))
        });
        let changed: Vec<_> = changed.collect();
        drop(turns);
        let resident = send_good(&url, plan, pid, turn);
        let mut answers = BTreeMap::new();
        for sender in changed {
            for (status, number) in sender.join().unwrap() {
                *answers.entry(status).or_default() += number;
            }
        }
        (answers, resident)
    });
    let finished = program.finish();
    check_answers(&finished, plan, &answers);
    check_good(&finished, plan);
    let (early, late) = resident;
    assert!(
        late < early * 2 + GROWTH_BYTES_MAX,
        "{early} bytes became {late}"
    );
}

/// The program counted what it answered.
#[track_caller]
fn check_answers(finished: &Finished, plan: Plan, answers: &BTreeMap<u16, u64>) {
    let is_fine = |status: u16| (200..300).contains(&status);
    let of = |fine: bool| -> u64 {
        let answers = answers
            .iter()
            .filter(|(status, _)| is_fine(**status) == fine);
        answers.map(|(_, number)| number).sum()
    };
    assert!(of(true) > 0 && of(false) > 0, "{answers:?}");
    assert_eq!(answers.get(&500), None);
    assert_eq!(counter(finished, "payloads_refused"), of(false));
    assert_eq!(
        counter(finished, "payloads_received"),
        of(true) + plan.n_good
    );
    let told = u64::try_from(finished.events_named("refused").count()).unwrap();
    assert_eq!(told, of(false));
    assert_eq!(
        counter(finished, "spans_received"),
        counter(finished, "spans_shown")
            + counter(finished, "spans_evicted")
            + counter(finished, "spans_duplicate")
    );
    assert!(
        finished.status.success() && finished.stderr.is_empty(),
        "{}",
        finished.stderr
    );
}

#[track_caller]
fn check_good(finished: &Finished, plan: Plan) {
    let traces = finished.export["traces"].as_array().unwrap();
    let good = traces.iter().filter(|trace| trace["root"] == "good");
    let mut ids = BTreeMap::new();
    for trace in good {
        let spans = trace["spans"].as_array().unwrap();
        let id = trace["trace_id"].as_str().unwrap();
        ids.insert(u128::from_str_radix(id, 16).unwrap(), spans.len());
    }
    let expected = (0..plan.n_good).map(|number| (u128::from(GOOD_TRACE_ID + number), 2));
    assert_eq!(ids, expected.collect());
}

#[test]
fn a_good_client_loses_nothing_among_bodies_that_no_client_would_send() {
    check(Plan {
        n_changed: 2_000,
        n_good: 100,
    });
}

#[test]
#[ignore = "takes a minute or more"]
fn a_good_client_loses_nothing_among_a_hundred_thousand_of_them() {
    check(Plan {
        n_changed: 100_000,
        n_good: 1_000,
    });
}
