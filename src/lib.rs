//! map
pub mod ingest;
pub mod trace;
pub mod wire;
