//! Reading in one pass and checking first must agree on what is JSON.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::json::Raw;

/// Reads a value and all in it, as whoever steps into everything would; the depth is the test's.
fn walk(reader: &mut Reader<'_>, depth_left: usize) -> Result<String, Fault> {
    Ok(match reader.kind()? {
        Kind::Array if depth_left > 0 => {
            let mut array = reader.open();
            let mut text = "[".to_owned();
            while reader.item(&mut array)? {
                text += &(walk(reader, depth_left - 1)? + ",");
            }
            text + "]"
        }
        Kind::Object if depth_left > 0 => {
            let mut object = reader.open();
            let mut text = "{".to_owned();
            while let Some(key) = reader.key(&mut object)? {
                let key = String::from_utf8_lossy(&key);
                let value = walk(reader, depth_left - 1)?;
                write!(text, "{key:?}:{value},").unwrap();
            }
            text + "}"
        }
        Kind::Text => format!("{:?}", String::from_utf8_lossy(&reader.string()?)),
        Kind::Number => reader.number()?.to_owned(),
        Kind::Bool => reader.bool()?.to_string(),
        _ => {
            reader.skip()?;
            "skipped".to_owned()
        }
    })
}

#[track_caller]
fn check(text: &str, expect: &str) {
    let mut reader = Reader::new(text.as_bytes());
    assert_eq!(walk(&mut reader, 9).unwrap(), expect);
}

#[track_caller]
fn refused(text: &str, at: usize, is_end: bool) {
    let fault = walk(&mut Reader::new(text.as_bytes()), 9).unwrap_err();
    assert_eq!((fault.at, fault.is_end), (at, is_end), "{text}");
}

#[test]
fn values_are_read_where_they_stand() {
    check(
        r#" { "a" : [ 1 , -0.5e3,true , null ] , "b\n":{} , "" : "\u00e9\ud83d\ude00" } tail"#,
        r#"{"a":[1,-0.5e3,true,skipped,],"b\n":{},"":"é😀",}"#,
    );
    check("[]", "[]");
    check("NaN", "NaN");
    check("-Infinity", "-Infinity");
    let long = "é".repeat(40);
    check(&format!("\"{long}\""), &format!("{long:?}"));
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    refused("", 0, true);
    refused("[1,]", 3, false);
    refused("[,1]", 1, false);
    refused("[1 2]", 3, false);
    refused("{1:2}", 1, false);
    refused(r#"{"a" 1}"#, 5, false);
    refused(r#"{"a":1,}"#, 7, false);
    refused(r#"{"a":}"#, 5, false);
    refused("[1}", 2, false);
    refused("[\"a", 3, true);
    refused("[tru", 4, true);
    refused("[1,", 3, true);
    refused("{\"a\"", 4, true);
    refused("x", 0, false);
}

#[test]
fn strings_that_are_not_utf8_are_kept() {
    let mut reader = Reader::new(b"[\"\xff\\n\xfe\"]");
    reader.kind().unwrap();
    let mut array = reader.open();
    assert!(reader.item(&mut array).unwrap());
    assert_eq!(&*reader.string().unwrap(), b"\xff\n\xfe");
}

proptest! {
    #[test]
    fn it_takes_what_a_check_of_the_whole_takes(
        letters in vec(prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\", "1", "-", ".", "e", " ", "true", "null", "NaN"]), 0..12),
    ) {
        let text = letters.concat();
        let checked = Raw::first(&text);
        let mut reader = Reader::new(text.as_bytes());
        match (checked, walk(&mut reader, 12)) {
            (Ok((_, rest)), Ok(_)) => prop_assert_eq!(reader.offset(), text.len() - rest.len()),
            (Err(checked), Err(read)) => prop_assert_eq!((checked.at, checked.is_end), (read.at, read.is_end), "{}", text),
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }
}
