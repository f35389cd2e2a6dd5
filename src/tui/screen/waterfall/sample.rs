//! Small traces for the tests of the panes that show them, and frames as text.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::ingest::Received;
use crate::store::{Store, TraceKey};
use crate::trace::{
    Attribute, ChunkBuilder, Field, Now, RelaySource, TracerInfo, TracerPayload, UnixNanos, Via,
};

/// A span to be sent. Times in milliseconds after [`START`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample<'a> {
    /// Apart from the usual trace: 0 is that.
    pub(crate) trace: u64,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    pub(crate) name: &'a str,
    pub(crate) service: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) error: bool,
    pub(crate) meta: &'a [(&'a str, &'a str)],
    pub(crate) metrics: &'a [(&'a str, f64)],
}

/// When the traces of the tests begin.
pub(crate) const START: i64 = 1_795_204_425_000_000_000;
/// The trace id of every sample.
pub(crate) const TRACE_ID: &str = "67b1a0c2000000005f3c9e11d04be2f7";

/// Id, parent, start and duration in milliseconds, name.
pub(crate) fn span(id: u64, parent: u64, start: i64, duration: i64, name: &str) -> Sample<'_> {
    Sample {
        id,
        parent,
        start,
        duration,
        name,
        service: "api",
        resource: name,
        ..Sample::default()
    }
}

/// Sends one chunk to a store.
pub(crate) fn send(store: &mut Store, samples: &[Sample<'_>]) -> TraceKey {
    let mut builder = ChunkBuilder::default();
    for sample in samples {
        build(&mut builder, sample);
    }
    insert(store, &mut builder)
}

/// Sends one chunk to a store through a relay.
pub(crate) fn send_by(store: &mut Store, relay: u32, samples: &[Sample<'_>]) -> TraceKey {
    let mut builder = ChunkBuilder::default();
    for sample in samples {
        build(&mut builder, sample);
    }
    insert_by(store, &mut builder, Some(RelaySource(relay)))
}

/// Puts what was built into a store.
pub(crate) fn insert(store: &mut Store, builder: &mut ChunkBuilder) -> TraceKey {
    insert_by(store, builder, None)
}

fn insert_by(
    store: &mut Store,
    builder: &mut ChunkBuilder,
    relay: Option<RelaySource>,
) -> TraceKey {
    let chunks = builder.finish();
    let received = Received {
        at: UnixNanos(START),
        via: Via::Http,
        payload: TracerPayload {
            tracer: TracerInfo::default().into(),
            n_chunks: chunks.len(),
            form: crate::trace::PayloadForm::default(),
            chunks,
        },
        client_dropped_p0_traces: 0,
        client_dropped_p0_spans: 0,
        client_computed_stats: false,
        relay,
    };
    store.insert(received, Now::default())[0]
}

/// A store with one trace.
pub(crate) fn store_of(samples: &[Sample<'_>]) -> (Store, TraceKey) {
    let mut store = Store::new(256 << 20);
    let key = send(&mut store, samples);
    (store, key)
}

/// Adds a span to a chunk.
pub(crate) fn build(builder: &mut ChunkBuilder, sample: &Sample<'_>) {
    builder.begin_span().unwrap();
    builder.set_number(Field::TraceId, 0x5f3c_9e11_d04b_e2f7 ^ sample.trace);
    builder.set_number(Field::SpanId, sample.id);
    builder.set_number(Field::ParentId, sample.parent);
    let start = START + sample.start * 1_000_000;
    builder.set_number(Field::Start, start.cast_unsigned());
    let duration = sample.duration * 1_000_000;
    builder.set_number(Field::Duration, duration.cast_unsigned());
    builder.set_number(Field::Error, u64::from(sample.error));
    let texts = [
        (Field::Name, sample.name),
        (Field::Service, sample.service),
        (Field::Resource, sample.resource),
        (Field::Type, sample.kind),
    ];
    for (field, text) in texts {
        let text = builder.text(text.as_bytes()).unwrap();
        builder.set_text(field, text);
    }
    let high = ("_dd.p.tid", "67b1a0c200000000");
    let meta = sample.meta.iter().chain([&high]);
    let meta: Vec<_> = meta
        .map(|(key, value)| [key, value].map(|text| builder.text(text.as_bytes()).unwrap()))
        .collect();
    let mut writer = builder.attribute(Attribute::Meta);
    let map = writer.open_map();
    for [key, value] in meta {
        writer.key(key);
        writer.text(value);
    }
    writer.close(map);
    let metrics = sample.metrics.iter();
    let metrics: Vec<_> = metrics
        .map(|(key, value)| (builder.text(key.as_bytes()).unwrap(), *value))
        .collect();
    let mut writer = builder.attribute(Attribute::Metrics);
    let map = writer.open_map();
    for (key, value) in metrics {
        writer.key(key);
        writer.float(value);
    }
    writer.close(map);
}

const LEGEND: &str =
    ". plain  d dim  b bold  c coloured  e error  w warning  u underlined  r reversed";

/// A frame as text, and below it one letter for the style of each cell.
pub(crate) fn frame(buffer: &Buffer) -> String {
    let lines = |letter: &dyn Fn(&Cell) -> String| -> String {
        let area = buffer.area;
        let line = |y| -> String {
            let cells = (area.left()..area.right()).filter_map(|x| buffer.cell((x, y)));
            cells.map(letter).collect::<String>().trim_end().to_owned() + "\n"
        };
        (area.top()..area.bottom()).map(line).collect()
    };
    let text = lines(&|cell| cell.symbol().to_owned());
    let styles = lines(&|cell| style_letter(cell).to_owned());
    format!("{text}\n{styles}\n{LEGEND}\n")
}

fn style_letter(cell: &Cell) -> &'static str {
    match (cell.modifier, cell.fg) {
        (modifier, _) if modifier.contains(Modifier::REVERSED) => "r",
        (modifier, _) if modifier.contains(Modifier::UNDERLINED) => "u",
        (modifier, _) if modifier.contains(Modifier::DIM) && cell.symbol() == " " => " ",
        (modifier, _) if modifier.contains(Modifier::DIM) => "d",
        (_, Color::Red) => "e",
        (_, Color::Yellow) => "w",
        (modifier, _) if modifier.contains(Modifier::BOLD) => "b",
        (_, Color::Reset) if cell.symbol() == " " => " ",
        (_, Color::Reset) => ".",
        _ => "c",
    }
}
