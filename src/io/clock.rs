//! The clock, where the shell reads it.

use std::time::{Instant, SystemTime};

use crate::trace::{Now, UnixNanos};

/// Now, by the wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell reads the clock and passes it on"
)]
pub(crate) fn wall() -> UnixNanos {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// Both clocks of a run: the wall's, and the time since the start, which never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell reads the clock and passes it on"
    )]
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// The moment of this call.
    pub(crate) fn now(&self) -> Now {
        Now {
            wall: wall(),
            uptime_ns: u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}
