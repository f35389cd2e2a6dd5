//! The generated traces as each format has them. Written apart from the decoders, which share none
//! of it.

use std::collections::HashMap;

use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_sint, write_str,
    write_u64, write_uint,
};

use super::{Format, SERVICE, Span};

/// Traces as the body of a request.
pub(super) fn body(format: Format, traces: &[Vec<Span>]) -> Vec<u8> {
    match format {
        Format::V04 => as_v04(traces),
        Format::V05 => as_v05(traces),
        Format::V07 => as_v07(traces),
        Format::V10 => as_v10(traces),
        Format::Otlp => as_otlp(traces),
    }
}

fn len(length: usize) -> u32 {
    u32::try_from(length).unwrap()
}

fn as_v04(traces: &[Vec<Span>]) -> Vec<u8> {
    let mut out = Vec::new();
    write_array_len(&mut out, len(traces.len())).unwrap();
    for trace in traces {
        write_array_len(&mut out, len(trace.len())).unwrap();
        for span in trace {
            write_v04(&mut out, span);
        }
    }
    out
}

fn write_v04(out: &mut Vec<u8>, span: &Span) {
    write_map_len(out, 12).unwrap();
    let texts = [
        ("service", SERVICE),
        ("name", span.name),
        ("resource", span.resource),
        ("type", span.kind),
    ];
    for (name, text) in texts {
        write_str(out, name).unwrap();
        write_str(out, text).unwrap();
    }
    // At full width, as ddtrace's native writer sends them.
    for (name, id) in [
        ("trace_id", span.trace_id),
        ("span_id", span.span_id),
        ("parent_id", span.parent_id),
    ] {
        write_str(out, name).unwrap();
        write_u64(out, id).unwrap();
    }
    for (name, number) in [
        ("start", span.start),
        ("duration", span.duration),
        ("error", span.error.into()),
    ] {
        write_str(out, name).unwrap();
        write_uint(out, number).unwrap();
    }
    write_str(out, "meta").unwrap();
    write_map_len(out, len(span.meta.len())).unwrap();
    for (key, value) in &span.meta {
        write_str(out, key).unwrap();
        write_str(out, value).unwrap();
    }
    write_str(out, "metrics").unwrap();
    write_map_len(out, len(span.metrics.len())).unwrap();
    for (key, value) in &span.metrics {
        write_str(out, key).unwrap();
        write_f64(out, *value).unwrap();
    }
}

/// The strings of a payload in order of first use; the empty one comes first.
#[derive(Default)]
struct Dictionary {
    strings: Vec<String>,
    places: HashMap<String, u64>,
}

impl Dictionary {
    fn place(&mut self, text: &str) -> u64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.strings.len() as u64;
        self.strings.push(text.into());
        self.places.insert(text.into(), place);
        place
    }
}

fn as_v05(traces: &[Vec<Span>]) -> Vec<u8> {
    let mut dictionary = Dictionary::default();
    dictionary.place("");
    let mut chunks = Vec::new();
    write_array_len(&mut chunks, len(traces.len())).unwrap();
    for trace in traces {
        write_array_len(&mut chunks, len(trace.len())).unwrap();
        for span in trace {
            write_v05(&mut chunks, span, &mut dictionary);
        }
    }
    let mut out = Vec::new();
    write_array_len(&mut out, 2).unwrap();
    write_array_len(&mut out, len(dictionary.strings.len())).unwrap();
    for text in &dictionary.strings {
        write_str(&mut out, text).unwrap();
    }
    out.extend(chunks);
    out
}

fn write_v05(out: &mut Vec<u8>, span: &Span, dictionary: &mut Dictionary) {
    write_array_len(out, 12).unwrap();
    for text in [SERVICE, span.name, span.resource] {
        write_uint(out, dictionary.place(text)).unwrap();
    }
    for id in [span.trace_id, span.span_id, span.parent_id] {
        write_u64(out, id).unwrap();
    }
    for number in [span.start, span.duration] {
        write_sint(out, number.cast_signed()).unwrap();
    }
    write_uint(out, span.error.into()).unwrap();
    write_map_len(out, len(span.meta.len())).unwrap();
    for (key, value) in &span.meta {
        write_uint(out, dictionary.place(key)).unwrap();
        write_uint(out, dictionary.place(value)).unwrap();
    }
    write_map_len(out, len(span.metrics.len())).unwrap();
    for (key, value) in &span.metrics {
        write_uint(out, dictionary.place(key)).unwrap();
        write_f64(out, *value).unwrap();
    }
    write_uint(out, dictionary.place(span.kind)).unwrap();
}

fn as_v07(traces: &[Vec<Span>]) -> Vec<u8> {
    let mut out = Vec::new();
    write_map_len(&mut out, 7).unwrap();
    for (key, text) in [
        ("language_name", "python"),
        ("language_version", "3.11.7"),
        ("tracer_version", "4.1.2"),
        ("runtime_id", "cd8c614f9b7746e8bfc926d6bb5276d4"),
        ("env", "production"),
        ("app_version", "1.2.3"),
    ] {
        write_str(&mut out, key).unwrap();
        write_str(&mut out, text).unwrap();
    }
    write_str(&mut out, "chunks").unwrap();
    write_array_len(&mut out, len(traces.len())).unwrap();
    for trace in traces {
        write_map_len(&mut out, 2).unwrap();
        write_str(&mut out, "priority").unwrap();
        write_sint(&mut out, 1).unwrap();
        write_str(&mut out, "spans").unwrap();
        write_array_len(&mut out, len(trace.len())).unwrap();
        for span in trace {
            write_v04(&mut out, span);
        }
    }
    out
}

