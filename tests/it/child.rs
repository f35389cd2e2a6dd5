//! A program that is started: its output as lines, how it ends, and that it does not outlive us.

mod program;
mod stream;
