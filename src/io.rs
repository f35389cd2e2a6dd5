//! The world: sockets, files, processes, the terminal, clocks. Knows the model, never the screens.

pub mod agent;
pub(crate) mod clipboard;
pub(crate) mod clock;
pub(crate) mod demo;
pub(crate) mod files;
pub mod inbox;
pub(crate) mod log_file;
pub(crate) mod ndjson;
pub(crate) mod signals;
pub(crate) mod terminal;
