//! map
pub mod ingest;
pub mod store;
pub mod trace;
pub mod tui;
