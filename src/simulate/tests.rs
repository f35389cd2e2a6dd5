//! The vectors of the Agent's own samplers, all of them.

use super::*;
use crate::sampler::Settings;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sampler");

/// Replays a file; for each line after the first whether it agrees.
fn replay(name: &str, strip: fn(&mut Object)) -> Vec<Answer> {
    let text = std::fs::read_to_string(format!("{FOLDER}/{name}.jsonl")).unwrap();
    let mut lines = text.lines();
    let mut simulation = Simulation::begin(lines.next().unwrap(), &Settings::default()).unwrap();
    lines
        .map(|line| {
            let mut line = object(line).unwrap();
            strip(&mut line);
            let line = serde_json::to_string(&line).unwrap();
            simulation.line(&line).unwrap()
        })
        .collect()
}

#[track_caller]
fn check(name: &str, n_lines: usize) {
    let answers = replay(name, |_| {});
    assert_eq!(answers.len(), n_lines, "{name}");
    let differing = answers
        .iter()
        .position(|answer| answer.agrees != Some(true));
    let differing = differing.map(|place| (place + 2, &answers[place].computed));
    assert_eq!(differing, None, "{name}: a line that differs");
}

#[test]
fn every_vector_of_the_agent_agrees() {
    check("01-steady-2tps", 123);
    check("02-burst-50-after-load", 21);
    check("02-burst-50", 18);
    check("02-burst-500", 26);
    check("03-steady-100tps", 88);
    check("07-no-priority", 5);
    check("07-priority-mix", 303);
    check("07-root-rates", 244);
    check("08-errors-50tps", 9);
    check("10-rare-two-services", 244);
    check("11-sample-by-rate", 1000);
    check("12-signatures", 263);
    check("13-probabilistic", 336);
    check("14-tps-per-signature", 120);
}
