//! What the sample service does with a request: the traces of a document processor with a vision
//! model, a cache and a database. Pure.

use super::sketch::{Dice, Failure, Shape, Sketch};

const SERVICE: &str = "document-processor";
const MODEL: &str = "mineru-vl-2.5";
/// Between two pages of a document.
const PAGE_GAP_US: i64 = 900;

const OUT_OF_MEMORY: Failure = Failure {
    class: "torch.cuda.CudaOutOfMemoryError",
    message: "CUDA out of memory. Tried to allocate 2.44 GiB. GPU 0 has a total capacity of 23.69 GiB of which 1.12 GiB is free",
    stack: "Traceback (most recent call last):
  File \"/app/app.py\", line 118, in extract
    pages = self.model.generate(batch, max_new_tokens=4096)
  File \"/usr/local/lib/python3.11/site-packages/torch/utils/_contextlib.py\", line 116, in decorate_context
    return func(*args, **kwargs)
  File \"/app/model.py\", line 71, in generate
    attention = torch.matmul(query, key.transpose(-1, -2))
torch.cuda.CudaOutOfMemoryError: CUDA out of memory. Tried to allocate 2.44 GiB. GPU 0 has a total capacity of 23.69 GiB of which 1.12 GiB is free
",
};

/// How a document fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Extracted,
    OutOfMemory,
}

fn span(name: &'static str, kind: &'static str, from_us: i64, lasts_us: i64) -> Shape {
    Shape {
        service: SERVICE,
        name,
        kind,
        from_us,
        lasts_us,
    }
}

/// A container comes up: imports, then the model.
pub(super) fn cold_start(dice: &mut Dice) -> Sketch {
    let import = dice.between(2_600_000, 3_400_000);
    let load = dice.between(4_200_000, 5_600_000);
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
        .metric("weights_mib", 4_812);
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
    sketch
}

/// One document: looked up, parsed page by page, read by the model, stored.
pub(super) fn document(dice: &mut Dice, outcome: Outcome) -> Sketch {
    let number = dice.between(1_000, 9_999);
    let n_pages = dice.between(1, 5);
    let page = dice.between(40_000, 95_000);
    let look_up = dice.between(700, 2_600);
    let parse_lasts = 6_000 + n_pages * (page + PAGE_GAP_US);
    let extract = dice.between(380_000, 1_300_000);
    let store = dice.between(3_000, 14_000);

    let mut sketch = Sketch::default();
    let extract_at = 1_900 + look_up + parse_lasts;
    let total = extract_at
        + extract
        + 900
        + if outcome == Outcome::Extracted {
            store
        } else {
            0
        };
    let root = sketch.add(
        dice,
        0,
        span("document.process", "serverless", 0, total + 1_400),
    );
    sketch
        .meta("document_id", format!("doc-{number}"))
        .meta("span.kind", "server");
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
    let extracting = sketch.add(
        dice,
        root,
        span("document.extract", "llm", extract_at, extract),
    );
    sketch.meta("model", MODEL);
    let generating = sketch.add(
        dice,
        extracting,
        span("llm.generate", "llm", extract_at + 2_200, extract - 9_500),
    );
    let prompt_tokens = 420 + n_pages * dice.between(700, 1_100);
    sketch
        .meta("model", MODEL)
        .metric("tokens.prompt", prompt_tokens);
    sketch.meta("llm.request", llm_request(number, n_pages));
    if outcome == Outcome::OutOfMemory {
        sketch.fail(&[root, extracting, generating], OUT_OF_MEMORY);
        return sketch;
    }
    let tokens = dice.between(180, 2_400);
    sketch.metric("tokens.completion", tokens);
    let database = Shape {
        service: "postgres",
        ..span("pg.query", "sql", extract_at + extract + 500, store)
    };
    sketch.add(dice, root, database);
    sketch.resource("INSERT INTO documents (id, body, tokens) VALUES (%s, %s, %s)");
    sketch
        .meta("db.name", "documents")
        .meta("span.kind", "client")
        .metric("db.row_count", 1);
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

/// A batch over forty workers, a few of them slow.
pub(super) fn fan_out(dice: &mut Dice) -> Sketch {
    const WORKERS: i64 = 40;
    let mut workers = Vec::new();
    for index in 0..WORKERS {
        let slow = if index % 11 == 7 { 4 } else { 1 };
        workers.push((4_000 + index * 350, slow * dice.between(90_000, 240_000)));
    }
    let end = workers
        .iter()
        .map(|(from, lasts)| from + lasts)
        .max()
        .unwrap_or(0);
    let mut sketch = Sketch::default();
    let root = sketch.add(dice, 0, span("batch.process", "serverless", 0, end + 6_000));
    sketch
        .metric("workers", WORKERS)
        .meta("batch_id", format!("batch-{}", dice.between(100, 999)));
    for (index, (from, lasts)) in (0..).zip(workers) {
        sketch.add(dice, root, span("batch.worker", "worker", from, lasts));
        sketch
            .metric("worker", index)
            .metric("pages", dice.between(1, 9));
    }
    sketch
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
