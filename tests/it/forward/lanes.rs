//! Each intake of Datadog on its own: one that fails delays nothing that goes to another, and the end gives
//! what waits another chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use modtrace_tui::forward::settings::{ForwardOptions, ForwardSettings};
use modtrace_tui::forward::{Contents, Intake, IntakeRequest, Ticket};
use modtrace_tui::io::forward::{Ended, ForwardLimits, Forwarder, IntakeQueue};
use modtrace_tui::io::inbox::{self, InboxLimits, InboxReceiver};

use super::agent::{MockAgent, Plan};
use super::datadog::{KEY, taken};
use super::{patient, wait_until};

/// Later than any test waits.
const MUCH_LATER: Plan = Plan::Refuse(503, "Retry-After: 300\r\n");

fn start(intake: &MockAgent, limits: ForwardLimits) -> (Forwarder<IntakeQueue>, InboxReceiver) {
    let url = intake.url();
    let options = ForwardOptions {
        api_key: Some(KEY),
        traces_url: Some(&url),
        logs_url: Some(&url),
        ..ForwardOptions::default()
    };
    let settings = ForwardSettings::read(&options).unwrap();
    let (inbox, receiver) = inbox::channel(InboxLimits::default());
    let forwarder = Forwarder::<IntakeQueue>::start(settings, limits, inbox).unwrap();
    (forwarder, receiver)
}

/// Ten numbers.
fn ten() -> Vec<u32> {
    (0..10).collect()
}

fn request(intake: Intake, number: u32) -> IntakeRequest {
    let ticket = Ticket {
        trace: number.into(),
        span: 0,
        version: 0,
    };
    let contents = match intake {
        Intake::Traces => Contents::Spans {
            n_traces: 1,
            spans: [ticket].into(),
        },
        Intake::Stats => Contents::Groups {
            n_groups: 1,
            n_hits: 1,
        },
        Intake::Logs => Contents::Lines { n_lines: 1 },
    };
    IntakeRequest {
        intake,
        headers: Vec::new(),
        body: number.to_string().into(),
        plain_bytes: 1,
        contents,
    }
}

/// The numbers that came to an intake, sorted.
fn came(mock: &MockAgent, intake: Intake) -> Vec<u32> {
    let seen = mock.seen().into_iter();
    let seen = seen.filter(|seen| seen.path == intake.path());
    let mut numbers: Vec<u32> = seen
        .map(|seen| String::from_utf8(seen.body).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn an_intake_that_fails_for_ever_delays_nothing_that_goes_to_the_others() {
    let all = [Intake::Traces, Intake::Stats, Intake::Logs];
    for fails in all {
        let intake = MockAgent::start(move |_, seen| {
            if seen.path == fails.path() {
                MUCH_LATER
            } else {
                taken()
            }
        });
        let limits = ForwardLimits {
            drain_max: Duration::ZERO,
            ..patient()
        };
        let (forwarder, _receiver) = start(&intake, limits);
        let queue = forwarder.queue();
        for number in 0..10 {
            queue.send(request(fails, number));
        }
        wait_until("it failed", || intake.n_asked() > 0);
        let others = all.into_iter().filter(|other| *other != fails);
        for other in others.clone() {
            for number in 0..10 {
                queue.send(request(other, number));
            }
        }
        for other in others {
            wait_until("all came", || came(&intake, other) == ten());
        }
        assert!(queue.has_room() && !queue.is_idle());
        forwarder.stop();
        assert!(came(&intake, fails).is_empty());
    }
}

#[test]
fn a_key_that_one_intake_refuses_is_shown_to_no_other() {
    let intake = MockAgent::start(|_, seen| {
        if seen.path == Intake::Stats.path() {
            Plan::Refuse(403, "")
        } else {
            taken()
        }
    });
    let (forwarder, _receiver) = start(&intake, patient());
    let queue = forwarder.queue();
    queue.send(request(Intake::Stats, 1));
    wait_until("it was refused", || queue.is_idle());
    queue.send(request(Intake::Traces, 1));
    queue.send(request(Intake::Logs, 1));
    forwarder.stop();
    assert_eq!(intake.n_asked(), 1);
}

#[test]
fn what_waits_for_another_attempt_gets_it_when_the_program_ends() {
    let is_back = Arc::new(AtomicBool::new(false));
    let comes_back = Arc::clone(&is_back);
    let intake = MockAgent::start(move |_, _| {
        if comes_back.load(Ordering::Relaxed) {
            taken()
        } else {
            MUCH_LATER
        }
    });
    let (forwarder, _receiver) = start(&intake, patient());
    for number in 0..10 {
        forwarder.queue().send(request(Intake::Traces, number));
        forwarder.queue().send(request(Intake::Logs, number));
    }
    // All who send wait.
    wait_until("it failed", || intake.n_asked() == 6);
    is_back.store(true, Ordering::Relaxed);
    let Ended { rest, .. } = forwarder.stop();
    for to in [Intake::Traces, Intake::Logs] {
        assert_eq!(came(&intake, to), ten());
    }
    assert_eq!((rest.failed, rest.dropped), (0, 0));
}
