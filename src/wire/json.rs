//! Spans in JSON, in the three dialects that clients have. Only what holds the spans is read in here:
//! arrays of chunks, one flat array, and the object of the agentless form and of printed lines.
//!
//! ```text
//! v0.2–v0.4     [[{"trace_id": 17661803041614180082, …}, …], …]
//! v0.1          [{"trace_id": 17661803041614180082, …}, …]
//! printed       {"traces": [[{"trace_id": "F51B5A0C0F2C2B72", …}, …], …]}
//! agentless     {"traces": [{"languageName": …, "spans": [{"trace_id": "f51b5a0c0f2c2b72", …}, …]}, …]}
//! ```
//!
//! One pass over the bytes. What follows the value is ignored, as the Agent does.

mod number;
mod span;
mod unknown;
mod value;

use std::sync::Arc;

use super::decoded_bytes_max;
use super::error::{DecodeError, Problem};
use super::header::shortened;
use super::v04::Unknown;
use crate::json::{Fault, Kind, Opened, Reader};
use crate::trace::{ChunkBuilder, TooLarge, TracerInfo, TracerPayload};

/// The member of an object that holds its chunks.
pub(super) const TRACES: &str = "traces";

/// The member that makes an object the agentless form of a chunk.
pub(super) const SPANS: &str = "spans";

/// How a client writes what JSON or clients leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// What an Agent takes, after `pkg/trace/api/api.go::decodeTracerPayload` in
    /// `DataDog/datadog-agent`: ids are numbers, `meta_struct` is base64, and a value has the type
    /// its field asks for, as in msgpack.
    Agent,
    /// What ddtrace prints, after `ddtrace/internal/encoding.py::JSONEncoderV2` in
    /// `DataDog/dd-trace-py`: ids are hex, and `meta_struct` is JSON. Whoever prints has no Agent to
    /// refuse a tag of another type, so that it is kept as it is.
    Printed,
    /// What goes straight to Datadog, after `libdd-trace-utils/src/agentless_encoder` in
    /// `DataDog/libdatadog`: as [`Dialect::Printed`], but dd-trace-js (`encode/agentless-json.js`)
    /// gives a start in seconds.
    Agentless,
}

/// Decodes the body of v0.2, v0.3 or v0.4: an array of chunks.
pub fn decode_chunks(
    body: &[u8],
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    decode(body, builder, decoded_bytes_max(body.len()), Form::Chunks)
}

/// Decodes the body of v0.1: one array of spans, which become a chunk for each trace.
pub fn decode_spans(body: &[u8], builder: &mut ChunkBuilder) -> Result<TracerPayload, DecodeError> {
    decode(body, builder, decoded_bytes_max(body.len()), Form::Spans)
}

/// Decodes an object with chunks: the agentless form, or what was printed.
pub fn decode_traces(
    body: &[u8],
    builder: &mut ChunkBuilder,
) -> Result<TracerPayload, DecodeError> {
    decode(body, builder, decoded_bytes_max(body.len()), Form::Traces)
}

/// What a body is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Chunks,
    Spans,
    Traces,
}

pub(super) fn decode(
    body: &[u8],
    builder: &mut ChunkBuilder,
    limit_bytes: usize,
    form: Form,
) -> Result<TracerPayload, DecodeError> {
    builder.reset(limit_bytes);
    let mut decoder = Decoder {
        reader: Reader::new(body),
        builder,
        dialect: Dialect::Agent,
        unknown: Vec::new(),
    };
    let mut payload = TracerPayload::default();
    match form {
        Form::Chunks => decoder.chunks(&mut payload)?,
        Form::Spans => {
            decoder.chunk(&mut payload)?;
            payload.n_chunks = payload.chunks.len();
        }
        Form::Traces => decoder.traces(&mut payload)?,
    }
    Ok(payload)
}

/// A reader and the builder that takes what is read.
struct Decoder<'a, 'b> {
    reader: Reader<'a>,
    builder: &'b mut ChunkBuilder,
    dialect: Dialect,
    /// Fields of the current span that the model has no name for: name, and value as msgpack.
    unknown: Unknown,
}

impl Decoder<'_, '_> {
    fn traces(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        let mut object = self.object("an object with traces")?;
        while let Some(key) = self.reader.key(&mut object)? {
            if *key == *TRACES.as_bytes() {
                self.chunks_of_object(payload)
                    .map_err(|error| error.in_field(TRACES))?;
            } else {
                self.skip().map_err(|error| error.in_key(&key))?;
            }
        }
        Ok(())
    }

