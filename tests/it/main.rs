//! The program from outside: one binary, one module for each side of it.

mod cli;
