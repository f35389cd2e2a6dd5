//! What makes spans alike: the Agent's aggregation key. Counts nothing.
//!
//! After `pkg/trace/stats/aggregation.go` (`NewAggregationFromSpan`) and `span_concentrator.go`
//! (`NewStatSpanFromPB`) in `DataDog/datadog-agent`. That one leaves method and endpoint of HTTP empty;
//! only clients that count themselves have them.

use std::borrow::Cow;

use libdd_trace_protobuf::pb;

use super::super::{AgentFacts, Prepared};
use super::peer::peer_tags;
use crate::normalize::Normalized;
use crate::trace::{SpanId, tag};

/// `pkg/trace/version`, `GetGitCommitShaFromTrace`.
const COMMIT: &str = "_dd.git.commit.sha";
/// `aggregation.go`, `tagServiceSource`.
const SERVICE_SOURCE: &str = "_dd.svc_src";
/// `config.go`, `DefaultEnv`: no statistics are without one.
const NO_ENV: &str = "none";

/// `pkg/trace/semantics`, `ConceptHTTPStatusCode`.
const HTTP_STATUS: [&str; 2] = ["http.status_code", "http.response.status_code"];
/// `ConceptGRPCStatusCode`.
const GRPC_STATUS: [&str; 4] = [
    "rpc.grpc.status_code",
    "grpc.code",
    "rpc.grpc.status.code",
    "grpc.status.code",
];

/// What groups have in common that go in one payload (`PayloadAggregationKey`). The container and tags
/// of the process are only told apart where an Agent is set up so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PayloadKey {
    env: Box<str>,
    hostname: Box<str>,
    version: Box<str>,
    git_commit_sha: Box<str>,
    language: Box<str>,
}

/// What spans have in common that are alike (`BucketsAggregationKey`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    service: Box<str>,
    name: Box<str>,
    resource: Box<str>,
    span_type: Box<str>,
    span_kind: Box<str>,
    http_status: u32,
    grpc_status: Box<str>,
    service_source: Box<str>,
    peer_tags: Box<[String]>,
    marks: Marks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Marks {
    is_synthetic: bool,
    is_trace_root: bool,
}

impl PayloadKey {
    /// `concentrator.go`, `addNow`.
    pub(super) fn of(prepared: &Prepared<'_>, agent: &AgentFacts) -> Self {
        let client = prepared.client();
        let or = |said: &str, other: &str| if said.is_empty() { other } else { said }.into();
        let env: Box<str> = or(&client.env, &agent.env);
        let chunk = prepared.chunk();
        let mut spans = chunk.root().into_iter().chain(chunk.spans());
        let commit = spans.find_map(|span| span.meta_text(COMMIT));
        Self {
            env: or(&env, NO_ENV),
            hostname: or(&client.hostname, &agent.host_name),
            version: client.app_version.clone(),
            git_commit_sha: commit.unwrap_or_default().into(),
            language: client.language.clone(),
        }
    }

    /// `span_concentrator.go`, `Flush`.
    pub(super) fn message(self, stats: Vec<pb::ClientStatsBucket>) -> pb::ClientStatsPayload {
        pb::ClientStatsPayload {
            env: self.env.into(),
            hostname: self.hostname.into(),
            version: self.version.into(),
            git_commit_sha: self.git_commit_sha.into(),
            lang: self.language.into(),
            stats,
            ..pb::ClientStatsPayload::default()
        }
    }
}

impl GroupKey {
    pub(super) fn of(span: &Normalized<'_>, origin: &str) -> Self {
        let kind = span.meta_text(tag::SPAN_KIND).unwrap_or_default();
        Self {
            service: span.service().into(),
            name: span.name().into(),
            resource: span.resource().into(),
            span_type: span.span_type().into(),
            http_status: http_status(span),
            grpc_status: grpc_status(span).into(),
            service_source: span.meta_text(SERVICE_SOURCE).unwrap_or_default().into(),
            peer_tags: peer_tags(span, &kind).into(),
            span_kind: kind.into(),
            marks: Marks {
                is_synthetic: origin.starts_with("synthetics"),
                is_trace_root: span.parent_id() == SpanId::NONE,
            },
        }
    }

    /// `statsraw.go`, `export`, without the counts.
    pub(super) fn message(self) -> pb::ClientGroupedStats {
        let is_trace_root = if self.marks.is_trace_root {
            pb::Trilean::True
        } else {
            pb::Trilean::False
        };
        pb::ClientGroupedStats {
            service: self.service.into(),
            name: self.name.into(),
            resource: self.resource.into(),
            http_status_code: self.http_status,
            r#type: self.span_type.into(),
            synthetics: self.marks.is_synthetic,
            span_kind: self.span_kind.into(),
            peer_tags: self.peer_tags.into_vec(),
            is_trace_root: is_trace_root.into(),
            grpc_status_code: self.grpc_status.into(),
            service_source: self.service_source.into(),
            ..pb::ClientGroupedStats::default()
        }
    }
}

/// `span_concentrator.go`, `computeStatsForSpanKind`.
pub(super) fn is_counted_kind(span: &Normalized<'_>) -> bool {
    let kind = span.meta_text(tag::SPAN_KIND).unwrap_or_default();
    let counted = ["server", "consumer", "client", "producer"];
    counted
        .iter()
        .any(|counted| kind.eq_ignore_ascii_case(counted))
}

/// `aggregation.go`, `getStatusCode`: a metric comes before a tag of the same name.
fn http_status(span: &Normalized<'_>) -> u32 {
    let said = HTTP_STATUS.iter().find_map(|key| {
        let number = span.metric(key).and_then(whole);
        number.or_else(|| span.meta_text(key)?.parse().ok())
    });
    said.unwrap_or(0)
}

/// `aggregation.go`, `getGRPCStatusCode`: metrics under any name come before tags.
fn grpc_status(span: &Normalized<'_>) -> Cow<'static, str> {
    let mut keys = GRPC_STATUS.iter();
    if let Some(number) = keys.find_map(|key| span.metric(key).and_then(whole)) {
        return number.to_string().into();
    }
    let mut keys = GRPC_STATUS.iter();
    let text = keys.find_map(|key| span.meta_text(key).filter(|text| !text.is_empty()));
    text.map(|text| grpc_number(&text)).unwrap_or_default()
}

/// `parseGRPCStatusString`: the number, whatever a client calls it; nothing for what is no status.
fn grpc_number(text: &str) -> Cow<'static, str> {
    /// As `google.rpc.Code` has them, in the order of their numbers.
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALIDARGUMENT",
        "DEADLINEEXCEEDED",
        "NOTFOUND",
        "ALREADYEXISTS",
        "PERMISSIONDENIED",
        "RESOURCEEXHAUSTED",
        "FAILEDPRECONDITION",
        "ABORTED",
        "OUTOFRANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATALOSS",
        "UNAUTHENTICATED",
    ];
    if let Ok(number) = text.parse::<u32>() {
        return number.to_string().into();
    }
    let name = text.strip_prefix("StatusCode.").unwrap_or(text);
    let name = name.to_ascii_uppercase().replace('_', "");
    let name = if name == "CANCELED" {
        "CANCELLED"
    } else {
        &*name
    };
    let number = NAMES.iter().position(|known| *known == name);
    number.map_or(Cow::Borrowed(""), |number| number.to_string().into())
}

fn whole(number: f64) -> Option<u32> {
    let is_code = (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was held to the range"
    )]
    let code = number as u32;
    is_code.then_some(code)
}
