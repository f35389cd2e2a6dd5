//! map
pub mod cli;
pub mod config;
pub mod ingest;
pub mod trace;
