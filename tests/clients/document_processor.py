"""A document processor as it would run on Modal, called in this process: `document_processor.py [DOCUMENTS]`.

`.local()` runs the plain method here, after the method marked with `modal.enter`; nothing leaves this machine
but the spans.
"""

import os
import sys

import modal
import structlog
from ddtrace.trace import tracer

from sent import Sent


def add_datadog_context(_logger, _method_name, event):
    span = tracer.current_span()
    if span:
        event["dd"] = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
    return event


def add_modal_context(_logger, _method_name, event):
    event["modal"] = {
        "environment": os.getenv("MODAL_ENVIRONMENT"),
        "region": os.getenv("MODAL_REGION"),
        "task_id": os.getenv("MODAL_TASK_ID"),
    }
    return event


structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        add_modal_context,
        add_datadog_context,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.PrintLoggerFactory(),
)
log = structlog.get_logger()
app = modal.App("document-processor")


@app.cls()
class DocumentProcessor:
    @modal.enter()
    def load_model(self):
        with tracer.trace("modal.init", span_type="serverless") as span:
            span.set_tag("model", "layout-small")
            log.info("model loaded")

    @modal.method()
    def process(self, document_id: str) -> int:
        with tracer.trace("document.process", resource=f"process {document_id}", span_type="serverless") as root:
            root.set_tag("document.id", document_id)
            root.set_tag("span.kind", "server")
            pages = self.parse(document_id)
            fields = self.extract(document_id, pages)
            root.set_metric("document.fields", fields)
            return fields

    def parse(self, document_id: str) -> int:
        with tracer.trace("document.parse", span_type="template") as span:
            span.set_tag("document.pages", 3)
            log.info("parsed", document_id=document_id)
            return 3

    def extract(self, document_id: str, pages: int) -> int:
        with tracer.trace("document.extract", span_type="llm") as span:
            span.set_tag("llm.model", "layout-small")
            span.set_metric("llm.tokens", 412 * pages)
            log.info("extracted", document_id=document_id)
            return 2 * pages


def main():
    documents = [f"doc-{number}" for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)]
    sent = Sent()
    processor = DocumentProcessor()
    for document_id in documents:
        processor.process.local(document_id)
    sent.flush_and_print(documents=documents)


if __name__ == "__main__":
    main()
