pub mod cli;
pub mod config;
pub mod ingest;
#[doc(hidden)]
pub mod io;
pub mod store;
pub mod trace;
pub mod wire;
