//! Spans of every odd kind.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use crate::trace::{Attribute, ChunkBuilder, Field, TraceChunk};

#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Array(Vec<Node>),
    Map(Vec<(Vec<u8>, Node)>),
}

impl Node {
    pub(super) fn write(&self, builder: &mut ChunkBuilder) {
        match self {
            Self::Null => builder.writer().null(),
            Self::Bool(bool) => builder.writer().bool(*bool),
            Self::Int(int) => builder.writer().int(*int),
            Self::Uint(uint) => builder.writer().uint(*uint),
            Self::Float(float) => builder.writer().float(*float),
            Self::Text(text) => {
                let text = builder.text(text).unwrap();
                builder.writer().text(text);
            }
            Self::Bytes(bytes) => {
                let bytes = builder.raw(bytes).unwrap();
                builder.writer().bytes(bytes);
            }
            Self::Array(items) => {
                let opened = builder.writer().open_array();
                for item in items {
                    item.write(builder);
                }
                builder.writer().close(opened);
            }
            Self::Map(entries) => {
                let opened = builder.writer().open_map();
                for (key, value) in entries {
                    let key = builder.text(key).unwrap();
                    builder.writer().key(key);
                    value.write(builder);
                }
                builder.writer().close(opened);
            }
        }
    }
}

/// What is said of a plain field.
#[derive(Clone, Debug)]
pub(super) enum Said<T> {
    Nothing,
    Null,
    This(T),
}

#[derive(Clone, Debug)]
pub(super) struct SpanPlan {
    pub(super) span_id: Said<u64>,
    pub(super) parent_id: Said<u64>,
    pub(super) texts: [Said<Vec<u8>>; 4],
    pub(super) start: Said<i64>,
    pub(super) duration: Said<i64>,
    pub(super) error: Said<i32>,
    pub(super) attributes: Vec<(Attribute, Node)>,
}

const TEXT_FIELDS: [Field; 4] = [Field::Service, Field::Name, Field::Resource, Field::Type];

impl SpanPlan {
    fn write(&self, trace_id_low: u64, builder: &mut ChunkBuilder) {
        builder.begin_span().unwrap();
        builder.set_number(Field::TraceId, trace_id_low);
        for (field, text) in TEXT_FIELDS.into_iter().zip(&self.texts) {
            match text {
                Said::Nothing => {}
                Said::Null => builder.set_null(field),
                Said::This(text) => {
                    let text = builder.text(text).unwrap();
                    builder.set_text(field, text);
                }
            }
        }
        let numbers = [
            (Field::SpanId, self.span_id.clone()),
            (Field::ParentId, self.parent_id.clone()),
            (Field::Start, bits(&self.start, i64::cast_unsigned)),
            (Field::Duration, bits(&self.duration, i64::cast_unsigned)),
            (
                Field::Error,
                bits(&self.error, |error| i64::from(error).cast_unsigned()),
            ),
        ];
        for (field, number) in numbers {
            match number {
                Said::Nothing => {}
                Said::Null => builder.set_null(field),
                Said::This(bits) => builder.set_number(field, bits),
            }
        }
        for (attribute, node) in &self.attributes {
            builder.attribute(*attribute);
            node.write(builder);
        }
    }
}

fn bits<T: Copy>(said: &Said<T>, cast: fn(T) -> u64) -> Said<u64> {
    match said {
        Said::Nothing => Said::Nothing,
        Said::Null => Said::Null,
        Said::This(value) => Said::This(cast(*value)),
    }
}

/// Packs the spans of one delivery.
pub(super) fn chunk(trace_id_low: u64, spans: &[SpanPlan]) -> Vec<TraceChunk> {
    let mut builder = ChunkBuilder::default();
    for span in spans {
        span.write(trace_id_low, &mut builder);
    }
    builder.finish()
}

