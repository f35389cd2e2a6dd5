//! What the sample service does with a request: the traces of a document processor with a vision
//! model, a cache and a database. Pure.

use super::failure;
use super::process::Gpu;
use super::sketch::{Dice, Shape, Sketch};

const SERVICE: &str = "document-processor";
pub(super) const MODEL: &str = "mineru-vl-2.5";
/// Between two pages of a document.
const PAGE_GAP_US: i64 = 900;
/// How long the function that summarizes may take.
const SUMMARY_TIMEOUT_S: i64 = 3;

/// How a document fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Extracted,
    OutOfMemory,
    /// The function that summarizes it takes longer than it may.
    TimedOut,
}

/// What the process did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: the GPU compiles its kernels first.
    Nothing,
    Requests,
}

/// What a container of a function loads before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    Whole,
    /// Of a model for single pages.
    Small,
}

pub(super) fn span(name: &'static str, kind: &'static str, from_us: i64, lasts_us: i64) -> Shape {
    Shape {
        service: SERVICE,
        name,
        kind,
        from_us,
        lasts_us,
    }
}

/// A container comes up: imports, then the model.
pub(super) fn cold_start(dice: &mut Dice, weights: Weights) -> Sketch {
    let (import, load, weights_mib) = match weights {
        Weights::Whole => (
            dice.between(2_600_000, 3_400_000),
            dice.between(4_200_000, 5_600_000),
            4_812,
        ),
        Weights::Small => (
            dice.between(900_000, 1_200_000),
            dice.between(1_100_000, 1_500_000),
            611,
        ),
    };
    let mut sketch = Sketch::default();
    let root = sketch.add(
        dice,
        0,
        span("modal.init", "serverless", 0, import + load + 4_300),
    );
    sketch.add(dice, root, span("import torch", "", 1_200, import));
    let loading = sketch.add(dice, root, span("model.load", "", import + 2_100, load));
    sketch
        .meta("model", MODEL)
        .meta("device", "cuda:0")
        .metric("weights_mib", weights_mib);
    sketch.add(
        dice,
        loading,
        span("weights.read", "", import + 2_600, load * 7 / 10),
    );
    sketch.meta("path", "/weights/mineru-vl-2.5.safetensors");
    sketch.add(
        dice,
        loading,
        span(
            "weights.to_gpu",
            "",
            import + 3_100 + load * 7 / 10,
            load / 4,
        ),
    );
    sketch.root_metric("modal.model_load_ms", load / 1_000);
    sketch
}

/// One document: looked up, parsed page by page, read by the model, stored.
pub(super) fn document(dice: &mut Dice, outcome: Outcome, gpu: Gpu, before: Before) -> Sketch {
    let number = dice.between(1_000, 9_999);
    let n_pages = dice.between(1, 5);
    let page = dice.between(40_000, 95_000);
    let look_up = dice.between(700, 2_600);
    let extract = Extract {
        from: 1_900 + look_up + 6_000 + n_pages * (page + PAGE_GAP_US),
        warm_up: match before {
            Before::Nothing => dice.between(700_000, 1_300_000),
            Before::Requests => 0,
        },
        generate: dice.between(370_000, 1_290_000),
    };
    let afterwards = match outcome {
        Outcome::Extracted => dice.between(3_000, 14_000),
        Outcome::OutOfMemory => 0,
        Outcome::TimedOut => SUMMARY_TIMEOUT_S * 1_000_000 + dice.between(20_000, 60_000),
    };

    let mut sketch = Sketch::default();
    let lasts = extract.end() + 900 + afterwards + 1_400;
    let root = sketch.add(dice, 0, span("document.process", "serverless", 0, lasts));
    sketch
        .meta("document_id", format!("doc-{number}"))
        .meta("span.kind", "server")
        .metric("modal.infer_ms", (extract.end() - extract.from) / 1_000);
    let cache = Shape {
        service: "redis",
        ..span("redis.get", "redis", 600, look_up)
    };
    sketch.add(dice, root, cache);
    sketch
        .resource("GET")
        .meta("redis.raw_command", format!("GET parsed:doc-{number}"));
    sketch
        .meta("span.kind", "client")
        .meta("out.host", "cache.internal");
    parse(dice, &mut sketch, root, 900 + look_up, (n_pages, page));
    let extracting = extract.draw(dice, &mut sketch, root, (number, n_pages));
    let at = extract.end() + 500;
    match outcome {
        Outcome::Extracted => {
            sketch.metric("tokens.completion", dice.between(180, 2_400));
            store(dice, &mut sketch, root, (at, afterwards));
        }
        Outcome::OutOfMemory => {
            let [extracting, generating] = extracting;
            sketch.fail(
                &[root, extracting, generating],
                &failure::out_of_memory(gpu),
            );
        }
        Outcome::TimedOut => {
            sketch.metric("tokens.completion", dice.between(1_800, 2_400));
            let calling = sketch.add(dice, root, span("summary.remote", "", at, afterwards));
            sketch
                .meta("span.kind", "client")
                .metric("timeout_s", SUMMARY_TIMEOUT_S);
            let failure = failure::timeout(&dice.modal_id("in"), SUMMARY_TIMEOUT_S);
            sketch.fail(&[root, calling], &failure);
        }
    }
    sketch
}

/// When the model reads a document.
struct Extract {
    from: i64,
    warm_up: i64,
    generate: i64,
}

impl Extract {
    fn end(&self) -> i64 {
        self.from + self.warm_up + self.generate + 9_500
    }

