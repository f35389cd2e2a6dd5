//! What a span is called in Datadog's words: operation, resource, type.
//!
//! After `getOTelOperationNameV2`, `getOTelResourceV2` and `GetOTelSpanTypeWithAccessor` in
//! `pkg/trace/transform/otelutil.go` of `DataDog/datadog-agent`; the keys that stand for each other
//! after `pkg/trace/semantics/mappings.json`.

use std::borrow::Cow;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::attributes::Lookup;

pub(super) const HTTP_METHOD: [&str; 2] = ["http.request.method", "http.method"];
const DB_SYSTEM: [&str; 2] = ["db.system.name", "db.system"];
const DB_STATEMENT: [&str; 2] = ["db.statement", "db.query.text"];
const MESSAGING_OPERATION: [&str; 1] = ["messaging.operation"];
const MESSAGING_DESTINATION: [&str; 2] = ["messaging.destination", "messaging.destination.name"];
const RPC_SERVICE: [&str; 1] = ["rpc.service"];
const GRAPHQL_TYPE: [&str; 1] = ["graphql.operation.type"];

/// The service of a span that has none: `DefaultOTLPServiceName`.
const NO_SERVICE: &str = "otlpresourcenoservicename";

/// Bytes of a resource's name: `MaxResourceLen`.
const RESOURCE_BYTES_MAX: usize = 5000;

/// Databases by what their spans are called: `DBTypes` in
/// `pkg/opentelemetry-mapping-go/otlp/attributes`. Any other is a `db`.
const DB_TYPES: [(&str, &[&str]); 7] = [
    (
        "sql",
        &[
            "other_sql",
            "mssql",
            "mysql",
            "oracle",
            "db2",
            "postgresql",
            "redshift",
            "cloudscape",
            "hsqldb",
            "maxdb",
            "ingres",
            "firstsql",
            "edb",
            "cache",
            "firebird",
            "derby",
            "informix",
            "mariadb",
            "sqlite",
            "sybase",
            "teradata",
            "vertica",
            "h2",
            "coldfusion",
            "cockroachdb",
            "progress",
            "hanadb",
            "adabas",
            "filemaker",
            "instantdb",
            "interbase",
            "netezza",
            "pervasive",
            "pointbase",
            "clickhouse",
        ],
    ),
    ("cassandra", &["cassandra"]),
    ("redis", &["redis"]),
    ("memcached", &["memcached"]),
    ("mongodb", &["mongodb"]),
    ("elasticsearch", &["elasticsearch"]),
    ("opensearch", &["opensearch"]),
];

/// The kind as a number of the enum; what it does not name is kept apart from what is not said.
pub(super) fn kind(span: &Span) -> Option<SpanKind> {
    SpanKind::try_from(span.kind).ok()
}

/// The kind as a tag has it: `OTelSpanKindName`.
pub(super) fn kind_name(span: &Span) -> &'static str {
    match kind(span) {
        Some(SpanKind::Internal) => "internal",
        Some(SpanKind::Server) => "server",
        Some(SpanKind::Client) => "client",
        Some(SpanKind::Producer) => "producer",
        Some(SpanKind::Consumer) => "consumer",
        Some(SpanKind::Unspecified) | None => "unspecified",
    }
}

/// The service as it was sent. The Agent normalises it here already; the client's word is kept, and
/// what the Agent makes of it is told where all that it changes is.
pub(super) fn service<'r>(lookup: &Lookup<'r>) -> Cow<'r, str> {
    let service = lookup.text(&["service.name"]);
    service.unwrap_or(Cow::Borrowed(NO_SERVICE))
}

/// The operation; one that the client names as it named it, like the service.
pub(super) fn operation<'r>(span: &Span, lookup: &Lookup<'r>) -> Cow<'r, str> {
    if let Some(name) = lookup.text(&["operation.name"]) {
        return name;
    }
    let side = match kind(span) {
        Some(SpanKind::Client) => Some("client"),
        Some(SpanKind::Server) => Some("server"),
        _ => None,
    };
    match side {
        Some(side) => of_side(side, lookup).into(),
        None => without_side(span, lookup),
    }
}

