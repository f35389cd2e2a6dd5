//! The device behind standard output: its size, a way to write to it that never blocks, and how to
//! throw away what it has not read. Knows nothing of frames and modes.

use std::io;

/// Columns and rows, as the device has them: possibly none.
#[cfg(unix)]
pub(super) fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Not known without the console's own interface.
#[cfg(not(unix))]
pub(super) fn size() -> Option<(u16, u16)> {
    None
}

/// Opens it anew where that is possible: so it can be made non-blocking for us alone, not for the
/// shell and everybody else who shares standard output. Without `Stdout`'s line buffer.
#[cfg(unix)]
pub(super) fn open() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    let stdout = io::stdout();
    open_again(&stdout).or_else(|error| {
        tracing::info!(%error, "the terminal cannot be opened again");
        Ok(stdout.as_fd().try_clone_to_owned()?.into())
    })
}

#[cfg(unix)]
fn open_again(stdout: &io::Stdout) -> io::Result<std::fs::File> {
    let name = rustix::termios::ttyname(stdout, Vec::new())?;
    let name = name.to_str().map_err(io::Error::other)?;
    let file = std::fs::File::options().write(true).open(name)?;
    rustix::io::ioctl_fionbio(&file, true)?;
    Ok(file)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on unix it can fail")]
pub(super) fn open() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

/// Whether it has gone: the other end is closed, and it will never read or say anything again. Who is
/// not in its session is not told so by a signal.
#[cfg(unix)]
pub(super) fn is_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut device = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(&mut device, Some(&Timespec::default()));
    let [device] = device;
    polled.is_ok() && device.revents().contains(PollFlags::HUP)
}

/// Consoles do not go away by themselves.
#[cfg(not(unix))]
pub(super) fn is_gone() -> bool {
    false
}

/// Has what was typed and not read yet announced again. crossterm forgets keys that are announced
/// together with a change of size: its reader would sleep on them until the next key.
#[cfg(unix)]
pub(super) fn announce_unread() {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    let stdin = io::stdin();
    if let Ok(mode) = tcgetattr(&stdin) {
        // Nothing changes, but whoever waits for the device is woken.
        let _gone = tcsetattr(&stdin, OptionalActions::Now, &mode);
    }
}

#[cfg(not(unix))]
pub(super) fn announce_unread() {}

/// Throws away what was written and not read yet.
#[cfg(unix)]
pub(super) fn discard_unread() {
    let _gone = rustix::termios::tcflush(io::stdout(), rustix::termios::QueueSelector::OFlush);
}

#[cfg(not(unix))]
pub(super) fn discard_unread() {}
