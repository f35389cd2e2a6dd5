"""Datadog's intake, as a test needs it: takes what an Agent sends, and says what it read.

Shares nothing with the program it reads: a reader of protobuf's wire format with the numbers of
`pkg/proto/datadog/trace/*.proto` in DataDog/datadog-agent, the names of `pkg/proto/pbgo/trace/stats_gen.go`,
the package `msgpack`, and the bins of `DataDog/sketches-go`. What those do not know is a fault, not something to skip.

Prints its address. GET /told answers what came: `{"traces": [..], "stats": [..], "faults": [..]}`.
"""

import base64
import gzip
import json
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgpack

KEY = os.environ["DD_API_KEY"]


class Fault(Exception):
    """Something that no Agent sends."""


# What protobuf messages may hold: field number -> name and kind. A kind is a scalar's name, another message,
# or a pair: `many` of a kind, a `map` of texts to a kind, or `packed` scalars.

SPAN_LINK = {
    1: ("traceID", "uint64"),
    2: ("traceID_high", "uint64"),
    3: ("spanID", "uint64"),
    4: ("attributes", ("map", "string")),
    5: ("tracestate", "string"),
    6: ("flags", "uint32"),
}
SCALAR_VALUE = {
    1: ("type", "enum"),
    2: ("string_value", "string"),
    3: ("bool_value", "bool"),
    4: ("int_value", "int64"),
    5: ("double_value", "double"),
}
ANY_VALUE = SCALAR_VALUE | {6: ("array_value", {1: ("values", ("many", SCALAR_VALUE))})}
SPAN_EVENT = {
    1: ("time_unix_nano", "fixed64"),
    2: ("name", "string"),
    3: ("attributes", ("map", ANY_VALUE)),
}
SPAN = {
    1: ("service", "string"),
    2: ("name", "string"),
    3: ("resource", "string"),
    4: ("traceID", "uint64"),
    5: ("spanID", "uint64"),
    6: ("parentID", "uint64"),
    7: ("start", "int64"),
    8: ("duration", "int64"),
    9: ("error", "int32"),
    10: ("meta", ("map", "string")),
    11: ("metrics", ("map", "double")),
    12: ("type", "string"),
    13: ("meta_struct", ("map", "bytes")),
    14: ("spanLinks", ("many", SPAN_LINK)),
    15: ("spanEvents", ("many", SPAN_EVENT)),
}
TRACE_CHUNK = {
    1: ("priority", "int32"),
    2: ("origin", "string"),
    3: ("spans", ("many", SPAN)),
    4: ("tags", ("map", "string")),
    5: ("droppedTrace", "bool"),
}
TRACER_PAYLOAD = {
    1: ("containerID", "string"),
    2: ("languageName", "string"),
    3: ("languageVersion", "string"),
    4: ("tracerVersion", "string"),
    5: ("runtimeID", "string"),
    6: ("chunks", ("many", TRACE_CHUNK)),
    7: ("tags", ("map", "string")),
    8: ("env", "string"),
    9: ("hostname", "string"),
    10: ("appVersion", "string"),
}
AGENT_PAYLOAD = {
    1: ("hostName", "string"),
    2: ("env", "string"),
    5: ("tracerPayloads", ("many", TRACER_PAYLOAD)),
    6: ("tags", ("map", "string")),
    7: ("agentVersion", "string"),
    8: ("targetTPS", "double"),
    9: ("errorTPS", "double"),
    10: ("rareSamplerEnabled", "bool"),
}
# `DDSketch.proto` in DataDog/sketches-go.
STORE = {
    1: ("binCounts", ("many", {1: ("key", "sint32"), 2: ("value", "double")})),
    2: ("contiguousBinCounts", ("packed", "double")),
    3: ("contiguousBinIndexOffset", "sint32"),
}
SKETCH = {
    1: ("mapping", {1: ("gamma", "double"), 2: ("indexOffset", "double"), 3: ("interpolation", "enum")}),
    2: ("positiveValues", STORE),
    3: ("negativeValues", STORE),
    4: ("zeroCount", "double"),
}

