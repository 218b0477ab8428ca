"""B, a client's opening handshake: what it sends, and what it takes for an answer (§4.1)."""

import base64
import dataclasses
import subprocess
import time

from case import Chapter, Wrong
from deflate import elements
from frame import CLOSE, text
from head import accept_of
from lab import ClientLab
from session import CLEAN, UNCLEAN
from wire import Silence

CHAPTER = Chapter("B", on=("client",))


# 21 to 23, the request.
def request_of(lab, target=None):
    """The request that the command sends; the handshake is then completed and the connection closed in order."""
    wire, request = lab.start(target)
    wire.send(lab.response(request))
    lab.session(wire).finish()
    return request


@CHAPTER.case("request-line", 21, "§4.1", "The request is a GET of HTTP/1.1 for path and query.")
def request_line(lab):
    request = request_of(lab)
    if request.first != f"GET {ClientLab.target} HTTP/1.1":
        raise Wrong(f"expected 'GET {ClientLab.target} HTTP/1.1'; saw {request.first!r}")


for name, target, wanted in (
    ("no-path", "", ("/",)), ("root", "/", ("/",)), ("query-only", "?a=b", ("/?a=b",)),
    ("encoded", "/a%2Fb%20c?d=%26", ("/a%2Fb%20c?d=%26",)), ("empty-query", "/a?", ("/a?", "/a")),
    ("two-slashes", "//a//b", ("//a//b",)), ("long", "/" + "a" * 2000, ("/" + "a" * 2000,)),
):
    def resource(lab, target=target, wanted=wanted):
        request = request_of(lab, target)
        seen = request.first.split(" ")[1]
        if seen not in wanted:
            raise Wrong(f"expected the target {' or '.join(wanted)}; saw {seen!r}")

    CHAPTER.add(f"resource-{name}", 21, "§3", "The resource name is path and query, '/' where the path is empty.",
                resource)


@CHAPTER.case("fragment", 21, "§3", "A URI with a fragment is refused; at least its fragment is not sent.")
def fragment(lab):
    lab.options = dataclasses.replace(lab.options, timeout=2)
    try:
        request = request_of(lab, "/a#b")
    except Wrong:
        if not lab.started or lab.started[-1][0].wait(15) == 0:
            raise
        lab.started.clear()  # it refused the URI, as it should
        return
    if "#" in request.first:
        raise Wrong(f"the request line is {request.first!r}")


def field_of(request, name):
    values = request.all(name)
    if len(values) != 1:
        raise Wrong(f"the request has {len(values)} {name} fields")
    return values[0]


@CHAPTER.case("request-fields", 21, "§4.1", "The request has Upgrade, Connection and Sec-WebSocket-Version: 13.")
def request_fields(lab):
    request = request_of(lab)
    if "websocket" not in request.tokens("upgrade"):
        raise Wrong(f"Upgrade is {request.all('upgrade')}")
    if "upgrade" not in request.tokens("connection"):
        raise Wrong(f"Connection is {request.all('connection')}")
    if field_of(request, "sec-websocket-version") != "13":
        raise Wrong(f"Sec-WebSocket-Version is {request.all('sec-websocket-version')}")
    for name in ("content-length", "transfer-encoding"):
        if request.all(name) not in ([], ["0"]):
            raise Wrong(f"the request has {name}: {request.all(name)}")
    for value in request.all("sec-websocket-extensions"):
        if elements(value) is None:
            raise Wrong(f"Sec-WebSocket-Extensions is malformed: {value!r}")


@CHAPTER.case("host", 22, "§4.1", "Host has the port, since it is not the default one.")
def host(lab):
    request = request_of(lab)
    if field_of(request, "host") != f"127.0.0.1:{lab.port}":
        raise Wrong(f"expected 127.0.0.1:{lab.port}; saw {request.all('host')}")


@CHAPTER.case("key", 23, "§4.1", "The key is base64 of 16 bytes.")
def key_is_16_bytes(lab):
    key = field_of(request_of(lab), "sec-websocket-key")
    try:
        raw = base64.b64decode(key, validate=True)
    except ValueError:
        raise Wrong(f"the key {key!r} is not base64") from None
    if len(raw) != 16 or base64.b64encode(raw).decode() != key:
        raise Wrong(f"the key {key!r} is not base64 of 16 bytes")


@CHAPTER.case("keys-differ", 23, "§4.1", "Each connection has a new, random key.")
def keys_differ(lab):
    keys = [base64.b64decode(field_of(request_of(lab), "sec-websocket-key")) for _ in range(3)]
    if len(set(keys)) < 3:
        raise Wrong("a key came twice")
    shared = sum(a == b == c for a, b, c in zip(*keys, strict=True))
    if shared > 3:
        raise Wrong(f"{shared} of 16 bytes are the same in three keys")


