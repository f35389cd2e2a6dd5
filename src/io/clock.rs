//! The clock, where the shell reads it.

use std::time::SystemTime;

use crate::trace::UnixNanos;

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
