//! The built program and its sources, looked at from outside.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; clippy's settings spare the tests, not their helpers"
)]

#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod support;
mod tidy;
