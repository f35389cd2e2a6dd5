"""So many traces a second for so many seconds, decided by whatever rates the agent answers."""

import os
import sys
import time

os.environ.update(DD_SERVICE="steady", DD_ENV="dev")

from ddtrace.trace import tracer  # noqa: E402  (the service is read on import)


def main():
    per_second, seconds = int(sys.argv[1]), int(sys.argv[2])
    begun = time.monotonic()
    for number in range(per_second * seconds):
        time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
        with tracer.trace("request.handle", resource="GET /"):
            pass
    tracer.flush()
    tracer.shutdown()


if __name__ == "__main__":
    main()
