//! map
pub mod export;
pub mod ingest;
pub mod store;
pub mod trace;
