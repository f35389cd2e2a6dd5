//! Standard input, read until it ends.

use std::io::{self, IsTerminal, Stdin};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::{IDLE_LOOKS, KEPT_BYTES_MAX, LOOK_WAIT, READ_BYTES, ROOM_WAIT, Stop, hand_on};
use crate::ingest::Lines;
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::outbox::Outbox;
use crate::logs::LogSource;

/// A terminal has keys for us, and no lines.
pub(super) fn check() -> io::Result<()> {
    if io::stdin().is_terminal() {
        return Err(io::Error::other(
            "standard input is the terminal; pipe a program's output into it, as in `PROGRAM | \
             modtrace-tui --logs -`",
        ));
    }
    Ok(())
}

/// Reads until the end, or until somebody wants us to leave.
pub(super) fn read(inbox: Inbox, stop: &Stop) {
    let stdin = io::stdin();
    // A file does not mind waiting.
    let is_file = rustix::fs::fstat(&stdin)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let kept_bytes_max = if is_file { usize::MAX } else { KEPT_BYTES_MAX };
    let mut outbox = Outbox::new(inbox, kept_bytes_max);
    let mut reader = outbox.reader(LogSource::Stdin);
    let mut buffer = vec![0; READ_BYTES];
    let mut n_idle = 0;
    loop {
        let wait = if outbox.flush() { LOOK_WAIT } else { ROOM_WAIT };
        // Asked before it is looked at: what was written by then is read.
        let is_last = stop.is_asked();
        let mut lines = Lines::default();
        let at = clock::wall();
        if has_come(&stdin, if is_last { Duration::ZERO } else { wait }) {
            n_idle = 0;
            match rustix::io::read(&stdin, &mut *buffer) {
                Ok(0) => break,
                Ok(n_bytes) => {
                    let bytes = buffer.get(..n_bytes).unwrap_or_default();
                    reader.read(bytes, at, &mut lines);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_broken) => break,
            }
        } else if is_last {
            break;
        } else {
            n_idle += 1;
            if n_idle == IDLE_LOOKS {
                reader.idle(at, &mut lines);
            }
        }
        outbox.lines(lines);
        if is_file {
            hand_on(&mut outbox, stop);
        }
    }
    let mut lines = Lines::default();
    reader.finish(clock::wall(), &mut lines);
    outbox.lines(lines);
    hand_on(&mut outbox, stop);
}

/// Waits until something, or the end, can be read without waiting.
fn has_come(stdin: &Stdin, wait: Duration) -> bool {
    let mut fds = [PollFd::new(stdin, PollFlags::IN)];
    let wait = Timespec::try_from(wait).ok();
    matches!(poll(&mut fds, wait.as_ref()), Ok(1..))
}
