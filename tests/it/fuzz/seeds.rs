//! What fuzzing begins with: recordings where there are some, and small bodies of the other formats
//! with one of everything in them. Shared with the crate in `fuzz/`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use modtrace_tui::ingest::{self, LineReader, Lines};
use modtrace_tui::logs::LogSource;
use modtrace_tui::store::Store;
use modtrace_tui::trace::{ChunkBuilder, Now};

use super::{oracle, otlp, relay};

/// A small capture: two traces that ddtrace printed, and their log lines.
pub(crate) const CAPTURE: &str = concat!(
    r#"{"traces":[[{"trace_id":"1f","span_id":"01","parent_id":"00","service":"api","name":"request","resource":"GET /","type":"web","#,
    r#""start":1795206433000000000,"duration":250000000,"error":1,"meta":{"http.status_code":"500","_dd.p.tid":"6b00a83d00000000","language":"python"},"#,
    r#""metrics":{"_sampling_priority_v1":1,"n":0.5},"span_links":[{"trace_id":"1f","span_id":"02","attributes":{"a":"b"}}]},"#,
    r#"{"trace_id":"1f","span_id":"02","parent_id":"01","service":"api","name":"llm.generate","start":1795206433100000000,"duration":1}]]}"#,
    "\n",
    r#"{"traces":[[{"trace_id":"2","span_id":"9","parent_id":"7","name":"orphan","later":[1,{"a":null}]}]]}"#,
    "\n",
    r#"{"event":"out of memory","level":"error","dd":{"trace_id":"6b00a83d00000000000000000000001f","span_id":"1"},"n":5}"#,
    "\n[2026-11-20 19:53:45] WARNING plain text dd.trace_id=2\n",
);

/// Seeds are small, so that many mutations of them can be tried.
const SEED_BYTES_MAX: u64 = 4096;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("tests/fixtures"))
        .find(|folder| folder.is_dir())
        .expect("the recordings are there")
        .join(folder)
}

/// The files of a folder with this end of their names, in order of those, the large ones left out.
fn recorded(folder: &Path, end: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(end));
    paths.retain(|path| fs::metadata(path).is_ok_and(|file| file.len() <= SEED_BYTES_MAX));
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a recording can be read");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// Bodies that were sent to a path, of whatever folder: what stands beside each says where it was sent.
fn sent_to(path: &str, end: &str) -> Vec<Vec<u8>> {
    const ABOUT: &str = ".meta.json";
    let root = fixtures("");
    let entries = fs::read_dir(root).expect("the recordings are there");
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let about = folders.iter().flat_map(|folder| recorded(folder, ABOUT));
    let quoted = format!("\"{path}\"");
    let bodies = about.filter_map(|(about, text)| {
        let body = about.to_str()?.strip_suffix(ABOUT)?;
        let is_meant = body.ends_with(end) && String::from_utf8(text).ok()?.contains(&quoted);
        let is_small = || fs::metadata(body).is_ok_and(|file| file.len() <= SEED_BYTES_MAX);
        (is_meant && is_small()).then(|| fs::read(body).expect("a recording can be read"))
    });
    bodies.collect()
}

pub(crate) fn v04() -> Vec<Vec<u8>> {
    sent_to("/v0.4/traces", ".msgpack")
}

pub(crate) fn v05() -> Vec<Vec<u8>> {
    sent_to("/v0.5/traces", ".msgpack")
}

/// Recorded spans in the map of a v0.7 payload.
pub(crate) fn v07() -> Vec<Vec<u8>> {
    let wrapped = |body: Vec<u8>| {
        let spans = body.strip_prefix(&[0x91])?;
        let head = b"\x83\xadlanguage_name\xa6python\xa4tags\x81\xa1k\xa1v\xa6chunks\x91\x85\xa8priority\x01\xa6origin\xa6lambda\xaddropped_trace\xc2\xa4tags\x81\xa8_dd.p.dm\xa2-1\xa5spans";
        Some([&head[..], spans].concat())
    };
    let mut seeds: Vec<_> = v04().into_iter().filter_map(wrapped).collect();
    seeds.push(b"\x81\xa6chunks\x91\x82\xa8priority\x01\xa5spans\x91\x81\xa8trace_id\x01".to_vec());
    seeds
}

/// Recorded chunks as JSON: an array of arrays of spans.
pub(crate) fn json_chunks() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for body in v04() {
        let head = b"POST /v0.4/traces HTTP/1.1\r\n\r\n".to_vec();
        let request = ingest::bring_message(
            [head, body].concat(),
            Now::default().wall,
            &mut ChunkBuilder::default(),
        );
        let mut store = Store::new(1 << 24);
        store.take_request(request, Now::default());
        seeds.push(oracle::written(&store, "datadog").into_bytes());
    }
    seeds
}

