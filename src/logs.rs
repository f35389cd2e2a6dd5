//! A line that a program printed to a record: message, level, time, ids, and the rest of its fields
//! in their order. Pure; knows neither spans nor traces, and everything it cannot read is plain
//! text, never an error.

mod level;
pub mod modal;
mod record;

pub use level::Level;
pub use record::{JoinedBy, LogIds, LogRecord, LogSource, Remark};
