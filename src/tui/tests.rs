//! Frames and keys: what the screen shows for what came in.

mod fixture;
mod keys;
mod laws;
mod logs;
mod snapshots;
mod terminal;
