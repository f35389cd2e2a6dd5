"""A document processor for `modal serve modal_app.py`: spans and lines leave its containers on stdout.

ROUTE is `relay` (with RELAY_FOLDER, where modtrace_relay.py is) or `printed`: which of the two ways the spans take.
"""

import asyncio
import os
import time

import modal

ROUTE = os.environ.get("ROUTE", "printed")
RELAY_FOLDER = os.environ.get("RELAY_FOLDER", "")

settings = {"DD_SERVICE": "document-processor", "DD_ENV": "dev", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
if ROUTE == "relay":
    settings |= {"MODTRACE_RELAY": os.environ.get("MODTRACE_RELAY", ""), "ROUTE": ROUTE, "RELAY_FOLDER": RELAY_FOLDER}
else:
    settings |= {"AWS_LAMBDA_FUNCTION_NAME": "modtrace"}
image = modal.Image.debian_slim(python_version="3.11").pip_install("ddtrace==4.1.2", "structlog").env(settings)
app = modal.App("document-processor", image=image)

with image.imports():
    if ROUTE == "relay":
        import sys

        sys.path.insert(0, RELAY_FOLDER)
        import modtrace_relay

        modtrace_relay.start()
    import structlog
    from ddtrace.trace import tracer

    def add_ids(_logger, _method_name, event):
        span = tracer.current_span()
        if span:
            event["dd"] = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
        return event

    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            add_ids,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(),
    )
    log = structlog.get_logger()


@app.cls()
@modal.concurrent(max_inputs=8)
class DocumentProcessor:
    @modal.enter()
    def load(self):
        with tracer.trace("modal.init", span_type="serverless") as span:
            span.set_tag("modal.task_id", os.environ["MODAL_TASK_ID"])
            log.info("initializing_service")
            time.sleep(0.03)

    @modal.method()
    async def process(self, document_id: str) -> str:
        with tracer.trace("document.process", span_type="serverless") as root:
            root.set_tag("document_id", document_id)
            root.set_tag("modal.task_id", os.environ["MODAL_TASK_ID"])
            with tracer.trace("document.parse"):
                await asyncio.sleep(0.004)
                log.info("parsed", document_id=document_id)
            with tracer.trace("document.extract"):
                await asyncio.sleep(0.006)
                log.info("extracted", document_id=document_id)
        return document_id

    @modal.exit()
    def shut_down(self):
        with tracer.trace("modal.exit", span_type="serverless") as span:
            span.set_tag("modal.task_id", os.environ["MODAL_TASK_ID"])
            log.info("shutting_down")