@CHAPTER.case("nothing-before-101", 36, "§4.1", "The client sends nothing more until the response has come.")
def nothing_early(lab):
    wire, request = lab.start()
    response = lab.response(request)
    for part in (b"", response[:20], response[20:-2]):
        wire.send(part)
        try:
            wire.fill(0.1)
        except Silence:
            continue
        raise Wrong(f"{bytes(wire.buffer[:20])!r} came before the response did")
    wire.send(response[-2:])
    session = lab.session(wire)
    session.echo(text("hello"))
    session.finish()


# 25 to 32, the response.
def takes(name, item, section, rule, changes=None, behind=b"", pieces=None, **options):
    """The client must take the response, and echo."""

    def run(lab):
        wire, request = lab.start()
        response = lab.response(request, changes(request) if callable(changes) else changes, **options)
        frames = text("early").encode(False) if behind == "frame" else b""
        if pieces:
            data = response + frames
            wire.send_parts([data[n: n + pieces] for n in range(0, len(data), pieces)], pause=0.0005)
        else:
            wire.send(response + frames)
        session = lab.session(wire)
        if frames:
            session.expect("text", b"early")
        session.echo(text("hello"))
        session.finish()

    CHAPTER.add(name, item, section, rule, run)


def rejects(name, item, section, rule, changes=None, strict_only=False, raw=None, **options):
    """The client must fail: no echo of what stands behind the response, an end, a status other than 0."""

    def run(lab):
        wire, request = lab.start()
        lab.expect_exit(UNCLEAN)
        response = raw or lab.response(request, changes(request) if callable(changes) else changes, **options)
        wire.send(response + text("must not come back").encode(False))
        must_fail(lab, wire)

    CHAPTER.add(name, item, section, rule, run, needs=["strict"] if strict_only else [])


def must_fail(lab, wire):
    """The client must end the connection; a Close frame may come before, data must not."""
    try:
        data = wire.read_to_end(1.5)
    except Silence:
        if wire.buffer:
            _judge_leftovers(lab, bytes(wire.buffer))
        # A client may wait for the server to end the connection (§7.1.1), but not for more than that.
        wire.shutdown()
        try:
            data = wire.read_to_end()
        except Silence:
            raise Wrong("the client did not end the connection") from None
    _judge_leftovers(lab, data)


def _judge_leftovers(lab, data):
    if data and (lab.options.strict or data[0] & 15 != CLOSE):
        raise Wrong(f"the client went on and sent {data[:20].hex(' ')}")


def accept(request):
    """The right Sec-WebSocket-Accept for a request."""
    return accept_of(request.all("sec-websocket-key")[0])


takes("response-as-is", 32, "§4.1", "A right response opens the connection.")
takes("frame-behind-response", 32, "§4.1", "A frame in the segment of the response is a frame.", behind="frame")
takes("response-byte-by-byte", 32, "§4.1", "A response that comes byte by byte is a response.", behind="frame", pieces=1)
takes("response-in-sevens", 32, "§4.1", "A response may come in any pieces.", behind="frame", pieces=7)
takes("upgrade-in-capitals", 26, "§4.1", "Upgrade is read without regard to case.", {"Upgrade": "WebSocket"})
takes("connection-in-capitals", 27, "§4.1", "Connection is read without regard to case.", {"Connection": "UPGRADE"})
takes("connection-keep-alive", 27, "§4.1", "`keep-alive, Upgrade` contains the token.",
      {"Connection": "keep-alive, Upgrade"})
takes("connection-keep-alive-last", 27, "§4.1", "`Upgrade, keep-alive` contains the token.",
      {"Connection": "Upgrade,keep-alive"})
takes("connection-two-lines", 27, "RFC 9110 §5.3", "The token may stand in another line.",
      {"Connection": ["keep-alive", "Upgrade"]})
takes("fields-in-lower-case", 26, "RFC 9110 §5.1", "Names of fields have no case.",
      lambda request: {"upgrade": "websocket", "Upgrade": None, "connection": "upgrade", "Connection": None})
takes("accept-in-spaces", 28, "RFC 9110 §5.5", "Space around Sec-WebSocket-Accept is no part of it.",
      lambda request: {"Sec-WebSocket-Accept": f"  {accept(request)} \t "})
