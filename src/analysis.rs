//! What follows from spans and lines beside what they say: which of them begin work in a process, and
//! whether a request paid for the start of its container. Rules over plain values; it holds no traces.

pub mod latency;
pub mod outcome;
pub mod overlap;
pub(crate) mod percentile;
mod sight;
pub mod start;
pub mod steps;

pub use outcome::Outcome;
pub use sight::{InitPart, InitSpan, LifecycleNames};
pub(crate) use sight::{Lifecycle, SeenRoot, Sighting, init_span};
pub use start::{
    Beginning, ContainerPast, Evidence, Host, Opening, RestoredBy, Said, StartKind, StartReason,
    TagVaries,
};
