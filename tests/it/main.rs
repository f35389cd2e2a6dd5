//! The program from outside: one binary, one module for each side of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod cli;
#[cfg(unix)]
mod pty;
