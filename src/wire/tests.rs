//! Laws of all decoders: any bytes give a payload or an error, what was sent comes back, and what
//! is decoded stays within its limit.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::sent::{Sent, SentSpan, check, chunks, encode_v04, encode_v05};
use super::*;
use crate::trace::{ChunkBuilder, TracerPayload};

type Decode = fn(&[u8], &mut ChunkBuilder, usize) -> Result<TracerPayload, DecodeError>;

const DECODERS: [Decode; 4] = [
    v04::decode_within,
    v05::decode_within,
    v07::decode_within,
    v10::decode_within,
];

/// Recorded bodies of less than so many bytes.
fn recorded(end: usize) -> Vec<Vec<u8>> {
    let payloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let paths = fs::read_dir(payloads)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "msgpack"))
        .collect();
    paths.sort();
    let bodies = paths.into_iter().map(|path| fs::read(path).unwrap());
    let bodies: Vec<_> = bodies.filter(|body| body.len() < end).collect();
    assert!(bodies.len() > 20, "only {} payloads", bodies.len());
    bodies
}

/// Decodes bytes of which nothing is known, then a span with the same builder, which must not
/// notice.
fn survives(body: &[u8], limit_bytes: usize) {
    let good = [0x91, 0x91, 0x81, 0xa4, b'n', b'a', b'm', b'e', 0xa1, b'n'];
    for decode in DECODERS {
        let mut builder = ChunkBuilder::default();
        if let Ok(payload) = decode(body, &mut builder, limit_bytes) {
            // The last chunk's allocator overhead is the one thing that nobody counts again.
            assert!(
                payload.heap_bytes() <= limit_bytes + 64,
                "{}",
                payload.heap_bytes()
            );
            assert!(payload.n_chunks <= body.len());
        }
        let payload = v04::decode(&good, &mut builder).unwrap();
        assert_eq!((payload.n_chunks, payload.n_spans()), (1, 1));
        assert_eq!(payload.chunks[0].span(0).unwrap().name(), "n");
    }
}

/// Bytes that look like the beginning of something more often than chance would have it.
fn markers() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        0x80..=0x9f_u8,
        Just(0x91),
        Just(0x9c),
        Just(0xc0),
        Just(0xa0),
        0xc4..=0xdf_u8,
        0..4_u8,
    ]
}

proptest! {
    #[test]
    fn any_bytes_give_a_payload_or_an_error(body in vec(any::<u8>(), 0..512)) {
        survives(&body, 1 << 20);
    }

    #[test]
    fn bytes_that_look_like_msgpack_give_a_payload_or_an_error(body in vec(markers(), 0..256)) {
        survives(&body, 1 << 20);
    }

    #[test]
    fn spans_of_any_msgpack_give_a_payload_or_an_error(body in vec(markers(), 0..128)) {
        for field in ["meta", "metrics", "meta_struct", "span_links", "later"] {
            let head = [&[0x91, 0x91, 0x82, 0xa0 | u8::try_from(field.len()).unwrap()], field.as_bytes()];
            survives(&[&head.concat()[..], &body].concat(), 1 << 20);
        }
        survives(&[&[0x92, 0x92, 0xa0, 0xa1, b'a', 0x91, 0x91, 0x9c][..], &body].concat(), 1 << 20);
    }

    #[test]
    fn chunks_of_any_msgpack_give_a_payload_or_an_error(body in vec(markers(), 0..128)) {
        for field in ["priority", "origin", "tags", "dropped_trace", "spans"] {
            let head = [&b"\x81\xa6chunks\x91\x82"[..], &[0xa0 | u8::try_from(field.len()).unwrap()], field.as_bytes()];
            survives(&[&head.concat()[..], &body].concat(), 1 << 20);
        }
        for number in 1..=11 {
            survives(&[&[0x83, number][..], &body].concat(), 1 << 20);
        }
        for number in 1..=7 {
            survives(&[&[0x81, 11, 0x91, 0x83, number][..], &body].concat(), 1 << 20);
        }
        for number in 1..=16 {
            survives(&[&[0x81, 11, 0x91, 0x81, 4, 0x91, 0x83, number][..], &body].concat(), 1 << 20);
        }
    }

    #[test]
    fn changed_and_cut_recordings_give_a_payload_or_an_error(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), markers()), 0..4),
        cut in any::<prop::sample::Index>(),
        limit_bytes in 256_usize..20_000,
    ) {
        thread_local!(static RECORDED: Vec<Vec<u8>> = recorded(4096));
        let mut body = RECORDED.with(|bodies| which.get(bodies).clone());
        for (place, byte) in changes {
            *place.get_mut(&mut body) = byte;
        }
        survives(&body, limit_bytes);
        body.truncate(cut.index(body.len()));
        survives(&body, limit_bytes);
    }

    #[test]
    fn what_was_sent_as_v04_comes_back(sent in chunks(sent::span_v04())) {
        let payload = v04::decode(&encode_v04(&sent), &mut ChunkBuilder::default()).unwrap();
        check_all(&payload, &sent);
    }

    #[test]
    fn what_was_sent_as_v05_comes_back(sent in chunks(sent::span_v05())) {
        let payload = v05::decode(&encode_v05(&sent), &mut ChunkBuilder::default()).unwrap();
        check_all(&payload, &sent);
    }
}

