//! The tree against a naive recursive one, over small hostile traces in any order and chunking.

use proptest::prelude::*;

use super::*;
use crate::ingest::Received;
use crate::store::{Store, TraceKey};
use crate::trace::{ChunkBuilder, Field, Now, TracerInfo, TracerPayload, Via};

/// Id, parent id, start, duration.
type Sent = (u64, u64, i64, i64);

fn store_of(chunks: &[&[Sent]]) -> Store {
    let mut store = Store::new(64 << 20);
    for chunk in chunks {
        let mut builder = ChunkBuilder::default();
        for (id, parent, start, duration) in *chunk {
            builder.begin_span().unwrap();
            builder.set_number(Field::TraceId, 7);
            builder.set_number(Field::SpanId, *id);
            builder.set_number(Field::ParentId, *parent);
            builder.set_number(Field::Start, start.cast_unsigned());
            builder.set_number(Field::Duration, duration.cast_unsigned());
        }
        let chunks = builder.finish();
        let received = Received::new(
            UnixNanos(0),
            Via::Http,
            TracerPayload {
                tracer: TracerInfo::default().into(),
                n_chunks: chunks.len(),
                form: crate::trace::PayloadForm::default(),
                chunks,
            },
        );
        store.insert(received, Now::default());
    }
    store
}

/// Rows as text, free of any numbering by arrival: `··id@start mark`, `.` for the last of siblings.
fn outline(store: &Store) -> Vec<String> {
    let Some(trace) = store.trace(TraceKey(0)) else {
        return Vec::new();
    };
    let tree = SpanTree::build(trace);
    let line = |row: &TreeRow| {
        let span = trace.span(row.span).unwrap();
        let mark = match row.mark {
            RowMark::None => "",
            RowMark::Orphan => " orphan",
            RowMark::Cycle => " cycle",
        };
        let last = if row.is_last { " last" } else { "" };
        let indent = "·".repeat(usize::try_from(row.depth).unwrap());
        format!("{indent}{}@{}{mark}{last}", span.span_id(), span.start().0)
    };
    tree.rows.iter().map(line).collect()
}

#[track_caller]
fn check(spans: &[Sent], expected: &[&str]) {
    assert_eq!(outline(&store_of(&[spans])), expected);
    let reversed: Vec<Sent> = spans.iter().rev().copied().collect();
    assert_eq!(outline(&store_of(&[&reversed])), expected, "reversed");
}

#[test]
fn children_stand_below_their_parent_by_start() {
    check(
        &[(4, 3, 30, 1), (1, 0, 0, 100), (3, 1, 20, 50), (2, 1, 10, 5)],
        &["1@0 last", "·2@10", "·3@20 last", "··4@30 last"],
    );
}

#[test]
fn orphans_hang_from_the_first_root_after_its_own_children() {
    check(
        &[(5, 99, 1, 1), (1, 0, 0, 9), (2, 1, 3, 1), (6, 5, 2, 1)],
        &["1@0 last", "·2@3", "·5@1 orphan last", "··6@2 last"],
    );
}

#[test]
fn without_a_root_orphans_stand_side_by_side() {
    check(
        &[(5, 99, 4, 1), (6, 98, 2, 1), (7, 5, 5, 1)],
        &["6@2 orphan last", "5@4 orphan last", "·7@5 last"],
    );
}

#[test]
fn two_roots_and_a_span_that_is_its_own_parent_are_roots() {
    check(
        &[(1, 0, 5, 1), (2, 2, 3, 1), (3, 1, 6, 1)],
        &["2@3 last", "1@5 last", "·3@6 last"],
    );
}

#[test]
fn a_circle_is_cut_above_its_earliest_span() {
    check(
        &[(1, 3, 10, 1), (2, 1, 5, 1), (3, 2, 20, 1)],
        &["2@5 cycle last", "·3@20 last", "··1@10 last"],
    );
}

