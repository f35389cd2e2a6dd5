//! map
pub mod cli;
pub mod config;
pub mod ingest;
pub mod io;
pub mod trace;
