//! What tags say of the start of their container, and where they are contradicted.

use super::*;

#[track_caller]
fn check_contradiction(steps: &[Step], trace: u64, kind: StartKind, expected: &str) {
    let store = taken(Store::new(PLENTY), steps);
    let (entry, root) = root(&store, trace);
    assert_eq!(root.start_kind(), Some(kind));
    assert_eq!(store.contradiction(entry, root).as_deref(), Some(expected));
    let evidence = store.start_evidence(entry).unwrap();
    assert!(evidence.ends_with(&format!("; {expected}")), "{evidence}");
}

#[test]
fn a_tag_that_says_cold_is_believed() {
    for value in ["true", "True", "1", "1.0"] {
        for tag in tag::COLD {
            let steps = works(&[request(2, 0, 5).tagged(tag, value)]);
            check(
                &steps,
                2,
                StartKind::Cold,
                &format!("the tag {tag} says so"),
            );
        }
    }
    let steps = works(&[request(2, 0, 5).on(None).measured("cold_start", 1.0)]);
    check(&steps, 2, StartKind::Cold, "the tag cold_start says so");
}

#[test]
fn a_tag_that_only_ever_says_not_cold_proves_nothing() {
    let unplaced = |trace| Work {
        runtime: None,
        ..request(trace, 0, 5).on(None)
    };
    let never = works(&[unplaced(2).tagged("cold_start", "False")]);
    let evidence = "nothing says in which container it ran: the tag modal.task_id would";
    check(&never, 2, StartKind::Unknown, evidence);
    let elsewhere = unplaced(3).of_service("other").tagged("cold_start", "True");
    check(
        &works(&[unplaced(2).tagged("cold_start", "False"), elsewhere]),
        2,
        StartKind::Unknown,
        evidence,
    );
    let varies = works(&[
        unplaced(2).tagged("cold_start", "False"),
        unplaced(3).tagged("cold_start", "True"),
    ]);
    let evidence = "the tag cold_start says so, and has said cold of others of this service";
    check(&varies, 2, StartKind::Warm, evidence);
}

#[test]
fn what_the_app_says_of_its_model_lets_one_guess() {
    let on_none = |trace| request(trace, 0, 5);
    let cases = [
        (
            on_none(2).tagged("modal.warm", "True"),
            StartKind::Warm,
            "modal.warm says yes",
        ),
        (
            on_none(2).tagged("modal.warm", "False"),
            StartKind::Cold,
            "modal.warm says no",
        ),
        (
            on_none(2).measured("modal.model_load_ms", 4_321.0),
            StartKind::Cold,
            "the model took 500 ms or more to load",
        ),
        (
            on_none(2).measured("model_load_ms", 3.0),
            StartKind::Warm,
            "the model took less than 500 ms to load",
        ),
        (
            on_none(2).tagged("modal.model_load_ms", "500"),
            StartKind::Cold,
            "the model took 500 ms or more to load",
        ),
    ];
    for (work, kind, evidence) in cases {
        check(&works(&[work]), 2, kind, &format!("a guess: {evidence}"));
    }
}

#[test]
fn a_tag_that_says_warm_of_a_cold_start_is_contradicted() {
    let said = |work: Work| work.tagged("cold_start", "False");
    let steps = works(&[init(1, 0, 4_000), said(request(2, 4_012, 50))]);
    let says_warm = "the tag says warm: cold_start is false, as it always is where it is read from \
                     MODAL_IS_COLD_START, which does not exist";
    check_contradiction(&steps, 2, StartKind::Cold, says_warm);
    let restored = works(&[said(request(2, 0, 5)), request(3, 10, 5).on(Some("ta-B"))]);
    check_contradiction(&restored, 2, StartKind::Restored, says_warm);
    let warm_tag = request(2, 4_012, 50).tagged("modal.warm", "True");
    let steps = works(&[init(1, 0, 4_000), warm_tag]);
    check_contradiction(&steps, 2, StartKind::Cold, "modal.warm says warm");
}

#[test]
fn a_tag_that_says_cold_of_a_later_request_is_contradicted() {
    let late = request(3, 100, 5).tagged("cold_start", "True");
    let steps = works(&[request(2, 0, 5), late]);
    check_contradiction(&steps, 3, StartKind::Cold, "but it is request 2 on ta-A");
}

#[test]
fn of_several_that_began_together_one_says_cold_for_all() {
    let says = |trace, start_ms, value| request(trace, start_ms, 100).tagged("cold_start", value);
    let steps = works(&[
        says(2, 0, "false"),
        says(3, 10, "true"),
        says(4, 20, "false"),
    ]);
    let evidence = "the tag cold_start of a request that began while it ran says so";
    check(&steps, 2, StartKind::Cold, evidence);
    for trace in [3, 4] {
        let began = format!("{} ms", (trace - 2) * 10);
        let evidence = format!(
            "began {began} after the first request on ta-A, which was waiting for the start"
        );
        check(&steps, trace, StartKind::ColdShared, &evidence);
    }
}

#[test]
fn a_tag_that_says_cold_of_a_container_that_was_ready_is_contradicted() {
    let says_cold = request(2, 7_250, 50).tagged("cold_start", "true");
    let steps = works(&[init(1, 0, 4_000), says_cold]);
    let but = "but modal.init had ended 3.2 s before";
    check_contradiction(&steps, 2, StartKind::Cold, but);
}

#[test]
fn a_tag_that_says_cold_of_a_restored_container_is_contradicted() {
    let says_cold = request(3, 9_000, 5)
        .on(Some("ta-B"))
        .tagged("cold_start", "true");
    let steps = works(&[request(2, 0, 5), says_cold]);
    let but = "but ta-B came from a memory snapshot";
    check_contradiction(&steps, 3, StartKind::Cold, but);
}
