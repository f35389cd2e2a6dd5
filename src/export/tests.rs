//! Exports, written and read back.

mod damaged;
mod datadog;
mod encode;
mod forward;
mod generate;
mod layout;
mod lines;
pub(crate) mod recorded;
mod round_trip;
mod told;
mod twins;
mod unknown;

use super::{FileForm, Format, Kept, OpenError, Opened, ToldJson, open, write_all, write_json};
use crate::ingest::{Received, RequestClass, RequestRecord};
use crate::store::Store;
use crate::trace::{Now, TraceChunk, TracerInfo, TracerPayload, UnixNanos, Via};

/// More than any test brings.
const PLENTY: usize = 64 << 20;
const EXPORTED_AT: UnixNanos = UnixNanos(1_795_204_425_287_000_000);

fn export(store: &Store, format: &str) -> String {
    let mut out = Vec::new();
    let format = Format::named(format).unwrap();
    write_all(format, store, EXPORTED_AT, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn opened(file: &str) -> Store {
    let mut store = Store::new(PLENTY);
    if let Err(error) = open(file.as_bytes(), &mut store, Now::default()) {
        panic!("{error}\n{file}");
    }
    store
}

pub(crate) fn deliver(store: &mut Store, chunks: Vec<TraceChunk>) {
    let n_chunks = chunks.len();
    let received = Received::new(
        UnixNanos(1_795_205_182_950_551_406),
        Via::Http,
        TracerPayload {
            tracer: TracerInfo {
                language: "python".into(),
                language_version: "3.11.7".into(),
                tracer_version: "4.1.2".into(),
                ..TracerInfo::default()
            }
            .into(),
            chunks,
            n_chunks,
            form: crate::trace::PayloadForm::default(),
        },
    );
    store.insert(received, Now::default());
}

fn request(path: &str, status: u16) -> RequestRecord {
    RequestRecord {
        at: UnixNanos(1_795_205_182_950_551_406),
        via: Via::Uds,
        method: "PUT".into(),
        path: path.to_owned().into(),
        endpoint: path.to_owned().into(),
        class: RequestClass::Traces,
        status,
        bytes: 123,
        client: "ddtrace-py 4.1.2".into(),
        note: "1 chunk, \u{1b}[31m 9 spans".into(),
        announced_chunks: 1,
    }
}
