//! Requests that go on to a real Agent: compared byte by byte with what a stand-in for one received, and
//! with what clients and counters were told.

mod agent;
mod by_hand;
mod datadog;
mod doctor;
mod lanes;
mod lines;
mod passing;
mod program;
mod reopen;
mod spill;
mod tls;
mod trouble;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use modtrace_tui::config::AgentAddress;
use modtrace_tui::forward::Forwarded;
use modtrace_tui::ingest::Inbound;
use modtrace_tui::io::agent::{Agent, AgentSettings};
use modtrace_tui::io::forward::{ForwardLimits, ForwardQueue, Forwarder};
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};

use crate::support::{Client, PATIENCE};

/// Our agent, and what sends on for it.
struct Between {
    agent: Agent,
    forwarder: Forwarder<ForwardQueue>,
    receiver: InboxReceiver,
    seen: Vec<Inbound>,
}

/// Limits under which a client waits as long as a slow machine needs.
fn patient() -> ForwardLimits {
    ForwardLimits {
        answer_wait_max: PATIENCE,
        attempt_max: PATIENCE,
        give_up_after: PATIENCE,
        drain_max: PATIENCE,
        ..ForwardLimits::default()
    }
}

impl Between {
    fn start(to: &str, limits: ForwardLimits) -> Self {
        Self::with(to, limits, |_| {})
    }

    fn with(to: &str, limits: ForwardLimits, change: impl FnOnce(&mut AgentSettings)) -> Self {
        let address = to.parse().unwrap();
        Self::to(address, limits, change)
    }

    fn to(
        address: AgentAddress,
        limits: ForwardLimits,
        change: impl FnOnce(&mut AgentSettings),
    ) -> Self {
        let (inbox, receiver) = inbox::channel(InboxLimits {
            items_max: 10_000,
            ..InboxLimits::default()
        });
        let forwarder = Forwarder::<ForwardQueue>::start(address, limits, inbox.clone()).unwrap();
        let mut settings = AgentSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.forward = Some(forwarder.queue().clone());
        change(&mut settings);
        Self {
            agent: Agent::start(settings, inbox).unwrap(),
            forwarder,
            receiver,
            seen: Vec::new(),
        }
    }

    fn connect(&self) -> Client<TcpStream> {
        Client::of(&format!("http://{}", self.agent.local_addr()))
    }

    /// Stops it, and gives what became of all requests, with the sentences that were told.
    fn stop(mut self) -> (Forwarded, Vec<String>) {
        self.agent.stop();
        let mut all = self.forwarder.stop().rest;
        while self.receiver.try_recv_many(&mut self.seen, 1_000) > 0 {}
        let mut told = Vec::new();
        for inbound in self.seen {
            match inbound {
                Inbound::Forwarded(more) => all.add(more),
                Inbound::Notice(sentence) => told.push(sentence),
                _ => {}
            }
        }
        (all, told)
    }
}

/// Waits, looking often, until something is so.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never came to pass: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A v0.4 payload with one span of this id.
fn span(id: u32) -> Vec<u8> {
    let head = b"\x91\x91\x84\xa8trace_id\xce";
    let number = id.to_be_bytes();
    let rest = b"\xa7span_id\x02\xa4name\xa1n\xa7service\xa1s";
    [&head[..], &number, rest].concat()
}
