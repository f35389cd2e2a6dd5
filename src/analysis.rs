//! What follows from what was captured: facts that no client says itself. Pure; it changes nothing.

pub mod outcome;
