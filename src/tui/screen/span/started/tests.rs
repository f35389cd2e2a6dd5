//! What the details say of the start of a request, of its end and of its container.

use super::*;
use crate::store::TraceKey;
use crate::trace::{ContainerFacts, Hello, RelaySource};
use crate::tui::screen::waterfall::sample::{START, Sample, send, send_by, span};
use crate::tui::theme::Glyphs;

/// A root of a trace of its own.
fn request(trace: u64, start: i64, duration: i64) -> Sample<'static> {
    Sample {
        trace,
        meta: &[
            ("modal.task_id", "ta-01J8QK"),
            ("modal.region", "us-east-1"),
        ],
        ..span(trace * 10, 0, start, duration, "handle")
    }
}

fn init(start: i64, duration: i64) -> Sample<'static> {
    Sample {
        name: "modal.init",
        ..request(99, start, duration)
    }
}

/// The details of the own root of a trace as indented text, some seconds after the start.
fn outline(store: &Store, key: TraceKey, seconds: i64) -> String {
    let trace = store.trace(key).unwrap();
    let room = Room {
        width: 60,
        glyphs: Glyphs::Unicode,
    };
    let now = UnixNanos(START + seconds * 1_000_000_000);
    let details = started(store, trace, trace.own_root().unwrap(), now, room);
    let line =
        |indent: &str, detail: &Detail| format!("{indent}{}: {}", detail.label, detail.value);
    let mut lines = Vec::new();
    for detail in &details {
        lines.push(line("", detail));
        lines.extend(detail.below.iter().map(|below| line("  ", below)));
    }
    lines.join("\n")
}

#[test]
fn a_cold_request_says_why_and_what_its_container_is() {
    let mut store = Store::new(64 << 20);
    let container = ContainerFacts {
        task_id: Some("ta-01J8QK".into()),
        region: Some("us-east-1".into()),
        cloud: Some("CLOUD_PROVIDER_AWS".into()),
        environment: Some("dev".into()),
        image_id: Some("im-1".into()),
        gpu: Some("H100".into()),
        process_start: Some(UnixNanos(START)),
        ..ContainerFacts::default()
    };
    let source = RelaySource(7);
    store.hello(Hello { source, container }, UnixNanos(START));
    send_by(&mut store, 7, &[init(1_000, 5_000)]);
    let key = send_by(&mut store, 7, &[request(1, 6_100, 500)]);
    send_by(&mut store, 7, &[request(2, 6_200, 500)]);
    let part = Sample {
        parent: 30,
        id: 31,
        ..request(3, 6_900, 5)
    };
    send_by(&mut store, 7, &[part]);
    insta::assert_snapshot!(outline(&store, key, 1), @r"
    started: cold: modal.init ended 100 ms before, 6.1 s after the process began
    container: ta-01J8QK  request 1
      task id: ta-01J8QK
      region: us-east-1
      cloud: CLOUD_PROVIDER_AWS
      environment: dev
      image: im-1
      gpu: H100
      known by: the relay in it, first hand
      process: 19:53:45.000 UTC
      first seen: 19:53:45.000 UTC
      last seen: 19:53:45.000 UTC
      init: 5.00s
      boot: 6.10s  from the process start to the first request, measured
      served: 2 requests
      in flight: 1
      peak: 2 at once, of the traces held
      state: alive
    ");
}

#[test]
fn a_tag_that_says_otherwise_has_a_line_of_its_own() {
    let mut store = Store::new(64 << 20);
    send(&mut store, &[init(0, 500)]);
    let says_warm = Sample {
        meta: &[("modal.task_id", "ta-01J8QK"), ("cold_start", "False")],
        ..request(1, 510, 5)
    };
    let key = send(&mut store, &[says_warm]);
    let outline = outline(&store, key, 60);
    let lines: Vec<&str> = outline.lines().collect();
    assert_eq!(lines[0], "started: cold: modal.init ended 10 ms before");
    assert_eq!(
        lines[1],
        "but: the tag says warm: cold_start is false, as it always is where it is read from \
         MODAL_IS_COLD_START, which does not exist"
    );
    assert!(outline.contains("state: quiet for over 30 s: idle, or gone"));
    let trace = store.trace(key).unwrap();
    let details = start(&store, trace, trace.own_root().unwrap());
    assert_eq!(details[1].tone, Tone::Warning);
}

#[test]
fn out_of_memory_is_said_with_its_figures() {
    let mut store = Store::new(64 << 20);
    let message =
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 22.07 GiB";
    let failed = Sample {
        error: true,
        meta: &[
            ("error.type", "torch.OutOfMemoryError"),
            ("error.message", message),
        ],
        ..request(1, 0, 5)
    };
    let key = send(&mut store, &[failed]);
    let outline = outline(&store, key, 1);
    assert!(
        outline.contains("started: unknown: nothing says in which container"),
        "{outline}"
    );
    assert!(
        outline.contains("ended: out of memory on the GPU\nmemory: "),
        "{outline}"
    );
    assert!(
        outline.contains("2.0") && outline.contains("22"),
        "{outline}"
    );
}

#[test]
fn the_start_itself_says_its_container_only() {
    let mut store = Store::new(64 << 20);
    let key = send(&mut store, &[init(0, 500)]);
    assert!(outline(&store, key, 1).starts_with("container: ta-01J8QK\n"));
}
