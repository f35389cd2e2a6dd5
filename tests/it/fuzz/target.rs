//! Everything that reads bytes of strangers, in one table: what is fuzzed, mutated in tests and sent
//! over HTTP. A new decoder is a row. Shared with the crate in `fuzz/`.

use super::oracle::{self, Told};
use super::{relay, seeds, v10};

/// Something that reads bytes of strangers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The name of its fuzz target.
    pub(crate) name: &'static str,
    /// Where the bytes go in.
    pub(crate) entry: Entry,
    /// What to begin with.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// Where bytes go in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// The body of a request.
    Body {
        /// Where it is sent to.
        path: &'static str,
        /// Lines of its head, each with its end.
        headers: &'static str,
        /// What an error tells of its place.
        told: Told,
    },
    /// A whole request, its head too.
    Message,
    /// What a program prints.
    Lines,
    /// Messages of relays, cut into lines and damaged as the bytes say.
    Relay,
    /// A query, as a user types or pastes it.
    Query,
    /// A file to open.
    File,
}

impl Target {
    const fn body(
        name: &'static str,
        path: &'static str,
        told: Told,
        seeds: fn() -> Vec<Vec<u8>>,
    ) -> Self {
        let entry = Entry::Body {
            path,
            headers: "",
            told,
        };
        Self { name, entry, seeds }
    }

    const fn with(mut self, lines: &'static str) -> Self {
        if let Entry::Body { headers, .. } = &mut self.entry {
            *headers = lines;
        }
        self
    }

    const fn new(name: &'static str, entry: Entry, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, entry, seeds }
    }
}

const JSON: &str = "content-type: application/json\r\n";
const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

/// The table.
#[rustfmt::skip]
pub(crate) const TARGETS: &[Target] = &[
    Target::body("v03", "/v0.3/traces", Told::Path, seeds::v04),
    Target::body("v04", "/v0.4/traces", Told::Path, seeds::v04),
    Target::body("v05", "/v0.5/traces", Told::Path, seeds::v05),
    Target::body("v07", "/v0.7/traces", Told::Byte, seeds::v07),
    Target::body("v10", "/v1.0/traces", Told::Byte, v10::v10),
    Target::body("json_v01", "/v0.1/spans", Told::Byte, seeds::json_spans).with(JSON),
    Target::body("json_v02", "/v0.2/traces", Told::Byte, seeds::json_chunks).with(JSON),
    Target::body("json_v04", "/v0.4/traces", Told::Byte, seeds::json_chunks).with(JSON),
    Target::body("agentless", "/v1/input", Told::Byte, seeds::agentless).with(JSON),
    Target::body("otlp_protobuf", "/v1/traces", Told::Byte, seeds::otlp_protobuf).with(PROTOBUF),
    Target::body("otlp_json", "/v1/traces", Told::Byte, seeds::otlp_json).with(JSON),
    Target::body("stats", "/v0.6/stats", Told::Byte, seeds::stats),
    Target::body("telemetry", "/telemetry/proxy/api/v2/apmtelemetry", Told::Byte, seeds::telemetry).with(JSON),
    Target::body("logs", "/api/v2/logs", Told::Byte, seeds::logs).with(JSON),
    Target::body("gzip", "/v0.4/traces", Told::Anything, seeds::gzip).with("content-encoding: gzip\r\n"),
    Target::body("deflate", "/v0.4/traces", Told::Anything, seeds::deflate).with("content-encoding: deflate\r\n"),
    Target::body("zstd", "/v0.4/traces", Told::Anything, seeds::zstd).with("content-encoding: zstd\r\n"),
    Target::new("message", Entry::Message, seeds::messages),
    Target::new("lines", Entry::Lines, seeds::lines),
    Target::new("printed", Entry::Lines, seeds::printed),
    Target::new("relay", Entry::Relay, seeds::relay),
    Target::new("query", Entry::Query, seeds::queries),
    Target::new("open", Entry::File, seeds::files),
];

/// The target with a name.
pub(crate) fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Puts bytes in, and looks at all that comes of them. Panics if something does not hold.
pub(crate) fn check(target: &Target, bytes: &[u8]) {
    match target.entry {
        Entry::Body {
            path,
            headers,
            told,
        } => {
            let mut message = format!("POST {path} HTTP/1.1\r\n{headers}\r\n").into_bytes();
            message.extend_from_slice(bytes);
            oracle::message(message, told);
        }
        Entry::Message => oracle::message(bytes.to_vec(), Told::Anything),
        Entry::Lines => oracle::lines(bytes),
        Entry::Relay => oracle::lines(&relay::lines(bytes)),
        Entry::Query => oracle::query(&String::from_utf8_lossy(bytes)),
        Entry::File => oracle::file(bytes),
    }
}
