"""Brings the traces of a container to modtrace-tui through the container's standard output.

A container on Modal cannot reach the terminal on your desk, but what it prints arrives there. This module stands where
ddtrace expects a Datadog Agent (127.0.0.1:8126), answers it, and prints each request with traces or statistics as lines
`modtrace1 SOURCE SEQ PART/PARTS CRC32 BASE64`, which modtrace-tui picks out of what `modal serve` prints. In the app:

    import modtrace_relay
    modtrace_relay.start()  # before ddtrace is imported

Nothing happens unless MODTRACE_RELAY=1 and MODAL_TASK_ID are set (MODTRACE_RELAY=always: without the latter), so the
lines may stay in the code. Nothing is sent anywhere else, except to an agent that already has port 8126: it gets all of
it as well. The first message of a process tells where it runs: `_begin` names what is taken from the environment.
"""

import asyncio
import atexit
import base64
import json
import os
import queue
import socket
import sys
import threading
import time
import zlib
from contextlib import suppress
from typing import Callable, Optional

HOST, PORT = "127.0.0.1", 8126
BODY_BYTES_MAX, BACKLOG_BYTES_MAX = 25 << 20, 32 << 20
PART_BYTES = 3000  # 4,000 in base64: a whole line stays below the 4,096 bytes that a pipe takes in one piece.
ENDPOINTS = (
    "/v0.5/traces", "/v0.4/traces", "/v0.3/traces", "/v0.6/stats", "/v0.3/services", "/v0.4/services", "/v0.7/config",
    "/telemetry/proxy/", "/v0.1/pipeline_stats", "/profiling/v1/input", "/evp_proxy/v1/", "/evp_proxy/v2/",
    "/evp_proxy/v3/", "/evp_proxy/v4/", "/debugger/v1/input", "/debugger/v1/diagnostics", "/debugger/v2/input",
    "/symdb/v1/input", "/dogstatsd/v1/proxy", "/dogstatsd/v2/proxy", "/tracer_flare/v1", "/openlineage/api/v1/lineage")
# The last three are taken but not advertised: a client that finds them in `/info` may send nothing else.
TRACES = (*ENDPOINTS[:3], "/v0.7/traces", "/v1.0/traces", "/v1/traces")
ANSWERS = dict.fromkeys(TRACES, '{"rate_by_service":{"service:,env:":1.0}}')
ANSWERS["/info"] = json.dumps({"version": "7.78.0", "modtrace_relay": 1, "endpoints": ENDPOINTS, "span_events": True,
                               "span_meta_structs": True, "long_running_spans": True, "client_drop_p0s": False})
_relay: Optional["Relay"] = None


def start(repeat: int = 1) -> bool:
    """Starts the relay if it is wanted here, and says whether it runs. Each line is printed `repeat` times."""
    global _relay
    wanted = os.environ.get("MODTRACE_RELAY")
    if _relay is None and (wanted == "always" or (wanted == "1" and os.environ.get("MODAL_TASK_ID"))):
        with suppress(Exception):  # An app without its traces is better than one that does not start.
            _relay = Relay(repeat)
    return _relay is not None


def _exchange(seconds: float, request: bytes) -> bytes:
    """Sends a request to whoever has the port, and gives what came back in that time."""
    answer, deadline = b"", time.monotonic() + seconds
    with suppress(OSError, ValueError), socket.create_connection((HOST, PORT), seconds) as connection:
        connection.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        while piece := connection.recv(65536):
            answer += piece
            connection.settimeout(deadline - time.monotonic())
    return answer


class Background:
    """A thread that works off requests. The bytes that wait are bounded, and whoever hands over never waits."""

    def __init__(self, work: Callable[[str, bytes], object]) -> None:
        self._work, self.taken_bytes, self.done_bytes = work, 0, 0  # Each is counted up by one thread only.
        self._waiting: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="modtrace-relay", daemon=True).start()

    def hand_over(self, label: str, request: bytes) -> None:
        if self.taken_bytes - self.done_bytes < BACKLOG_BYTES_MAX:
            self.taken_bytes += len(request)
            self._waiting.put((label, request))

    def _run(self) -> None:
        while True:
            label, request = self._waiting.get()
            with suppress(Exception):  # Stdout is closed, or its disk full: the next request may fare better.
                self._work(label, request)
            self.done_bytes += len(request)


