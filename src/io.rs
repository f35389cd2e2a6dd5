//! The world: sockets, files, processes, the terminal, clocks. Knows the model, never the screens.

pub mod agent;
pub(crate) mod clock;
pub mod inbox;
