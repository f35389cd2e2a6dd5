//! Every fuzz target: which one it is, its name says.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| modtrace_fuzz::check(env!("CARGO_BIN_NAME"), bytes));
