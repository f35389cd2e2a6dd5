//! Contenders side by side: they take turns, the median round counts, and what comes of it is said
//! as ratios, in lines that `benches/ratios` gathers into a table.

use std::time::Instant;

/// A name, and what is done in a round.
pub(crate) type Contender<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// Median nanoseconds of a round of each contender, after one round that does not count.
pub(crate) fn take_turns(n_rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<f64> {
    let mut rounds = vec![Vec::new(); contenders.len()];
    for round in 0..=n_rounds {
        for ((_, work), rounds) in contenders.iter_mut().zip(&mut rounds) {
            let begun = Instant::now();
            work();
            if round > 0 {
                rounds.push(begun.elapsed().as_secs_f64() * 1e9);
            }
        }
    }
    rounds.into_iter().map(median).collect()
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A figure for the table: the key stands there with its goal.
pub(crate) fn say(key: &str, value: f64) {
    println!("= {key} {value:.4}");
}

/// Whether figures are asked for, and not the times of single rows.
pub(crate) fn is_asked() -> bool {
    std::env::args().any(|argument| argument == "ratios")
}

/// What a process holds in memory: `self`, or its number.
pub(crate) fn resident_bytes(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.map_or(f64::NAN, |kilobytes: f64| kilobytes * 1024.0)
}

/// CPU seconds that a process has taken, in steps of 10 ms.
pub(crate) fn cpu_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, which may hold anything, ends with the last parenthesis.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let mut ticks = after_name.split_whitespace().skip(11).take(2);
    let mut next = || ticks.next()?.parse::<f64>().ok();
    match (next(), next()) {
        (Some(user), Some(system)) => (user + system) / 100.0,
        _ => f64::NAN,
    }
}

// Not every bench takes all of it.
const _: fn(usize, &mut [Contender<'_>]) -> Vec<f64> = take_turns;
const _: fn(Vec<f64>) -> f64 = median;
const _: fn(&str, f64) = say;
const _: fn() -> bool = is_asked;
const _: [fn(&str) -> f64; 2] = [resident_bytes, cpu_s];
