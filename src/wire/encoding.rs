//! Content encodings of bodies: gzip, deflate and zstd, one or several, with the limit applied to what
//! comes out.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Encodings one inside the other.
const CODINGS_MAX: usize = 3;

/// Why a body could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodingError {
    /// Another encoding.
    #[error(
        "the content-encoding {0} is not read; send gzip, deflate or zstd, or the payload as it is"
    )]
    Unknown(String),
    /// Encoded too often.
    #[error("more than {CODINGS_MAX} content encodings, one inside the other, are not unpacked")]
    TooMany,
    /// The bytes are not what they are said to be.
    #[error("the body is no {coding}: {error}")]
    Broken {
        /// The encoding.
        coding: &'static str,
        /// What its reader says.
        error: io::Error,
    },
    /// Unpacked, it would be too large.
    #[error("unpacked, the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl EncodingError {
    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Unknown(_) | Self::TooMany => 415,
            Self::Broken { .. } => 400,
            Self::TooLarge { .. } => 413,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(match () {
            () if is("gzip") || is("x-gzip") => Self::Gzip,
            () if is("deflate") => Self::Deflate,
            () if is("zstd") => Self::Zstd,
            () => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

/// A body as it was before it was encoded.
pub(crate) fn unpack<'a>(
    bytes: &'a [u8],
    content_encoding: Option<&str>,
    limit_bytes: usize,
) -> Result<Cow<'a, [u8]>, EncodingError> {
    let names = content_encoding.unwrap_or_default().split(',');
    let names = names
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    let mut codings = Vec::new();
    for name in names {
        if codings.len() == CODINGS_MAX {
            return Err(EncodingError::TooMany);
        }
        let shown = || {
            let chars = name.chars().take(32).flat_map(char::escape_debug);
            EncodingError::Unknown(chars.collect())
        };
        codings.push(Coding::named(name).ok_or_else(shown)?);
    }
    let mut body = Cow::Borrowed(bytes);
    // The last one named was put around the others.
    for coding in codings.into_iter().rev() {
        body = Cow::Owned(decode(&body, coding, limit_bytes)?);
    }
    Ok(body)
}

fn decode(bytes: &[u8], coding: Coding, limit_bytes: usize) -> Result<Vec<u8>, EncodingError> {
    let read = match coding {
        Coding::Gzip => read_within(MultiGzDecoder::new(bytes), limit_bytes),
        // Half of the world means zlib by it, as RFC 9110 does, and the other half does not.
        Coding::Deflate => read_within(ZlibDecoder::new(bytes), limit_bytes)
            .or_else(|_no_zlib| read_within(DeflateDecoder::new(bytes), limit_bytes)),
        Coding::Zstd => zstd::stream::read::Decoder::new(bytes)
            .and_then(|decoder| read_within(decoder, limit_bytes)),
    };
    let body = read.map_err(|error| EncodingError::Broken {
        coding: coding.name(),
        error,
    })?;
    if body.len() > limit_bytes {
        return Err(EncodingError::TooLarge { limit_bytes });
    }
    Ok(body)
}

/// All that comes, up to one byte more than is allowed.
fn read_within(decoder: impl Read, limit_bytes: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"[[{\"name\": \"a\"}]]";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 0).unwrap()
    }

    #[track_caller]
    fn check(bytes: &[u8], coding: &str, expected: Result<&[u8], u16>) {
        let unpacked = unpack(bytes, Some(coding), 1_000);
        match expected {
            Ok(text) => assert_eq!(unpacked.unwrap(), text, "{coding}"),
            Err(status) => assert_eq!(unpacked.unwrap_err().status(), status, "{coding}"),
        }
    }

    #[test]
    fn bodies_are_unpacked_in_every_encoding() {
        check(TEXT, "", Ok(TEXT));
        check(TEXT, "identity", Ok(TEXT));
        check(&gzip(TEXT), "gzip", Ok(TEXT));
        check(&gzip(TEXT), "X-GZIP", Ok(TEXT));
        check(
            &[gzip(TEXT), gzip(TEXT)].concat(),
            "gzip",
            Ok(&[TEXT, TEXT].concat()),
        );
        check(&zlib(TEXT), "deflate", Ok(TEXT));
        check(&deflate(TEXT), "deflate", Ok(TEXT));
        check(&zstd(TEXT), "zstd", Ok(TEXT));
        check(&zstd(&gzip(TEXT)), "gzip, zstd", Ok(TEXT));
    }

    #[test]
    fn what_is_broken_unknown_or_too_large_is_refused() {
        check(TEXT, "gzip", Err(400));
        check(TEXT, "deflate", Err(400));
        check(TEXT, "zstd", Err(400));
        check(&gzip(TEXT)[..10], "gzip", Err(400));
        check(TEXT, "br", Err(415));
        check(TEXT, "gzip, gzip, gzip, gzip", Err(415));
        let large = vec![b'a'; 1_001];
        for (bytes, coding) in [
            (gzip(&large), "gzip"),
            (zlib(&large), "deflate"),
            (deflate(&large), "deflate"),
            (zstd(&large), "zstd"),
        ] {
            check(&bytes, coding, Err(413));
        }
    }
}
