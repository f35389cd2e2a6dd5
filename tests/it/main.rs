//! One integration binary: the program from outside.

mod agent;
mod replay;
