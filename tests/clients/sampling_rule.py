"""150 traces under the user's own 30 % rule (`DD_TRACE_SAMPLING_RULES`): the rejected ones are sent as well."""

import os

os.environ["DD_TRACE_SAMPLING_RULES"] = '[{"sample_rate": 0.3}]'

from ddtrace.trace import tracer  # noqa: E402  (the rule is read on import)

from sent import Sent  # noqa: E402

TRACES = 150


def main():
    sent = Sent()
    documents = [f"doc-{number}" for number in range(TRACES)]
    for document_id in documents:
        with tracer.trace("document.process", resource=document_id) as root:
            root.set_tag("document.id", document_id)
            with tracer.trace("document.extract", span_type="llm"):
                pass
    sent.flush_and_print(documents=documents)


if __name__ == "__main__":
    main()