#[test]
fn a_span_that_hangs_from_a_circle_stays_below_it_even_if_it_began_earlier() {
    check(
        &[(9, 1, 0, 1), (1, 2, 10, 1), (2, 1, 20, 1)],
        &["1@10 cycle last", "·9@0", "·2@20 last"],
    );
}

#[test]
fn circles_stand_by_their_earliest_span_whatever_hangs_from_them() {
    check(
        &[
            (6, 7, 0, 1),
            (7, 7, 0, 1),
            (1, 2, 5, 1),
            (2, 1, 6, 1),
            (3, 4, 7, 1),
            (4, 3, 8, 1),
            (5, 3, 1, 1),
        ],
        &[
            "7@0 last",
            "·6@0 last",
            "1@5 cycle last",
            "·2@6 last",
            "3@7 cycle last",
            "·5@1",
            "·4@8 last",
        ],
    );
}

#[test]
fn the_cut_child_of_a_circle_does_not_take_the_place_of_the_last() {
    // 1 is a child of 2 and would stand after 3.
    check(
        &[(1, 2, 10, 1), (2, 1, 20, 1), (3, 2, 5, 1)],
        &["1@10 cycle last", "·2@20 last", "··3@5 last"],
    );
}

#[test]
fn of_parents_with_one_id_the_last_to_start_before_the_child_is_taken() {
    check(
        &[
            (1, 0, 0, 9),
            (2, 1, 1, 1),
            (2, 1, 5, 1),
            (3, 2, 6, 1),
            (4, 2, 2, 1),
        ],
        &["1@0 last", "·2@1", "··4@2 last", "·2@5 last", "··3@6 last"],
    );
}

#[test]
fn siblings_that_began_together_stand_by_id() {
    check(
        &[(1, 0, 0, 9), (4, 1, 0, 1), (3, 1, 0, 0), (2, 1, 0, -5)],
        &["1@0 last", "·2@0", "·3@0", "·4@0 last"],
    );
}

#[test]
fn a_chain_and_a_fan_of_a_hundred_thousand_need_no_stack() {
    let chain: Vec<Sent> = (1..=100_000).map(|id| (id, id - 1, 0, 1)).collect();
    let store = store_of(&[&chain]);
    let tree = SpanTree::build(store.trace(TraceKey(0)).unwrap());
    assert_eq!(tree.rows[99_999].depth, 99_999);
    assert_eq!(tree.rows[0].subtree, 100_000);

    let fan: Vec<Sent> = (1..=100_000).map(|id| (id, id.min(2) - 1, 0, 1)).collect();
    let store = store_of(&[&fan]);
    let tree = SpanTree::build(store.trace(TraceKey(0)).unwrap());
    assert_eq!(tree.rows[0].subtree, 100_000);
    assert_eq!(tree.rows.iter().filter(|row| row.is_last).count(), 2);

    let circle: Vec<Sent> = (0..100_000)
        .map(|n| (n + 1, (n + 1) % 100_000 + 1, 0, 1))
        .collect();
    let store = store_of(&[&circle]);
    let tree = SpanTree::build(store.trace(TraceKey(0)).unwrap());
    assert_eq!(tree.rows[0].subtree, 100_000);
}

/// The same rules told once more, as plainly as can be: look everywhere, call yourself.
mod naive {
    use super::Sent;

    struct Naive {
        spans: Vec<Sent>,
        shown: Vec<bool>,
        lines: Vec<String>,
    }

    pub(super) fn outline(spans: &[Sent]) -> Vec<String> {
        let mut spans = spans.to_vec();
        spans.sort_by_key(|span| (span.2, span.0));
        let mut naive = Naive {
            shown: vec![false; spans.len()],
            spans,
            lines: Vec::new(),
        };
        let roots: Vec<usize> = naive.all(|span| naive.is_root(span));
        let orphans = naive.all(|span| !naive.is_root(span) && naive.parent(span).is_none());
        for (n, root) in roots.iter().enumerate() {
            let adopted = if n == 0 { orphans.clone() } else { Vec::new() };
            naive.show(*root, 0, " last", &adopted);
        }
        if roots.is_empty() {
            for orphan in orphans {
                naive.show(orphan, 0, " orphan last", &[]);
            }
        }
        for span in 0..naive.spans.len() {
            if !naive.shown[span] && naive.is_ancestor_of_itself(span) {
                naive.show(span, 0, " cycle last", &[]);
            }
        }
        naive.lines
    }

