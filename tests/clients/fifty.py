"""Fifty documents at once, each a trace of three spans and three log lines: `fifty.py [DOCUMENTS]`.

Started by `modtrace-tui run`, so stdout is the way of the lines, and of the spans too when ROUTE is `relay`
(the folder of modtrace_relay.py in RELAY_FOLDER) or `printed`. What was sent goes to the file SENT_TO.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

if os.environ.get("ROUTE") == "relay":
    sys.path.insert(0, os.environ["RELAY_FOLDER"])
    import modtrace_relay

    modtrace_relay.start()

import structlog
from ddtrace.trace import TraceFilter, tracer

structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.WriteLoggerFactory(),
)
log = structlog.get_logger()


class Remember(TraceFilter):
    def __init__(self):
        self.spans = []

    def process_trace(self, trace):
        self.spans += [{"trace_id": f"{s.trace_id:032x}", "span_id": str(s.span_id), "name": s.name} for s in trace]
        return trace


remember, said = Remember(), []
tracer.configure(trace_processors=[remember])


def say(event, span, **fields):
    ids = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
    said.append({"event": event, "trace_id": f"{span.trace_id:032x}", "span_id": ids["span_id"]})
    log.info(event, dd=ids, **fields)


def process(number):
    with tracer.trace("document.process", span_type="serverless") as root:
        root.set_tag("document_id", f"doc-{number}")
        say(f"begun {number}", root)
        with tracer.trace("document.parse") as span:
            say(f"parsed {number}", span, pages=3)
        with tracer.trace("document.extract") as span:
            try:
                raise ValueError("no such page") if number % 10 == 3 else KeyError
            except ValueError:
                ids = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
                said.append({"event": f"failed {number}", "trace_id": f"{span.trace_id:032x}", "span_id": ids["span_id"]})
                log.exception(f"failed {number}", dd=ids)
            except KeyError:
                say(f"extracted {number}", span, text="ü ☃ \"quoted\" {braces} modtrace1 ")


def main():
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with ThreadPoolExecutor(n_documents) as pool:
        list(pool.map(process, range(n_documents)))
    tracer.flush()
    with open(os.environ["SENT_TO"], "w") as file:
        json.dump({"spans": remember.spans, "lines": said}, file)


main()
