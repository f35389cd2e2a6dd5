//! Everything that reads bytes of strangers, given bytes that no client would send: recordings,
//! changed. `fuzz/` gives the same targets to libFuzzer.
//!
//! `MODTRACE_FUZZ_ROUNDS=100000 cargo test --test it fuzz::` tries more of them.
//! `MODTRACE_FUZZ_TARGET=v04` keeps to one target.

pub(crate) mod mutate;
mod oracle;
mod otlp;
mod relay;
mod seeds;
pub(crate) mod target;
mod v10;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use modtrace_tui::ingest::{Action, ENDPOINTS};

use mutate::{Random, mutate};
use target::{Entry, TARGETS, Target, check, named};

/// How many mutations of each target are tried, unless the environment says otherwise.
const ROUNDS: u64 = 500;
/// Of those that are read three times over, this share of it.
const SLOW_SHARE: u64 = 4;

fn rounds(target: &Target) -> u64 {
    let asked = std::env::var("MODTRACE_FUZZ_ROUNDS");
    let rounds = asked.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    match target.entry {
        Entry::Lines | Entry::Relay => rounds / SLOW_SHARE,
        _ => rounds,
    }
}

fn targets() -> Vec<&'static Target> {
    let asked = std::env::var("MODTRACE_FUZZ_TARGET").ok();
    let is_asked = |target: &&Target| asked.as_deref().is_none_or(|name| name == target.name);
    TARGETS.iter().filter(is_asked).collect()
}

/// Checks one input; `from` says where it is from, should it fail.
fn try_one(target: &Target, bytes: &[u8], from: &str) -> Result<(), String> {
    let checked = catch_unwind(AssertUnwindSafe(|| check(target, bytes)));
    checked.map_err(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default();
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let name = target.name;
        format!(
            "{name}, {from}: {reason}\n\
             Keep it: echo {hex} | xxd -r -p > tests/fixtures/hostile/{name}-WHAT_IT_IS"
        )
    })
}

fn try_target(target: &Target) -> Result<(), String> {
    let seeds = (target.seeds)();
    for (index, seed) in seeds.iter().enumerate() {
        try_one(target, seed, &format!("seed {index}"))?;
    }
    for round in 0..rounds(target) {
        let bytes = mutate(&seeds, &mut Random::new(round));
        try_one(target, &bytes, &format!("round {round}"))?;
    }
    Ok(())
}

#[test]
fn changed_recordings_harm_no_reader() {
    let waiting = Mutex::new(targets());
    let failed = Mutex::new(Vec::new());
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let Some(target) = waiting.lock().unwrap().pop() else {
                        return;
                    };
                    if let Err(reason) = try_target(target) {
                        failed.lock().unwrap().push(reason);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// What once broke something: `TARGET-WHAT_IT_IS`.
#[test]
fn what_once_did_harm_does_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hostile");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (target, _) = name.split_once('-').unwrap();
        let target = named(target).unwrap_or_else(|| panic!("{name} names no target"));
        try_one(target, &fs::read(&path).unwrap(), name).unwrap();
    }
}

#[test]
fn every_endpoint_that_reads_its_body_is_a_target() {
    let reads = |action| {
        !matches!(
            action,
            Action::Info | Action::Acknowledge { .. } | Action::AcknowledgeOtlp(_)
        )
    };
    let path_of = |target: &Target| match target.entry {
        Entry::Body { path, .. } => Some(path),
        _ => None,
    };
    // The first row that fits serves a path; one body may be taken at several.
    let served = |path: &str| ENDPOINTS.iter().find(|row| path.starts_with(row.path));
    let served = TARGETS.iter().filter_map(path_of).filter_map(served);
    let tried: Vec<_> = served.map(|row| row.action).collect();
    let missing = ENDPOINTS
        .iter()
        .filter(|row| reads(row.action) && !tried.contains(&row.action));
    let missing: Vec<_> = missing.map(|row| row.path).collect();
    assert!(
        missing.is_empty(),
        "add rows to fuzz/target.rs: {missing:?}"
    );
}

#[test]
fn libfuzzer_is_given_every_target() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    // Nothing of it is in the package.
    let Ok(manifest) = fs::read_to_string(manifest) else {
        return;
    };
    let named = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""));
    let named: BTreeSet<_> = named
        .skip(1)
        .filter_map(|rest| rest.strip_suffix('"'))
        .collect();
    let expected: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(named, expected);
}

#[test]
fn every_target_begins_with_something() {
    for target in targets() {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
    }
}