/// What v1.0 has fields for, so that it is no attribute.
const V10_FIELDS: [&str; 7] = [
    "env",
    "version",
    "language",
    "runtime-id",
    "_dd.p.dm",
    "_dd.p.tid",
    "_sampling_priority_v1",
];

/// Writes v1.0: a string in full where it is new, its place where it is not.
#[derive(Default)]
struct Streaming {
    out: Vec<u8>,
    dictionary: Dictionary,
}

impl Streaming {
    fn map(&mut self, n_entries: u32) {
        write_map_len(&mut self.out, n_entries).unwrap();
    }

    fn array(&mut self, length: usize) {
        write_array_len(&mut self.out, len(length)).unwrap();
    }

    fn number(&mut self, number: u64) {
        write_uint(&mut self.out, number).unwrap();
    }

    fn text(&mut self, text: &str) {
        let n_known = self.dictionary.strings.len() as u64;
        let place = self.dictionary.place(text);
        if place < n_known {
            self.number(place);
        } else {
            write_str(&mut self.out, text).unwrap();
        }
    }

    fn text_field(&mut self, field: u64, text: &str) {
        self.number(field);
        self.text(text);
    }

    fn number_field(&mut self, field: u64, number: u64) {
        self.number(field);
        self.number(number);
    }

    fn span(&mut self, span: &Span) {
        let meta = |name: &str| {
            let found = span.meta.iter().find(|(key, _)| *key == name);
            found.map_or("", |(_, value)| value)
        };
        self.map(12);
        self.text_field(1, SERVICE);
        self.text_field(2, span.name);
        self.text_field(3, span.resource);
        self.number_field(4, span.span_id);
        self.number_field(5, span.parent_id);
        self.number_field(6, span.start);
        self.number_field(7, span.duration);
        self.number(8);
        write_bool(&mut self.out, span.error).unwrap();
        self.text_field(10, span.kind);
        self.text_field(13, meta("env"));
        self.text_field(14, meta("version"));
        self.number(9);
        self.attributes(span);
    }

    fn attributes(&mut self, span: &Span) {
        let is_attribute = |key: &str| !V10_FIELDS.contains(&key);
        let texts = span.meta.iter().filter(|(key, _)| is_attribute(key));
        let numbers = span.metrics.iter().filter(|(key, _)| is_attribute(key));
        self.array(3 * (texts.clone().count() + numbers.clone().count()));
        for (key, value) in texts {
            self.text(key);
            self.number(1);
            self.text(value);
        }
        for (key, value) in numbers {
            self.text(key);
            self.number(3);
            write_f64(&mut self.out, *value).unwrap();
        }
    }
}

fn as_v10(traces: &[Vec<Span>]) -> Vec<u8> {
    let mut writer = Streaming::default();
    writer.dictionary.place("");
    writer.map(6);
    writer.text_field(3, "python");
    writer.text_field(4, "3.11.7");
    writer.text_field(5, "4.1.2");
    writer.text_field(6, "cd8c614f9b7746e8bfc926d6bb5276d4");
    writer.text_field(7, "production");
    writer.number(11);
    writer.array(traces.len());
    for trace in traces {
        writer.map(4);
        writer.number_field(1, 1);
        writer.number(6);
        write_bin(&mut writer.out, &trace_id(trace)).unwrap();
        writer.number_field(7, 0);
        writer.number(4);
        writer.array(trace.len());
        for span in trace {
            writer.span(span);
        }
    }
    writer.out
}

const TRACE_ID_HIGH: u128 = 0x6b00_acf3_0000_0000 << 64;

fn trace_id(trace: &[Span]) -> [u8; 16] {
    let low = trace.first().map_or(0, |span| span.trace_id);
    (TRACE_ID_HIGH | u128::from(low)).to_be_bytes()
}

/// A protobuf message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    fn fixed(&mut self, field: u64, bits: u64) {
        self.varint(field << 3 | 1);
        self.0.extend(bits.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn text_attribute(&mut self, field: u64, key: &str, value: &str) {
        self.message(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.message(2, |any| any.bytes(1, value.as_bytes()));
        });
    }

    fn span(&mut self, span: &Span, trace_id: [u8; 16]) {
        self.bytes(1, &trace_id);
        self.bytes(2, &span.span_id.to_be_bytes());
        if span.parent_id != 0 {
            self.bytes(4, &span.parent_id.to_be_bytes());
        }
        self.bytes(5, span.name.as_bytes());
        self.number(6, if span.parent_id == 0 { 2 } else { 1 });
        self.fixed(7, span.start);
        self.fixed(8, span.start + span.duration);
        self.text_attribute(9, "resource.name", span.resource);
        self.text_attribute(9, "span.type", span.kind);
        for (key, value) in &span.meta {
            self.text_attribute(9, key, value);
        }
        for (key, value) in &span.metrics {
            self.message(9, |pair| {
                pair.bytes(1, key.as_bytes());
                pair.message(2, |any| any.fixed(4, value.to_bits()));
            });
        }
        if span.error {
            self.message(15, |status| status.number(3, 2));
        }
    }
}

/// `ExportTraceServiceRequest` of one service, as its SDK exports it.
fn as_otlp(traces: &[Vec<Span>]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |resource_spans| {
        resource_spans.message(1, |resource| {
            resource.text_attribute(1, "service.name", SERVICE);
            resource.text_attribute(1, "deployment.environment.name", "production");
            resource.text_attribute(1, "telemetry.sdk.language", "python");
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| scope.bytes(1, b"document_processor"));
            for trace in traces {
                let trace_id = trace_id(trace);
                for span in trace {
                    scope_spans.message(2, |message| message.span(span, trace_id));
                }
            }
        });
    });
    request.0
}
