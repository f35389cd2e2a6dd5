//! map
pub mod ingest;
#[doc(hidden)]
pub mod io;
pub mod trace;
pub mod wire;
