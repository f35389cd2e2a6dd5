"""Many small traces, as fast as one process makes them: `flood.py [TRACES]`."""

import sys

from ddtrace.trace import tracer

from sent import Sent

TRACES_BEFORE_FLUSH = 5_000


def main():
    traces = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    sent = Sent()
    for number in range(traces):
        with tracer.trace("flood.request", resource=f"request {number}"):
            with tracer.trace("flood.work") as span:
                span.set_metric("number", number)
        if number % TRACES_BEFORE_FLUSH == 0:
            tracer.flush()
    sent.flush_and_print(traces=traces)


if __name__ == "__main__":
    main()
