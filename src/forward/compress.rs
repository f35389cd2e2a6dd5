//! Bodies as the Agent compresses them. Knows nothing of what is in them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// What every intake takes, and whatever stands in its place.
    #[default]
    Gzip,
    /// What newer Agents use for traces (`comp/trace/compression`).
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The body, with the coding to be named in `Content-Encoding`: none if the compressor fails, since
/// intakes take bodies as they are, too.
///
/// The level is the Agent's: `gzip.BestSpeed` in `pkg/trace/writer/trace.go` (`flush`) and `stats.go`
/// (`encodePayload`).
pub(super) fn compress(plain: Vec<u8>, coding: Coding) -> (Vec<u8>, Option<&'static str>) {
    let packed = match coding {
        Coding::Gzip => gzip(&plain),
        Coding::Zstd => zstd::bulk::compress(&plain, 1),
    };
    match packed {
        Ok(packed) => (packed, Some(coding.name())),
        Err(_never_in_memory) => (plain, None),
    }
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let room = Vec::with_capacity(plain.len() / 4);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}
