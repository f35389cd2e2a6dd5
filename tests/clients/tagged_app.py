"""A document processor for `modal serve tagged_app.py` with the lines that `modtrace-tui env modal` prints.

The first eight documents of a container wait for each other: all have begun before one ends. RELAY_FOLDER is where
modtrace_relay.py and modal_tags.py are.
"""

import asyncio
import contextlib
import os
import time

import modal

RELAY_FOLDER = os.environ.get("RELAY_FOLDER", "")
MAX_INPUTS = 8

settings = {
    "DD_SERVICE": "document-processor",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "MODTRACE_RELAY": os.environ.get("MODTRACE_RELAY", ""),
    "RELAY_FOLDER": RELAY_FOLDER,
}
image = modal.Image.debian_slim(python_version="3.11").pip_install("ddtrace==4.1.2", "structlog").env(settings)
app = modal.App("document-processor", image=image)

with image.imports():
    import sys

    sys.path.insert(0, RELAY_FOLDER)
    import modtrace_relay

    modtrace_relay.start()
    import structlog
    from ddtrace.trace import tracer
    from modal._runtime.execution_context import _set_current_context_ids
    from modal_tags import modal_tags

    def add_ids(_logger, _method_name, event):
        span = tracer.current_span()
        if span:
            event["dd"] = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            add_ids,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(),
    )
    log = structlog.get_logger()


@contextlib.contextmanager
def as_input(document_id):
    """Sets the ids as Modal's container does before it calls a function. The mock calls it with `.local()`."""
    reset = _set_current_context_ids([f"in-{document_id}"], [f"fc-{document_id}"], [""])
    yield
    reset()


@app.cls()
@modal.concurrent(max_inputs=MAX_INPUTS)
class DocumentProcessor:
    @modal.enter()
    def load(self):
        self.n_begun, self.all_have_begun = 0, asyncio.Event()
        with tracer.trace("modal.init", span_type="serverless"), modal_tags():
            log.info("initializing_service")
            time.sleep(0.03)

    @modal.method()
    async def process(self, document_id: str) -> str:
        with as_input(document_id), tracer.trace("document.process", span_type="serverless") as root, modal_tags():
            root.set_tag("document_id", document_id)
            log.info("received", document_id=document_id)
            self.n_begun += 1
            if self.n_begun == MAX_INPUTS:
                self.all_have_begun.set()
            await self.all_have_begun.wait()
            with tracer.trace("document.extract"):
                await asyncio.sleep(0.006)
                log.info("extracted", document_id=document_id)
        return document_id

    @modal.exit()
    def shut_down(self):
        with tracer.trace("modal.exit", span_type="serverless"), modal_tags():
            log.info("shutting_down")
