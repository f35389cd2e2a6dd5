//! The built program and its sources, looked at from outside: one module for each side.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy's settings spare the tests, not their helpers"
)]

mod agent;
mod cli;
#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod headless;
mod lines;
#[cfg(unix)]
mod open;
#[cfg(unix)]
mod pty;
mod replay;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod support;
mod tidy;
