//! Every path we know, in one table: routing, `/info` and the names in the request log follow from
//! it. No socket and no HTTP library in here; the answers that need either are only named.

mod info;
mod path;

pub(crate) use info::{AGENT_VERSION, InfoSettings, info};
pub(crate) use path::plain;

use crate::trace::Via;

/// What kind of payload an endpoint takes; decides what a refusal counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestClass {
    /// Spans.
    Traces,
    /// Client-computed statistics.
    Stats,
    /// Log lines.
    Logs,
    /// Everything else: `/info`, telemetry, unknown paths.
    Other,
}

/// The form in which an endpoint takes spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// `/v0.1/spans` and `/spans`, in JSON only: spans without chunks.
    V01,
    /// `/v0.2/traces`, in JSON only.
    V02,
    /// `/v0.3/traces`; the body is that of v0.4.
    V03,
    /// `/v0.4/traces`.
    V04,
    /// `/v0.5/traces`.
    V05,
    /// `/v0.7/traces`.
    V07,
    /// `/v1.0/traces`.
    V10,
    /// `/v1/traces`: OTLP.
    Otlp,
}

impl TraceFormat {
    /// The way by which spans in this format came, over a connection or in lines.
    pub fn via(self, via: Via) -> Via {
        match (self, via) {
            (Self::Otlp, Via::Http | Via::Uds) => Via::Otlp,
            (_, via) => via,
        }
    }
}

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Spans.
    Traces(TraceFormat),
    /// Log lines.
    Logs,
    /// Spans or log lines, as they go to Datadog without an Agent.
    Intake,
    /// What a client counted.
    Stats,
    /// What a client says of itself.
    Telemetry,
}

impl PayloadKind {
    /// The status of the answer to one that was taken. Datadog's intakes promise no more than to
    /// look at it later.
    pub fn accepted_status(self) -> u16 {
        match self {
            Self::Traces(_) | Self::Stats => 200,
            Self::Logs | Self::Intake | Self::Telemetry => 202,
        }
    }
}

/// A path, or all paths below one, and what is done with a request for it.
#[derive(Debug)]
pub struct Endpoint {
    /// As it stands in `/info` and in the request log. With a slash at its end it stands for
    /// everything below it.
    pub path: &'static str,
    /// The methods it takes.
    pub methods: Methods,
    /// What a refusal counts as.
    pub class: RequestClass,
    /// What is done.
    pub action: Action,
    /// Whether `/info` tells clients of it.
    pub listed: bool,
}

/// The methods an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// To be read.
    Read,
    /// To be written to; the Agent does not tell PUT from POST either.
    Write,
    /// Whatever a client may come up with.
    Any,
}

impl Methods {
    /// Their names, as in an `Allow` header; empty when all are taken.
    pub fn names(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
            Self::Write => "POST, PUT",
            Self::Any => "",
        }
    }

    /// Whether a method is among them.
    pub fn allow(self, method: &str) -> bool {
        self == Self::Any || self.names().split(", ").any(|name| name == method)
    }
}

/// The name of a method that some endpoint takes, as it stands here.
pub(crate) fn known_method(method: &str) -> Option<&'static str> {
    let names = [Methods::Read, Methods::Write].map(Methods::names);
    let mut names = names.into_iter().flat_map(|names| names.split(", "));
    names.find(|name| *name == method)
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Says what we are and serve.
    Info,
    /// Reads a payload.
    Take(PayloadKind),
    /// Answers `{}`, which keeps the client silent. An empty body would count as a failure.
    Acknowledge {
        /// 200 or 202.
        status: u16,
        /// What the request log says of it.
        note: &'static str,
    },
    /// Answers as an OTLP collector that has taken everything; what the request log says of it.
    AcknowledgeOtlp(&'static str),
}

impl Endpoint {
    const fn new(
        path: &'static str,
        methods: Methods,
        class: RequestClass,
        action: Action,
    ) -> Self {
        Self {
            path,
            methods,
            class,
            action,
            listed: false,
        }
    }

    const fn traces(path: &'static str, format: TraceFormat) -> Self {
        Self::new(
            path,
            Methods::Write,
            RequestClass::Traces,
            Action::Take(PayloadKind::Traces(format)),
        )
    }

    const fn silent(path: &'static str, note: &'static str) -> Self {
        let action = Action::Acknowledge { status: 200, note };
        Self::new(path, Methods::Any, RequestClass::Other, action)
    }

    /// For what an SDK sends to the same address as its spans: an error would fill its log.
    const fn otlp_silent(path: &'static str) -> Self {
        let action = Action::AcknowledgeOtlp(NOT_SHOWN);
        Self::new(path, Methods::Write, RequestClass::Other, action)
    }

    const fn accepted(path: &'static str, class: RequestClass, note: &'static str) -> Self {
        Self::new(
            path,
            Methods::Write,
            class,
            Action::Acknowledge { status: 202, note },
        )
    }

    const fn listed(mut self) -> Self {
        self.listed = true;
        self
    }

    fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.path) {
            Some(rest) => rest.is_empty() || self.path.ends_with('/'),
            None => false,
        }
    }
}

/// The endpoint that serves a path.
pub(crate) fn find(path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.matches(path))
}

const NOT_SHOWN: &str = "accepted, not shown";

