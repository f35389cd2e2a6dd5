//! Chunks to the bytes ddtrace sends: msgpack v0.4 (maps) and v0.5 (a string table). Pure.

use std::collections::HashMap;

use rmp::encode as msgpack;

use super::sketch::{Chunk, SampleSpan};

/// An array of chunks, each an array of maps. Fields of no value are left out, as ddtrace does.
pub(super) fn v04(chunks: &[Chunk]) -> Vec<u8> {
    let mut out = Vec::with_capacity(chunks.len() * 1_024);
    array(&mut out, chunks.len());
    for chunk in chunks {
        array(&mut out, chunk.len());
        for span in chunk {
            v04_span(&mut out, span);
        }
    }
    out
}

fn v04_span(out: &mut Vec<u8>, span: &SampleSpan) {
    let optional = [
        span.parent_id != 0,
        span.error != 0,
        !span.meta.is_empty(),
        !span.metrics.is_empty(),
        !span.kind.is_empty(),
    ];
    map(out, 7 + optional.iter().filter(|there| **there).count());
    for (key, text) in [
        ("service", span.service),
        ("name", span.name),
        ("resource", &span.resource),
    ] {
        string(out, key);
        string(out, text);
    }
    string(out, "trace_id");
    number(out, span.trace_id);
    string(out, "span_id");
    number(out, span.span_id);
    if span.parent_id != 0 {
        string(out, "parent_id");
        number(out, span.parent_id);
    }
    string(out, "start");
    number(out, span.start.unsigned_abs());
    string(out, "duration");
    number(out, span.duration.unsigned_abs());
    if span.error != 0 {
        string(out, "error");
        number(out, 1);
    }
    if !span.meta.is_empty() {
        string(out, "meta");
        map(out, span.meta.len());
        for (key, text) in &span.meta {
            string(out, key);
            string(out, text);
        }
    }
    if !span.metrics.is_empty() {
        string(out, "metrics");
        map(out, span.metrics.len());
        for (key, value) in &span.metrics {
            string(out, key);
            float(out, *value);
        }
    }
    if !span.kind.is_empty() {
        string(out, "type");
        string(out, span.kind);
    }
}

/// A string table, then chunks of spans of twelve items each.
pub(super) fn v05(chunks: &[Chunk]) -> Vec<u8> {
    let mut table = Table::default();
    table.index("");
    let mut body = Vec::with_capacity(chunks.len() * 512);
    array(&mut body, chunks.len());
    for chunk in chunks {
        array(&mut body, chunk.len());
        for span in chunk {
            v05_span(&mut body, &mut table, span);
        }
    }
    let mut out = Vec::with_capacity(body.len() + 1_024);
    array(&mut out, 2);
    array(&mut out, table.strings.len());
    for text in table.strings {
        string(&mut out, text);
    }
    out.extend_from_slice(&body);
    out
}

fn v05_span<'a>(out: &mut Vec<u8>, table: &mut Table<'a>, span: &'a SampleSpan) {
    array(out, 12);
    for text in [span.service, span.name, &span.resource] {
        number(out, table.index(text));
    }
    for id in [span.trace_id, span.span_id, span.parent_id] {
        number(out, id);
    }
    number(out, span.start.unsigned_abs());
    number(out, span.duration.unsigned_abs());
    number(out, u64::from(span.error.unsigned_abs()));
    map(out, span.meta.len());
    for (key, text) in &span.meta {
        number(out, table.index(key));
        number(out, table.index(text));
    }
    map(out, span.metrics.len());
    for (key, value) in &span.metrics {
        number(out, table.index(key));
        float(out, *value);
    }
    number(out, table.index(span.kind));
}

#[derive(Default)]
struct Table<'a> {
    strings: Vec<&'a str>,
    places: HashMap<&'a str, u64>,
}

impl<'a> Table<'a> {
    fn index(&mut self, text: &'a str) -> u64 {
        *self.places.entry(text).or_insert_with(|| {
            self.strings.push(text);
            u64::try_from(self.strings.len() - 1).unwrap_or(0)
        })
    }
}

// Writing into a Vec cannot fail.

fn array(out: &mut Vec<u8>, length: usize) {
    let _written = msgpack::write_array_len(out, u32::try_from(length).unwrap_or(u32::MAX));
}

fn map(out: &mut Vec<u8>, length: usize) {
    let _written = msgpack::write_map_len(out, u32::try_from(length).unwrap_or(u32::MAX));
}

fn string(out: &mut Vec<u8>, text: &str) {
    let _written = msgpack::write_str(out, text);
}

fn number(out: &mut Vec<u8>, number: u64) {
    let _written = msgpack::write_uint(out, number);
}

fn float(out: &mut Vec<u8>, number: f64) {
    let _written = msgpack::write_f64(out, number);
}
