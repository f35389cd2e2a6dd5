//! Events and links as the JSON that the Agent writes into tags: `MarshalEvents` and `MarshalLinks`
//! in `pkg/trace/transform/transform.go` of `DataDog/datadog-agent`. Its links are JSON only as long
//! as no attribute has a quote; these are always, and their values are text like there.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

use super::attributes::{text, value, write_attributes, write_text};

/// Adds formatted text to a text.
macro_rules! add {
    ($json:ident, $($format:tt)*) => {
        // A string takes everything.
        let _infallible = write!($json, $($format)*);
    };
}

/// The tag `events`.
pub(super) fn events(events: &[Event]) -> String {
    let mut json = String::from("[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        let mut members = Members::open(&mut json);
        if event.time_unix_nano != 0 {
            let json = members.name("time_unix_nano");
            add!(json, "{}", event.time_unix_nano);
        }
        if !event.name.is_empty() {
            write_text(&event.name, members.name("name"));
        }
        if !event.attributes.is_empty() {
            write_attributes(&event.attributes, members.name("attributes"));
        }
        members.dropped(event.dropped_attributes_count);
        members.close();
    }
    json.push(']');
    json
}

/// The tag `_dd.span_links`.
pub(super) fn links(links: &[Link]) -> String {
    let mut json = String::from("[");
    for (index, link) in links.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        let mut members = Members::open(&mut json);
        hex(&link.trace_id, 16, members.name("trace_id"));
        hex(&link.span_id, 8, members.name("span_id"));
        if !link.trace_state.is_empty() {
            write_text(&link.trace_state, members.name("tracestate"));
        }
        if !link.attributes.is_empty() {
            let mut attributes = Members::open(members.name("attributes"));
            for attribute in &link.attributes {
                let said = value(attribute).map(text).unwrap_or_default();
                write_text(&said, attributes.name(&attribute.key));
            }
            attributes.close();
        }
        members.dropped(link.dropped_attributes_count);
        members.close();
    }
    json.push(']');
    json
}

/// An id with all its digits; one that is not there is zero.
fn hex(id: &[u8], n_bytes: usize, json: &mut String) {
    let id = super::attributes::id(id);
    add!(json, "\"{id:0width$x}\"", width = 2 * n_bytes);
}

/// The members of an object that is being written.
struct Members<'j> {
    json: &'j mut String,
    is_first: bool,
}

impl<'j> Members<'j> {
    fn open(json: &'j mut String) -> Self {
        json.push('{');
        Self {
            json,
            is_first: true,
        }
    }

    /// Begins a member: its value comes next.
    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.json.push(',');
        }
        write_text(name, self.json);
        self.json.push(':');
        self.json
    }

    fn dropped(&mut self, count: u32) {
        if count > 0 {
            let json = self.name("dropped_attributes_count");
            add!(json, "{count}");
        }
    }

    fn close(self) {
        self.json.push('}');
    }
}
