//! What the stories say of containers, as somebody sees it who has only the spans.

use std::collections::BTreeMap;

use super::*;

/// A request on its container: the first one by how long after the end of `modal.init` it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Cold,
    ColdShared,
    Prewarmed,
    Warm,
}

const SECOND: i64 = 1_000 * MILLISECOND;

fn is_local_root(span: &SampleSpan) -> bool {
    metric(span, tag::LOCAL_ROOT).is_some()
}

/// The requests of each container in the order in which they begin.
fn containers(sent: &[(UnixNanos, Chunk)]) -> BTreeMap<&str, Vec<(Start, &SampleSpan)>> {
    let mut roots: BTreeMap<&str, Vec<&SampleSpan>> = BTreeMap::new();
    for span in sent.iter().flat_map(|(_, chunk)| chunk) {
        if let (true, Some(task_id)) = (is_local_root(span), meta(span, "modal.task_id")) {
            roots.entry(task_id).or_default().push(span);
        }
    }
    let told = roots.into_iter().map(|(task_id, mut roots)| {
        roots.sort_by_key(|span| span.start);
        let init = roots.remove(0);
        assert_eq!(init.name, "modal.init", "{task_id} begins with it");
        let first = roots.first().copied();
        let kinds = roots.into_iter().map(|span| {
            let first = first.unwrap();
            let gap = first.start - end(init);
            assert!(gap > 0, "{span:?} runs before its container is up");
            let kind = if span.span_id == first.span_id && gap > SECOND {
                Start::Prewarmed
            } else if span.span_id == first.span_id {
                Start::Cold
            } else if gap <= SECOND && span.start < end(first) {
                Start::ColdShared
            } else {
                Start::Warm
            };
            (kind, span)
        });
        (task_id, kinds.collect())
    });
    told.collect()
}

fn n_of(kind: Start, containers: &BTreeMap<&str, Vec<(Start, &SampleSpan)>>) -> usize {
    let requests = containers.values().flatten();
    requests.filter(|(of, _)| *of == kind).count()
}

#[test]
fn the_containers_of_the_first_frame_are_cold_shared_with_a_tag_that_is_wrong_and_kept_ready() {
    let sent = told(Story::Live, NOW);
    let containers = containers(&sent);
    let mut firsts: Vec<_> = containers.values().filter_map(|of| of.first()).collect();
    firsts.sort_by_key(|(_, span)| span.start);
    let firsts: Vec<_> = firsts
        .into_iter()
        .map(|(kind, span)| (*kind, meta(span, "cold_start")))
        .collect();
    assert_eq!(
        firsts,
        [
            (Start::Cold, None),
            (Start::Cold, Some("False")),
            (Start::Prewarmed, None)
        ]
    );
    assert_eq!(n_of(Start::ColdShared, &containers), 1);
    assert_eq!(n_of(Start::Warm, &containers), 3);
    let ready = containers.values().filter(|requests| requests.is_empty());
    assert_eq!(ready.count(), 2, "workers are kept ready");
}

#[test]
fn every_request_says_where_it_ran_and_the_first_what_its_container_loaded() {
    let sent = told(Story::Live, NOW.plus(MINUTE));
    for (task_id, requests) in containers(&sent) {
        assert!(task_id.starts_with("ta-01K"), "{task_id}");
        for (index, (_, span)) in requests.iter().enumerate() {
            for key in ["modal.region", "modal.gpu", "modal.image_id"] {
                assert_eq!(meta(span, key), meta(requests[0].1, key), "{key}");
                assert!(meta(span, key).is_some(), "{key}");
            }
            let load_ms = metric(span, "modal.model_load_ms");
            assert_eq!(
                load_ms.is_some_and(|ms| ms >= 500.0),
                index == 0,
                "{span:?}"
            );
        }
    }
}