VARINT, FIXED64, BYTES = 0, 1, 2
WIRE_TYPES = {"double": FIXED64, "fixed64": FIXED64, "string": BYTES, "bytes": BYTES}


def varint(data, at):
    """A number and where it ends."""
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise Fault("a number without an end")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """Number, wire type and content of each field."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            content, at = varint(data, at)
        elif wire_type in (FIXED64, BYTES):
            length, at = (8, at) if wire_type == FIXED64 else varint(data, at)
            content, at = data[at : at + length], at + length
            if at > len(data):
                raise Fault(f"field {number} is cut")
        else:
            raise Fault(f"field {number} has wire type {wire_type}")
        yield number, wire_type, content


def scalar(kind, content):
    if kind == "string":
        return content.decode()
    if kind == "bytes":
        return base64.b64encode(content).decode()
    if kind == "double":
        return struct.unpack("<d", content)[0]
    if kind == "fixed64":
        return struct.unpack("<Q", content)[0]
    if kind == "sint32":
        return content >> 1 ^ -(content & 1)
    if kind in ("int32", "int64"):
        content -= (content >> 63) << 64
    least, most = {
        "uint64": (0, 2**64 - 1),
        "int64": (-(2**63), 2**63 - 1),
        "uint32": (0, 2**32 - 1),
        "int32": (-(2**31), 2**31 - 1),
        "enum": (0, 4),
        "bool": (0, 1),
    }[kind]
    if not least <= content <= most:
        raise Fault(f"{content} is no {kind}")
    return bool(content) if kind == "bool" else content


def one(kind, wire_type, content, path):
    """What stands in one field."""
    expected = BYTES if isinstance(kind, dict) else WIRE_TYPES.get(kind, VARINT)
    if wire_type != expected:
        raise Fault(f"{path} has wire type {wire_type}")
    return message(content, kind, path) if isinstance(kind, dict) else scalar(kind, content)


def message(data, schema, path):
    """A message as a dict of what it holds."""
    found = {}
    for number, wire_type, content in fields(data):
        if number not in schema:
            raise Fault(f"{path} has no field {number}")
        name, kind = schema[number]
        inner = f"{path}.{name}"
        how, of = kind if isinstance(kind, tuple) else ("single", kind)
        if how == "many":
            found.setdefault(name, []).append(one(of, wire_type, content, inner))
        elif how == "map":
            entry = one({1: ("key", "string"), 2: ("value", of)}, wire_type, content, inner)
            empty = {} if isinstance(of, dict) else {"string": "", "double": 0.0, "bytes": ""}[of]
            entries, key = found.setdefault(name, {}), entry.get("key", "")
            if key in entries:
                raise Fault(f"{inner} has {key!r} twice")
            entries[key] = entry.get("value", empty)
        elif how == "packed":
            parts = [content[at : at + 8] for at in range(0, len(content), 8)]
            found.setdefault(name, []).extend(one(of, FIXED64, part, inner) for part in parts)
        elif name in found:
            raise Fault(f"{inner} stands twice")
        else:
            found[name] = one(of, wire_type, content, inner)
    return found


def sketch(data, path):
    """The durations in a sketch, each as well as it knows it, in order."""
    read = message(data, SKETCH, path)
    mapping, store = read["mapping"], read.get("positiveValues", {})
    if mapping.get("interpolation", 0) != 0 or read.get("negativeValues"):
        raise Fault(f"{path} is no sketch of durations on a logarithmic scale")
    first = store.get("contiguousBinIndexOffset", 0)
    bins = list(enumerate(store.get("contiguousBinCounts", []), first))
    bins += [(bin.get("key", 0), bin.get("value", 0.0)) for bin in store.get("binCounts", [])]
    values = [0.0] * count(read.get("zeroCount", 0.0), path)
    for index, number in sorted(bins):
        values += [middle(mapping, index)] * count(number, path)
    return values


def count(number, path):
    if not number.is_integer():
        raise Fault(f"{path} counts {number}")
    return int(number)


def middle(mapping, index):
    """What a bin stands for: `LogarithmicMapping.Value`. The package `ddsketch` takes it for the one below."""
    gamma = mapping["gamma"]
    return gamma ** (index - mapping.get("indexOffset", 0.0)) * (2 * gamma / (1 + gamma))


GROUP = {
    "Service": str,
    "Name": str,
    "Resource": str,
    "HTTPStatusCode": int,
    "Type": str,
    "DBType": str,
    "Hits": int,
    "Errors": int,
    "Duration": int,
    "OkSummary": sketch,
    "ErrorSummary": sketch,
    "Synthetics": bool,
    "TopLevelHits": int,
    "SpanKind": str,
    "PeerTags": [str],
    "IsTraceRoot": int,
    "GRPCStatusCode": str,
    "HTTPMethod": str,
    "HTTPEndpoint": str,
    "srv_src": str,
    "SpanDerivedPrimaryTags": [str],
    "AdditionalMetricTags": [str],
}
BUCKET = {"Start": int, "Duration": int, "Stats": [GROUP], "AgentTimeShift": int}
CLIENT_STATS = {
    "Hostname": str,
    "Env": str,
    "Version": str,
    "Stats": [BUCKET],
    "Lang": str,
    "TracerVersion": str,
    "RuntimeID": str,
    "Sequence": int,
    "AgentAggregation": str,
    "Service": str,
    "ContainerID": str,
    "Tags": [str],
    "GitCommitSha": str,
    "ImageTag": str,
    "ProcessTagsHash": int,
    "ProcessTags": str,
}
STATS_PAYLOAD = {
    "AgentHostname": str,
    "AgentEnv": str,
    "Stats": [CLIENT_STATS],
    "AgentVersion": str,
    "ClientComputed": bool,
    "SplitPayload": bool,
}


def named(value, kind, path):
    """A value of msgpack, if it is of a kind."""
    if kind is sketch:
        return sketch(named(value, bytes, path), path)
    if isinstance(kind, list):
        # Go writes an empty list as nil.
        return [named(one, kind[0], path) for one in named(value or [], list, path)]
    if isinstance(kind, dict):
        unknown = named(value, dict, path).keys() - kind.keys()
        if unknown:
            raise Fault(f"{path} has {unknown}")
        return {key: named(one, kind[key], f"{path}.{key}") for key, one in value.items()}
    if type(value) is not kind or (kind is int and not -(2**63) <= value < 2**64):
        raise Fault(f"{path} is {value!r}")
    return value


class Intake(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    told = {"traces": [], "stats": [], "faults": []}

    def do_GET(self):
        with self.lock:
            self.answer(200, json.dumps(self.told))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            kind, read = self.read(body)
            with self.lock:
                self.told[kind].append(read)
        except Exception as fault:
            with self.lock:
                self.told["faults"].append(f"{self.path}: {type(fault).__name__}: {fault}")
        self.answer(202, "{}")

    def read(self, body):
        if self.headers["DD-Api-Key"] != KEY:
            raise Fault("another key")
        if self.headers["Content-Encoding"] != "gzip":
            raise Fault(f"coded as {self.headers['Content-Encoding']}")
        plain, content_type = gzip.decompress(body), self.headers["Content-Type"]
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "dd-api-key"}
        if (self.path, content_type) == ("/api/v0.2/traces", "application/x-protobuf"):
            return "traces", {"headers": headers, "payload": message(plain, AGENT_PAYLOAD, "AgentPayload")}
        if (self.path, content_type) == ("/api/v0.2/stats", "application/msgpack"):
            read = msgpack.unpackb(plain, strict_map_key=True)
            return "stats", {"headers": headers, "payload": named(read, STATS_PAYLOAD, "StatsPayload")}
        raise Fault(f"nothing takes {content_type} there")

    def answer(self, status, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Intake)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
