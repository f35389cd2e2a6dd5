//! What the pane says of sampling: facts and model on lines of their own.

use super::*;

/// The lines from `sdk` to the tags.
#[track_caller]
fn check(sample: Sample<'_>, expected: &str) {
    let (store, pane) = pane_of(&[sample], 0);
    let text = outline(&store, &pane);
    let lines = text.lines().skip_while(|line| !line.starts_with("sdk: "));
    let lines = lines.take_while(|line| !line.starts_with("meta") && !line.starts_with("metrics"));
    assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
}

fn root<'a>(meta: &'a [(&'a str, &'a str)], metrics: &'a [(&'a str, f64)]) -> Sample<'a> {
    Sample {
        meta,
        metrics,
        ..span(1, 0, 0, 10, "root")
    }
}

#[test]
fn facts_are_told_with_the_numbers_they_are_read_from() {
    check(
        root(
            &[("_dd.p.dm", "-3"), ("_dd.p.ksr", "0.3")],
            &[
                ("_sampling_priority_v1", -1.0),
                ("_dd.rule_psr", 0.3),
                ("_dd.tracer_kr", 0.88),
            ],
        ),
        "sdk: rejected by a sampling rule (rate 0.3); the client lost 12 % before sending: its \
         buffer was full  prio -1  dm -3  rule_psr 0.3  ksr 0.3  tracer_kr 0.88\n\
         (sim): drop: the client has decided: rejected by a sampling rule (rate 0.3); the Agent \
         drops it at once, errors too",
    );
    check(
        root(
            &[("_dd.p.dm", "-1")],
            &[("_sampling_priority_v1", 1.0), ("_dd.agent_psr", 0.5)],
        ),
        "sdk: kept by the Agent's rate (0.5)  prio 1  dm -1  agent_psr 0.5\n\
         (sim): keep: the tracer would have kept it: the Agent's rate for it is 1; the Agent \
         follows",
    );
}

#[test]
fn a_span_that_a_rule_of_its_own_keeps_says_so() {
    check(
        root(
            &[("_dd.p.dm", "-4")],
            &[
                ("_sampling_priority_v1", -1.0),
                ("_dd.span_sampling.mechanism", 8.0),
                ("_dd.span_sampling.rule_rate", 1.0),
                ("_dd.span_sampling.max_per_second", 5.0),
            ],
        ),
        "sdk: rejected by hand  prio -1  dm -4\n\
         span rule: kept alone by a span rule (rate 1, at most 5/s)\n\
         (sim): keep: the client has decided: rejected by hand; the Agent keeps only the spans \
         that a span rule of the client kept",
    );
}

#[test]
fn without_its_root_a_trace_is_not_judged_unless_a_rule_or_a_person_has_decided() {
    let child = |metrics| Sample {
        parent: 77,
        ..root(&[], metrics)
    };
    check(
        child(&[("_sampling_priority_v1", 1.0)]),
        "sdk: kept, without saying why  prio 1\n\
         (sim): its root has not been seen, and may decide otherwise",
    );
    check(
        child(&[("_sampling_priority_v1", 1.0), ("process_id", 7.0)]),
        "sdk: kept by a parent  prio 1\n\
         (sim): keep: the client has decided: kept by a parent; the Agent follows",
    );
    check(
        child(&[("_sampling_priority_v1", 2.0)]),
        "sdk: kept, without saying why  prio 2\n\
         (sim): keep: the client has decided: kept, without saying why; the Agent \
         follows",
    );
}

#[test]
fn a_sentence_goes_on_below_itself_and_is_copied_whole() {
    let sample = root(&[("_dd.p.dm", "-11")], &[("_sampling_priority_v1", 2.0)]);
    let (store, mut pane) = pane_of(&[sample], 0);
    let text = frame(&draw(&mut pane, &store, (40, 24)));
    let sentence = "kept by a rule that a user has set in Datadog  prio 2  dm -11";
    let words: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("sdk"))
        .take_while(|line| !line.contains("(sim)"))
        .flat_map(|line| line.split([' ', '│', '▾', '>']))
        .filter(|word| !word.is_empty() && *word != "sdk")
        .collect();
    let expected: Vec<&str> = sentence.split_whitespace().collect();
    assert_eq!(words, expected, "{text}");
    let values = pane.tree.values();
    let copied = values.get(&vec![Box::from("sdk")]).map(String::as_str);
    assert_eq!(copied, Some(sentence));
}
