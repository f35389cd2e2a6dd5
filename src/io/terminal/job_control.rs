//! Stopping as `^z` does where the terminal handles the key itself, which in raw mode it does not.

use std::io;

/// Whether somebody could continue us: not so in the process group a terminal window starts with.
#[cfg(unix)]
pub(super) fn is_possible() -> bool {
    rustix::process::getsid(None).is_ok_and(|session| session != rustix::process::getpgrp())
}

/// Stops the whole group, as the terminal does: behind `cargo run` the shell would not notice that
/// only we have stopped.
#[cfg(unix)]
pub(super) fn stop() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(
        rustix::process::Signal::TSTP,
    )?)
}

#[cfg(not(unix))]
pub(super) fn is_possible() -> bool {
    false
}

#[cfg(not(unix))]
pub(super) fn stop() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
