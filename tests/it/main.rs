//! The built program and its sources, looked at from outside.

#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod support;
