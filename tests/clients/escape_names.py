"""Names, resources and tags that try to drive the terminal which shows them."""

from ddtrace.trace import tracer

from sent import Sent

HOSTILE = {
    "escape": "\x1b[31mred\x1b[2J",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "title": "\x1b]0;owned\x1b\\",
    "bell": "ding\x07dong",
    "c1": "\x9b31mred\x9d0;owned\x9c",
    "newline": "one\ntwo\r\nthree",
    "tab": "a\tb",
    "backspace": "good\x08\x08\x08\x08evil",
    "delete": "a\x7fb",
    "bidirectional": "abc\u202egnp.exe",
}


def main():
    sent = Sent()
    for kind, text in HOSTILE.items():
        with tracer.trace(f"name {text}", service=f"service {text}", resource=f"resource {text}", span_type=text) as span:
            span.set_tag("kind", kind)
            span.set_tag(f"key {text}", f"value {text}")
            with tracer.trace("child"):
                pass
    sent.flush_and_print(kinds=list(HOSTILE))


if __name__ == "__main__":
    main()
