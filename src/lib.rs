//! The map: `trace` is the model, `ingest` turns one request into what it brings.
pub mod ingest;
pub mod trace;
