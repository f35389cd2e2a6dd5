//! Frames and keys: what the screen shows for what came in.

mod child;
mod connect;
mod fixture;
mod forward;
mod hostile;
mod keys;
mod latency;
mod laws;
mod logs;
mod reload;
mod sampling;
mod snapshots;
mod terminal;
