//! Bytes to values, and to errors with their place.

use super::*;

#[track_caller]
fn check(bytes: &[u8], expect: Result<Item<'_>, &str>) {
    let mut reader = Reader::new(bytes);
    let item = reader.item();
    assert_eq!(
        item.map_err(|error| error.to_string()),
        expect.map_err(str::to_owned)
    );
}

#[test]
fn every_integer_width_is_the_same_number() {
    for seven in [
        &[0x07][..],
        &[0xcc, 7],
        &[0xcd, 0, 7],
        &[0xce, 0, 0, 0, 7],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xd0, 7],
        &[0xd1, 0, 7],
        &[0xd2, 0, 0, 0, 7],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
    ] {
        check(seven, Ok(Item::Int(7)));
        assert_eq!(Reader::new(seven).id().unwrap(), 7);
        assert_eq!(Reader::new(seven).i64().unwrap(), 7);
        assert_eq!(Reader::new(seven).i32_or_bool().unwrap(), 7);
    }
    for minus_two in [&[0xfe][..], &[0xd0, 0xfe], &[0xd1, 0xff, 0xfe]] {
        check(minus_two, Ok(Item::Int(-2)));
    }
    check(
        &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
        Ok(Item::Uint(u64::MAX)),
    );
}

#[test]
fn a_negative_id_keeps_its_bits() {
    assert_eq!(Reader::new(&[0xff]).id().unwrap(), u64::MAX);
    assert_eq!(Reader::new(&[0xff]).i64().unwrap(), -1);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let above = [0xcf, 128, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(Reader::new(&above).id().unwrap(), 1 << 63);
    let error = Reader::new(&above).i64().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the number 9223372036854775808 does not fit in 64 bits with a sign at byte 0"
    );
    assert!(Reader::new(&[0xce, 128, 0, 0, 0]).i32_or_bool().is_err());
    assert_eq!(
        Reader::new(&[0xd2, 128, 0, 0, 0]).i32_or_bool().unwrap(),
        i32::MIN
    );
    assert_eq!(Reader::new(&[0xc3]).i32_or_bool().unwrap(), 1);
}

#[test]
fn strings_come_as_str_or_bin_of_any_length_form() {
    for x in [
        &[0xa1, b'x'][..],
        &[0xd9, 1, b'x'],
        &[0xda, 0, 1, b'x'],
        &[0xdb, 0, 0, 0, 1, b'x'],
        &[0xc4, 1, b'x'],
        &[0xc5, 0, 1, b'x'],
        &[0xc6, 0, 0, 0, 1, b'x'],
    ] {
        assert_eq!(Reader::new(x).text().unwrap(), b"x");
    }
    check(&[0xc4, 1, b'x'], Ok(Item::Bytes(b"x")));
    check(&[0xa1, 0xff], Ok(Item::Text(b"\xff")));
}

#[test]
fn what_the_body_cannot_hold_is_refused_at_once() {
    let cut = "the body is cut short: it needs 1 more bytes and has 0 at byte 0";
    check(&[], Err(cut));
    let huge = "the body is cut short: it needs 4294967295 more bytes and has 1 at byte 5";
    for marker in [0xc6, 0xdb, 0xdd] {
        check(&[marker, 255, 255, 255, 255, 0], Err(huge));
    }
    let map = "the body is cut short: it needs 8589934590 more bytes and has 1 at byte 5";
    check(&[0xdf, 255, 255, 255, 255, 0], Err(map));
    assert!(Reader::new(&[0xa2, b'x']).text().is_err());
    assert!(Reader::new(&[0xd9, 2, b'x']).text().is_err());
    assert!(Reader::new(&[0xd9]).text().is_err());
}

#[test]
fn the_unused_byte_is_no_value() {
    check(
        &[0xc1],
        Err("expected a value, found the one byte that msgpack does not use at byte 0"),
    );
}

#[test]
fn stepping_over_a_value_takes_all_of_it_and_nothing_more() {
    for value in [
        &[0x01][..],
        &[0xc0],
        &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x90],
        &[0x92, 0x91, 0x80, 0x82, 0xa0, 0x90, 0xa0, 0x91, 0xc0],
        &[0xde, 0, 1, 0xa1, b'k', 0x93, 1, 2, 3],
        &[0xd4, 9, 0],
        &[0xd8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0xc7, 2, 9, 0, 0],
        &[0xc8, 0, 1, 9, 0],
        &[0xc9, 0, 0, 0, 0, 9],
    ] {
        let body = [value, &[0xc3, 0xc3]].concat();
        let mut reader = Reader::new(&body);
        assert_eq!(reader.raw().unwrap(), value);
        assert_eq!(reader.offset(), value.len());
    }
}

#[test]
fn stepping_over_deep_values_ends_at_the_limit() {
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(Reader::new(&nested(ATTRIBUTE_DEPTH_MAX)).raw().is_ok());
    let error = Reader::new(&nested(ATTRIBUTE_DEPTH_MAX + 1))
        .raw()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "arrays and maps nest more than 64 deep at byte 64"
    );
    assert!(Reader::new(&nested(1_000_000)).raw().is_err());
}
