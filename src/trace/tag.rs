//! Reserved tag names that tracers and the Agent give a meaning to.

/// High 64 bits of the trace id, 16 hex digits, on the first span of a chunk.
pub const TRACE_ID_HIGH: &str = "_dd.p.tid";
/// Who decided the sampling: `-0` to `-13`, see [`super::SamplingMechanism`].
pub const DECISION_MAKER: &str = "_dd.p.dm";
/// Where the trace began: `rum`, `synthetics`; on the first span of a chunk.
pub const ORIGIN: &str = "_dd.origin";
/// The tracer's sampling decision, a metric.
pub const SAMPLING_PRIORITY: &str = "_sampling_priority_v1";
/// The rate an Agent told the tracer, and that was applied.
pub const AGENT_RATE: &str = "_dd.agent_psr";
/// The rate of the sampling rule that matched.
pub const RULE_RATE: &str = "_dd.rule_psr";
/// The effective rate of the tracer's own limiter.
pub const LIMIT_RATE: &str = "_dd.limit_psr";
/// The rate by which a trace was decided, as text, told to the services it goes on to.
pub const PROPAGATED_RATE: &str = "_dd.p.ksr";
/// How much of what it had a client could send, since its buffer has a limit.
pub const CLIENT_KEEPS: &str = "_dd.tracer_kr";
/// How a single span was kept out of a dropped trace.
pub const SPAN_SAMPLING_MECHANISM: &str = "_dd.span_sampling.mechanism";
/// The rate of the span rule that matched.
pub const SPAN_SAMPLING_RATE: &str = "_dd.span_sampling.rule_rate";
/// How many spans a second that rule keeps at most.
pub const SPAN_SAMPLING_LIMIT: &str = "_dd.span_sampling.max_per_second";
/// Set on snapshots of spans that still run; the newest wins.
pub const PARTIAL_VERSION: &str = "_dd.partial_version";
/// The id of the client process.
pub const RUNTIME_ID: &str = "runtime-id";
/// The language of the tracer, on its local roots.
pub const LANGUAGE: &str = "language";
/// The number of the client's process, which it writes on its first span of a trace: the local root.
pub const LOCAL_ROOT: &str = "process_id";
/// The span is counted in statistics though it is no entry into a service.
pub const MEASURED: &str = "_dd.measured";
/// The span enters a service, as tracers say it and as the Agent does.
pub const TOP_LEVEL: [&str; 2] = ["_dd.top_level", "_top_level"];
/// The container, by any of its names: `ta-…`.
pub const CONTAINER: [&str; 3] = ["modal.task_id", "modal_task_id", "container_id"];
/// Whether the container was cold, as the app says it.
pub const COLD: [&str; 4] = [
    "cold_start",
    "faas.coldstart",
    "modal.cold_start",
    "modal.is_cold",
];
/// Whether the app believes that the container was warm.
pub const WARM: &str = "modal.warm";
/// How long the model took to load, in milliseconds: next to nothing where it was loaded.
pub const MODEL_LOAD_MS: [&str; 2] = ["modal.model_load_ms", "model_load_ms"];
/// How long the model worked, in milliseconds.
pub const INFER_MS: [&str; 2] = ["modal.infer_ms", "infer_ms"];
/// The input of Modal that a request is: `in-…`.
pub const INPUT_ID: &str = "modal.input_id";
/// The class of an error that the app writes itself.
pub const ERROR_CLASS: &str = "error_type";

/// What kinds of tags there may be: a bit for each, told by the keys as they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    /// Tags that name a container.
    pub(crate) const CONTAINER: Self = Self(1);
    /// Tags that say how a container began.
    pub(crate) const START: Self = Self(2);
    /// Tags that name the class of an error.
    pub(crate) const ERROR_CLASS: Self = Self(4);
    /// Tags that name the input of Modal.
    pub(crate) const INPUT: Self = Self(8);
    /// Tags that say how long a model worked.
    pub(crate) const INFER: Self = Self(16);

    /// What a tag with this key may say.
    pub(super) fn of(key: &[u8]) -> Self {
        match key {
            b"modal.task_id" | b"modal_task_id" | b"container_id" => Self::CONTAINER,
            b"cold_start"
            | b"faas.coldstart"
            | b"modal.cold_start"
            | b"modal.is_cold"
            | b"modal.warm"
            | b"modal.model_load_ms"
            | b"model_load_ms" => Self::START,
            b"error_type" => Self::ERROR_CLASS,
            b"modal.input_id" => Self::INPUT,
            b"modal.infer_ms" | b"infer_ms" => Self::INFER,
            _ => Self(0),
        }
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(crate) fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }
}

/// The exception's class.
pub const ERROR_TYPE: &str = "error.type";
/// The exception's message.
pub const ERROR_MESSAGE: &str = "error.message";
/// The message's older name, still sent by some tracers.
pub const ERROR_MSG: &str = "error.msg";
/// The traceback.
pub const ERROR_STACK: &str = "error.stack";
/// Span links as JSON text, where the format has no room for them.
pub const SPAN_LINKS_JSON: &str = "_dd.span_links";
/// Span events as JSON text, where the format has no room for them.
pub const SPAN_EVENTS_JSON: &str = "events";
/// Client, server, producer, consumer or internal.
pub const SPAN_KIND: &str = "span.kind";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_asked_for_is_marked() {
        let starts = COLD.iter().chain(&MODEL_LOAD_MS).chain([&WARM]);
        for (key, mark) in CONTAINER
            .iter()
            .map(|key| (key, Marks::CONTAINER))
            .chain(starts.map(|key| (key, Marks::START)))
            .chain(INFER_MS.iter().map(|key| (key, Marks::INFER)))
            .chain([
                (&ERROR_CLASS, Marks::ERROR_CLASS),
                (&INPUT_ID, Marks::INPUT),
            ])
        {
            assert!(Marks::of(key.as_bytes()).has(mark), "{key}");
        }
        assert_eq!(Marks::of(b"http.url"), Marks::default());
    }
}
