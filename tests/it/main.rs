//! x
mod replay;