/// The same spans without chunks.
pub(crate) fn json_spans() -> Vec<Vec<u8>> {
    let inner = |chunks: Vec<u8>| {
        let text = String::from_utf8(chunks).ok()?;
        let from = text.get(1..)?.find('[')? + 1;
        let to = text.find(']').filter(|_| text.matches(']').count() == 2)?;
        Some(text.get(from..=to)?.as_bytes().to_vec())
    };
    let mut seeds: Vec<_> = json_chunks().into_iter().filter_map(inner).collect();
    seeds.push(
        br#"[{"trace_id":1,"span_id":2,"name":"a","meta":{"k":"v"},"metrics":{"n":1.5}}]"#.to_vec(),
    );
    seeds
}

pub(crate) fn agentless() -> Vec<Vec<u8>> {
    let spans = json_spans().into_iter();
    let wrapped = spans.map(|spans| {
        let head = br#"{"traces":[{"hostname":"h","env":"e","languageName":"python","languageVersion":"3","tracerVersion":"4","runtimeID":"r","spans":"#;
        [&head[..], &spans, b"}]}"].concat()
    });
    let sent = sent_to("/v1/input", ".zst").into_iter();
    let unpacked = sent.filter_map(|body| zstd::decode_all(&*body).ok());
    wrapped.chain(unpacked).collect()
}

pub(crate) fn otlp_json() -> Vec<Vec<u8>> {
    // The recordings are too large.
    vec![otlp::JSON.into()]
}

pub(crate) fn otlp_protobuf() -> Vec<Vec<u8>> {
    vec![otlp::protobuf()]
}

pub(crate) fn stats() -> Vec<Vec<u8>> {
    let mut seeds = sent_to("/v0.6/stats", ".msgpack");
    seeds.push(
        b"\x83\xa8Hostname\xa1h\xa3Env\xa1e\xa5Stats\x91\x83\xa5Start\xcf\x18\xe3\xb0\xc8\xa5\xf4\x00\x00\xa8Duration\xce\x3b\x9a\xca\x00\xa5Stats\x91\x89\xa7Service\xa1s\xa4Name\xa1n\xa8Resource\xa1r\xaeHTTPStatusCode\x00\xa4Hits\x05\xa6Errors\x01\xa8Duration\x07\xa9OkSummary\xc4\x13\n\t\tE\n\xd7\xa3p=\n\xf0?\x12\x04\x12\x02\x00\x01\x18\x00\xacErrorSummary\xc4\x00".to_vec(),
    );
    seeds
}

pub(crate) fn telemetry() -> Vec<Vec<u8>> {
    let mut seeds = sent_to("/telemetry/proxy/api/v2/apmtelemetry", ".json");
    seeds.push(
        br#"{"api_version":"v2","request_type":"message-batch","runtime_id":"r","payload":[{"request_type":"generate-metrics","payload":{"namespace":"tracers","series":[{"metric":"spans_created","type":"count","points":[[1795206433,7]],"tags":["integration_name:x"]},{"metric":"trace_chunks_dropped","points":[[1,2]]}]}}]}"#.to_vec(),
    );
    seeds
}

pub(crate) fn logs() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        br#"[{"message":"{\"event\":\"a\",\"dd.trace_id\":\"2\"}","ddsource":"python","ddtags":"a:b","hostname":"h","service":"s","timestamp":1795206433000}]"#.to_vec(),
        b"{\"message\":\"a\",\"status\":\"error\"}\n{\"message\":\"b\"}".to_vec(),
    ];
    for printed in lines() {
        let text = String::from_utf8_lossy(&printed).into_owned();
        let items: Vec<_> = text
            .lines()
            .map(|line| serde_json::json!({"message": line}))
            .collect();
        seeds.push(serde_json::to_vec(&items).expect("JSON"));
    }
    seeds
}

pub(crate) fn gzip() -> Vec<Vec<u8>> {
    packed(|body| all(GzEncoder::new(body, Compression::fast())))
}

pub(crate) fn deflate() -> Vec<Vec<u8>> {
    packed(|body| all(ZlibEncoder::new(body, Compression::fast())))
}

pub(crate) fn zstd() -> Vec<Vec<u8>> {
    packed(|body| zstd::encode_all(body, 0).expect("memory takes all"))
}

/// Recorded bodies, packed, and a small body that becomes large.
fn packed(pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = v04().iter().map(|body| pack(body)).collect();
    let bomb = [&b"\x91\xdd\x00\x10\x00\x00"[..], &vec![0x80; 1 << 20]].concat();
    seeds.push(pack(&bomb[..1 << 18]));
    seeds.push(pack(&pack(&bomb)));
    seeds
}

fn all(mut packer: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    packer.read_to_end(&mut bytes).expect("memory takes all");
    bytes
}