takes("other-reason-phrase", 25, "RFC 9112 §4", "The reason phrase means nothing.", first="HTTP/1.1 101 Whatever")
takes("empty-reason-phrase", 25, "RFC 9112 §4", "The reason phrase may be empty.", first="HTTP/1.1 101 ")
takes("other-fields", 25, "RFC 9110 §5.1", "Fields that are not known are passed over.",
      {"Server": "x", "Date": "Mon, 01 Jan 2024 00:00:00 GMT", "X-A": "b, c", "Set-Cookie": ["a=b", "c=d"]})
takes("no-subprotocol", 30, "§4.1", "A response without a subprotocol is right where none was asked for.")


for status, phrase in (
    (200, "OK"), (204, "No Content"), (301, "Moved Permanently"), (302, "Found"), (304, "Not Modified"),
    (307, "Temporary Redirect"), (400, "Bad Request"), (401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"),
    (407, "Proxy Authentication Required"), (426, "Upgrade Required"), (429, "Too Many Requests"),
    (500, "Internal Server Error"), (503, "Service Unavailable"), (999, "Odd"),
):
    rejects(f"status-{status}", 25, "§4.1", f"The status {status} opens no WebSocket, whatever the fields say.",
            first=f"HTTP/1.1 {status} {phrase}")
    rejects(f"status-{status}-alone", 25, "§4.1", f"The status {status} with a body opens no WebSocket.",
            raw=f"HTTP/1.1 {status} {phrase}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".encode())
for name, value in {
    "missing": None, "empty": "", "other": "h2c", "longer": "websocketx", "shorter": "websocke", "quoted": '"websocket"',
    "two-words": "web socket", "semicolon": "websocket;",
}.items():
    rejects(f"upgrade-{name}", 26, "§4.1", "Without Upgrade: websocket the client fails.", {"Upgrade": value})
rejects("upgrade-list", 26, "§4.1", "The value of Upgrade must be `websocket`, not a list with it.",
        {"Upgrade": "websocket, h2c"}, strict_only=True)
rejects("upgrade-twice", 26, "§4.1", "Two Upgrade fields make a list.", {"Upgrade": ["websocket", "websocket"]},
        strict_only=True)
for name, value in {
    "missing": None, "empty": "", "keep-alive": "keep-alive", "close": "close", "longer": "Upgradex",
    "quoted": '"Upgrade"', "space-list": "keep-alive Upgrade",
}.items():
    rejects(f"connection-bad-{name}", 27, "§4.1", "Without the token `upgrade` in Connection the client fails.",
            {"Connection": value})
for name, change in {
    "missing": lambda right: None, "empty": lambda right: "", "of-another-key": lambda right: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "other-case": lambda right: right.swapcase(), "no-padding": lambda right: right.rstrip("="),
    "longer": lambda right: right + "A", "shorter": lambda right: right[:-2], "quoted": lambda right: f'"{right}"',
    "inner-space": lambda right: right[:5] + " " + right[5:], "list": lambda right: f"{right}, {right}",
    "non-ascii": lambda right: "\xe9" + right[1:], "huge": lambda right: "A" * 4000,
    "64-bytes": lambda right: base64.b64encode(bytes(64)).decode(), "prefix": lambda right: right[:10],
}.items():
    rejects(f"accept-{name}", 28, "§4.1", "Without the right Sec-WebSocket-Accept the client fails.",
            lambda request, change=change: {"Sec-WebSocket-Accept": change(accept(request))})
rejects("accept-is-the-key", 28, "§4.1", "The key is not its own answer.",
        lambda request: {"Sec-WebSocket-Accept": request.all("sec-websocket-key")[0]})
rejects("accept-twice-different", 28, "§11.3.3", "Two different Sec-WebSocket-Accept fields are refused.",
        lambda request: {"Sec-WebSocket-Accept": [accept(request), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]})
rejects("accept-twice", 28, "§11.3.3", "Sec-WebSocket-Accept must not stand twice.",
        lambda request: {"Sec-WebSocket-Accept": [accept(request)] * 2})
for name, value in {
    "unknown": "x-unknown", "unknown-parameter": "x-unknown; a=b", "webkit": "x-webkit-deflate-frame",
    "second-of-two": "permessage-deflate, x-unknown",
}.items():
    rejects(f"extension-{name}", 29, "§4.1", "An extension that was not offered makes the client fail.",
            {"Sec-WebSocket-Extensions": value})
for name, value in {"empty-parameter": "x-a;", "two-words": "x a", "open-quote": 'x; a="b', "value": "x=y"}.items():
    rejects(f"extension-malformed-{name}", 29, "§9.1", "A malformed list of extensions makes the client fail.",
            {"Sec-WebSocket-Extensions": value})
for name, value in {"one": "chat", "two": "chat, superchat", "two-lines": ["chat", "superchat"], "odd": "caf\xe9"}.items():
    rejects(f"subprotocol-{name}", 30, "§4.1", "A subprotocol that was not asked for makes the client fail.",
            {"Sec-WebSocket-Protocol": value})
for name, line in {
    "http-2": "HTTP/2.0 101 Switching Protocols", "other-protocol": "HTTQ/1.1 101 Switching Protocols",
    "no-version": "101 Switching Protocols", "no-status": "HTTP/1.1 Switching Protocols",
    "short-status": "HTTP/1.1 10 Switching", "long-status": "HTTP/1.1 1010 Switching", "leading-space": " HTTP/1.1 101 S",
    "tab": "HTTP/1.1\t101 Switching Protocols", "lower": "http/1.1 101 Switching Protocols",
}.items():
    rejects(f"status-line-{name}", 31, "RFC 9112 §4", f"{line!r} is no status line of HTTP/1.1.", first=line)
rejects("status-line-http-1.0", 31, "RFC 9110 §7.8", "HTTP/1.0 knows no 101.", first="HTTP/1.0 101 Switching Protocols",
        strict_only=True)
for name, line in {
    "no-colon": "X-A", "space-before-colon": "X-A : b", "nul": "X-A: b\0c", "empty-name": ": b", "name-with-space": "X A: b",
}.items():
    rejects(f"field-{name}", 31, "RFC 9112 §5", f"The line {line!r} is no field.", extra=[line], strict_only=True)


@CHAPTER.case("garbage-response", 25, "§4.1", "What is no response of HTTP makes the client fail.")
def garbage(lab):
    wire, _ = lab.start()
    lab.expect_exit(UNCLEAN)
    wire.send(bytes(range(128, 256)) * 4 + b"\r\n\r\n")
    must_fail(lab, wire)


for name, count in {"in-line": 10, "in-fields": 60, "at-once": 0}.items():
    def ends_early(lab, count=count):
        wire, request = lab.start()
        lab.expect_exit(UNCLEAN)
        wire.send(lab.response(request)[:count])
        wire.shutdown()
        must_fail(lab, wire)

    CHAPTER.add(f"end-{name}", 25, "§4.1", "A response that ends too early makes the client fail.", ends_early)


@CHAPTER.case("reset-before-response", 25, "§4.1", "A reset instead of a response makes the client fail.")
def reset_early(lab):
    wire, _ = lab.start()
    lab.expect_exit(UNCLEAN)
    wire.reset()


@CHAPTER.case("endless-head", 25, "§10.4", "A response whose head does not end is given up before it has 16 MiB.")
def endless_head(lab):
    wire, request = lab.start()
    lab.expect_exit(UNCLEAN)
    wire.send(lab.response(request)[:-2])
    for _ in range(256):
        wire.send(b"X-A: " + b"b" * 65000 + b"\r\n")
        if wire.broken or wire.ended:
            return
    raise Wrong("16 MiB of fields were taken")


@CHAPTER.case("endless-body", 25, "§10.4", "The body of a refusal is not read without end.")
def endless_body(lab):
    wire, _ = lab.start()
    lab.expect_exit(UNCLEAN)
    wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1024):
        wire.send(bytes(65536))
        if wire.broken or wire.ended:
            return
    raise Wrong("64 MiB of body were taken")


@CHAPTER.case("silent-server", 35, "§4.1", "A response that does not come is not waited for without end.",
              needs=["slow"])
def silent_server(lab):
    wire, _ = lab.start()
    lab.expect_exit(UNCLEAN)
    started = time.monotonic()
    try:
        wire.read_to_end(90)
    except Silence:
        raise Wrong(f"the client still waits after {time.monotonic() - started:.0f} s") from None


@CHAPTER.case("nobody-listens", 25, "§4.1", "Where nobody listens the command exits with another status than 0.")
def nobody(lab):
    listener = lab.listen()
    port = listener.getsockname()[1]
    listener.close()
    done = subprocess.run(lab.words(f"ws://127.0.0.1:{port}/"), capture_output=True, timeout=30, check=False)
    if done.returncode == 0:
        raise Wrong("the command exits with 0")


@CHAPTER.case("clean-exit", 25, "§7.1.4", "After an orderly close the command exits with 0.")
def clean_exit(lab):
    wire, request = lab.start()
    wire.send(lab.response(request))
    session = lab.session(wire)
    session.exit = CLEAN
    session.finish()
