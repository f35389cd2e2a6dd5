//! Everybody who decodes the same bytes, one pass over all payloads each: how many spans were in them.

use std::hint::black_box;

use libdd_tinybytes::Bytes;
use libdd_trace_utils::msgpack_decoder;

use crate::naive;
use crate::ours::Decoder;
use crate::payload::{self, Format, Tags};

pub(crate) const N_PAYLOADS: u64 = 64;
pub(crate) const N_TRACES: usize = 100;

/// A name, and a pass.
pub(crate) type Contender<'a> = (&'static str, Box<dyn FnMut() -> usize + 'a>);

/// 64 different payloads.
pub(crate) fn bodies(format: Format) -> Vec<Vec<u8>> {
    let body = |seed| payload::encode(format, Tags::Rich, N_TRACES, seed);
    (0..N_PAYLOADS).map(body).collect()
}

/// How many spans are in them.
pub(crate) fn n_spans() -> usize {
    let n_spans = |seed| payload::n_spans(N_TRACES, seed);
    (0..N_PAYLOADS).map(n_spans).sum()
}

/// The floor, ours, and whoever else reads the format.
pub(crate) fn all(format: Format, bodies: &[Vec<u8>]) -> Vec<Contender<'_>> {
    let mut decoder = Decoder::new(format);
    let shared: Vec<Bytes> = bodies.iter().cloned().map(Bytes::from).collect();
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    if format != Format::Otlp {
        contenders.push(("floor", Box::new(move || sum(bodies, skip))));
    }
    let mut ours = move |body: &Vec<u8>| {
        let payload = decoder.decode(body);
        black_box(&payload).n_spans()
    };
    contenders.push(("ours", Box::new(move || sum(bodies, &mut ours))));
    match format {
        Format::V04 => {
            contenders.push(("from_slice", Box::new(move || sum(bodies, slice_v04))));
            contenders.push(("from_bytes", Box::new(move || sum(&shared, bytes_v04))));
            contenders.push((
                "owned",
                Box::new(move || sum(bodies, owned(naive::decode_v04))),
            ));
        }
        Format::V05 => {
            contenders.push(("from_slice", Box::new(move || sum(bodies, slice_v05))));
            contenders.push(("from_bytes", Box::new(move || sum(&shared, bytes_v05))));
            contenders.push((
                "owned",
                Box::new(move || sum(bodies, owned(naive::decode_v05))),
            ));
        }
        Format::V10 => {
            contenders.push(("from_slice", Box::new(move || sum(bodies, slice_v10))));
            contenders.push(("from_bytes", Box::new(move || sum(&shared, bytes_v10))));
        }
        Format::V07 | Format::Otlp => {}
    }
    contenders
}

fn sum<B>(bodies: &[B], mut decode: impl FnMut(&B) -> usize) -> usize {
    bodies.iter().map(|body| decode(body)).sum()
}

fn slice_v04(body: &Vec<u8>) -> usize {
    let (chunks, _) = msgpack_decoder::v04::from_slice(body).unwrap();
    black_box(&chunks).iter().map(Vec::len).sum()
}

fn bytes_v04(body: &Bytes) -> usize {
    let (chunks, _) = msgpack_decoder::v04::from_bytes(body.clone()).unwrap();
    black_box(&chunks).iter().map(Vec::len).sum()
}

fn slice_v05(body: &Vec<u8>) -> usize {
    let (chunks, _) = msgpack_decoder::v05::from_slice(body).unwrap();
    black_box(&chunks).iter().map(Vec::len).sum()
}

fn bytes_v05(body: &Bytes) -> usize {
    let (chunks, _) = msgpack_decoder::v05::from_bytes(body.clone()).unwrap();
    black_box(&chunks).iter().map(Vec::len).sum()
}

fn slice_v10(body: &Vec<u8>) -> usize {
    let (payload, _) = msgpack_decoder::v1::from_slice(body).unwrap();
    let chunks = &black_box(&payload).chunks;
    chunks.iter().map(|chunk| chunk.spans.len()).sum()
}

fn bytes_v10(body: &Bytes) -> usize {
    let (payload, _) = msgpack_decoder::v1::from_bytes(body.clone()).unwrap();
    let chunks = &black_box(&payload).chunks;
    chunks.iter().map(|chunk| chunk.spans.len()).sum()
}

fn owned(decode: fn(&[u8]) -> naive::Traces) -> impl Fn(&Vec<u8>) -> usize {
    move |body| black_box(decode(body)).iter().map(Vec::len).sum()
}

/// One validating pass that keeps nothing and does not look into strings: what any reader has to do.
/// It knows no spans, and says 0.
fn skip(body: &Vec<u8>) -> usize {
    let mut rest = body.as_slice();
    let mut n_pending = 1_usize;
    while n_pending > 0 {
        n_pending -= 1;
        let (n_bytes, n_values) = measure(&mut rest);
        rest = rest.get(n_bytes..).unwrap();
        n_pending += n_values;
    }
    black_box(rest.len())
}

/// How many bytes and how many values follow the head of a value.
fn measure(rest: &mut &[u8]) -> (usize, usize) {
    let (marker, after) = rest.split_first().unwrap();
    *rest = after;
    match *marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0),
        short @ 0x80..=0x8f => (0, usize::from(short & 0x0f) * 2),
        short @ 0x90..=0x9f => (0, usize::from(short & 0x0f)),
        short @ 0xa0..=0xbf => (usize::from(short & 0x1f), 0),
        0xc4 | 0xd9 => (length::<1>(rest), 0),
        0xc5 | 0xda => (length::<2>(rest), 0),
        0xc6 | 0xdb => (length::<4>(rest), 0),
        0xcc | 0xd0 => (1, 0),
        0xcd | 0xd1 => (2, 0),
        0xca | 0xce | 0xd2 => (4, 0),
        0xcb | 0xcf | 0xd3 => (8, 0),
        0xdc => (0, length::<2>(rest)),
        0xdd => (0, length::<4>(rest)),
        0xde => (0, length::<2>(rest) * 2),
        0xdf => (0, length::<4>(rest) * 2),
        other => panic!("nobody sends {other:#x}"),
    }
}

fn length<const N: usize>(rest: &mut &[u8]) -> usize {
    let (bytes, after) = rest.split_first_chunk::<N>().unwrap();
    *rest = after;
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}