#[test]
fn ten_minutes_have_every_kind_of_start_and_most_are_warm() {
    let sent = told(Story::Live, NOW.plus(10 * MINUTE));
    let containers = containers(&sent);
    let n = |kind| n_of(kind, &containers);
    let (cold, warm) = (n(Start::Cold), n(Start::Warm));
    assert!(cold > 20 && n(Start::ColdShared) > 3 && n(Start::Prewarmed) > 3);
    assert!(warm > 10 * cold, "{warm} warm, {cold} cold");
}

#[test]
fn the_third_story_has_a_warm_container_a_cold_one_and_one_that_was_kept_ready() {
    let sent = told(Story::Burst, NOW.plus(MINUTE));
    let containers = containers(&sent);
    let mut n_warm = 0;
    let mut others: Vec<_> = Vec::new();
    for requests in containers.values() {
        let on = |(_, span): &&(Start, &SampleSpan)| span.name == "document.process";
        let documents: Vec<_> = requests.iter().filter(on).map(|(kind, _)| *kind).collect();
        assert!(documents.len() >= 16, "{}", documents.len());
        n_warm += usize::from(documents.iter().all(|kind| *kind == Start::Warm));
        others.push(documents[0]);
    }
    assert_eq!(n_warm, 1);
    for kind in [Start::Cold, Start::Prewarmed] {
        assert!(others.contains(&kind), "{kind:?} in {others:?}");
    }
}

/// The fan-outs of a story whose entrypoint has ended: the span, and its workers.
fn fan_outs(sent: &[(UnixNanos, Chunk)]) -> Vec<(&SampleSpan, Vec<&SampleSpan>)> {
    let spans: Vec<_> = sent.iter().flat_map(|(_, chunk)| chunk).collect();
    let fan_outs = spans.iter().filter(|span| span.name == "fan-out");
    let with_workers = fan_outs.map(|fan_out| {
        let workers = spans.iter().filter(|span| span.name == "batch-worker");
        let workers = workers.filter(|span| span.parent_id == fan_out.span_id);
        (*fan_out, workers.copied().collect())
    });
    with_workers.collect()
}

#[test]
fn a_fan_out_has_37_of_40_workers_and_waits_for_the_slowest() {
    let sent = told(Story::Live, NOW.plus(60 * MINUTE));
    let fan_outs = fan_outs(&sent);
    assert!(fan_outs.len() > 100, "{}", fan_outs.len());
    for (fan_out, workers) in &fan_outs {
        assert_eq!(metric(fan_out, "total_batches"), Some(40.0));
        assert_eq!(meta(fan_out, "modal.task_id"), None, "it runs on a laptop");
        assert_eq!(workers.len(), 37);
        assert!(workers.iter().all(|span| is_local_root(span)));
        assert!(workers.iter().all(|span| span.trace_id == fan_out.trace_id));
        let failed = workers.iter().filter(|span| span.error == 1);
        assert_eq!(failed.count(), 2);
        let last = workers.iter().max_by_key(|span| end(span)).unwrap();
        let slowest = workers.iter().max_by_key(|span| span.duration).unwrap();
        assert_eq!(last.span_id, slowest.span_id);
        let ids: HashSet<_> = workers
            .iter()
            .map(|span| (meta(span, "modal.task_id"), meta(span, tag::RUNTIME_ID)))
            .collect();
        assert!((5..=6).contains(&ids.len()), "{ids:?}");
        let task_ids: HashSet<_> = ids.iter().map(|(task_id, _)| task_id).collect();
        assert_eq!(task_ids.len(), ids.len(), "each container is one process");
    }
}