/// The operation of a client or a server.
fn of_side(side: &str, lookup: &Lookup<'_>) -> String {
    let is_client = side == "client";
    if lookup.text(&HTTP_METHOD).is_some() {
        return format!("http.{side}.request");
    }
    if let Some(system) = lookup.tag_value(&DB_SYSTEM).filter(|_| is_client) {
        return format!("{system}.query");
    }
    if let Some(name) = messaging(lookup) {
        return name;
    }
    match lookup.tag_value(&["rpc.system"]) {
        Some(system) if system == "aws-api" && is_client => {
            let service = lookup.tag_value(&RPC_SERVICE);
            return format!("aws.{}.request", service.as_deref().unwrap_or(side));
        }
        Some(system) => return format!("{system}.{side}.request"),
        None => {}
    }
    if is_client {
        let provider = lookup.tag_value(&["faas.invoked_provider"]);
        let name = lookup.tag_value(&["faas.invoked_name"]);
        if let (Some(provider), Some(name)) = (provider, name) {
            return format!("{provider}.{name}.invoke");
        }
    } else if let Some(trigger) = lookup.tag_value(&["faas.trigger"]) {
        return format!("{trigger}.invoke");
    }
    if lookup.tag_value(&GRAPHQL_TYPE).is_some() {
        return GRAPHQL_REQUEST.to_owned();
    }
    match lookup.tag_value(&["network.protocol.name"]) {
        Some(protocol) => format!("{protocol}.{side}.request"),
        None => format!("{side}.request"),
    }
}

const GRAPHQL_REQUEST: &str = "graphql.server.request";

/// The operation of anything else.
fn without_side(span: &Span, lookup: &Lookup<'_>) -> Cow<'static, str> {
    let is_messaging = matches!(kind(span), Some(SpanKind::Producer | SpanKind::Consumer));
    if let Some(name) = messaging(lookup).filter(|_| is_messaging) {
        return name.into();
    }
    if lookup.tag_value(&GRAPHQL_TYPE).is_some() {
        return GRAPHQL_REQUEST.into();
    }
    match kind(span) {
        Some(SpanKind::Producer) => "Producer",
        Some(SpanKind::Consumer) => "Consumer",
        Some(_) => "Internal",
        // A kind without a name: neither has the operation one.
        None => "",
    }
    .into()
}

fn messaging(lookup: &Lookup<'_>) -> Option<String> {
    let system = lookup.tag_value(&["messaging.system"])?;
    let operation = lookup.tag_value(&MESSAGING_OPERATION)?;
    Some(format!("{system}.{operation}"))
}

/// What the operation works on.
pub(super) fn resource<'r>(span: &'r Span, lookup: &Lookup<'r>) -> Cow<'r, str> {
    if let Some(name) = lookup.text(&["resource.name"]) {
        return cut(name);
    }
    if let Some(method) = lookup.text(&HTTP_METHOD) {
        let method = if method == "_OTHER" {
            Cow::Borrowed("HTTP")
        } else {
            method
        };
        let place: &[&str] = match kind(span) {
            Some(SpanKind::Client) => &["url.template"],
            Some(SpanKind::Server) => &["http.route"],
            _ => &[],
        };
        return with(method, lookup.text(place));
    }
    if let Some(operation) = lookup.text(&MESSAGING_OPERATION) {
        return with(operation, lookup.text(&MESSAGING_DESTINATION));
    }
    if let Some(method) = lookup.text(&["rpc.method"]) {
        return with(method, lookup.text(&RPC_SERVICE));
    }
    if let Some(operation) = lookup.text(&GRAPHQL_TYPE) {
        return with(operation, lookup.text(&["graphql.operation.name"]));
    }
    let statement = lookup
        .text(&DB_SYSTEM)
        .and_then(|_| lookup.text(&DB_STATEMENT));
    cut(statement.unwrap_or(Cow::Borrowed(&span.name)))
}

fn with<'r>(first: Cow<'r, str>, second: Option<Cow<'r, str>>) -> Cow<'r, str> {
    let first = cut(first);
    match second {
        Some(second) => cut(format!("{first} {}", cut(second)).into()),
        None => first,
    }
}

fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    let mut end = RESOURCE_BYTES_MAX.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.get(..end).unwrap_or(name)),
        Cow::Owned(mut name) => {
            name.truncate(end);
            Cow::Owned(name)
        }
    }
}

/// The type.
pub(super) fn span_type<'r>(span: &Span, lookup: &Lookup<'r>) -> Cow<'r, str> {
    let is_llm = |key: &str| key.starts_with("gen_ai.");
    if span
        .attributes
        .iter()
        .any(|attribute| is_llm(&attribute.key))
    {
        return "llm".into();
    }
    if let Some(named) = lookup.text(&["span.type"]) {
        return named;
    }
    match kind(span) {
        Some(SpanKind::Server) => "web",
        Some(SpanKind::Client) => match lookup.tag_value(&DB_SYSTEM) {
            Some(system) => db_type(&system),
            None => "http",
        },
        _ => "custom",
    }
    .into()
}

fn db_type(system: &str) -> &'static str {
    let known = DB_TYPES
        .iter()
        .find(|(_, systems)| systems.contains(&system));
    known.map_or("db", |(name, _)| name)
}
