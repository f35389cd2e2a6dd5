//! Bytes of a client to the model. The wire's own shapes stay in here: after `decode` there is one
//! [`Span`](crate::trace::Span).
//!
//! Decoding is total. Any bytes give a payload or a [`DecodeError`]; nothing is allocated that the
//! bytes do not back, and no recursion is deeper than a constant.

pub(crate) mod encoding;
pub(crate) mod endpoint;
pub mod error;
pub mod header;
pub mod json;
pub(crate) mod log_writer;
mod msgpack;
pub(crate) mod otlp;
pub(crate) mod outgoing;
pub(crate) mod relay;
mod said;
pub(crate) mod stats;
pub(crate) mod telemetry;
pub mod v04;
pub mod v05;
pub mod v07;
pub mod v10;
mod value;

pub use error::{DecodeError, Problem};

/// What every payload may occupy once decoded, however few its bytes: enough for a million bare
/// spans, and the amount the inbox holds for all requests together.
const DECODED_BYTES_FLOOR: usize = 64 * 1024 * 1024;

/// What each byte of a body may add to that. Recorded payloads stay below 1.5 as v0.4 and, since
/// every chunk has its own strings, below 4 as v0.5; a map of one byte that becomes a span of 44
/// does not.
const DECODED_BYTES_PER_BODY_BYTE: usize = 4;

/// How large a payload may be once decoded: a small body must not become a large store.
fn decoded_bytes_max(body_bytes: usize) -> usize {
    DECODED_BYTES_FLOOR.saturating_add(body_bytes.saturating_mul(DECODED_BYTES_PER_BODY_BYTE))
}

#[cfg(test)]
mod sent;
#[cfg(test)]
mod tests;