/// Whole requests of every kind.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let tracer = "Datadog-Meta-Lang: python\r\nDatadog-Meta-Lang-Version: 3.11.7\r\nDatadog-Meta-Tracer-Version: 4.1.2\r\nX-Datadog-Trace-Count: 1\r\nDatadog-Client-Dropped-P0-Traces: 2\r\nDatadog-Client-Dropped-P0-Spans: 5\r\nDatadog-Client-Computed-Stats: yes\r\nUser-Agent: x\r\n";
    let message = |path: &str, headers: &str, body: &[u8]| {
        [
            format!("PUT {path} HTTP/1.1\r\n{headers}\r\n").as_bytes(),
            body,
        ]
        .concat()
    };
    let mut seeds = vec![
        message("/modtrace/hello", "", br#"{"task_id":"ta-1","region":"eu","cloud":"c","environment":"main","image_id":"im-1","gpu":"A100","pid":42,"process_start_ns":1795204425287000000,"started_ns":1,"python":"3.11","restored":false}"#),
        message("/info?x=y", tracer, b""),
        message("/nowhere", tracer, b""),
    ];
    seeds.extend(
        v04()
            .iter()
            .take(4)
            .map(|body| message("/v0.4/traces", tracer, body)),
    );
    seeds.extend(
        v05()
            .iter()
            .take(4)
            .map(|body| message("/v0.5/traces", tracer, body)),
    );
    seeds.extend(
        zstd()
            .iter()
            .take(2)
            .map(|body| message("/v0.3/traces", "content-encoding: identity, zstd\r\n", body)),
    );
    seeds.extend(logs().iter().take(2).map(|body| {
        message(
            "/api/v2/logs?ddsource=x",
            "content-type: text/plain\r\n",
            body,
        )
    }));
    seeds
}

/// What programs printed.
pub(crate) fn lines() -> Vec<Vec<u8>> {
    let recorded = recorded(&fixtures("lines"), ".stdout.txt").into_iter();
    let mut seeds: Vec<_> = recorded.map(|(_, printed)| printed).collect();
    seeds.push(CAPTURE.into());
    seeds.push(b"web-1  | {\"event\":\"a\",\"n\":\n12}\r\n\x1b[31mred\x1b[0m {\"event\":\"a\",{\"event\":\"b\",\"level\":\"info\"}\n".to_vec());
    seeds.push(b"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    f()\nValueError: no\n".to_vec());
    seeds
}

/// Spans as ddtrace prints them.
pub(crate) fn printed() -> Vec<Vec<u8>> {
    let mut seeds = vec![CAPTURE.into()];
    for (path, printed) in recorded(&fixtures("lines"), ".stdout.txt") {
        if path.to_string_lossy().contains("logwriter") {
            seeds.push(printed);
        }
    }
    for body in agentless() {
        let text = String::from_utf8_lossy(&body).replace('\n', " ");
        seeds.push((text + "\n").into_bytes());
    }
    seeds
}

/// Messages of relays, whole and damaged.
pub(crate) fn relay() -> Vec<Vec<u8>> {
    let messages = messages();
    let mut seeds = Vec::new();
    for damage in [0, 1, 2, 4, 8, 16, 32, 64, 128, 0xff] {
        let of = |(index, message): (usize, &Vec<u8>)| {
            relay::input(u8::try_from(index).unwrap_or(0), damage, message)
        };
        let input: Vec<u8> = messages.iter().take(6).enumerate().flat_map(of).collect();
        seeds.push(input);
    }
    seeds
}

pub(crate) fn queries() -> Vec<Vec<u8>> {
    use modtrace_tui::query::{EXAMPLE_LOGS, EXAMPLE_SPANS, EXAMPLE_TRACES};
    let more = [
        "word \"two words\" vllm.*\nword",
        "key:value @key:value key:>=500 @key:<2 a.b:c",
        "dur>500ms dur:<=2s err open orphan",
        "lvl>=warn source:stderr container:ta-QK joined unjoined",
        "log:\"out of memory\" prio:-1 dm:-3 -a !b (a or b) | c",
        "(((a or -(b | c))) \"open\nerr dur>",
    ];
    let all = [EXAMPLE_TRACES, EXAMPLE_SPANS, EXAMPLE_LOGS]
        .into_iter()
        .chain(more);
    all.map(|query| query.as_bytes().to_vec()).collect()
}

/// Files that `open` reads: our own exports, and arrays of v0.4 spans.
pub(crate) fn files() -> Vec<Vec<u8>> {
    let mut seeds = json_chunks();
    let mut printed = lines();
    printed.truncate(4);
    printed.push(CAPTURE.into());
    for bytes in printed {
        let mut lines = Lines::default();
        let mut reader = LineReader::new(LogSource::File);
        reader.read(&bytes, Now::default().wall, &mut lines);
        reader.finish(Now::default().wall, &mut lines);
        let mut store = Store::new(1 << 24);
        store.take_lines(lines, Now::default());
        seeds.push(oracle::written(&store, "json").into_bytes());
    }
    seeds
}