    impl Naive {
        fn all(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
            (0..self.spans.len()).filter(|span| wanted(*span)).collect()
        }

        fn is_root(&self, span: usize) -> bool {
            self.spans[span].1 == 0 || self.spans[span].1 == self.spans[span].0
        }

        fn parent(&self, span: usize) -> Option<usize> {
            if self.is_root(span) {
                return None;
            }
            let (_, parent, start, _) = self.spans[span];
            let candidates = self.all(|other| self.spans[other].0 == parent);
            let earlier = candidates
                .iter()
                .rfind(|other| self.spans[**other].2 <= start);
            earlier.or(candidates.first()).copied()
        }

        fn is_ancestor_of_itself(&self, span: usize) -> bool {
            let ups = std::iter::successors(self.parent(span), |up| self.parent(*up));
            ups.take(self.spans.len()).any(|up| up == span)
        }

        fn show(&mut self, span: usize, depth: usize, mark: &str, adopted: &[usize]) {
            self.shown[span] = true;
            let (id, _, start, _) = self.spans[span];
            let indent = "·".repeat(depth);
            self.lines.push(format!("{indent}{id}@{start}{mark}"));
            let own = self.all(|child| self.parent(child) == Some(span) && !self.shown[child]);
            let n_children = own.len() + adopted.len();
            for (n, child) in own.iter().chain(adopted).enumerate() {
                let mark = match (n < own.len(), n + 1 == n_children) {
                    (true, false) => "",
                    (true, true) => " last",
                    (false, false) => " orphan",
                    (false, true) => " orphan last",
                };
                self.show(*child, depth + 1, mark, &[]);
            }
        }
    }
}

fn spans() -> impl Strategy<Value = Vec<Sent>> {
    let times = prop_oneof![4 => 0_i64..6, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let durations = prop_oneof![0_i64..6, Just(-1), Just(i64::MIN), Just(i64::MAX)];
    proptest::collection::vec((1_u64..8, 0_u64..10, times, durations), 0..14)
}

/// Keeps one span of each id and start, as the store does.
fn distinct(spans: &[Sent]) -> Vec<Sent> {
    let mut kept: Vec<Sent> = Vec::new();
    for span in spans {
        if !kept.iter().any(|held| (held.0, held.2) == (span.0, span.2)) {
            kept.push(*span);
        }
    }
    kept
}

proptest! {
    #[test]
    fn any_order_and_chunking_gives_the_naive_tree(
        (sent, arrived) in spans().prop_map(|spans| distinct(&spans)).prop_flat_map(|spans| {
            (Just(spans.clone()), Just(spans).prop_shuffle())
        }),
        chunk in 1_usize..6,
        n_repeated in 0_usize..4,
    ) {
        let repeated: Vec<Sent> = arrived.iter().take(n_repeated).copied().collect();
        let mut chunks: Vec<&[Sent]> = arrived.chunks(chunk).collect();
        chunks.push(&repeated);
        let store = store_of(&chunks);
        prop_assert_eq!(outline(&store), naive::outline(&sent));
        if let Some(trace) = store.trace(TraceKey(0)) {
            let rows = SpanTree::build(trace).rows;
            prop_assert_eq!(rows.len(), sent.len());
            for (place, row) in rows.iter().enumerate() {
                let end = place + usize::try_from(row.subtree).unwrap();
                let below = rows[place + 1..].iter().take_while(|next| next.depth > row.depth);
                prop_assert_eq!(place + 1 + below.count(), end);
            }
        }
    }
}
