//! The world: sockets, files, processes, the terminal, clocks. Knows the model, never the screens.

pub mod agent;
pub mod child;
pub(crate) mod clipboard;
pub(crate) mod clock;
pub(crate) mod demo;
pub mod files;
pub mod forward;
pub mod inbox;
pub(crate) mod log_file;
pub(crate) mod ndjson;
mod outbox;
pub(crate) mod signals;
pub mod tail;
pub(crate) mod terminal;
#[cfg(test)]
mod written;