#[track_caller]
fn check_all(payload: &TracerPayload, sent: &[Vec<SentSpan>]) {
    assert_eq!(payload.n_chunks, sent.len());
    let full: Vec<_> = sent.iter().filter(|chunk| !chunk.is_empty()).collect();
    assert_eq!(payload.chunks.len(), full.len());
    for (chunk, sent) in payload.chunks.iter().zip(full) {
        assert_eq!(chunk.len(), sent.len());
        for (span, sent) in chunk.spans().zip(sent) {
            check(span, sent);
        }
    }
}

/// A hundred thousand bytes that want to become much more.
#[track_caller]
fn check_hostile(decode: Decode, head: &[u8], repeated: &[u8]) {
    const LIMIT_BYTES: usize = 350_000;
    let n = 100_000 / repeated.len();
    let count = u32::try_from(n).unwrap().to_be_bytes();
    let body = [head, &[0xdd], &count, &repeated.repeat(n)].concat();
    let error = decode(&body, &mut ChunkBuilder::default(), LIMIT_BYTES).unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
}

#[test]
fn a_small_body_does_not_become_a_large_payload() {
    check_hostile(v04::decode_within, &[0x91], &[0x80]);
    check_hostile(v04::decode_within, &[], &[0x91, 0x80]);
    let bare = [0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x80, 0];
    check_hostile(v05::decode_within, &[0x92, 0x91, 0xa0, 0x91], &bare);
    // Each chunk has its own copy of every string it uses.
    let long = [&[0x92, 0x91, 0xda, 4, 0][..], &[b'a'; 1024]].concat();
    check_hostile(v05::decode_within, &long, &[&[0x91][..], &bare].concat());
    check_hostile(
        v07::decode_within,
        b"\x81\xa6chunks",
        b"\x81\xa5spans\x91\x80",
    );
    check_hostile(
        v07::decode_within,
        b"\x81\xa6chunks\x91\x81\xa5spans",
        &[0x80],
    );
    let span = [0x81, 4, 1];
    let long = [&[0x82, 8, 0xda, 4, 0][..], &[b'a'; 1024], &[11]].concat();
    check_hostile(v10::decode_within, &[0x81, 11, 0x91, 0x81, 4], &span);
    check_hostile(
        v10::decode_within,
        &[0x81, 11],
        &[&[0x81, 4, 0x91][..], &span].concat(),
    );
    // A long string that each chunk names: as a field, as a tag, and as what is said of the chunk.
    check_hostile(v10::decode_within, &long, &[0x81, 4, 0x91, 0x81, 1, 1]);
    let tag = [0x82, 3, 0x93, 1, 1, 1, 4, 0x91, 0x81, 4, 1];
    check_hostile(v10::decode_within, &long, &tag);
    let service = [
        &[0x82, 3, 0x93, 0xa7][..],
        b"service",
        &[1, 1, 4, 0x91, 0x81, 4, 1],
    ]
    .concat();
    check_hostile(v10::decode_within, &long, &service);
    // Links, events and strings that are next to nothing here and something there.
    let links = [0x81, 11, 0x91, 0x81, 4, 0x91, 0x82, 4, 1];
    check_hostile(v10::decode_within, &[&links[..], &[11]].concat(), &[0x80]);
    check_hostile(v10::decode_within, &[&links[..], &[12]].concat(), &[0x80]);
    check_hostile(v10::decode_within, &[0x81, 1], &[0xa1, b'a']);
    let attributes = [0x81, 11, 0x91, 0x81, 4, 0x91, 0x81, 9];
    check_hostile(v10::decode_within, &attributes, &[0, 1, 0]);
}

