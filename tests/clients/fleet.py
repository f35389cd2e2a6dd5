"""Containers of Modal as processes of this machine, and the truth about them: `fleet.py SCENARIO [TAGS]`.

    processes  three containers, one request after another
    overlap    two containers with `max_inputs=8`: in threads, and in tasks; the first eight inputs begin at once
    fork       a container whose process forks twice before its first input, and serves in all three
    restored   a snapshot that comes back twice: one process and runtime-id, three containers
    loaded     a container that loads its model in a span of another name than `modal.init`
    outside    a process that is no container

TAGS is `helper` (the lines that `modtrace-tui env modal` prints, the default) or `task_id` (that tag and no other).
The log lines come first. The last line is JSON: `spans` as sent.py has them, and `facts.requests`, for each request
its `trace_id span_id task_id input_id function_call_id start duration`, and `kind`, what its start really was:
`cold`, `cold_shared` (it began while the cold one ran), `restored`, `warm`, or null where there is no container.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MAX_INPUTS = 8
SCENARIOS = {
    "processes": ["one_by_one"] * 3,
    "overlap": ["threads", "tasks"],
    "fork": ["fork"],
    "restored": ["restored"],
    "loaded": ["loaded"],
    "outside": ["outside"],
}


def new_task_id():
    return "ta-01" + "".join(random.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=24))


def main(scenario, tags):
    """Starts the containers, all at once, and puts together what they say."""
    containers = []
    with tempfile.TemporaryDirectory() as folder:
        for program in SCENARIOS[scenario]:
            environment = {**os.environ, "TMPDIR": folder}
            if program != "outside":
                environment["MODAL_TASK_ID"] = new_task_id()
            arguments = [sys.executable, __file__, "--container", program, tags]
            containers.append(subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True))
        said = [container.communicate()[0].splitlines() for container in containers]
    for container in containers:
        assert container.returncode == 0, f"a container ended with {container.returncode}"
    spans, requests = [], []
    for *lines, last in said:
        print("\n".join(lines))
        truth = json.loads(last)
        spans += truth["spans"]
        requests += truth["requests"]
    print(json.dumps({"facts": {"requests": requests}, "spans": spans}), flush=True)


class Container:
    """This process, from its start to its end."""

    def __init__(self, tags):
        # Here, so that only containers import it: as on Modal, MODAL_TASK_ID is set before anything else happens.
        import structlog
        from ddtrace.trace import tracer
        from modal._runtime.execution_context import _set_current_context_ids

        from sent import Sent, describe

        sys.path.insert(0, str(Path(__file__).parents[2] / "assets"))
        import modal_tags

        self.tags = modal_tags.modal_tags if tags == "helper" else self.task_id_only
        self.tracer, self.begin_input, self.sent, self.requests = tracer, _set_current_context_ids, Sent(), []
        self.numbers, self.describe, self.of_forks = itertools.count(), describe, []
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                self.add_datadog_context,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(),
        )
        self.log = structlog.get_logger()

    def truth(self):
        """What this process did, and those it forked. All of it has been sent then."""
        self.tracer.flush()
        mine = {"spans": [self.describe(span) for span in self.sent.spans], "requests": self.requests}
        return {what: sum((fork[what] for fork in self.of_forks), mine[what]) for what in mine}

    def add_datadog_context(self, _logger, _method_name, event):
        span = self.tracer.current_span()
        if span:
            event["dd"] = {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}
        return event

    @contextlib.contextmanager
    def task_id_only(self):
        self.tracer.current_root_span().set_tag("modal.task_id", os.environ.get("MODAL_TASK_ID", ""))
        yield

    def lifecycle(self, name):
        with self.tracer.trace(name, span_type="serverless"), self.tags():
            self.log.info(name)
            time.sleep(0.03)

    @contextlib.contextmanager
    def request(self, kind=None):
        """One input, with its ids set and taken back as Modal's container does around the function."""
        task_id = os.environ.get("MODAL_TASK_ID")
        name = f"{task_id}-{os.getpid()}-{next(self.numbers)}"
        end_input = self.begin_input([f"in-{name}"], [f"fc-{name}"], [""])
        with self.tracer.trace("document.process", resource=f"process {name}", span_type="serverless") as root, self.tags():
            self.log.info("received", input=f"in-{name}")
            yield
            with self.tracer.trace("document.extract"), self.tags():
                self.log.info("extracted", input=f"in-{name}")
        self.log.info("returned")
        end_input()
        self.requests.append(
            {
                "trace_id": f"{root.trace_id:032x}",
                "span_id": str(root.span_id),
                "task_id": task_id,
                "input_id": f"in-{name}",
                "function_call_id": f"fc-{name}",
                "start": root.start_ns,
                "duration": root.duration_ns,
                "kind": kind,
            }
        )

    def serve(self, *kinds):
        for kind in kinds:
            with self.request(kind):
                time.sleep(0.01)

    def one_by_one(self):
        self.lifecycle("modal.init")
        self.serve("cold", "warm", "warm", "warm")
        self.lifecycle("modal.exit")

    def threads(self):
        """As Modal runs functions that are no coroutines: the threads, and what they hold, are used again."""
        barrier, pool = threading.Barrier(MAX_INPUTS), ThreadPoolExecutor(MAX_INPUTS)

        def one(kind=None):
            # Once to begin together, once to have begun before any ends.
            barrier.wait()
            with self.request(kind):
                barrier.wait()
                time.sleep(0.01)

        self.lifecycle("modal.init")
        for kind in (None, "warm"):
            list(pool.map(one, [kind] * MAX_INPUTS))
        self.judge_the_first()
        self.lifecycle("modal.exit")

    def tasks(self):
        """As Modal runs coroutines."""

        async def one(begun, all_begun, kind=None):
            with self.request(kind):
                begun.append(kind)
                if len(begun) == MAX_INPUTS:
                    all_begun.set()
                await all_begun.wait()
                await asyncio.sleep(0.01)

        async def all_of_them():
            for kind in (None, "warm"):
                begun, all_begun = [], asyncio.Event()
                await asyncio.gather(*(one(begun, all_begun, kind) for _ in range(MAX_INPUTS)))

        self.lifecycle("modal.init")
        asyncio.run(all_of_them())
        self.judge_the_first()
        self.lifecycle("modal.exit")

    def judge_the_first(self):
        """Of those that began at once, who was the first is known afterwards."""
        first, *others = sorted((row for row in self.requests if not row["kind"]), key=lambda row: row["start"])
        assert all(row["start"] < first["start"] + first["duration"] for row in others)
        first["kind"] = "cold"
        for row in others:
            row["kind"] = "cold_shared"

    def fork(self):
        self.lifecycle("modal.init")
        for kinds in (["cold", "warm"], ["warm", "warm"]):
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                for of_the_parent in (self.sent.spans, self.requests, self.of_forks):
                    of_the_parent.clear()
                self.serve(*kinds)
                with os.fdopen(writer, "w") as pipe:
                    json.dump(self.truth(), pipe)
                sys.stdout.flush()
                os._exit(0)
            os.close(writer)
            with os.fdopen(reader) as pipe:
                self.of_forks.append(json.load(pipe))
            assert os.waitpid(child, 0)[1] == 0
        self.serve("warm")
        self.lifecycle("modal.exit")

    def restored(self):
        """Modal's client sets the new id in the process that came back (`memory_restore`)."""
        self.lifecycle("modal.init")
        self.serve("cold", "warm", "warm")
        for _ in range(2):
            os.environ["MODAL_TASK_ID"] = new_task_id()
            self.serve("restored", "warm", "warm")
        self.lifecycle("modal.exit")

    def loaded(self):
        import modal

        modal.is_local = lambda: False  # As in the process that Modal starts; everywhere else it is true.
        self.lifecycle("load_model")
        self.serve("cold", "warm")

    def outside(self):
        self.serve(None, None)


if __name__ == "__main__":
    if sys.argv[1] == "--container":
        container = Container(sys.argv[3])
        getattr(container, sys.argv[2])()
        print(json.dumps(container.truth()), flush=True)
    else:
        main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "helper")