/// The table. The first row that fits serves a path, so what is below a path comes after it.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::traces("/v0.5/traces", TraceFormat::V05).listed(),
    Endpoint::traces("/v0.4/traces", TraceFormat::V04).listed(),
    Endpoint::traces("/v0.3/traces", TraceFormat::V03).listed(),
    Endpoint::traces("/v0.7/traces", TraceFormat::V07).listed(),
    Endpoint::traces("/v1.0/traces", TraceFormat::V10).listed(),
    Endpoint::new("/info", Methods::Read, RequestClass::Other, Action::Info),
    Endpoint::silent("/v0.3/services", "").listed(),
    Endpoint::silent("/v0.4/services", "").listed(),
    // Hidden in the Agent too: no client that is still made shall choose them.
    Endpoint::traces("/v0.2/traces", TraceFormat::V02),
    Endpoint::traces("/v0.1/spans", TraceFormat::V01),
    Endpoint::traces("/spans", TraceFormat::V01),
    // Not listed: a real Agent has them on a port of their own.
    Endpoint::traces("/v1/traces", TraceFormat::Otlp),
    Endpoint::otlp_silent("/v1/logs"),
    Endpoint::otlp_silent("/v1/metrics"),
    // No path of an Agent, and so not listed.
    Endpoint::new("/v1/input", Methods::Write, RequestClass::Traces, Action::Take(PayloadKind::Intake)),
    Endpoint::new("/v0.6/stats", Methods::Write, RequestClass::Stats, Action::Take(PayloadKind::Stats)).listed(),
    Endpoint::new("/api/v2/logs", Methods::Write, RequestClass::Logs, Action::Take(PayloadKind::Logs)),
    Endpoint::new("/telemetry/proxy/api/v2/apmtelemetry", Methods::Write, RequestClass::Other,
        Action::Take(PayloadKind::Telemetry)),
    Endpoint::accepted("/telemetry/proxy/", RequestClass::Other, "").listed(),
    // Whoever answers this can change the sampling of the app: nothing but `{}`, ever.
    Endpoint::silent("/v0.7/config", "no remote configuration").listed(),
    Endpoint::silent("/v0.1/pipeline_stats", NOT_SHOWN).listed(),
    Endpoint::silent("/profiling/v1/input", NOT_SHOWN).listed(),
    Endpoint::silent("/profiling/", NOT_SHOWN),
    Endpoint::silent("/evp_proxy/v1/", NOT_SHOWN).listed(),
    Endpoint::silent("/evp_proxy/v2/", NOT_SHOWN).listed(),
    Endpoint::silent("/evp_proxy/v3/", NOT_SHOWN).listed(),
    Endpoint::silent("/evp_proxy/v4/", NOT_SHOWN).listed(),
    Endpoint::silent("/evp_proxy/", NOT_SHOWN),
    Endpoint::silent("/debugger/v1/input", NOT_SHOWN).listed(),
    Endpoint::silent("/debugger/v1/diagnostics", NOT_SHOWN).listed(),
    Endpoint::silent("/debugger/v2/input", NOT_SHOWN).listed(),
    Endpoint::silent("/debugger/", NOT_SHOWN),
    Endpoint::silent("/symdb/v1/input", NOT_SHOWN).listed(),
    Endpoint::silent("/symdb/", NOT_SHOWN),
    Endpoint::silent("/dogstatsd/v1/proxy", NOT_SHOWN).listed(),
    Endpoint::silent("/dogstatsd/v2/proxy", NOT_SHOWN).listed(),
    Endpoint::silent("/dogstatsd/", NOT_SHOWN),
    Endpoint::silent("/tracer_flare/v1", NOT_SHOWN).listed(),
    Endpoint::silent("/tracer_flare/", NOT_SHOWN),
    Endpoint::silent("/openlineage/api/v1/lineage", NOT_SHOWN).listed(),
    Endpoint::silent("/openlineage/", NOT_SHOWN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(find(path).map(|endpoint| endpoint.path), expected, "{path}");
    }

    #[test]
    fn a_path_is_served_by_its_own_row_or_by_the_one_above_it() {
        check("/v0.5/traces", Some("/v0.5/traces"));
        let telemetry = "/telemetry/proxy/api/v2/apmtelemetry";
        check(telemetry, Some(telemetry));
        check("/telemetry/proxy/x", Some("/telemetry/proxy/"));
        check("/evp_proxy/v2/api/v2/llmobs", Some("/evp_proxy/v2/"));
        check("/evp_proxy/v9/x", Some("/evp_proxy/"));
        check("/debugger/v1/input", Some("/debugger/v1/input"));
        check("/debugger/v1/inputs", Some("/debugger/"));
        check("/v0.5/traces/", None);
        check("/v0.5", None);
        check("/V0.5/TRACES", None);
        check("/", None);
        check("", None);
        check("/telemetry", None);
    }

    #[test]
    fn every_row_serves_the_path_it_names() {
        for endpoint in ENDPOINTS {
            check(endpoint.path, Some(endpoint.path));
        }
    }

    #[test]
    fn methods_are_told_apart() {
        assert!(Methods::Write.allow("PUT") && Methods::Write.allow("POST"));
        assert!(
            !Methods::Write.allow("GET")
                && !Methods::Write.allow("")
                && !Methods::Read.allow("PUT")
        );
        assert!(Methods::Read.allow("HEAD") && Methods::Any.allow("PROPFIND"));
    }
}