fn said<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Said<T>> {
    prop_oneof![
        1 => Just(Said::Nothing),
        1 => Just(Said::Null),
        6 => value.prop_map(Said::This),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => select(vec![
            "", "web", "$entries", "$bytes", "$float", "$map", "trace_id", "trace_id_high",
            "span_id", "attributes", "6b00a83d000000006f0dbd9e7942056a", "1", "NaN", "AA==",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        2 => any::<String>().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
        1 => Just("\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e}\u{2066}\"\\/\n\u{0}".into()),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        select(vec![
            0.0,
            -0.0,
            1.0,
            0.1,
            -1.5,
            1e300,
            5e-324,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_993.0,
            18_446_744_073_709_551_616.0,
            f64::MIN,
            f64::MAX,
        ]),
    ]
}

fn scalar() -> impl Strategy<Value = Node> {
    prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        prop_oneof![any::<i64>(), -2..3_i64].prop_map(Node::Int),
        any::<u64>().prop_map(Node::Uint),
        float().prop_map(Node::Float),
        text().prop_map(Node::Text),
        vec(any::<u8>(), 0..6).prop_map(Node::Bytes),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Node::Array),
            vec((text(), inner), 0..4).prop_map(Node::Map),
        ]
    })
}

fn tags() -> impl Strategy<Value = Node> {
    let tag_id = select(vec!["0000000000000007", "0000000000000008", "", "7"])
        .prop_map(|tid| Node::Text(tid.into()));
    let tag = prop_oneof![
        6 => (text(), node()),
        1 => (Just(b"_dd.p.tid".to_vec()), tag_id),
        1 => (Just(b"_dd.p.dm".to_vec()), Just(Node::Text(b"-3".to_vec()))),
        1 => (Just(b"_sampling_priority_v1".to_vec()), float().prop_map(Node::Float)),
    ];
    vec(tag, 0..5).prop_map(Node::Map)
}

fn links() -> impl Strategy<Value = Node> {
    let id = || any::<u64>().prop_map(Node::Uint);
    let member = prop_oneof![
        (Just(b"trace_id".to_vec()), id()),
        (Just(b"trace_id_high".to_vec()), id()),
        (Just(b"span_id".to_vec()), id()),
        (Just(b"flags".to_vec()), id()),
        (text(), node()),
    ];
    let link = prop_oneof![4 => vec(member, 0..5).prop_map(Node::Map), 1 => node()];
    vec(link, 0..3).prop_map(Node::Array)
}

fn attribute() -> impl Strategy<Value = (Attribute, Node)> {
    let of = |attribute: Attribute| move |node: Node| (attribute, node);
    prop_oneof![
        3 => tags().prop_map(of(Attribute::Meta)),
        3 => tags().prop_map(of(Attribute::Metrics)),
        2 => links().prop_map(of(Attribute::SpanLinks)),
        4 => (select(Attribute::ALL.to_vec()), prop_oneof![tags(), node()]),
    ]
}

pub(super) fn span() -> impl Strategy<Value = SpanPlan> {
    (
        (said(prop_oneof![0..9_u64, any::<u64>()]), said(0..9_u64)),
        [said(text()), said(text()), said(text()), said(text())],
        (
            said(prop_oneof![0..4_i64, any::<i64>()]),
            said(any::<i64>()),
            said(prop_oneof![0..2_i32, any::<i32>()]),
        ),
        vec(attribute(), 0..5),
    )
        .prop_map(
            |((span_id, parent_id), texts, (start, duration, error), attributes)| SpanPlan {
                span_id,
                parent_id,
                texts,
                start,
                duration,
                error,
                attributes,
            },
        )
}

/// Which spans went, as a file may say it.
pub(super) fn went() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        Just("all".into()),
        vec(0..9_u64, 0..6).prop_map(|ids| ids.iter().map(u64::to_string).collect()),
    ]
}

/// The way on, as a file may say it.
pub(super) fn forward() -> impl Strategy<Value = Json> {
    let error = proptest::option::of(any::<String>());
    let intake = select(vec!["stats", "logs"]);
    let header = (
        select(vec!["Content-Type", "User-Agent", "DD-API-KEY", "Host"]),
        "[ -~]{0,9}",
    );
    let request = (
        intake,
        vec(header, 0..4),
        "([A-Za-z0-9]{4}){0,3}",
        any::<u32>(),
    )
        .prop_map(|(intake, headers, body, n)| {
            let headers: Map<_, _> = headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            json!({ "intake": intake, "headers": headers, "body": body, "plain_bytes": n, "n": n })
        });
    let way = (any::<String>(), error, vec(request, 0..4))
        .prop_map(|(to, error, unsent)| json!({ "to": to, "last_error": error, "unsent": unsent }));
    proptest::option::of(way).prop_map(Json::from)
}
