//! What a payload says beside its spans: of the tracer, and of each chunk. Short texts, copied out of
//! the body within a limit, since a few bytes can become many.

use super::error::{DecodeError, Problem};
use super::value::Decoder;
use crate::trace::{ChunkFacts, TooLarge, TracerPayload};

/// All that a payload may say of its tracer, tags included: many times what any tracer says.
const TRACER_BYTES_MAX: usize = 64 * 1024;

/// Room for a number of bytes, which is used up.
#[derive(Debug)]
pub(super) struct Room {
    limit_bytes: usize,
    used_bytes: usize,
}

impl Room {
    pub(super) fn within(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            used_bytes: 0,
        }
    }

    /// For what is said of a tracer.
    pub(super) fn of_tracer() -> Self {
        Self::within(TRACER_BYTES_MAX)
    }

    /// A copy of a text that was read up to an offset.
    pub(super) fn text(&mut self, text: &[u8], offset: usize) -> Result<Box<str>, DecodeError> {
        let text = String::from_utf8_lossy(text);
        self.take(text.len(), offset)?;
        Ok(text.into())
    }

    /// A copy of a tag that was read up to an offset.
    pub(super) fn tag(
        &mut self,
        (key, value): (&[u8], &[u8]),
        offset: usize,
    ) -> Result<(Box<str>, Box<str>), DecodeError> {
        self.take(size_of::<(Box<str>, Box<str>)>(), offset)?;
        Ok((self.text(key, offset)?, self.text(value, offset)?))
    }

    pub(super) fn take(&mut self, bytes: usize, offset: usize) -> Result<(), DecodeError> {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        if self.used_bytes > self.limit_bytes {
            let limit_bytes = self.limit_bytes;
            let problem = Problem::TooLarge(TooLarge { limit_bytes });
            return Err(DecodeError::new(problem, offset));
        }
        Ok(())
    }
}

impl Decoder<'_, '_> {
    /// Ends the chunk, of which this was said, and adds what it became to the others. The room is
    /// that of all chunks of the payload.
    pub(super) fn finish_with(
        &mut self,
        facts: &ChunkFacts,
        payload: &mut TracerPayload,
        room: &mut Room,
    ) -> Result<(), DecodeError> {
        let n_before = payload.chunks.len();
        self.finish(&mut payload.chunks)?;
        let is_said = *facts != ChunkFacts::default();
        let facts_bytes = if is_said { facts.heap_bytes() } else { 0 };
        for chunk in payload.chunks.iter_mut().skip(n_before) {
            room.take(chunk.heap_bytes() + facts_bytes, self.reader.offset())?;
            if is_said {
                chunk.set_facts(facts.clone());
            }
        }
        Ok(())
    }
}
