"""Reads the output of a program with the relay on stdin, puts the messages together, and says in JSON what there was.

Written from the format alone, apart from the program that reads it otherwise. Exit code 1: something is missing or broken.
"""

import base64
import json
import re
import sys
import zlib
from collections import defaultdict

LINE_BYTES_MAX = 4096
LINE = re.compile(rb"modtrace1 ([0-9a-f]{8}) ([1-9][0-9]*) ([1-9][0-9]*)/([1-9][0-9]*) ([0-9a-f]{8}) ([A-Za-z0-9+/]+={0,2})$")


class Message:
    """The parts of one message, whichever came first."""

    def __init__(self):
        self.n_parts = self.crc = None
        self.parts = {}

    def insert(self, part, n_parts, crc, content):
        if self.n_parts is None:
            self.n_parts, self.crc = n_parts, crc
        if (n_parts, crc) != (self.n_parts, self.crc) or part > n_parts:
            raise ValueError("a part that does not belong to the others")
        if self.parts.setdefault(part, content) != content:
            raise ValueError("a part printed twice, and not the same")

    def request(self):
        """The request, or None while parts are missing."""
        if len(self.parts) < self.n_parts:
            return None
        request = zlib.decompress(b"".join(self.parts[part] for part in range(1, self.n_parts + 1)))
        if zlib.crc32(request) != int(self.crc, 16):
            raise ValueError("wrong CRC32")
        return request


def check_request(request):
    """First line and body of an HTTP request, which has to be as long as it says."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not re.fullmatch(r"(POST|PUT) /\S* HTTP/1\.1", first) or int(headers["content-length"]) != len(body):
        raise ValueError(f"not a whole request: {first}")
    return first, body


def parse(output):
    """The messages of each source, and the other lines."""
    sources, broken, others = defaultdict(lambda: defaultdict(Message)), [], []
    for line in output.split(b"\n"):
        before, mark, after = line.partition(b"modtrace1 ")
        if before or not mark:  # What others print without a newline may stand before our line.
            others.append(before)
        if not mark:
            continue
        match = LINE.match(mark + after)
        if match is None or len(mark + after) + 1 > LINE_BYTES_MAX:
            broken.append((mark + after).decode("utf-8", "replace")[:200])
            continue
        source, seq, part, n_parts, crc, text = match.groups()
        try:
            content = base64.b64decode(text, validate=True)
            sources[source.decode()][int(seq)].insert(int(part), int(n_parts), crc, content)
        except ValueError as error:
            broken.append(f"{source.decode()} {int(seq)}: {error}")
    return sources, broken, others


def main():
    sources, broken, others = parse(sys.stdin.buffer.read())
    bad_crc, missing, requests, hellos = [], [], [], {}
    for source, messages in sources.items():
        for seq in range(1, max(messages) + 1):
            try:
                request = messages[seq].request() if seq in messages else None
                if request is None:
                    missing.append(f"{source} {seq}")
                    continue
                first, body = check_request(request)
            except (ValueError, KeyError, zlib.error) as error:
                bad_crc.append(f"{source} {seq}: {error}")
                continue
            if (seq == 1) != (first == "POST /modtrace/hello HTTP/1.1"):
                broken.append(f"{source} {seq}: {first}, where the hello has to be first and only first")
            elif seq == 1:
                hellos[source] = json.loads(body)
            else:
                requests.append({"line": first, "bytes": len(body)})
    texts = [line.decode("utf-8", "replace") for line in others if line.strip()]
    logs = [text for text in texts if text.startswith("{") and text.endswith("}")]
    summary = {
        "messages": len(requests) + len(hellos),
        "missing": missing,
        "bad_crc": bad_crc,
        "broken": broken,
        "requests": requests,
        "hello": next(iter(hellos.values()), None),
        "sources": len(hellos),
        "log_lines": len(logs),
        "other_lines": [text for text in texts if text not in logs],
    }
    print(json.dumps(summary, indent=1))
    return 1 if missing or bad_crc or broken or not hellos else 0


if __name__ == "__main__":
    sys.exit(main())