#[test]
fn what_is_said_of_a_tracer_is_bounded() {
    let long = [&[0xda, 0xff, 0xff][..], &b"a".repeat(0xffff)].concat();
    let v07 = [&b"\x82\xa3env"[..], &long, b"\xa8hostname", &long].concat();
    let v10 = [&[0x82, 7][..], &long, &[8, 1]].concat();
    let nested = [&[0x81, 10, 0x93][..], &long, &[1, 0]].concat();
    let decoders: [(Decode, _); 3] = [
        (v07::decode_within, v07),
        (v10::decode_within, v10),
        (v10::decode_within, nested),
    ];
    for (decode, body) in decoders {
        let error = decode(&body, &mut ChunkBuilder::default(), 1 << 20).unwrap_err();
        assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
    }
}

#[test]
fn spans_of_many_traces_in_one_chunk_stay_within_the_limit_when_they_are_taken_apart() {
    let span = |trace_id| [0x9c, 0, 0, 0, trace_id, 1, 0, 0, 0, 0, 0x80, 0x80, 0];
    let spans: Vec<u8> = (0..100).flat_map(span).collect();
    // All share a string of 1,024 bytes, and each trace gets its own.
    let head = [
        &[0x92, 0x91, 0xda, 4, 0][..],
        &[b'a'; 1024],
        &[0x91, 0xdc, 0, 100],
    ]
    .concat();
    let body = [head, spans].concat();
    let mut builder = ChunkBuilder::default();
    let error = v05::decode_within(&body, &mut builder, 100_000).unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLarge(_)), "{error}");
    let payload = v05::decode_within(&body, &mut builder, 150_000).unwrap();
    assert_eq!((payload.n_chunks, payload.chunks.len()), (1, 100));
}

#[test]
fn recorded_payloads_are_far_from_the_limit() {
    let mut builder = ChunkBuilder::default();
    for body in recorded(usize::MAX) {
        let as_v05 = v05::decode(&body, &mut builder);
        let payload = as_v05.or_else(|_| v04::decode(&body, &mut builder));
        let heap_bytes = payload.unwrap().heap_bytes();
        assert!(
            heap_bytes <= body.len() * DECODED_BYTES_PER_BODY_BYTE,
            "{heap_bytes}"
        );
    }
}

#[test]
fn sent_values_are_of_every_kind() {
    // Guards the two round trips above against a generator that has become trivial.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let spans = (0..200).flat_map(|_| {
        use proptest::strategy::ValueTree as _;
        chunks(sent::span_v04())
            .new_tree(&mut runner)
            .unwrap()
            .current()
    });
    let values: Vec<_> = spans.flatten().flatten().collect();
    for name in [
        "service",
        "trace_id",
        "error",
        "meta",
        "metrics",
        "span_links",
        "later",
    ] {
        assert!(
            values
                .iter()
                .any(|(other, value)| other == name && *value != Sent::Nil),
            "{name}"
        );
    }
    assert!(values.iter().any(|(_, value)| *value == Sent::Nil));
}
