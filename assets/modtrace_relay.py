"""Brings the traces of a container to modtrace-tui through the container's standard output.

A container on Modal cannot reach the terminal on your desk, but what it prints arrives there. The relay stands where
ddtrace expects a Datadog Agent (127.0.0.1:8126), answers it, and prints each request with traces or statistics as lines
`modtrace1 SOURCE SEQ PART/PARTS CRC32 BASE64`, which modtrace-tui picks out of what `modal serve` prints. In the app:

    import modtrace_relay
    modtrace_relay.start()  # before ddtrace is imported

It does nothing unless MODTRACE_RELAY=1 and MODAL_TASK_ID are set (MODTRACE_RELAY=always: without the latter), and sends
nothing elsewhere, except to an agent that already has port 8126. `_hello` names what it takes from the environment. It
is a process of its own, which ends with the app: while ddtrace waits for its last answers, no thread of the app runs.
"""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Callable, Optional

HOST, PORT, JSON = "127.0.0.1", 8126, "Content-Type: application/json\r\nContent-Length:"
BODY_BYTES_MAX, BACKLOG_BYTES_MAX = 25 << 20, 32 << 20
PART_BYTES = 3000  # 4,000 in base64: a whole line stays below the 4,096 bytes that a pipe takes in one piece.
ENDPOINTS = tuple("""/v0.5/traces /v0.4/traces /v0.3/traces /v0.6/stats /v0.3/services /v0.4/services /telemetry/proxy/
/v0.7/config /v0.1/pipeline_stats /profiling/v1/input /evp_proxy/v1/ /evp_proxy/v2/ /evp_proxy/v3/ /evp_proxy/v4/
/debugger/v1/input /debugger/v1/diagnostics /debugger/v2/input /symdb/v1/input /dogstatsd/v1/proxy /dogstatsd/v2/proxy
/tracer_flare/v1 /openlineage/api/v1/lineage""".split())
# The last three are taken but not advertised: a client that finds them in `/info` may send nothing else.
TRACES = (*ENDPOINTS[:3], "/v0.7/traces", "/v1.0/traces", "/v1/traces")
ANSWERS = dict.fromkeys(TRACES, '{"rate_by_service":{"service:,env:":1.0}}')
ANSWERS["/info"] = json.dumps({"version": "7.78.0", "modtrace_relay": 1, "endpoints": ENDPOINTS, "span_events": True,
                               "span_meta_structs": True, "long_running_spans": True, "client_drop_p0s": False})
_process: Optional["subprocess.Popen[bytes]"] = None


def start(repeat: int = 1) -> bool:
    """Starts the relay if it is wanted here, and says whether it runs. Each message is printed `repeat` times."""
    global _process
    wanted = os.environ.get("MODTRACE_RELAY")
    if _process is None and (wanted == "always" or (wanted == "1" and os.environ.get("MODAL_TASK_ID"))):
        with suppress(Exception):  # An app without its traces is better than one that does not start.
            _process = _spawn(repeat)
    return _process is not None


def _spawn(repeat: int) -> "subprocess.Popen[bytes]":
    named = os.environ.get("DD_TRACE_AGENT_URL") or os.environ.get("DD_AGENT_HOST") or "localhost"
    if named.rstrip("/") not in (HOST, "localhost", f"http://{HOST}:{PORT}", f"http://localhost:{PORT}"):
        print("modtrace_relay: off, for DD_TRACE_AGENT_URL or DD_AGENT_HOST names another agent", file=sys.stderr)
        raise ValueError("nothing would come here")
    try:
        listener, agent = socket.create_server((HOST, PORT)), ""
    except OSError:
        info = _exchange(b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.5)
        if b'"modtrace_tui"' in info:
            raise  # The viewer itself: it needs no relay.
        listener, agent = socket.create_server((HOST, 0)), "" if b'"modtrace_relay"' in info else "agent"
    with listener:
        task_id, started_ns, fd = os.environ.get("MODAL_TASK_ID"), time.time_ns(), listener.fileno()
        hello = _hello(task_id, started_ns, os.path.exists("/__modal/restore-state.json"))
        # Detached, so that no Ctrl-C ends it before the app. Without the variable it can never start another one.
        relay = subprocess.Popen([sys.executable, "-IS", __file__, str(fd), agent, str(repeat), hello], pass_fds=[fd],
                                 stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
                                 env={**os.environ, "MODTRACE_RELAY": ""})
        if listener.getsockname()[1] != PORT:
            os.environ["DD_TRACE_AGENT_URL"] = f"http://{HOST}:{listener.getsockname()[1]}"
    relay.returncode = 0  # Nobody should wait for it, nor warn at exit that it still runs.
    threading.Thread(target=_watch, args=(relay.stdin, task_id, started_ns), daemon=True).start()
    return relay


def _watch(relay: IO[bytes], task_id: Optional[str], started_ns: int) -> None:
    """Says hello again after a memory snapshot of the app came back to life, in a container with another id."""
    with suppress(OSError):  # Somebody ended the relay.
        while True:
            time.sleep(0.1)
            if task_id != (task_id := os.environ.get("MODAL_TASK_ID")):
                relay.write(_hello(task_id, started_ns, restored=True).encode() + b"\n")


