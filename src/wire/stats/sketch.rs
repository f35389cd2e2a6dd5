//! A `DDSketch` in protobuf to our own bins. What it says of itself (offsets, counts, widths) is never
//! allocated, only what its bytes hold.
//!
//! The messages are those of `libdd-ddsketch` in `DataDog/libdatadog`. Its own reader is not used: it
//! leaves out the sparse bins, and adds to a stranger's offset without a check.

use libdd_ddsketch::pb;
use prost::Message as _;

use super::super::error::Problem;
use super::rounded;
use crate::stats::{COUNT_MAX, Sketch};

/// Bytes of a sketch at most: 2,048 bins, as wide as tracers have them, take a quarter.
const SKETCH_BYTES_MAX: usize = 64 * 1024;

/// Reads a sketch; no bytes are an empty one. A mapping with interpolation, which no tracer uses, is
/// taken for an empty one too.
pub(super) fn read(bytes: &[u8]) -> Result<Sketch, Problem> {
    if bytes.is_empty() {
        return Ok(Sketch::default());
    }
    if bytes.len() > SKETCH_BYTES_MAX {
        return Err(Problem::Sketch("it is larger than 65,536 bytes"));
    }
    let Ok(message) = pb::DdSketch::decode(bytes) else {
        return Err(Problem::Sketch("it is not the protobuf message"));
    };
    let mapping = message.mapping.unwrap_or_default();
    if !(mapping.gamma > 1.0 && mapping.gamma.is_finite() && mapping.index_offset.is_finite()) {
        return Err(Problem::Sketch("its bins have no width"));
    }
    let mut sketch = Sketch::default();
    if mapping.interpolation != 0 {
        return Ok(sketch);
    }
    sketch.add(0.0, count(message.zero_count));
    // Below zero is nothing: a clock went back meanwhile.
    for (_, n) in message.negative_values.iter().flat_map(bins) {
        sketch.add(0.0, count(n));
    }
    for (index, n) in message.positive_values.iter().flat_map(bins) {
        sketch.add(value_at(mapping, index), count(n));
    }
    Ok(sketch)
}

/// The indexes of a store with what is counted there.
fn bins(store: &pb::Store) -> impl Iterator<Item = (f64, f64)> {
    let offset = f64::from(store.contiguous_bin_index_offset);
    let contiguous = store.contiguous_bin_counts.iter().enumerate();
    let contiguous = contiguous.map(move |(place, n)| (offset + place as f64, *n));
    let sparse = store.bin_counts.iter();
    contiguous.chain(sparse.map(|(index, n)| (f64::from(*index), *n)))
}

/// As `Value` in `ddsketch/mapping/logarithmic_mapping.go` of `DataDog/sketches-go`.
fn value_at(mapping: pb::IndexMapping, index: f64) -> f64 {
    let gamma = mapping.gamma;
    let lowest = ((index - mapping.index_offset) * gamma.ln()).exp();
    lowest * 2.0 * gamma / (1.0 + gamma)
}

fn count(n: f64) -> u64 {
    rounded(n).min(COUNT_MAX)
}
