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
/// The span is counted in statistics though it is no entry into a service.
pub const MEASURED: &str = "_dd.measured";
/// The span enters a service, as tracers say it and as the Agent does.
pub const TOP_LEVEL: [&str; 2] = ["_dd.top_level", "_top_level"];
/// The container, by any of its names: `ta-…`.
pub const CONTAINER: [&str; 3] = ["modal.task_id", "modal_task_id", "container_id"];

/// Whether a tag with this key names a container.
pub(super) fn names_container(key: &[u8]) -> bool {
    CONTAINER.iter().any(|name| name.as_bytes() == key)
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
