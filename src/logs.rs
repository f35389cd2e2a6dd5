//! A line that a program printed to a record: message, level, time, ids, and the rest of its fields
//! in their order. Pure; knows neither spans nor traces, and everything it cannot read is plain
//! text, never an error.
//!
//! ```text
//! line ─ansi─▶ text ─prefix─▶ body ─segment─▶ object ─structured─▶ LogRecord
//!                                        └──▶ text ───text──────▶ LogRecord ─remark─▶ Modal's client, ddtrace, datadog-init
//! ```

mod ansi;
mod id;
mod level;
pub mod modal;
mod prefix;
mod record;
mod remark;
mod segment;
mod structured;
mod text;
mod time;
mod traceback;

pub use id::LogIds;
pub use level::Level;
pub use record::{JoinedBy, LogRecord, LogSource};
pub use remark::Remark;

pub(crate) use ansi::strip;
pub(crate) use prefix::Prefix;
pub(crate) use segment::{Segment, segments};
