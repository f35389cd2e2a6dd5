"""50 requests, each with a query of its own, by a client that counts them itself when the agent lets it.

Takes seconds to begin: the tracer counts from when it has read the agent's /info, of which it tells nobody.
"""

import time

from ddtrace.trace import tracer

from sent import Sent

REQUESTS = 50
INFO_IS_READ = 2.0


def main():
    sent = Sent()
    time.sleep(INFO_IS_READ)
    for number in range(REQUESTS):
        with tracer.trace("web.request", service="api", resource="GET /doc", span_type="web") as root:
            root.error = int(number == 7)
            with tracer.trace("db.query", service="pg", resource=f"SELECT {number}", span_type="sql"):
                pass
            with tracer.trace("render"):
                pass
    sent.flush_and_print(requests=REQUESTS)


if __name__ == "__main__":
    main()
