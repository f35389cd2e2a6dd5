//! Laws over random queries: any text is one, and what narrows another matches nothing else.

use proptest::prelude::*;

use super::*;

/// Few letters, so that much matches.
fn any_term() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abKk1é\u{212a}*]{1,3}",
        "[0-9a-f]{5,8}",
        "\"[ab ]{1,4}\"",
        "(svc|name|type|resource|a|@b|log|container|source):[ab*s]{1,2}",
        "(a|@b|prio|dur):[<>=]{0,2}[-0-9]{1,2}(ms|s)?",
        "(lvl|level)[:<>=]{1,2}[a-z]{1,2}",
        "sim:[a-z]{1,3}",
        Just("err".to_owned()),
        Just("kept".to_owned()),
        Just("open".to_owned()),
        Just("unjoined".to_owned()),
        "(cold|warm|unknown|oom|req:[>]?[12]|outcome:[aeo])",
    ]
}

fn any_query() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        6 => any_term(),
        1 => any_term().prop_map(|term| format!("-{term}")),
        1 => Just("or".to_owned()),
        1 => Just("(".to_owned()),
        1 => Just(")".to_owned()),
    ];
    prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.join(" "))
}

prop_compose! {
    fn any_sample()(
        id in prop_oneof![1_u64..3, any::<u64>()],
        names in prop::array::uniform4("[abKk1é\u{212a}]{0,4}"),
        duration_ms in 0_u64..20,
        is_error in any::<bool>(),
        meta in prop::collection::vec(("[ab]", "[abk1é]{0,3}"), 0..3),
        metrics in prop::collection::vec(("[ab]", -2.0_f64..20.0), 0..3),
    ) -> Sample {
        Sample { id, parent: id % 2, names, duration_ms, is_error, meta, metrics, ..Sample::default() }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_query(text in any::<String>(), tokens in "[a:@><=()|!\"\\\\ \\-é*.0-9or]{0,40}") {
        for text in [text, tokens] {
            let query = Query::new(&text);
            prop_assert_eq!(query.text(), &text);
            if let Some(fault) = query.fault() {
                prop_assert!(text.get(fault.start..fault.end).is_some_and(|blamed| !blamed.is_empty()));
            }
            prop_assert_eq!(query.clone().sound().fault(), None);
            for line in lines().logs() {
                query.matches_log(line);
            }
        }
    }

    #[test]
    fn a_word_is_in_the_sampling_of_a_trace_if_the_sentence_holds_it(
        priority in prop::sample::select(vec![-1.0, 0.0, 1.0, 2.0, 7.0, 1.5, f64::NAN]),
        rate in prop::sample::select(vec![None, Some(0.25), Some(1.0)]),
        maker in prop::sample::select(vec!["", "-3", "-4", "-9"]),
        word in "kept|rejec|by|hand|sim|0.2|25|7|-|e|zzz|kept.by|[a-z ]{1,3}|[0-9.]{1,2}",
    ) {
        let mut metrics = vec![("_sampling_priority_v1".to_owned(), priority)];
        metrics.extend(rate.map(|rate| ("_dd.rule_psr".to_owned(), rate)));
        let store = store_of(&[Sample {
            id: 1,
            parent: 0,
            names: names("", "", "", ""),
            duration_ms: 1,
            is_error: false,
            meta: vec![("_dd.p.dm".to_owned(), maker.to_owned())],
            metrics,
            ..Sample::default()
        }]);
        let trace = store.traces().next().unwrap();
        let expected = trace.sampling().words().to_lowercase().contains(&word);
        prop_assert_eq!(word::Word::literal(&word).is_in_sampling(trace), expected);
    }

    #[test]
    fn what_narrows_matches_nothing_else(
        old in any_query(),
        more in any_query(),
        samples in prop::collection::vec(any_sample(), 1..4),
        line in "[abKk1é\u{212a}]{0,6}",
    ) {
        let mut store = store_of(&samples);
        let record = LogRecord::parse(&line, LogSource::Stdout, UnixNanos(1));
        store.insert_logs(vec![record], Now::default());
        let longer = format!("{old}{more}");
        let both = format!("{old} {more}");
        let queries = [old, more, longer, both].map(|text| Query::new(&text));
        let trace = store.traces().next().unwrap();
        for new in &queries {
            for old in queries.iter().filter(|old| new.narrows(old)) {
                for (index, span) in trace.spans() {
                    let of = |query: &Query| query.matches_span(span, RowMark::None);
                    prop_assert!(!of(new) || of(old), "{} narrows {}", new.text(), old.text());
                    let of = |query: &Query| query.matches_row(&store, trace, index, RowMark::None);
                    prop_assert!(!of(new) || of(old), "{} narrows {}", new.text(), old.text());
                }
                let lines: Vec<_> = store.logs().collect();
                let lines = lines.into_iter();
                let of = |query: &Query| query.matches_trace_with(&store, trace, &lines);
                prop_assert!(!of(new) || of(old), "{} narrows {}", new.text(), old.text());
                let of = |query: &Query| store.logs().all(|line| query.matches_log(line));
                prop_assert!(!of(new) || of(old), "{} narrows {}", new.text(), old.text());
            }
        }
    }
}
