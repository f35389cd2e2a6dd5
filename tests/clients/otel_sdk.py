"""An OpenTelemetry program: `otel_sdk.py [json]` sends spans of every shape over OTLP/HTTP and prints, as its last
line, what it sent. `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; with `json` in JSON, otherwise in protobuf.
"""

import base64
import json
import logging
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState


def exporter():
    """The SDK's own exporter, for protobuf or JSON."""
    if "json" in sys.argv[1:]:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


class Sent(SpanExporter):
    """Remembers every span on its way to another exporter."""

    def __init__(self, onward):
        self.onward = onward
        self.spans = []
        self.results = []

    def export(self, spans):
        self.spans.extend(spans)
        self.results.append(self.onward.export(spans))
        return self.results[-1]

    def shutdown(self):
        self.onward.shutdown()


def describe(span):
    """A span in OpenTelemetry's words, with ids as the export of ours writes them."""
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": str(span.context.span_id),
        "parent_id": str(span.parent.span_id if span.parent else 0),
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start": span.start_time,
        "duration": span.end_time - span.start_time,
        "status": span.status.status_code.name.capitalize(),
        "description": span.status.description or "",
        "attributes": {key: plain(value) for key, value in span.attributes.items()},
        "resource": dict(span.resource.attributes),
        "scope": [span.instrumentation_scope.name, span.instrumentation_scope.version],
        "trace_state": span.context.trace_state.to_header(),
        "events": [
            {"name": event.name, "time": event.timestamp, "attributes": dict(event.attributes)} for event in span.events
        ],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                "attributes": dict(link.attributes),
            }
            for link in span.links
        ],
    }


def plain(value):
    """A value as JSON has it; bytes in base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return list(value) if isinstance(value, tuple) else value


def tell(tracer):
    """A request to a service, what it asks of others, and what goes wrong."""
    with tracer.start_as_current_span("POST /documents", kind=SpanKind.SERVER) as request:
        request.set_attributes({
            "http.request.method": "POST",
            "http.route": "/documents/{id}",
            "http.response.status_code": 201,
            "url.full": "http://localhost/documents/7?q=äé🦀",
            "http.request.header.x-tenant": ["a", "b"],
        })
        with tracer.start_as_current_span("SELECT documents", kind=SpanKind.CLIENT) as query:
            query.set_attributes({"db.system": "postgresql", "db.statement": "SELECT * FROM documents WHERE id = 7"})
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT) as call:
            call.set_attributes({"http.request.method": "GET", "http.response.status_code": 503})
            call.set_status(Status(StatusCode.ERROR, "upstream is down"))
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER) as publish:
            publish.set_attributes({
                "messaging.system": "kafka", "messaging.operation": "publish", "messaging.destination.name": "pages",
            })
        with tracer.start_as_current_span("extract") as extract:
            extract.add_event("page", {"number": 3, "text.layer": False, "quote\"": "a \"quoted\" word"})
            extract.set_attributes({
                "whole": 7, "negative": -7, "beyond.double": 2**53 + 1, "fraction": 0.1, "tiny": 5e-324, "yes": True,
                "empty": "", "texts": ["a", "b"], "numbers": [1, 2], "bytes": b"\x00\xff", "long": "a" * 20_000,
            })
        try:
            with tracer.start_as_current_span("parse"):
                raise ValueError("page 3 has no text layer")
        except ValueError:
            pass


def link(tracer):
    """A span that points at another trace, with a state of the W3C's in its context."""
    state = TraceState([("ot", "th:8"), ("vendor", "x")])
    other = SpanContext(0x6B00F6C6000000005FD7E52232AE35D4, 2**64 - 1, is_remote=True, trace_flags=TraceFlags(1))
    parent = SpanContext(2**127 + 5, 77, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    links = [Link(other, {"reason": "retry of"})]
    with tracer.start_as_current_span("linked", context=context, kind=SpanKind.CONSUMER, links=links) as linked:
        linked.set_attribute("sampling.priority", 2)


def main():
    resource = Resource.create({
        "service.name": "document-processor", "service.version": "1.2.3", "deployment.environment.name": "dev",
    })
    sent = Sent(exporter())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(sent))
    tell(provider.get_tracer("documents", "0.9"))
    link(provider.get_tracer("links"))
    provider.shutdown()
    assert sent.results and all(result is SpanExportResult.SUCCESS for result in sent.results), sent.results
    print(json.dumps({"facts": {}, "spans": [describe(span) for span in sent.spans]}), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
