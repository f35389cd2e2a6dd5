//! What is packed comes back.

use super::super::{Attribute, ChunkBuilder};
use super::*;

#[test]
fn every_value_comes_back_with_its_type_and_bits() {
    let mut builder = ChunkBuilder::default();
    builder.begin_span().unwrap();
    let text = builder.text(b"text").unwrap();
    let bytes = builder.raw(&[0xff, 0]).unwrap();
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    let floats = [
        0.0,
        -0.0,
        1.0,
        0.1,
        f64::NAN,
        f64::INFINITY,
        9_007_199_254_740_992.0,
        f64::MIN,
        -3.0,
    ];
    for float in floats {
        writer.key(text);
        writer.float(float);
    }
    for int in [0, -1, i64::MIN, i64::MAX] {
        writer.key(text);
        writer.int(int);
    }
    writer.key(text);
    writer.uint(u64::MAX);
    writer.key(text);
    writer.bytes(bytes);
    writer.key(text);
    let array = writer.open_array();
    writer.null();
    writer.bool(true);
    writer.text(text);
    writer.close(array);
    writer.close(map);
    let chunk = builder.finish().pop().unwrap();
    let mut values = chunk
        .span(0)
        .unwrap()
        .attribute(Attribute::Meta)
        .unwrap()
        .entries()
        .map(|(key, value)| {
            assert_eq!(key, "text");
            value
        });
    for float in floats {
        let Some(Value::Float(read)) = values.next() else {
            panic!("not a float")
        };
        assert_eq!(read.to_bits(), float.to_bits());
    }
    for int in [0, -1, i64::MIN, i64::MAX] {
        assert_eq!(values.next(), Some(Value::Int(int)));
    }
    assert_eq!(values.next(), Some(Value::Uint(u64::MAX)));
    assert_eq!(values.next(), Some(Value::Bytes(&[0xff, 0])));
    let items: Vec<_> = values.next().unwrap().items().collect();
    assert_eq!(
        items,
        [Value::Null, Value::Bool(true), Value::Text("text".into())]
    );
    assert_eq!(values.next(), None);
}