class Relay:
    """Answers tracers as an agent would, prints what they send, and passes it on to the agent that is there."""

    def __init__(self, repeat: int) -> None:
        named = os.environ.get("DD_TRACE_AGENT_URL") or os.environ.get("DD_AGENT_HOST") or "localhost"
        if named.rstrip("/") not in (HOST, "localhost", f"http://{HOST}:{PORT}", f"http://localhost:{PORT}"):
            print("modtrace_relay: off, for DD_TRACE_AGENT_URL or DD_AGENT_HOST names another agent", file=sys.stderr)
            raise ValueError("nothing would come here")
        self._agents: list[Background] = []  # At most one.
        try:
            self._listener = socket.create_server((HOST, PORT))
        except OSError:
            info = _exchange(0.5, b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if b'"modtrace_tui"' in info:
                raise  # The viewer itself: it needs no relay.
            if b'"modtrace_relay"' not in info:
                self._agents.append(Background(lambda _, request: _exchange(3.0, request)))
            self._listener = socket.create_server((HOST, 0))
            os.environ["DD_TRACE_AGENT_URL"] = f"http://{HOST}:{self._listener.getsockname()[1]}"
        self._repeat, self._started_ns, self._exiting, self._stdout = repeat, time.time_ns(), False, -1
        with suppress(OSError):  # A copy: the app may redirect number 1, or close it and open a file that gets it.
            self._stdout = os.dup(1) if sys.__stdout__ else -1
        self._printer = Background(self._write)
        self._begin(restored=os.path.exists("/__modal/restore-state.json"))
        threading.Thread(target=self._serve, name="modtrace-relay", daemon=True).start()
        atexit.register(self._drain)
        os.register_at_fork(after_in_child=self._abandon)

    def _drain(self) -> None:
        """At exit: waits until all is printed and passed on, but not for long."""
        self._exiting, deadline = True, time.monotonic() + 2.0
        while time.monotonic() < deadline and any(w.done_bytes < w.taken_bytes for w in (self._printer, *self._agents)):
            time.sleep(0.005)

    def _abandon(self) -> None:
        """In a forked child, which has no threads: its tracer goes on talking to the parent, which alone prints."""
        atexit.unregister(self._drain)
        self._listener.close()
        os.closerange(self._stdout, self._stdout + 1)

    def _begin(self, restored: bool) -> None:
        """Begins a source, whose first request says what is known of the container and the process."""
        self._task_id, self._source, self._seq = os.environ.get("MODAL_TASK_ID"), os.urandom(4).hex(), 0
        start_ns = None
        with suppress(Exception), open("/proc/self/stat") as stat:  # Linux. Field 22 is in ticks; 2 may hold spaces.
            started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            start_ns = time.time_ns() - int(1e9 * (time.clock_gettime(time.CLOCK_BOOTTIME) - started))
        body = json.dumps({
            **{name: os.environ.get(f"MODAL_{name.upper()}") for name in ("region", "environment", "image_id")},
            "task_id": self._task_id, "cloud": os.environ.get("MODAL_CLOUD_PROVIDER"), "gpu": None, "pid": os.getpid(),
            "process_start_ns": start_ns, "started_ns": self._started_ns, "python": sys.version.split()[0], "relay": 1,
            "restored": restored if self._task_id else None})
        head = f"Host: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._print(f"POST /modtrace/hello HTTP/1.1\r\n{head}{body}".encode())

    def _print(self, request: bytes) -> None:
        if os.environ.get("MODAL_TASK_ID") != self._task_id:  # One memory snapshot comes back as many containers.
            self._begin(restored=True)
        self._seq += 1  # Even if there is no room for the request: the gap tells that one is missing.
        self._printer.hand_over(f"{self._source} {self._seq}", request)

    def _write(self, label: str, request: bytes) -> None:
        packed, crc = zlib.compress(request), zlib.crc32(request)
        parts = [base64.b64encode(packed[at:at + PART_BYTES]).decode() for at in range(0, len(packed), PART_BYTES)]
        lines = [f"modtrace1 {label} {part}/{len(parts)} {crc:08x} {text}\n" for part, text in enumerate(parts, 1)]
        for line in map(str.encode, lines * self._repeat):
            while line:  # Rarely a second turn: whatever else prints would then get into the middle of the line.
                try:
                    line = line[os.write(self._stdout, line):]
                except BlockingIOError:
                    time.sleep(0.01)

    def _serve(self) -> None:
        # One thread for all: since Python 3.12 none can be started at exit, when tracers send what they still have.
        loop = asyncio.SelectorEventLoop()
        loop.set_exception_handler(lambda *_: None)  # Stderr is the app's.
        loop.run_until_complete(asyncio.start_server(self._converse, sock=self._listener))
        loop.run_forever()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers: dict[str, str] = {}
        with suppress(Exception):  # The client went away, or does not speak HTTP.
            while "close" not in headers.get("connection", "").lower():
                first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                if "expect" in headers:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = bytearray()
                if headers.pop("transfer-encoding", "") == "chunked":
                    while n_bytes := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                        body += (await reader.readexactly(n_bytes + 2))[:-2]
                    await reader.readuntil(b"\r\n")
                else:
                    body += await reader.readexactly(int(headers.get("content-length", 0)))
                headers["content-length"] = str(len(body))
                head = "".join(f"\r\n{name}: {value}" for name, value in headers.items())
                status, answer = self._answer(first, f"{first}{head}\r\n\r\n".encode("latin-1") + body)
                writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(answer)}\r\n\r\n{answer}".encode())
        writer.close()

    def _answer(self, first: str, request: bytes) -> tuple[str, str]:
        method, path = first.partition("?")[0].split(" ")[:2]
        if len(request) > BODY_BYTES_MAX:
            return "413 Content Too Large", '{"error": "more than 25 MiB"}'
        for agent in self._agents:
            agent.hand_over("", request)
        if method in ("PUT", "POST") and path in (*TRACES, "/v0.6/stats"):
            self._print(request)
            if self._exiting:
                self._drain()  # Before the answer: once the tracer has it, the process may end.
        if path in ANSWERS or path.startswith(ENDPOINTS):
            return "202 Accepted" if path.startswith("/telemetry/") else "200 OK", ANSWERS.get(path, "{}")
        return "404 Not Found", json.dumps({"error": f"nothing is served at {path}"})
