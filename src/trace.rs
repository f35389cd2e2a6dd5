//! The model: what a tracer said, exactly as it said it. Depends on nothing else here.
//!
//! A [`TraceChunk`] holds the spans of one delivery packed into two allocations; a [`Span`] is a
//! view into it. No wire format and no screen is named in here.

mod builder;
mod chunk;
mod container;
mod dictionary;
mod id;
mod payload;
mod record;
mod sampling;
mod span;
pub mod tag;
mod text;
mod time;
mod value;

pub(crate) use builder::ATTRIBUTE_DEPTH_MAX;
pub use builder::{ChunkBuilder, TooLarge};
pub(crate) use chunk::Sketch;
pub use chunk::{ChunkFacts, StrId, TraceChunk};
pub use container::{ContainerFacts, Hello, RelaySource};
pub use dictionary::Dictionary;
pub(crate) use dictionary::Role;
pub use id::{SpanId, TraceId};
pub use payload::{PayloadForm, Tags, TracerInfo, TracerPayload, Via};
pub use record::Presence;
pub use sampling::{DecisionMaker, SamplingFacts, SamplingMechanism, SamplingPriority, SpanRule};
pub use span::{Attribute, Field, Span, SpanEvent, SpanLink};
#[cfg(test)]
pub(crate) use text::nasty;
pub use text::{Text, harmless_lines};
pub(crate) use text::{is_invisible, is_obeyed, printable};
pub use time::{Now, UnixNanos};
pub(crate) use value::Leaf;
pub use value::{Entries, Items, Value, ValueWriter};
