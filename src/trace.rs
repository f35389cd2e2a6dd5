//! The model: what a tracer said, exactly as it said it. Depends on nothing else here.
//!
//! A [`TraceChunk`] holds the spans of one delivery packed into four allocations; a [`Span`] is a
//! view into it. No wire format and no screen is named in here.

mod chunk;
mod container;
mod id;
mod payload;
mod sampling;
mod span;
pub mod tag;
mod text;
mod time;
mod value;

pub(crate) use chunk::ATTRIBUTE_DEPTH_MAX;
pub use chunk::{ChunkBuilder, ChunkFacts, StrId, TooLarge, TraceChunk};
pub use container::{ContainerFacts, Hello, RelaySource};
pub use id::{SpanId, TraceId};
pub use payload::{Tags, TracerInfo, TracerPayload, Via};
pub use sampling::{DecisionMaker, SamplingFacts, SamplingMechanism, SamplingPriority};
pub use span::{Attribute, Field, Presence, Span, SpanEvent, SpanLink};
pub use text::Text;
pub(crate) use text::{is_invisible, is_obeyed, printable};
pub use time::{Now, UnixNanos};
pub use value::{Entries, Items, Value, ValueWriter};