    /// Chunks of which each may be in either form, whose dialect goes with it.
    fn chunks_of_object(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        self.elements("an array of chunks", |decoder| {
            payload.n_chunks += 1;
            if decoder.reader.kind()? == Kind::Object {
                decoder.dialect = Dialect::Agentless;
                decoder.agentless_chunk(payload)
            } else {
                decoder.dialect = Dialect::Printed;
                decoder.chunk(payload)
            }
        })
    }

    fn chunks(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        self.elements("an array of chunks", |decoder| {
            payload.n_chunks += 1;
            decoder.chunk(payload)
        })
    }

    /// The spans of a chunk, and what is said of the tracer beside them.
    fn agentless_chunk(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        let mut chunk = self.reader.open();
        while let Some(key) = self.reader.key(&mut chunk)? {
            if *key == *SPANS.as_bytes() {
                self.chunk(payload).map_err(|error| error.in_field(SPANS))?;
                continue;
            }
            let said = self.reader.kind()?;
            match member(Arc::make_mut(&mut payload.tracer), &key) {
                Some(member) if said == Kind::Text => *member = shortened(&self.reader.string()?),
                _ => self.skip().map_err(|error| error.in_key(&key))?,
            }
        }
        Ok(())
    }

    fn chunk(&mut self, payload: &mut TracerPayload) -> Result<(), DecodeError> {
        self.elements("an array of spans", Self::span)?;
        payload.chunks.append(&mut self.builder.finish());
        self.builder
            .check()
            .map_err(|problem| self.too_large(problem))
    }

    /// Reads an array, or a null in its place, element by element.
    fn elements(
        &mut self,
        expected: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.null()? {
            return Ok(());
        }
        self.require(Kind::Array, expected)?;
        let mut array = self.reader.open();
        let mut index = 0;
        while self.reader.item(&mut array)? {
            element(self).map_err(|error| error.in_element(index))?;
            index += 1;
        }
        Ok(())
    }

    /// Steps over a null, if one is next.
    fn null(&mut self) -> Result<bool, DecodeError> {
        let is_null = self.reader.kind()? == Kind::Null;
        if is_null {
            self.skip()?;
        }
        Ok(is_null)
    }

    /// Steps over any value.
    fn skip(&mut self) -> Result<(), DecodeError> {
        self.reader.kind()?;
        Ok(self.reader.skip()?)
    }

    fn object(&mut self, expected: &'static str) -> Result<Opened, DecodeError> {
        self.require(Kind::Object, expected)?;
        Ok(self.reader.open())
    }

    fn require(&mut self, kind: Kind, expected: &'static str) -> Result<(), DecodeError> {
        if self.reader.kind()? == kind {
            return Ok(());
        }
        Err(self.wrong_type(expected))
    }

    /// Another type comes next than the format asks for.
    #[cold]
    fn wrong_type(&mut self, expected: &'static str) -> DecodeError {
        let mut reader = self.reader;
        let found = match reader.kind() {
            Ok(Kind::Null) => "null",
            Ok(Kind::Bool) => "a boolean",
            Ok(Kind::Number) => match reader.number() {
                Ok(number) if number::is_whole(number) => "an integer",
                Ok(_) => "a float",
                Err(fault) => return fault.into(),
            },
            Ok(Kind::Text) => "a string",
            Ok(Kind::Array) => "an array",
            Ok(Kind::Object) => "an object",
            Err(fault) => return fault.into(),
        };
        self.problem(Problem::WrongType { expected, found })
    }

    #[cold]
    fn too_large(&self, problem: TooLarge) -> DecodeError {
        self.problem(Problem::TooLarge(problem))
    }

    /// A problem at the place that was reached.
    #[cold]
    fn problem(&self, problem: Problem) -> DecodeError {
        DecodeError::new(problem, self.reader.offset())
    }
}

impl From<Fault> for DecodeError {
    #[cold]
    fn from(fault: Fault) -> Self {
        let problem = if fault.is_end {
            Problem::JsonEnds
        } else {
            Problem::NoJson
        };
        Self::new(problem, fault.at)
    }
}

/// The part of what is known of a tracer that a member of the agentless form names.
fn member<'t>(tracer: &'t mut TracerInfo, key: &[u8]) -> Option<&'t mut Box<str>> {
    Some(match key {
        b"languageName" => &mut tracer.language,
        b"languageVersion" => &mut tracer.language_version,
        b"tracerVersion" => &mut tracer.tracer_version,
        b"runtimeID" => &mut tracer.runtime_id,
        b"containerID" => &mut tracer.container_id,
        b"env" => &mut tracer.env,
        b"hostname" => &mut tracer.hostname,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
