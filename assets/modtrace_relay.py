"""Brings the traces of a container to modtrace-tui through the container's standard output.

A container on Modal cannot reach the terminal on your desk, but what it prints arrives there. This module stands where
ddtrace expects a Datadog Agent (127.0.0.1:8126), answers it, and prints each request with traces or statistics as lines
of text, which modtrace-tui picks out of the output of `modal serve`. In the app, before ddtrace is imported:

    import modtrace_relay
    modtrace_relay.start()

Nothing happens unless MODTRACE_RELAY=1 and MODAL_TASK_ID are set (MODTRACE_RELAY=always: without the latter), so these
lines may stay in the code. It prints `modtrace1 SOURCE SEQ PART/PARTS CRC32 BASE64`: parts of HTTP requests, compressed
with zlib. The first request of a process tells where it runs: see `hello`, which names all it takes from the
environment. Nothing is sent anywhere else, except to an agent that holds port 8126 already: it gets every request too.
"""

from __future__ import annotations

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
from functools import partial
from typing import Callable

HOST, PORT = "127.0.0.1", 8126
BODY_BYTES_MAX = 25 << 20
BACKLOG_BYTES_MAX = 32 << 20
PART_BYTES = 3000  # 4,000 in base64. A whole line stays below the 4,096 bytes that a pipe takes in one piece.
EXIT_SECONDS = 2.0
STATS = "/v0.6/stats"
ENDPOINTS = ("/v0.5/traces", "/v0.4/traces", "/v0.3/traces", "/v0.3/services", "/v0.4/services", STATS,
             "/telemetry/proxy/", "/v0.7/config", "/v0.1/pipeline_stats", "/profiling/v1/input", "/evp_proxy/v1/",
             "/evp_proxy/v2/", "/evp_proxy/v3/", "/evp_proxy/v4/", "/debugger/v1/input", "/debugger/v1/diagnostics",
             "/debugger/v2/input", "/symdb/v1/input", "/dogstatsd/v1/proxy", "/dogstatsd/v2/proxy",
             "/tracer_flare/v1", "/openlineage/api/v1/lineage")
# Some are taken but not advertised: a client that finds them in `/info` may send nothing else.
TRACES = ENDPOINTS[:3] + ("/v0.7/traces", "/v1.0/traces", "/v1/traces")
_relay: Relay | None = None


def start(repeat: int = 1) -> bool:
    """Starts the relay if it is wanted here, and says whether it runs. With `repeat` each line is printed that often."""
    global _relay
    wanted = os.environ.get("MODTRACE_RELAY")
    with suppress(Exception):  # An app without its traces is better than one that does not start.
        if _relay is None and (wanted == "always" or wanted == "1" and os.environ.get("MODAL_TASK_ID")):
            _relay = _open(repeat)
    return _relay is not None


def _open(repeat: int) -> Relay | None:
    host = os.environ.get("DD_TRACE_AGENT_HOSTNAME") or os.environ.get("DD_AGENT_HOST") or "localhost"
    url = os.environ.get("DD_TRACE_AGENT_URL") or f"http://{host}:{os.environ.get('DD_TRACE_AGENT_PORT') or PORT}"
    if url.rstrip("/") not in (f"http://localhost:{PORT}", f"http://{HOST}:{PORT}"):  # The user's word counts.
        print("modtrace_relay: off, because DD_TRACE_AGENT_URL or DD_AGENT_HOST names an agent", file=sys.stderr)
        return None
    agent = None
    try:
        listener = socket.create_server((HOST, PORT))
    except OSError:
        info = exchange(PORT, 0.5, b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if b'"modtrace_tui"' in info:
            return None  # What we would print reaches the viewer anyway.
        if b'"modtrace_relay"' not in info:
            agent = Background()
        listener = socket.create_server((HOST, 0))
        os.environ["DD_TRACE_AGENT_URL"] = f"http://{HOST}:{listener.getsockname()[1]}"
    relay = Relay(listener, Printer(repeat), agent)
    atexit.register(_at_exit)
    os.register_at_fork(after_in_child=_in_forked_child)
    return relay


def _at_exit() -> None:
    if _relay:
        _relay.exiting = True
        _relay.drain()


def _in_forked_child() -> None:
    """Threads do not survive a fork. The child's tracer goes on talking to the parent, which alone prints."""
    global _relay
    if _relay:
        _relay.listener.close()
        with suppress(OSError):
            os.close(_relay.printer.fd)
        _relay = None


def exchange(port: int, seconds: float, request: bytes) -> bytes:
    """Sends a request to a port of this container. Gives what came back in that time, at most one piece."""
    with suppress(OSError), socket.create_connection((HOST, port), seconds) as connection:
        connection.sendall(request)
        return connection.recv(65536)
    return b""


class Background(queue.Queue):  # type: ignore
    ...
