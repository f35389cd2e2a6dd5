//! The store listens to what clients tell of themselves, and counts the spans that they count.

use super::counters::raise_to_exact;
use super::told::{Arrived, OperationKey, Tally, Told, ToldClient, ToldSums};
use super::{Counters, Store};
use crate::forward::courier::Which;
use crate::stats::{ClientStats, ClientTelemetry, is_counted, kept_text};
use crate::trace::{Span, Text, TraceChunk, TracerInfo, UnixNanos, tag};

/// Spans that are asked for the id of their process: tracers write it on the first of a chunk, and
/// on those that come from another process.
const SPANS_ASKED: usize = 16;
/// Bytes of the id of a process.
const PROCESS_BYTES_MAX: usize = 64;

impl Store {
    /// What clients told, compared with what arrived.
    pub fn told(&self) -> &Told {
        &self.told
    }

    pub(super) fn hear_stats(&mut self, mut stats: ClientStats, at: UnixNanos) {
        let body = std::mem::take(&mut stats.body);
        // By hand only spans go that were chosen, and those are counted here.
        let courier = self.courier_mut();
        if let Some(courier) = courier.filter(|courier| courier.which() != Which::ByHand) {
            let tracer = TracerInfo {
                language: stats.source.language.clone(),
                tracer_version: stats.source.tracer_version.clone(),
                ..TracerInfo::default()
            };
            courier.take_stats(&body, &tracer, at);
        }
        let (hits, _) = stats.hits_and_errors();
        raise_to_exact(&mut self.counters.client_hits, hits);
        self.with_told(|told| told.hear(stats));
    }

    pub(super) fn hear_telemetry(&mut self, telemetry: ClientTelemetry) {
        let sums = telemetry.sums;
        let counters = &mut self.counters;
        raise_to_exact(&mut counters.client_spans_created, sums.spans_created);
        raise_to_exact(&mut counters.client_spans_finished, sums.spans_finished);
        raise_to_exact(
            &mut counters.client_trace_chunks_dropped,
            sums.trace_chunks_dropped,
        );
        self.with_told(|told| told.hear_telemetry(telemetry));
    }

    /// Notes that a delivery came, of spans that their client counts or does not.
    pub(super) fn delivered(&mut self, is_counted: bool, any_spans: bool) {
        self.with_told(|told| told.delivered(is_counted, any_spans));
    }

    /// Counts the spans of a chunk that its client counts, each once: before they are inserted.
    pub(super) fn count_arrived(&mut self, chunk: &TraceChunk) {
        let key = self.twin_for(chunk.trace_id());
        let entry = key.and_then(|key| self.trace(key));
        let is_new = |span: &Span<'_>| {
            let held = entry.and_then(|entry| entry.held(*span));
            held.is_none_or(Span::is_snapshot)
        };
        let counted = chunk.spans().filter(|span| is_counted(*span));
        let mut counted: Vec<Span<'_>> = counted.filter(is_new).collect();
        if counted.is_empty() {
            return;
        }
        counted.sort_by_key(|span| (span.span_id(), span.start()));
        counted.dedup_by_key(|span| (span.span_id(), span.start()));
        let arrived: Vec<Arrived> = counted.into_iter().map(arrived).collect();
        let process = process(chunk);
        self.with_told(|told| told.arrived(&process, arrived));
    }

    /// Puts back what an export says that clients told. The counters come by themselves.
    pub fn restore_told(
        &mut self,
        sums: &ToldSums,
        clients: Vec<ToldClient>,
        groups: impl IntoIterator<Item = (OperationKey, Box<str>, Tally)>,
    ) {
        self.told.add(sums, clients);
        for (operation, resource, tally) in groups {
            self.told.restore_group(operation, resource, &tally);
        }
        self.revision += 1;
    }

    /// Lets something change what was told, and the counter of what is missing with it.
    fn with_told(&mut self, change: impl FnOnce(&mut Told)) {
        let before = self.told.n_missing();
        change(&mut self.told);
        let after = self.told.n_missing();
        let Counters {
            client_hits,
            client_hits_without_span,
            ..
        } = &mut self.counters;
        let missing = client_hits_without_span.saturating_sub(before);
        *client_hits_without_span = missing.saturating_add(after).min(*client_hits);
    }
}

fn arrived(span: Span<'_>) -> Arrived {
    let text = |text: Text<'_>| Box::from(&*kept_text(text.as_bytes()));
    Arrived {
        operation: OperationKey {
            service: text(span.service()),
            name: text(span.name()),
        },
        resource: text(span.resource()),
        end: span.end(),
    }
}

/// The id of the process that sent a chunk, empty where it does not say.
fn process(chunk: &TraceChunk) -> Box<str> {
    let mut asked = chunk.spans().take(SPANS_ASKED);
    let id = asked.find_map(|span| span.meta_text(tag::RUNTIME_ID));
    let id = id.map(Text::as_bytes).unwrap_or_default();
    let id = id.get(..PROCESS_BYTES_MAX).unwrap_or(id);
    String::from_utf8_lossy(id).into()
}