def _hello(task_id: Optional[str], started_ns: int, restored: bool) -> str:
    start_ns = None
    with suppress(Exception), open("/proc/self/stat") as stat:  # Linux. Field 22 is in ticks; field 2 may hold spaces.
        started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        start_ns = time.time_ns() - int(1e9 * (time.clock_gettime(time.CLOCK_BOOTTIME) - started))
    return json.dumps({
        **{name: os.environ.get(f"MODAL_{name.upper()}") for name in ("region", "environment", "image_id")},
        "task_id": task_id, "cloud": os.environ.get("MODAL_CLOUD_PROVIDER"), "gpu": None, "pid": os.getpid(),
        "process_start_ns": start_ns, "started_ns": started_ns, "python": sys.version.split()[0], "relay": 1,
        "restored": restored if task_id else None})


def _exchange(request: bytes, seconds: float = 3.0) -> bytes:
    """Sends a request to whoever has the port, and gives what came back in that time."""
    answer, deadline = b"", time.monotonic() + seconds
    with suppress(OSError, ValueError), socket.create_connection((HOST, PORT), seconds) as connection:
        connection.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        while piece := connection.recv(65536):
            answer += piece
            connection.settimeout(deadline - time.monotonic())
    return answer


class Background:
    """A thread that works off requests. The bytes of those that wait are bounded; what comes on top is dropped."""

    def __init__(self, work: Callable[..., object], wait_seconds: float) -> None:
        self._work, self._wait_seconds, self._thread, self.n_bytes = work, wait_seconds, ThreadPoolExecutor(1), 0

    async def hand_over(self, request: bytes, *more: object) -> None:
        wait_seconds = 0 if self.n_bytes else self._wait_seconds  # Stdout may be stuck: only the first one waits.
        if self.n_bytes < BACKLOG_BYTES_MAX:
            self.n_bytes += len(request)
            await asyncio.wait({asyncio.ensure_future(self._run(request, *more))}, timeout=wait_seconds)

    async def _run(self, request: bytes, *more: object) -> None:
        with suppress(Exception):  # Stdout is closed, or its disk full: the next request may fare better.
            await asyncio.get_running_loop().run_in_executor(self._thread, self._work, request, *more)
        self.n_bytes -= len(request)


class Relay:
    """That process: answers tracers as an agent would, prints what they send, passes it on to the agent that is there."""

    def __init__(self, agent: str, repeat: int) -> None:
        self._source, self._seq, self._repeat, self._printer = "", 0, repeat, Background(self._write, 0.5)
        self._agents = [Background(_exchange, 0)] if agent else []

    async def serve(self, listener: socket.socket, hello: bytes) -> None:
        server = None
        while hello:
            self._source, self._seq = os.urandom(4).hex(), 0
            head = f"POST /modtrace/hello HTTP/1.1\r\nHost: {HOST}\r\n{JSON} {len(hello)}\r\n\r\n"
            await self._print(head.encode() + hello)
            server = server or await asyncio.start_server(self._converse, sock=listener)
            hello = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.readline)
        deadline = time.monotonic() + 2.0  # The app has ended, and all that it forked.
        while time.monotonic() < deadline and any(background.n_bytes for background in (self._printer, *self._agents)):
            await asyncio.sleep(0.01)
        os._exit(0)  # Not waiting for a thread that writes to where nobody reads.

    async def _print(self, request: bytes) -> None:
        self._seq += 1  # Even if the request is dropped: the gap tells that one is missing.
        await self._printer.hand_over(request, f"{self._source} {self._seq}")

    def _write(self, request: bytes, label: str) -> None:
        packed, crc = zlib.compress(request), zlib.crc32(request)
        parts = [base64.b64encode(packed[at:at + PART_BYTES]).decode() for at in range(0, len(packed), PART_BYTES)]
        lines = [f"modtrace1 {label} {part}/{len(parts)} {crc:08x} {text}\n" for part, text in enumerate(parts, 1)]
        for line in map(str.encode, lines * self._repeat):
            while line:  # Rarely a second turn: whatever else prints would then get into the middle of the line.
                try:
                    line = line[os.write(1, line):]
                except BlockingIOError:
                    time.sleep(0.01)

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
                head = "".join(f"\r\n{name}: {text}" for name, text in {**headers, "content-length": len(body)}.items())
                status, answer = await self._answer(first, f"{first}{head}\r\n\r\n".encode("latin-1") + body)
                writer.write(f"HTTP/1.1 {status}\r\n{JSON} {len(answer)}\r\n\r\n{answer}".encode())
        writer.close()

    async def _answer(self, first: str, request: bytes) -> tuple[str, str]:
        method, path = first.partition("?")[0].split(" ")[:2]
        if len(request) > BODY_BYTES_MAX:
            return "413 Content Too Large", '{"error": "more than 25 MiB"}'
        for agent in self._agents:
            await agent.hand_over(request)
        if method in ("PUT", "POST") and path in (*TRACES, "/v0.6/stats"):
            await self._print(request)  # First, since the container may end as soon as the answer is there.
        if path in ANSWERS or path.startswith(ENDPOINTS):
            return "202 Accepted" if path.startswith("/telemetry/") else "200 OK", ANSWERS.get(path, "{}")
        return "404 Not Found", json.dumps({"error": f"nothing is served at {path}"})


if __name__ == "__main__":
    fd, agent, repeat, hello = sys.argv[1:]
    asyncio.run(Relay(agent, int(repeat)).serve(socket.socket(fileno=int(fd)), hello.encode()))
