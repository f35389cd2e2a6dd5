//! What is ready for Datadog and cannot be handed on now. Sends nothing.

use crate::forward::{Forwarded, IntakeRequest};
use crate::store::Store;

/// A request goes later.
pub(super) fn put_back(store: &mut Store, request: IntakeRequest) {
    if !request.spans().is_empty() {
        store.put_off(request.spans());
    } else if let Some(courier) = store.courier_mut() {
        courier.resend(request);
    }
}

/// All of them go later, but for counts and lines above so many requests: those are counted as dropped.
pub(super) fn put_all_back(store: &mut Store, ready: Vec<IntakeRequest>, n_max: usize) {
    let (spans, mut others): (Vec<_>, Vec<_>) = ready
        .into_iter()
        .partition(|request| !request.spans().is_empty());
    let lost = others.split_off(n_max.min(others.len()));
    for request in spans.into_iter().chain(others) {
        put_back(store, request);
    }
    store.forwarded(&Forwarded {
        dropped: u64::try_from(lost.len()).unwrap_or(u64::MAX),
        ..Forwarded::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::courier::{Courier, CourierSettings, Which};
    use crate::forward::{Contents, Intake};
    use crate::ingest::Received;
    use crate::trace::{ChunkBuilder, Now, UnixNanos, Via};
    use crate::wire::v04;

    /// A store with a span that is on its way.
    fn store() -> Store {
        let settings = CourierSettings {
            which: Which::All,
            ..CourierSettings::default()
        };
        let mut store = Store::new(1 << 20).with_courier(Courier::new(settings, UnixNanos(1)));
        let body = b"\x91\x91\x84\xa8trace_id\x01\xa7span_id\x02\xa4name\xa1n\xa7service\xa1s";
        let payload = v04::decode(body, &mut ChunkBuilder::default()).unwrap();
        let received = Received::new(UnixNanos(1), Via::Http, payload);
        store.insert(received, Now::default());
        store
    }

    fn counts() -> IntakeRequest {
        IntakeRequest {
            intake: Intake::Stats,
            headers: Vec::new(),
            body: "counts".into(),
            plain_bytes: 6,
            contents: Contents::Groups {
                n_groups: 1,
                n_hits: 1,
            },
        }
    }

    #[test]
    fn spans_and_counts_that_cannot_be_handed_on_are_there_the_next_time() {
        let mut store = store();
        let courier = store.courier_mut().unwrap();
        courier.drain();
        let ready = courier.ready();
        let n_ready = ready.len();
        assert_eq!(ready.iter().filter(|it| !it.spans().is_empty()).count(), 1);
        assert!(n_ready > 1, "counts, too");
        put_all_back(&mut store, ready, 64);
        assert!(
            store.depart_next(Now::default()),
            "the span is wanted again"
        );
        assert_eq!(store.courier_mut().unwrap().ready().len(), n_ready);
        assert_eq!(store.counters().forward_dropped, 0);
    }

    #[test]
    fn what_nobody_can_send_does_not_pile_up_and_what_is_dropped_is_counted() {
        let mut store = store();
        let courier = store.courier_mut().unwrap();
        courier.flush();
        let mut ready = courier.ready();
        ready.extend((0..5).map(|_| counts()));
        put_all_back(&mut store, ready, 3);
        assert_eq!(
            store.courier_mut().unwrap().ready(),
            [counts(), counts(), counts()]
        );
        assert_eq!(store.counters().forward_dropped, 2);
        assert!(store.forwarding().wants_more());
    }
}
