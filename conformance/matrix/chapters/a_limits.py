"""A, limits of the request's head, and requests that do not end (§10.4)."""

import time

from case import Chapter, Wrong
from chapters.asks import BAD, ask
from head import fresh_key
from wire import Silence

CHAPTER = Chapter("A", on=("server",))
TOO_BIG = (400, 413, 414, 431)


def too_big(name, section, rule, build, strict):
    """A head past any sensible limit is refused while it is read, not kept without end."""

    def run(lab):
        statuses = strict if lab.options.strict else TOO_BIG
        ask(lab, build(lab), accept=False, refuse=statuses)

    CHAPTER.add(name, 19, section, rule, run)


too_big("long-target", "RFC 9112 §3", "A target of 1 MiB is refused.",
        lambda lab: lab.request(first=f"GET {lab.target}?{'a' * (1 << 20)} HTTP/1.1"), (414, 431))
too_big("long-value", "RFC 6585 §5", "A field of 1 MiB is refused.",
        lambda lab: lab.request({"X-A": "b" * (1 << 20)}), (431,))
too_big("long-name", "RFC 6585 §5", "A name of 1 MiB is refused.",
        lambda lab: lab.request({"X" * (1 << 20): "b"}), (431, 400))
too_big("many-fields", "RFC 6585 §5", "100,000 fields are refused.",
        lambda lab: lab.request(extra=[f"X-{n}: b" for n in range(100_000)]), (431,))
too_big("many-same-fields", "RFC 6585 §5", "100,000 lines of one field are refused.",
        lambda lab: lab.request({"X-A": ["b"] * 100_000}), (431,))
too_big("many-keys", "RFC 6585 §5", "100,000 keys are refused.",
        lambda lab: lab.request({"Sec-WebSocket-Key": [fresh_key()] * 100_000}), (431, 400))


@CHAPTER.case("field-counts", 19, "§10.4", "Whatever the number of fields before it, the last field is read or all refused.")
def field_counts(lab):
    for count in (*range(90, 104), 126, 127, 128, 129, 200, 255, 256, 257, 500, 1000, 1999, 2000, 2001):
        key = fresh_key()
        first, rest = lab.request(key=key).split(b"\r\n", 1)
        padding = b"".join(b"X-%d: b\r\n" % n for n in range(count))
        ask(lab, first + b"\r\n" + padding + rest, key, refuse=TOO_BIG)


@CHAPTER.case("head-sizes", 19, "§10.4", "Whatever the size of the head, the last field is read or all refused.")
def head_sizes(lab):
    for size in (4_000, 8_000, 8_192, 12_000, 16_000, 16_384, 32_768, 65_536, 131_072):
        for field in ("Cookie", "Sec-WebSocket-Protocol"):
            key = fresh_key()
            first, rest = lab.request(key=key).split(b"\r\n", 1)
            value = b"a" * (size - len(first) - len(rest) - len(field) - 8)
            ask(lab, first + b"\r\n" + field.encode() + b": " + value + b"\r\n" + rest, key,
                offered=[value.decode()], refuse=TOO_BIG)


@CHAPTER.case("refusal-arrives", 19, "RFC 9112 §9.6", "The refusal of a long head arrives though more is sent.")
def refusal_arrives(lab):
    lab.sent = b""
    wire = lab.connect()
    wire.send(lab.request()[:-2])
    for _ in range(200):
        wire.send(b"X-A: " + b"b" * 8000 + b"\r\n")
        time.sleep(0.002)
    response = lab.response(wire)
    if response is None or response.status not in TOO_BIG:
        raise Wrong(f"expected a refusal; saw {response.first if response else f'a {wire.ended}'}")


@CHAPTER.case("endless-head", 19, "§10.4", "A head without an end is refused before it has 16 MiB.")
def endless_head(lab):
    wire = lab.connect()
    wire.send(lab.request()[:-2])
    for _ in range(256):
        wire.send(b"X-A: " + b"b" * 65000 + b"\r\n")
        if wire.broken or wire.ended or wire.buffer:
            return
    raise Wrong("16 MiB of fields were taken")


@CHAPTER.case("long-line-byte-by-byte", 19, "§10.4", "A long head in small pieces takes no more than linear time.")
def long_dribble(lab):
    key = fresh_key()
    first, rest = lab.request(key=key).split(b"\r\n", 1)
    data = first + b"\r\nCookie: " + b"c" * 7000 + b"\r\n" + rest
    wire = lab.connect()
    started = time.monotonic()
    for n in range(len(data)):
        wire.send(data[n: n + 1])
    response = lab.response(wire)
    if response is None or response.status != 101 and response.status not in TOO_BIG:
        raise Wrong(f"expected 101; saw {response.first if response else 'no response'}")
    if time.monotonic() - started > 3:
        raise Wrong(f"it took {time.monotonic() - started:.1f} s")


def _head_that_stops(lab, sent):
    wire = lab.connect()
    wire.send(sent)
    started = time.monotonic()
    while not wire.ended and not wire.buffer:
        if time.monotonic() - started > 15:
            raise Wrong("the server still waits for the head after 15 s")
        if not wire.broken and sent:
            wire.send(b"a")
        try:
            wire.fill(0.5)
        except Silence:
            continue
    response = lab.response(wire)
    if sent and response is None and lab.options.strict:
        raise Wrong("the connection ended without a response: 408 would say why")
    if response is not None and response.status not in (400, 408):
        raise Wrong(f"expected 408; saw {response.first!r}")


@CHAPTER.case("head-that-dribbles", 19, "RFC 9110 §15.5.9", "A head that does not end in 15 s is refused with 408.",
              needs=["slow"])
def head_dribbles(lab):
    _head_that_stops(lab, lab.request()[:-2] + b"X-A: ")


@CHAPTER.case("no-head", 19, "RFC 9112 §9.8", "A connection on which nothing comes is not kept without end.",
              needs=["slow"])
def no_head(lab):
    _head_that_stops(lab, b"")


for name, cut in {"in-line": 8, "in-field": 40, "before-empty-line": -2, "in-empty-line": -1}.items():
    def ends(lab, cut=cut):
        wire = lab.connect()
        wire.send(lab.request()[:cut])
        wire.shutdown()
        response = lab.response(wire)
        if response is not None and response.status not in BAD:
            raise Wrong(f"expected a refusal or an end; saw {response.first!r}")

    CHAPTER.add(f"end-{name}", 19, "RFC 9112 §8", "A head that ends too early is refused, or ends the connection.", ends)
