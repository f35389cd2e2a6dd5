"""Ten traces, decided as the first argument says; the settings that decide otherwise come from the environment.

`plain` leaves it to the tracer, `agent` first waits for the Agent's rate, `keep` and `drop` decide in
code, `parent` answers a request of a service that has decided, `overflow` has more than fits into the
buffer before."""

import logging
import sys

from ddtrace.propagation.http import HTTPPropagator
from ddtrace.trace import tracer

from sent import Sent

TRACES = 10
ROUNDS = 500
TOO_MANY = 200
PARENT = {
    "x-datadog-trace-id": "77",
    "x-datadog-parent-id": "78",
    "x-datadog-sampling-priority": "1",
}


def process(mode):
    if mode == "parent":
        tracer.context_provider.activate(HTTPPropagator.extract(PARENT))
    with tracer.trace("document.process", resource="document.process") as root:
        if mode in ("keep", "drop"):
            root.set_tag(f"manual.{mode}")
        with tracer.trace("document.extract"):
            pass
    return root


def wait_for_rate():
    """The answer to a payload brings the rate of a service; the rate counts for what begins after it."""
    for _ in range(ROUNDS):
        root = process("plain")
        tracer.flush()
        if root.get_metric("_dd.agent_psr") is not None:
            return
    raise SystemExit("no rate came")


def overflow():
    """The tracer warns of what it drops, and says so in the chunks after the next flush."""
    logging.disable(logging.CRITICAL)
    for _ in range(TOO_MANY):
        process("plain")
    tracer.flush()


def main():
    mode = sys.argv[1]
    sent = Sent()
    if mode == "overflow":
        overflow()
    if mode == "agent":
        wait_for_rate()
    for _ in range(TRACES):
        process(mode)
    sent.flush_and_print(mode=mode)


if __name__ == "__main__":
    main()
