//! The built program and its sources, looked at from outside: one module for each side.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy's settings spare the tests, not their helpers"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "what is waited for from outside is waited for by the clock"
)]

mod agent;
#[cfg(unix)]
mod child;
mod cli;
#[cfg(unix)]
mod clients;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(unix)]
mod forward;
mod fuzz;
#[cfg(unix)]
mod headless;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod json;
mod lines;
mod normalize;
#[cfg(unix)]
mod open;
#[cfg(unix)]
mod otlp;
#[cfg(unix)]
mod pty;
mod replay;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod simulate;
#[cfg(unix)]
mod support;
#[cfg(unix)]
mod tail;
mod tidy;
