//! Payloads for benches, in the shape of a document processor's traces: three to eight spans each,
//! the same for the same seed, in every format a tracer speaks. Not recorded, because a bench wants
//! many different ones.

mod encode;

/// What a payload is written as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Format {
    V04,
    V05,
    V07,
    V10,
    Otlp,
}

impl Format {
    pub(crate) const ALL: [Self; 5] = [Self::V04, Self::V05, Self::V07, Self::V10, Self::Otlp];

    /// The path to which tracers send it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::V04 => "/v0.4/traces",
            Self::V05 => "/v0.5/traces",
            Self::V07 => "/v0.7/traces",
            Self::V10 => "/v1.0/traces",
            Self::Otlp => "/v1/traces",
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Otlp => "application/x-protobuf",
            _ => "application/msgpack",
        }
    }
}

/// How many tags a span has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tags {
    /// 12 tags and 4 metrics a span, 2 to 4 of the values near-unique.
    Rich,
    /// What the recorded payloads carry: 9 tags and 4 metrics on the root, 2 or 3 tags on its children.
    Light,
}

/// So many traces in one body.
pub(crate) fn encode(format: Format, tags: Tags, n_traces: usize, seed: u64) -> Vec<u8> {
    encode::body(format, &traces(tags, n_traces, seed))
}

/// How many spans the same call would make.
pub(crate) fn n_spans(n_traces: usize, seed: u64) -> usize {
    traces(Tags::Light, n_traces, seed)
        .iter()
        .map(Vec::len)
        .sum()
}

/// The trace ids in the same call's payload.
pub(crate) fn trace_ids(n_traces: usize, seed: u64) -> Vec<u64> {
    traces(Tags::Light, n_traces, seed)
        .iter()
        .flatten()
        .map(|span| span.trace_id)
        .collect()
}

// Not every bench takes all of it.
const _: [Tags; 2] = [Tags::Rich, Tags::Light];
const _: [Format; 5] = Format::ALL;
const _: [fn(Format) -> &'static str; 2] = [Format::path, Format::content_type];
const _: fn(Format, Tags, usize, u64) -> Vec<u8> = encode;
const _: fn(usize, u64) -> usize = n_spans;
const _: fn(usize, u64) -> Vec<u64> = trace_ids;

#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Span {
    name: &'static str,
    resource: &'static str,
    kind: &'static str,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    start: u64,
    duration: u64,
    error: bool,
    meta: Vec<(&'static str, String)>,
    metrics: Vec<(&'static str, f64)>,
}

const SERVICE: &str = "document-processor";

/// Name, resource and type of the root and of what follows it.
const WORK: [(&str, &str, &str); 8] = [
    ("document.process", "document.process", "serverless"),
    ("document.parse", "document.parse", "template"),
    ("llm.extract", "claims-extraction-v3", "llm"),
    ("document.store", "INSERT INTO documents", "sql"),
    ("http.request", "POST /v1/messages", "http"),
    ("embedding.create", "text-embedding-large", "llm"),
    ("cache.get", "GET document:*", "cache"),
    ("queue.publish", "documents.done", "queue"),
];

/// `splitmix64`: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

fn traces(tags: Tags, n_traces: usize, seed: u64) -> Vec<Vec<Span>> {
    // Ids and tags have dice of their own, so that rich and light traces have the same spans.
    let mut dice = Dice(seed);
    let mut tag_dice = Dice(!seed);
    (0..n_traces)
        .map(|_| trace(tags, &mut dice, &mut tag_dice))
        .collect()
}

fn trace(tags: Tags, dice: &mut Dice, tag_dice: &mut Dice) -> Vec<Span> {
    let n_spans = 3 + dice.below(6);
    let trace_id = dice.roll() | 1;
    let root_id = dice.roll() | 1;
    let start = 1_795_205_181_000_000_000 + dice.below(60_000_000_000);
    let request_id = hex(tag_dice.roll());
    let work = WORK.iter().cycle().take(usize::try_from(n_spans).unwrap());
    let spans = work.zip(0_u64..).map(|((name, resource, kind), place)| {
        let is_root = place == 0;
        let (meta, metrics) = match tags {
            Tags::Rich => (rich_meta(tag_dice, &request_id), metrics(tag_dice)),
            Tags::Light if is_root => (light_meta(tag_dice), metrics(tag_dice)),
            Tags::Light => (child_meta(tag_dice), Vec::new()),
        };
        Span {
            name,
            resource,
            kind,
            trace_id,
            span_id: if is_root { root_id } else { dice.roll() | 1 },
            parent_id: if is_root { 0 } else { root_id },
            start: start + place * 1_000_000,
            duration: 100_000 + dice.below(900_000_000),
            error: dice.below(50) == 0,
            meta,
            metrics,
        }
    });
    spans.collect()
}

fn rich_meta(dice: &mut Dice, request_id: &str) -> Vec<(&'static str, String)> {
    let pick = |dice: &mut Dice, from: &[&str]| -> String {
        let place = usize::try_from(dice.below(from.len() as u64)).unwrap();
        from.get(place).copied().unwrap().into()
    };
    vec![
        ("env", "production".into()),
        ("version", "1.2.3".into()),
        ("language", "python".into()),
        ("runtime-id", "cd8c614f9b7746e8bfc926d6bb5276d4".into()),
        ("_dd.p.dm", "-0".into()),
        ("_dd.p.tid", "6b00acf300000000".into()),
        (
            "modal.region",
            pick(dice, &["us-east-1", "us-west-2", "eu-west-1"]),
        ),
        ("modal.task_id", format!("ta-01{:014X}", dice.below(20))),
        (
            "document.type",
            pick(dice, &["invoice", "contract", "claim", "letter"]),
        ),
        ("request_id", request_id.into()),
        ("document_id", format!("doc-{}", hex(dice.roll()))),
        (
            "content.sha",
            format!("{}{}", hex(dice.roll()), hex(dice.roll())),
        ),
    ]
}

fn light_meta(dice: &mut Dice) -> Vec<(&'static str, String)> {
    vec![
        ("env", "dev".into()),
        ("version", "1.2.3".into()),
        ("language", "python".into()),
        ("runtime-id", "cd8c614f9b7746e8bfc926d6bb5276d4".into()),
        ("_dd.p.dm", "-0".into()),
        ("_dd.p.tid", "6b00acf300000000".into()),
        ("_dd.base_service", "scripts".into()),
        ("document_id", format!("doc-{}", dice.below(100_000))),
        ("document.type", "invoice".into()),
    ]
}

fn child_meta(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut meta = vec![("env", "dev".into()), ("version", "1.2.3".into())];
    if dice.below(2) == 0 {
        meta.push(("_dd.base_service", "scripts".into()));
    }
    meta
}

fn metrics(dice: &mut Dice) -> Vec<(&'static str, f64)> {
    vec![
        ("_sampling_priority_v1", 1.0),
        ("process_id", 29_162.0),
        ("_dd.top_level", 1.0),
        ("tokens.cost", dice.below(1_000_000) as f64 / 7.0),
    ]
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}
