"""The shapes a trace can have, one function each: `shapes.py [SHAPE]...`, all of them without arguments.

`DD_TRACE_API_VERSION` chooses how they are written: `v0.5`, which is what ddtrace does anyway, or `v0.4`.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from ddtrace.trace import tracer

from sent import Sent

FAN_OUT = 40
PARTIAL_FLUSH_SPANS = 300


def error():
    """A span that ends in an exception."""
    try:
        with tracer.trace("shape.error", span_type="web"):
            raise ValueError("page 3 has no text layer")
    except ValueError:
        pass


def links():
    """A span that points at two others."""
    with tracer.trace("shape.link-target") as target:
        target_context = target.context
    with tracer.trace("shape.links") as span:
        span.link_span(target_context, {"reason": "retry of"})
        span.set_link(trace_id=0x6B00F6C6000000005FD7E52232AE35D4, span_id=2**64 - 1, flags=1)


def events():
    """A span on which things happened."""
    with tracer.trace("shape.events") as span:
        try:
            raise TimeoutError("model did not answer")
        except TimeoutError as timeout:
            span.record_exception(timeout, {"attempt": 2, "retried": True})


def tags():
    """Every type a tag can have, and the texts that are easily broken."""
    with tracer.trace("shape.tags", service="type-zoo", resource="GET /päge/中文/🦀") as span:
        span.set_tag("text", "plain")
        span.set_tag("empty", "")
        span.set_tag("whole", 7)
        span.set_tag("negative", -7)
        span.set_tag("beyond.double", 2**53 + 1)
        span.set_tag("fraction", 0.1)
        span.set_tag("tiny", 5e-324)
        span.set_tag("huge", 1.7976931348623157e308)
        span.set_tag("yes", True)
        span.set_tag("nothing", None)
        span.set_tag("list", [1, "two", 3.0])
        span.set_tag("json", '{"nested": {"deep": [1, 2, {"x": null}]}}')
        span.set_tag("http.status_code", 500)
        span.set_tag("long", "a" * 20_000)


def threads():
    """One parent, many threads."""
    with tracer.trace("shape.threads") as root:

        def work(number):
            with tracer.start_span("threads.work", child_of=root, activate=False) as span:
                span.set_metric("number", number)

        with ThreadPoolExecutor(FAN_OUT) as pool:
            list(pool.map(work, range(FAN_OUT)))


def tasks():
    """One parent, many asyncio tasks."""

    async def work(number):
        with tracer.trace("tasks.work") as span:
            span.set_metric("number", number)
            await asyncio.sleep(0)

    async def root():
        with tracer.trace("shape.tasks"):
            await asyncio.gather(*(work(number) for number in range(FAN_OUT)))

    asyncio.run(root())


def deep():
    """A chain of calls."""
    spans = [tracer.trace(f"deep.{depth}") for depth in range(100)]
    for span in reversed(spans):
        span.finish()


def partial():
    """A root so long that its children are sent before it ends."""
    with tracer.trace("shape.partial"):
        for number in range(2 * PARTIAL_FLUSH_SPANS + 50):
            with tracer.trace("partial.work") as span:
                span.set_metric("number", number)


SHAPES = {shape.__name__: shape for shape in (error, links, events, tags, threads, tasks, deep, partial)}


def main():
    names = sys.argv[1:] or list(SHAPES)
    sent = Sent()
    for name in names:
        SHAPES[name]()
    sent.flush_and_print(shapes=names)


if __name__ == "__main__":
    main()
