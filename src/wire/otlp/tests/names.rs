//! Operation, resource and type, rule by rule.

use super::*;

/// Operation, resource and type of a span with a kind and attributes.
#[track_caller]
fn check_names(kind: SpanKind, attributes: &[(&str, &str)], expect: [&str; 3]) {
    check_span(&[], span(kind, texts(attributes)), |span| {
        let names = [span.name(), span.resource(), span.span_type()];
        let names = names.map(|name| name.to_str().unwrap().to_owned());
        assert_eq!(names, expect, "{kind:?} {attributes:?}");
    });
}

#[test]
fn the_operation_the_resource_and_the_type_follow_from_the_kind() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server, Unspecified};
    let check = check_names;
    check(Unspecified, &[], ["Internal", "otel name", "custom"]);
    check(Internal, &[], ["Internal", "otel name", "custom"]);
    check(Producer, &[], ["Producer", "otel name", "custom"]);
    check(Consumer, &[], ["Consumer", "otel name", "custom"]);
    check(Server, &[], ["server.request", "otel name", "web"]);
    check(Client, &[], ["client.request", "otel name", "http"]);
    let http = [("network.protocol.name", "HTTP")];
    check(Server, &http, ["http.server.request", "otel name", "web"]);
    check(Client, &http, ["http.client.request", "otel name", "http"]);
}

#[test]
fn names_that_the_client_gives_are_taken_as_they_are() {
    use SpanKind::{Client, Internal, Server};
    let check = check_names;
    check(
        Client,
        &[
            ("operation.name", "My.Op"),
            ("resource.name", "My Resource"),
            ("span.type", "mine"),
            ("http.method", "GET"),
        ],
        ["My.Op", "My Resource", "mine"],
    );
    check(
        Server,
        &[("gen_ai.system", "x"), ("span.type", "mine")],
        ["server.request", "otel name", "llm"],
    );
    check(
        Internal,
        &[("span.type", "")],
        ["Internal", "otel name", "custom"],
    );
}

#[test]
fn http_spans_are_named_by_method_and_route() {
    use SpanKind::{Client, Internal, Server};
    let route = [("http.request.method", "GET"), ("http.route", "/a/{id}")];
    check_names(
        Server,
        &route,
        ["http.server.request", "GET /a/{id}", "web"],
    );
    check_names(Client, &route, ["http.client.request", "GET", "http"]);
    check_names(Internal, &route, ["Internal", "GET", "custom"]);
    let template = [("http.method", "_OTHER"), ("url.template", "/a/{id}")];
    check_names(
        Client,
        &template,
        ["http.client.request", "HTTP /a/{id}", "http"],
    );
    let both = [("http.method", "OLD"), ("http.request.method", "NEW")];
    check_names(Server, &both, ["http.server.request", "NEW", "web"]);
}

#[test]
fn spans_of_databases_are_named_by_system_and_statement() {
    use SpanKind::{Client, Server};
    let sql = [("db.system", "PostgreSQL"), ("db.statement", "SELECT 1")];
    check_names(Client, &sql, ["postgresql.query", "SELECT 1", "sql"]);
    check_names(Server, &sql, ["server.request", "SELECT 1", "web"]);
    let text = [("db.system.name", "redis"), ("db.query.text", "GET a")];
    check_names(Client, &text, ["redis.query", "GET a", "redis"]);
    check_names(
        Client,
        &[("db.system", "new thing")],
        ["new_thing.query", "otel name", "db"],
    );
    for (system, kind) in [
        ("cassandra", "cassandra"),
        ("clickhouse", "sql"),
        ("hive", "db"),
    ] {
        let name = format!("{system}.query");
        check_names(Client, &[("db.system", system)], [&name, "otel name", kind]);
    }
}

#[test]
fn spans_of_messaging_calls_and_functions_are_named_by_what_they_do() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let check = check_names;
    let kafka = [
        ("messaging.system", "Kafka"),
        ("messaging.operation", "publish"),
        ("messaging.destination.name", "pages"),
    ];
    for (kind, name) in [(Producer, "custom"), (Consumer, "custom"), (Client, "http")] {
        check(kind, &kafka, ["kafka.publish", "publish pages", name]);
    }
    check(Internal, &kafka, ["Internal", "publish pages", "custom"]);
    let rpc = [
        ("rpc.system", "grpc"),
        ("rpc.method", "Get"),
        ("rpc.service", "Pages"),
    ];
    check(Client, &rpc, ["grpc.client.request", "Get Pages", "http"]);
    check(Server, &rpc, ["grpc.server.request", "Get Pages", "web"]);
    let aws = [("rpc.system", "aws-api"), ("rpc.service", "S3")];
    check(Client, &aws, ["aws.s3.request", "otel name", "http"]);
    check(Server, &aws, ["aws-api.server.request", "otel name", "web"]);
    check(
        Client,
        &[("rpc.system", "aws-api")],
        ["aws.client.request", "otel name", "http"],
    );
    check(
        Client,
        &[("faas.invoked_provider", "aws"), ("faas.invoked_name", "f")],
        ["aws.f.invoke", "otel name", "http"],
    );
    check(
        Server,
        &[("faas.trigger", "timer")],
        ["timer.invoke", "otel name", "web"],
    );
    let graphql = [
        ("graphql.operation.type", "query"),
        ("graphql.operation.name", "q"),
    ];
    for (kind, name) in [(Server, "web"), (Internal, "custom")] {
        check(kind, &graphql, ["graphql.server.request", "query q", name]);
    }
}

#[test]
fn a_long_resource_is_cut_between_characters() {
    let long = "é".repeat(4_000);
    let sent = span(SpanKind::Internal, texts(&[("resource.name", &long)]));
    check_span(&[], sent, |span| {
        assert_eq!(span.resource(), "é".repeat(2_500).as_str());
    });
}
