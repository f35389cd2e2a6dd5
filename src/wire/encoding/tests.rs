//! What clients compress comes back, and nothing becomes larger than it may.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

const TEXT: &[u8] = b"[[{\"name\":\"a span a span a span\"}]]";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).unwrap()
}

#[track_caller]
fn check(body: &[u8], content_encoding: &str, expect: &[u8]) {
    let decompressed = unpack(body, Some(content_encoding), 1_000).unwrap();
    assert_eq!(&*decompressed, expect, "{content_encoding}");
}

#[track_caller]
fn refused(body: &[u8], content_encoding: &str, status: u16, reason: &str) {
    let error = unpack(body, Some(content_encoding), 1_000).unwrap_err();
    assert_eq!(error.status(), status, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn every_coding_that_clients_use_comes_back() {
    check(&gzip(TEXT), "gzip", TEXT);
    check(&gzip(TEXT), "X-GZIP", TEXT);
    check(&zlib(TEXT), "deflate", TEXT);
    check(&raw_deflate(TEXT), "Deflate", TEXT);
    check(&zstd(TEXT), "zstd", TEXT);
    check(&zstd(&gzip(TEXT)), " gzip , zstd", TEXT);
    check(&gzip(&zlib(&zstd(TEXT))), "zstd,deflate,gzip", TEXT);
}

#[test]
fn what_comes_in_several_frames_is_joined() {
    check(&[gzip(TEXT), gzip(TEXT)].concat(), "gzip", &TEXT.repeat(2));
    check(&[zstd(TEXT), zstd(TEXT)].concat(), "zstd", &TEXT.repeat(2));
}

#[test]
fn a_body_without_a_coding_is_not_copied() {
    for coding in [None, Some(""), Some("identity"), Some("Identity, identity")] {
        let body = unpack(TEXT, coding, 1_000).unwrap();
        assert!(matches!(body, Cow::Borrowed(_)));
    }
    refused(&[b' '; 1_001], "identity", 413, "larger than 1000 bytes");
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let zeros = vec![0; 1_000_000];
    for (body, coding) in [
        (gzip(&zeros), "gzip"),
        (zlib(&zeros), "deflate"),
        (raw_deflate(&zeros), "deflate"),
        (zstd(&zeros), "zstd"),
        (gzip(&gzip(&zeros)), "gzip, gzip"),
    ] {
        refused(
            &body,
            coding,
            413,
            "decompressed, the body is larger than 1000 bytes",
        );
    }
    assert_eq!(
        unpack(&zstd(&zeros[..1_000]), Some("zstd"), 1_000)
            .unwrap()
            .len(),
        1_000
    );
}

#[test]
fn what_is_not_known_or_not_what_it_says_is_refused_with_what_to_do() {
    refused(
        TEXT,
        "br",
        415,
        "the content-encoding br is not known; send gzip",
    );
    refused(TEXT, "\u{1b}[31m", 415, "\\u{1b}[31m");
    refused(TEXT, "gzip,gzip,gzip,gzip", 415, "compressed 4 times");
    for coding in ["gzip", "deflate", "zstd"] {
        refused(
            TEXT,
            coding,
            400,
            &format!("cannot be decompressed as {coding}: "),
        );
        refused(b"", coding, 400, "cannot be decompressed");
    }
}

proptest! {
    #[test]
    fn what_is_cut_is_refused_and_what_is_damaged_never_panics(
        body in prop::collection::vec(any::<u8>(), 0..200),
        which in 0_usize..4,
        cut in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (mut packed, coding) = match which {
            0 => (gzip(&body), "gzip"),
            1 => (zlib(&body), "deflate"),
            2 => (raw_deflate(&body), "deflate"),
            _ => (zstd(&body), "zstd"),
        };
        check(&packed, coding, &body);
        let length = cut.index(packed.len());
        prop_assert!(unpack(&packed[..length], Some(coding), 1_000).is_err() || which == 2);
        *place.get_mut(&mut packed) = byte;
        let _ = unpack(&packed, Some(coding), 1_000);
    }
}