    /// The extraction and, added last, the generation in it.
    fn draw(
        &self,
        dice: &mut Dice,
        sketch: &mut Sketch,
        root: u64,
        (number, n_pages): (i64, i64),
    ) -> [u64; 2] {
        let lasts = self.end() - self.from;
        let extracting = sketch.add(
            dice,
            root,
            span("document.extract", "llm", self.from, lasts),
        );
        sketch.meta("model", MODEL);
        if self.warm_up > 0 {
            let compile = span("cuda.compile", "", self.from + 1_100, self.warm_up);
            sketch.add(dice, extracting, compile);
        }
        let at = self.from + 2_200 + self.warm_up;
        let generating = sketch.add(
            dice,
            extracting,
            span("llm.generate", "llm", at, self.generate),
        );
        let prompt_tokens = 420 + n_pages * dice.between(700, 1_100);
        sketch
            .meta("model", MODEL)
            .metric("tokens.prompt", prompt_tokens);
        sketch.meta("llm.request", llm_request(number, n_pages));
        [extracting, generating]
    }
}

/// What was read goes into the database.
fn store(dice: &mut Dice, sketch: &mut Sketch, root: u64, (from, lasts): (i64, i64)) {
    let database = Shape {
        service: "postgres",
        ..span("pg.query", "sql", from, lasts)
    };
    sketch.add(dice, root, database);
    sketch.resource("INSERT INTO documents (id, body, tokens) VALUES (%s, %s, %s)");
    sketch
        .meta("db.name", "documents")
        .meta("span.kind", "client")
        .metric("db.row_count", 1);
}

/// Somebody asks whether the container is there.
pub(super) fn health_check(dice: &mut Dice) -> Sketch {
    let mut sketch = Sketch::default();
    let lasts = dice.between(900, 2_400);
    sketch.add(dice, 0, span("fastapi.request", "web", 0, lasts));
    sketch
        .resource("GET /healthz")
        .meta("http.method", "GET")
        .meta("http.status_code", "200")
        .meta("span.kind", "server");
    sketch
}

/// The pages of a document, one after another.
fn parse(dice: &mut Dice, sketch: &mut Sketch, root: u64, from: i64, pages: (i64, i64)) {
    let (n_pages, page) = pages;
    let lasts = 6_000 + n_pages * (page + PAGE_GAP_US);
    let parsing = sketch.add(dice, root, span("document.parse", "template", from, lasts));
    sketch.metric("pages", n_pages).meta("format", "pdf");
    for index in 0..n_pages {
        let at = from + 2_100 + index * (page + PAGE_GAP_US);
        sketch.add(dice, parsing, span("page.render", "", at, page));
        sketch.metric("page", index);
    }
}

/// A tag that holds JSON, as people put it into spans.
fn llm_request(number: i64, n_pages: i64) -> String {
    let pages: Vec<_> = (1..=n_pages)
        .map(|page| format!(r#"{{"type":"image","url":"modal://pages/doc-{number}/{page}.png","detail":"high"}}"#))
        .collect();
    format!(
        r#"{{"model":"{MODEL}","sampling":{{"temperature":0.1,"top_p":0.9,"max_new_tokens":4096}},"messages":[{{"role":"system","content":"Extract every table as Markdown."}},{{"role":"user","content":[{}]}}],"stream":false}}"#,
        pages.join(",")
    )
}

/// A document so long that its spans arrive while it is still worked on.
pub(super) fn long_document(dice: &mut Dice) -> Sketch {
    const SECTIONS: i64 = 9;
    let section = dice.between(420_000, 640_000);
    let mut sketch = Sketch::default();
    let total = 8_000 + SECTIONS * (section + 12_000);
    let root = sketch.add(dice, 0, span("document.process", "serverless", 0, total));
    sketch.meta(
        "document_id",
        format!("doc-{}-long", dice.between(1_000, 9_999)),
    );
    for index in 0..SECTIONS {
        let from = 4_000 + index * (section + 12_000);
        let parent = sketch.add(dice, root, span("section.process", "", from, section));
        sketch.metric("section", index);
        let read = section * 3 / 10;
        sketch.add(
            dice,
            parent,
            span("document.parse", "template", from + 500, read),
        );
        sketch.add(
            dice,
            parent,
            span(
                "document.extract",
                "llm",
                from + read + 1_500,
                section - read - 4_000,
            ),
        );
        sketch
            .meta("model", MODEL)
            .metric("tokens.completion", dice.between(300, 1_900));
    }
    sketch
}

/// One trace of exactly this many spans: batches of pages, side by side.
pub(super) fn large(dice: &mut Dice, n_spans: i64) -> Sketch {
    const BATCH: i64 = 25;
    const BATCH_US: i64 = 260_000;
    let mut sketch = Sketch::default();
    let n_batches = (n_spans - 1 + BATCH - 1) / BATCH;
    let total = n_batches * 31_000 + BATCH_US + 20_000;
    let root = sketch.add(dice, 0, span("archive.process", "serverless", 0, total));
    let mut left = n_spans - 1;
    for batch in 0..n_batches {
        let from = 5_000 + batch * 31_000;
        let parent = sketch.add(dice, root, span("batch.process", "worker", from, BATCH_US));
        sketch.metric("batch", batch);
        left -= 1;
        for page in 0..left.min(BATCH - 1) {
            let at = from + 1_000 + page * 10_000;
            let lasts = dice.between(6_000, 9_500);
            sketch.add(dice, parent, span("page.extract", "llm", at, lasts));
            sketch
                .metric("page", page)
                .metric("tokens.completion", 100 + page);
        }
        left -= left.min(BATCH - 1);
    }
    sketch
}
