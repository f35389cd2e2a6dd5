//! Bytes of a client to the model.

pub(crate) mod endpoint;
pub mod header;
