//! One integration binary: the program from outside.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

mod agent;
mod replay;