#[test]
fn the_first_fan_out_is_on_the_screen_within_fifteen_seconds_and_brings_up_containers() {
    let sent = told(Story::Live, NOW.plus(15 * SECOND));
    let fan_outs = fan_outs(&sent);
    let [(fan_out, workers)] = &*fan_outs else {
        panic!("{} fan-outs", fan_outs.len())
    };
    let containers = containers(&sent);
    let kinds = containers.values().flatten();
    let kinds = kinds.filter(|(_, span)| span.parent_id == fan_out.span_id);
    let n = |kind| kinds.clone().filter(|(of, _)| *of == kind).count();
    assert_eq!((n(Start::Cold), n(Start::Prewarmed)), (4, 2));
    assert_eq!(n(Start::Warm), workers.len() - 6);
    let first = sent
        .iter()
        .find(|(_, chunk)| chunk[0].name == "batch-worker");
    assert!(first.unwrap().0 <= NOW.plus(3 * SECOND), "it grows live");
}

#[test]
fn an_out_of_memory_and_a_timeout_are_told_in_their_own_words_and_in_a_line() {
    let sent = told(Story::Live, NOW.plus(MINUTE));
    let chunks: Vec<_> = sent.iter().map(|(_, chunk)| chunk).collect();
    let lines = lines_at("error", chunks.iter().copied());
    for (class, begins, event) in [
        (
            "torch.OutOfMemoryError",
            "CUDA out of memory. Tried to allocate 2.40 GiB. GPU 0 has a total capacity of 22.",
            "extraction_failed",
        ),
        (
            "modal.exception.FunctionTimeoutError",
            "Task's current input in-01K",
            "summary_timed_out",
        ),
    ] {
        let spans = chunks.iter().copied().flatten();
        let failed = spans.filter(|span| meta(span, tag::ERROR_TYPE) == Some(class));
        let roots: Vec<_> = failed
            .filter(|span| span.parent_id == 0 && is_local_root(span))
            .collect();
        assert!(roots.len() > 1, "{class}");
        for root in roots {
            let message = meta(root, tag::ERROR_MESSAGE).unwrap();
            assert!(message.starts_with(begins), "{message}");
            let mut chunk = chunks.iter().copied();
            let chunk = chunk.find(|chunk| chunk[0].span_id == root.span_id);
            let [[told, trace_id, exception]] = &lines_at("error", chunk)[..] else {
                panic!("one line for {root:?}")
            };
            assert_eq!(told, event);
            assert_eq!(*exception, format!("{class}: {message}"));
            assert!(lines.iter().any(|[_, id, _]| id == trace_id));
        }
    }
}

#[test]
fn a_request_that_is_killed_leaves_parts_and_a_container_that_is_quiet() {
    let until = NOW.plus(MINUTE);
    let sent = told(Story::Live, until);
    let traces = by_trace(&sent);
    let killed: Vec<_> = traces
        .values()
        .filter(|spans| spans.iter().all(|span| !is_local_root(span)))
        .filter(|spans| spans.iter().all(|span| end(span) < until.0 - 6 * SECOND))
        .collect();
    assert!(!killed.is_empty());
    for spans in killed {
        let task_id = meta(spans[0], "modal.task_id");
        let last = spans.iter().map(|span| end(span)).max().unwrap();
        let of_container = sent.iter().flat_map(|(_, chunk)| chunk);
        let mut of_container = of_container.filter(|span| meta(span, "modal.task_id") == task_id);
        assert!(spans.len() >= 4, "some of its parts were flushed");
        assert!(of_container.all(|span| end(span) <= last + 3 * SECOND));
    }
}

#[test]
fn a_payload_is_of_one_process() {
    let (mut script, mut now) = (Script::begin(Story::Live, NOW), NOW);
    let mut n_processes_max = 0;
    while now < NOW.plus(MINUTE) {
        let payloads = script.due(now);
        for payload in &payloads {
            let spans = payload.iter().flatten();
            let task_ids: HashSet<_> = spans.map(|span| meta(span, "modal.task_id")).collect();
            assert_eq!(task_ids.len(), 1, "{task_ids:?}");
        }
        n_processes_max = n_processes_max.max(payloads.len());
        now = now.plus(SECOND);
    }
    assert!(n_processes_max >= 5, "{n_processes_max}");
}
