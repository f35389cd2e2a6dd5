"""A traced program that measures what tracing costs it.

Serves units of work of five spans: first at 1,000 a second, then as fast as it can, and at the end
waits until all of it has been sent. Prints one JSON object. The agent is where DD_TRACE_AGENT_URL says.
"""

import json
import os
import time

os.environ.setdefault("DD_SERVICE", "document-processor")
os.environ.setdefault("DD_ENV", "production")
os.environ.setdefault("DD_VERSION", "1.2.3")
os.environ.setdefault("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "false")
os.environ.setdefault("DD_REMOTE_CONFIGURATION_ENABLED", "false")

from ddtrace.trace import tracer  # noqa: E402

PER_SECOND = 1_000
PACED = 4_000
FAST = 6_000
SPANS = 5


def serve(number):
    """One request, as a document processor would see it."""
    with tracer.trace("document.process", resource="POST /documents", span_type="web") as root:
        root.set_tag("document_id", f"doc-{number}")
        for step in ("document.parse", "llm.extract", "document.store", "queue.publish"):
            with tracer.trace(step, resource=step) as span:
                span.set_tag("document.type", "invoice")
                span.set_metric("tokens.cost", number / 7)
                sum(range(50))


def run(count, per_second=None):
    """Latencies of the requests in microseconds, and CPU microseconds a span."""
    latencies = []
    cpu = time.process_time()
    begun = time.perf_counter()
    for number in range(count):
        if per_second:
            pause = begun + number / per_second - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
        asked = time.perf_counter()
        serve(number)
        latencies.append((time.perf_counter() - asked) * 1e6)
    cpu = time.process_time() - cpu
    latencies.sort()
    return {
        "p50_us": latencies[len(latencies) // 2],
        "p99_us": latencies[len(latencies) * 99 // 100],
        "cpu_us_per_span": cpu * 1e6 / count / SPANS,
    }


def main():
    run(500)
    tracer.flush()
    paced = run(PACED, PER_SECOND)
    tracer.flush()
    fast = run(FAST)
    begun = time.perf_counter()
    tracer.flush()
    fast["flush_ms"] = (time.perf_counter() - begun) * 1e3
    print(json.dumps({"paced": paced, "fast": fast}))


main()
