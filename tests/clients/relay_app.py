"""N traces (default 50) of three spans, one log line for each span, in a process whose tracer talks to the relay.

MODE: `threads` (default), `asyncio`, `fork` (four children), `end_at_once` (no flush: the end of the process has to do).
RELAY_DIR: where `modtrace_relay.py` lies, if PYTHONPATH does not say so. REPEAT: how often each line is printed.
The last line of output tells how many spans and log lines there were.
"""

import os
import sys

sys.path[:0] = filter(None, [os.environ.get("RELAY_DIR")])

import modtrace_relay  # noqa: E402

modtrace_relay.start(int(os.environ.get("REPEAT", "1")))

import asyncio  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import structlog  # noqa: E402
from ddtrace.trace import tracer  # noqa: E402

N = int(os.environ.get("N", "50"))
MODE = os.environ.get("MODE", "threads")
FORKS = 4


def add_datadog_context(_logger, _method_name, event):
    span = tracer.current_span()
    if span:
        event["dd"] = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
    return event


structlog.configure(
    processors=[structlog.stdlib.add_log_level, add_datadog_context, structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(),
)
log = structlog.get_logger()


async def document(number):
    """One trace. Its waits are where others come in between."""
    with tracer.trace("document.process", resource=f"process doc-{number}", span_type="serverless") as root:
        root.set_tag("document.id", f"doc-{number}")
        log.info("received", document_id=f"doc-{number}")
        with tracer.trace("document.parse") as parse:
            parse.set_metric("document.pages", number % 7 + 1)
            await asyncio.sleep(0.002)
            log.info("parsed", document_id=f"doc-{number}")
        with tracer.trace("document.extract", span_type="llm") as extract:
            extract.set_tag("llm.model", f"layout-{number % 3}")
            await asyncio.sleep(0.003)
            log.info("extracted", document_id=f"doc-{number}")


def in_threads(numbers):
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: asyncio.run(document(number)), numbers))


async def in_tasks(numbers):
    await asyncio.gather(*map(document, numbers))


def in_children(numbers):
    children = []
    for first in range(FORKS):
        pid = os.fork()
        if pid == 0:
            in_threads(numbers[first::FORKS])
            tracer.flush()
            os._exit(0)
        children.append(pid)
    for pid in children:
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"child {pid} ended with {status}"


def main():
    numbers = range(N)
    if MODE == "fork":
        in_children(numbers)
    elif MODE == "asyncio":
        asyncio.run(in_tasks(numbers))
    else:
        in_threads(numbers)
    if MODE != "end_at_once":
        tracer.flush()
    print(f"# spans={3 * N} logs={3 * N}", flush=True)


if __name__ == "__main__":
    main()
