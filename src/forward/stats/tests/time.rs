//! Which bucket a span falls into, and when buckets go.

use super::*;

const TEN: i64 = 10 * SECOND;

/// A root that ended so long after now.
fn ended(after: i64) -> Vec<TraceChunk> {
    let mut root = span(1, 1);
    root["start"] = json!(NOW.0 + after - 1_000);
    root["duration"] = json!(1_000);
    chunks(&json!([[root]]))
}

fn add(concentrator: &mut Concentrator, ended_after: i64, now: UnixNanos) {
    let chunks = ended(ended_after);
    let (python, added) = (tracer("python"), AddedTags::default());
    concentrator.add(
        &Prepared::new(all(&chunks[0], &python), &added).unwrap(),
        now,
    );
}

fn starts(requests: &[IntakeRequest]) -> Vec<i64> {
    let payloads = requests.iter().flat_map(|request| stats(request).stats);
    let buckets = payloads.flat_map(|payload| payload.stats);
    let mut starts: Vec<_> = buckets
        .map(|bucket| {
            assert_eq!(bucket.duration, 10_000_000_000);
            i64::try_from(bucket.start).unwrap() - aligned(NOW.0)
        })
        .collect();
    starts.sort_unstable();
    starts
}

#[test]
fn a_bucket_goes_once_two_more_have_begun_and_only_once() {
    let mut concentrator = Concentrator::new(agent(), NOW);
    add(&mut concentrator, 0, NOW);
    add(&mut concentrator, TEN, NOW.plus(TEN));
    let at = |seconds: i64| UnixNanos(aligned(NOW.0)).plus(seconds * SECOND);
    assert_eq!(concentrator.flush(at(19)), []);
    assert_eq!(starts(&concentrator.flush(at(20))), [0]);
    assert_eq!(concentrator.flush(at(20)), []);
    // What is late falls into the oldest bucket that has not gone.
    add(&mut concentrator, 0, at(25));
    let requests = concentrator.flush(at(30));
    assert_eq!(starts(&requests), [TEN]);
    assert_eq!(stats(&requests[0]).stats[0].stats[0].stats[0].hits, 2);
}

#[test]
fn what_ended_before_the_start_is_counted_now() {
    let mut concentrator = Concentrator::new(agent(), NOW);
    add(&mut concentrator, -3_600 * SECOND, NOW);
    add(&mut concentrator, i64::MIN / 2, NOW);
    assert_eq!(starts(&concentrator.drain()), [0]);
}

#[test]
fn a_clock_that_is_a_little_ahead_is_believed_and_one_that_jumps_is_not() {
    let mut concentrator = Concentrator::new(agent(), NOW);
    add(&mut concentrator, 45 * SECOND, NOW);
    add(&mut concentrator, 86_400 * SECOND, NOW);
    assert_eq!(
        starts(&concentrator.drain()),
        [0, 40 * SECOND + (NOW.0 % TEN + 5 * SECOND) / TEN * TEN]
    );
}

#[test]
fn what_comes_after_the_end_does_not_fall_into_a_bucket_that_went() {
    let mut concentrator = Concentrator::new(agent(), NOW);
    add(&mut concentrator, 0, NOW);
    assert_eq!(starts(&concentrator.drain()), [0]);
    add(&mut concentrator, 0, NOW);
    assert_eq!(starts(&concentrator.drain()), [TEN]);
}

#[test]
fn a_clock_that_goes_back_opens_no_old_bucket() {
    let mut concentrator = Concentrator::new(agent(), NOW);
    assert_eq!(concentrator.flush(NOW.plus(100 * SECOND)), []);
    add(&mut concentrator, 0, NOW);
    assert_eq!(concentrator.flush(NOW), []);
    assert_eq!(
        starts(&concentrator.drain()),
        [90 * SECOND + (NOW.0 % TEN) / TEN * TEN]
    );
}
