//! Bodies as clients compress them, inflated into memory as far as the limit allows.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::read::Decoder as ZstdDecoder;

/// Bytes of a body at most, as it is sent and unpacked.
pub(crate) const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

/// Codings in a row at most. Nobody sends more than one.
const CODINGS_MAX: usize = 3;

/// The window of a zstd frame at most, as a power of two: 32 MiB, more than a body may have.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// Why a body cannot be had as it was before it was compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodingError {
    /// A coding nobody here knows.
    #[error(
        "the content-encoding {0} is not known; send gzip, deflate, zstd, or the body as it is"
    )]
    Unknown(String),
    /// More codings than anyone would apply.
    #[error("the body is compressed {0} times; once is enough")]
    TooMany(usize),
    /// The bytes are not what the coding says.
    #[error("the body cannot be decompressed as {coding}: {problem}")]
    Broken {
        /// The coding.
        coding: &'static str,
        /// What the decompressor says.
        problem: String,
    },
    /// More comes out than is allowed.
    #[error("decompressed, the body is larger than {0} bytes; let the client send less at once")]
    TooLarge(usize),
}

impl EncodingError {
    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Unknown(_) | Self::TooMany(_) => 415,
            Self::Broken { .. } => 400,
            Self::TooLarge(_) => 413,
        }
    }
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    /// `None` stands for no compression at all.
    fn of(name: &str) -> Result<Option<Self>, EncodingError> {
        let names = [
            ("", None),
            ("identity", None),
            ("gzip", Some(Self::Gzip)),
            ("x-gzip", Some(Self::Gzip)),
            ("deflate", Some(Self::Deflate)),
            ("zstd", Some(Self::Zstd)),
        ];
        let known = names
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let shown = || name.chars().take(32).flat_map(char::escape_debug).collect();
        known
            .map(|(_, coding)| *coding)
            .ok_or_else(|| EncodingError::Unknown(shown()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

/// A body without the codings that `Content-Encoding` names. None of the steps holds more than
/// `limit_bytes`.
pub(crate) fn unpack<'a>(
    body: &'a [u8],
    content_encoding: Option<&str>,
    limit_bytes: usize,
) -> Result<Cow<'a, [u8]>, EncodingError> {
    let names = content_encoding.unwrap_or_default().split(',');
    let mut codings = Vec::new();
    for name in names {
        codings.extend(Coding::of(name.trim())?);
    }
    if codings.len() > CODINGS_MAX {
        return Err(EncodingError::TooMany(codings.len()));
    }
    let mut body = Cow::Borrowed(body);
    for coding in codings.into_iter().rev() {
        body = Cow::Owned(undo(coding, &body, limit_bytes)?);
    }
    if body.len() > limit_bytes {
        return Err(EncodingError::TooLarge(limit_bytes));
    }
    Ok(body)
}

fn undo(coding: Coding, body: &[u8], limit_bytes: usize) -> Result<Vec<u8>, EncodingError> {
    let broken = |problem: std::io::Error| EncodingError::Broken {
        coding: coding.name(),
        problem: problem.to_string(),
    };
    let inflated = match coding {
        Coding::Gzip => read(MultiGzDecoder::new(body), limit_bytes),
        Coding::Deflate if is_zlib(body) => read(ZlibDecoder::new(body), limit_bytes),
        Coding::Deflate => read(DeflateDecoder::new(body), limit_bytes),
        Coding::Zstd => ZstdDecoder::with_buffer(body).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            read(decoder, limit_bytes)
        }),
    };
    let inflated = inflated.map_err(broken)?;
    if inflated.len() > limit_bytes {
        return Err(EncodingError::TooLarge(limit_bytes));
    }
    Ok(inflated)
}

/// Reads until one byte more than is allowed has come.
fn read(decoder: impl Read, limit_bytes: usize) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Clients call both forms `deflate`; RFC 9110 means the one with a header.
fn is_zlib(body: &[u8]) -> bool {
    match *body {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
