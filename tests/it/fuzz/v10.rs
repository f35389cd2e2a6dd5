//! A v1.0 payload with one of everything, written down byte by byte. Shared with the crate in `fuzz/`.

/// A map's head, or a value of up to 15 entries.
fn map(entries: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0x80 | u8::try_from(entries.len()).expect("a small map")];
    for (number, value) in entries {
        bytes.push(*number);
        bytes.extend_from_slice(value);
    }
    bytes
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    let length = u16::try_from(items.len()).expect("a short array");
    [&[0xdc], &length.to_be_bytes()[..], &items.concat()].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[0xa0 | length], text.as_bytes()].concat()
}

fn number(number: u64) -> Vec<u8> {
    [&[0xcf], &number.to_be_bytes()[..]].concat()
}

/// A trace id.
fn id(id: u128) -> Vec<u8> {
    [&[0xc4, 16], &id.to_be_bytes()[..]].concat()
}

/// Each type of attribute, keys and values sent once and named by place afterwards.
fn attributes() -> Vec<u8> {
    let float = [&[0xcb], &1.5_f64.to_be_bytes()[..]].concat();
    let inner = array(&[text("in"), vec![1], vec![1], text("k"), vec![4], vec![7]]);
    array(&[
        text("a"),
        vec![1],
        text("b"),
        text("c"),
        vec![2],
        vec![0xc3],
        text("d"),
        vec![3],
        float,
        text("e"),
        vec![4],
        vec![0xff],
        text("f"),
        vec![5],
        vec![0xc4, 2, 0, 0xff],
        text("g"),
        vec![6],
        array(&[vec![1], text("x"), vec![4], vec![3]]),
        text("h"),
        vec![7],
        inner,
    ])
}

fn payload() -> Vec<u8> {
    let link = map(&[
        (1, id(5)),
        (2, number(6)),
        (3, array(&[])),
        (4, text("s=1")),
        (5, vec![1]),
    ]);
    let event = map(&[
        (1, number(7)),
        (2, text("happened")),
        (3, array(&[vec![1], vec![1], vec![2]])),
    ]);
    let span = map(&[
        (1, text("svc")),
        (2, text("op")),
        (3, vec![2]),
        (4, number(2)),
        (5, number(0)),
        (6, number(1_795_206_433_000_000_000)),
        (7, number(5)),
        (8, vec![0xc3]),
        (9, attributes()),
        (10, text("web")),
        (11, array(&[link])),
        (12, array(&[event])),
        (13, text("prod")),
        (15, text("flask")),
        (16, vec![2]),
    ]);
    let chunk = map(&[
        (1, vec![1]),
        (2, text("rum")),
        (3, array(&[text("t"), vec![1], text("u")])),
        (4, array(&[span])),
        (5, vec![0xc2]),
        (6, id(0x6b00_a83d_0000_0000_0000_0000_0000_0001)),
        (7, vec![4]),
    ]);
    map(&[
        (3, text("python")),
        (6, text("runtime")),
        (7, text("prod")),
        (10, array(&[text("p"), vec![1], text("q")])),
        (11, array(&[chunk])),
    ])
}

/// With one of everything, and the example of the Agent's own format.
pub(crate) fn v10() -> Vec<Vec<u8>> {
    let small = b"\x81\x0b\x91\x84\x01\x01\x06\xc4\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x07\x03\x04\x91\x85\x01\xa1s\x02\xa1a\x04\x02\x06\xcf\x18\xe3\xb0\xc8\xa5\xf4\x00\x00\x09\x93\xa1k\x01\x01";
    // Clients send v0.4 there too.
    let older = b"\x91\x91\x82\xa8trace_id\x01\xa7span_id\x02";
    vec![payload(), small.to_vec(), older.to_vec()]
}
