//! map
pub mod ingest;
pub mod trace;
