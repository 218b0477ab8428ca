"""A, the request as HTTP: the request line, the syntax of fields, bodies, and bytes around it (RFC 9112)."""

from case import Chapter, Wrong
from chapters.asks import ACCEPT, BAD, NOT_101, Table, ask, check_accepted
from frame import PING, binary, close, ping, text
from head import fresh_key

CHAPTER = Chapter("A", on=("server",))
T = Table(CHAPTER)

# 1, the method.
for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"):
    T.refuses(f"method-{method.lower()}", 1, "§4.2.1", f"{method} opens no WebSocket: the method must be GET.",
              first=f"{method} {{target}} HTTP/1.1", statuses=NOT_101, strict=(405,))
for name, method in {"lower": "get", "unknown": "GETT", "shorter": "GE", "mixed": "Get"}.items():
    T.refuses(f"method-{name}", 1, "RFC 9110 §9.1", "Methods have case, and an unknown one opens no WebSocket.",
              first=f"{method} {{target}} HTTP/1.1", statuses=BAD)
T.refuses("method-empty", 1, "RFC 9112 §3", "A request line without a method is refused.",
          first=" {target} HTTP/1.1", silent=True)
T.refuses("method-with-slash", 1, "RFC 9112 §3", "A method is a token.", first="G/T {target} HTTP/1.1", silent=True)

# 2, the version of HTTP.
T.refuses("http-1.0", 2, "RFC 9110 §7.8", "Upgrade is not read in a request of HTTP/1.0.",
          first="GET {target} HTTP/1.0", statuses=NOT_101, strict=(505, 400, 426))
T.refuses("http-0.9", 2, "§4.2.1", "A request of HTTP/0.9 opens no WebSocket.", first="GET {target}",
          statuses=NOT_101, silent=True)
T.refuses("http-2.0", 2, "RFC 9112 §2.3", "HTTP/2 is not spoken in a request line.", first="GET {target} HTTP/2.0",
          silent=True, strict=(505, 400))
T.either("http-1.2", 2, "§4.2.1", "A later minor version is answered.", first="GET {target} HTTP/1.2", silent=True)
for name, version in {
    "lower": "http/1.1", "letters": "HTTP/1.x", "no-dot": "HTTP/11", "three-numbers": "HTTP/1.1.1", "other": "HTTQ/1.1",
    "two-digits": "HTTP/1.10", "leading-zero": "HTTP/01.1", "extra-word": "HTTP/1.1 x", "no-number": "HTTP/",
}.items():
    T.refuses(f"http-{name}", 2, "RFC 9112 §2.3", f"{version!r} is no version of HTTP.",
              first=f"GET {{target}} {version}", silent=True)

# 3, the target.
T.accepts("target-absolute", 3, "RFC 9112 §3.2.2", "A server accepts the absolute form.",
          first="GET http://{host}{target} HTTP/1.1")
T.either("target-absolute-ws", 3, "RFC 9112 §3.2.2", "The absolute form with ws: is answered.",
         first="GET ws://{host}{target} HTTP/1.1")
T.accepts("target-with-query", 3, "§4.2.1", "A query belongs to the target.", first="GET {target}?a=b&c=%20 HTTP/1.1")
T.either("target-with-fragment", 3, "RFC 9112 §3.2", "A fragment is no part of a target.",
         first="GET {target}#x HTTP/1.1", strict=BAD)
for name, target in {"empty": "", "asterisk": "*", "no-slash": "echo", "two": "{target} {target}"}.items():
    T.refuses(f"target-{name}", 3, "RFC 9112 §3.2", f"{target!r} is no target of a GET.",
              first=f"GET {target} HTTP/1.1", silent=True)
for name, character in {"nul": "\0", "soh": "\1", "tab": "\t", "del": "\x7f", "bare-cr": "\r", "vertical-tab": "\v"}.items():
    T.refuses(f"target-with-{name}", 3, "RFC 9112 §3.2", "A control character is no part of a target.",
              first=f"GET {{target}}{character}x HTTP/1.1", silent=True)
for name, character in {"space-quote": '"', "non-ascii": "\xe9", "braces": "{{}}", "backslash": "\\", "percent": "%zz"}.items():
    T.either(f"target-with-{name}", 3, "RFC 9112 §3.2", "A target with a character that is not allowed is answered.",
             first=f"GET {{target}}?{character} HTTP/1.1", silent=True)

# 16, bodies. Bytes that one reader takes for a body and another for frames are how requests are smuggled.
T.either("content-length-0", 16, "RFC 9112 §6", "An empty body is refused, or passed over.", {"Content-Length": "0"})
T.either("content-length-5", 16, "RFC 9112 §6", "A body is refused, or read as a body: never as frames.",
         {"Content-Length": "5"}, body_behind=b"hello", strict=BAD)
T.either("chunked", 16, "RFC 9112 §7.1", "A chunked body is refused, or read as a body: never as frames.",
         {"Transfer-Encoding": "chunked"}, body_behind=b"5\r\nhello\r\n0\r\n\r\n", strict=BAD)
T.either("chunked-empty", 16, "RFC 9112 §7.1", "An empty chunked body is refused, or read.",
         {"Transfer-Encoding": "chunked"}, body_behind=b"0\r\n\r\n", strict=BAD)
T.refuses("length-and-chunked", 16, "RFC 9112 §6.1", "Content-Length and Transfer-Encoding together are refused.",
          {"Content-Length": "5", "Transfer-Encoding": "chunked"}, body_behind=b"0\r\n\r\n", silent=True,
          needs=["strict"])
T.refuses("two-lengths", 16, "RFC 9112 §6.3", "Two different lengths are refused.", {"Content-Length": ["5", "6"]},
          body_behind=b"hello", silent=True)
for name, value in {"negative": "-1", "word": "five", "plus": "+5", "hex": "0x5", "huge": "9" * 30, "list": "5, 6"}.items():
    T.refuses(f"length-{name}", 16, "RFC 9112 §6.3", f"The Content-Length {value!r} is refused.",
              {"Content-Length": value}, silent=True)
for name, value in {"unknown": "x-unknown", "chunked-not-last": "chunked, x-unknown", "vertical-tab": "\vchunked"}.items():
    T.refuses(f"transfer-encoding-{name}", 16, "RFC 9112 §6.3", "A body whose end cannot be known is refused.",
              {"Transfer-Encoding": value}, silent=True)
T.either("expect-continue", 16, "RFC 9110 §10.1.1", "Expect: 100-continue without a body is answered.",
         {"Expect": "100-continue"}, statuses=(*BAD, 417))

# 17, what is no HTTP at all: an answer, or an end.
for name, garbage in {
    "tls": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(160), "frames": b"\x81\x85\0\0\0\0hello",
    "binary": bytes(range(128, 256)) * 2 + b"\r\n\r\n", "one-line": b"hello\r\n\r\n", "http-response":
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "socks": b"\x05\x01\x00" + b"\r\n\r\n",
}.items():
    def no_http(lab, garbage=garbage):
        lab.sent = garbage
        wire = lab.connect()
        wire.send(garbage)
        wire.shutdown()
        response = lab.response(wire)
        if response is not None and response.status not in BAD:
            raise Wrong(f"expected a refusal; saw {response.first!r}")

    CHAPTER.add(f"no-http-{name}", 17, "RFC 9112 §3", "What is no request is refused, or ends the connection.", no_http)


@CHAPTER.case("refusal-then-next-request", 17, "RFC 9112 §9.3", "A refusal that keeps the connection keeps it usable.")
def refusal_then_next(lab):
    wire = lab.connect()
    wire.send(lab.request({"Sec-WebSocket-Key": None}))
    response = lab.response(wire)
    if response is None or response.status not in BAD:
        raise Wrong(f"expected a refusal; saw {response.first if response else 'no response'}")
    if "close" in response.tokens("connection"):
        wire.read_to_end()
        return
    length = int((response.all("content-length") or ["0"])[0])
    wire.read_exactly(length)
    key = fresh_key()
    wire.send(lab.request(key=key))
    response = lab.response(wire)
    if response is None:
        raise Wrong("the connection ended though the response did not say Connection: close")
    check_accepted(lab, response, key)


# 18, bytes behind the request, and requests in pieces.
for name, frames, back in (
    ("message", (text("early"),), [("text", b"early")]),
    ("messages", (text("a"), binary(b"b"), text("c")), [("text", b"a"), ("binary", b"b"), ("text", b"c")]),
    ("ping", (ping(b"early"), text("x")), [("text", b"x")]),
    ("64-kib", (binary(bytes(65536)),), [("binary", bytes(65536))]),
):
    def pipelined(lab, frames=frames, back=back):
        wire = lab.connect()
        key = fresh_key()
        wire.send(lab.request(key=key) + b"".join(frame.encode(True) for frame in frames))
        response = lab.accepted(wire)
        check_accepted(lab, response, key)
        session = lab.session(wire, response)
        session.pings = [frame.payload for frame in frames if frame.opcode == PING]
        session.expect_all(back)
        session.finish()

    CHAPTER.add(f"pipelined-{name}", 18, "§4.1", "Frames in the segment of the request are kept.", pipelined)


@CHAPTER.case("pipelined-close", 18, "§4.1", "A Close in the segment of the request is answered.")
def pipelined_close(lab):
    wire = lab.connect()
    wire.send(lab.request() + close(1000).encode(True))
    session = lab.session(wire, lab.accepted(wire))
    session.sent_close = True
    session.expect_close((1000,))
    session.end()


@CHAPTER.case("pipelined-violation", 18, "§4.1", "A violation in the segment of the request fails after the 101.")
def pipelined_violation(lab):
    wire = lab.connect()
    wire.send(lab.request() + text("bad", rsv=1).encode(True))
    session = lab.session(wire, lab.accepted(wire))
    session.expect_fail((1002,))


@CHAPTER.case("byte-by-byte", 18, "RFC 9112 §2.2", "A request that comes byte by byte is a request.")
def byte_by_byte(lab):
    wire = lab.connect()
    key = fresh_key()
    data = lab.request(key=key) + text("early").encode(True)
    wire.send_parts([data[n: n + 1] for n in range(len(data))], pause=0.0005)
    response = lab.accepted(wire)
    check_accepted(lab, response, key)
    session = lab.session(wire, response)
    session.expect("text", b"early")
    session.finish()


@CHAPTER.case("two-segments", 18, "RFC 9112 §2.2", "A request may be split at any byte, frames behind it included.")
def two_segments(lab):
    length = len(lab.request())
    for at in (*range(1, length, 13), *range(length - 5, length + 6)):
        wire = lab.connect()
        data = lab.request() + text("early").encode(True)
        wire.send_parts([data[:at], data[at:]], pause=0.001)
        session = lab.session(wire, lab.accepted(wire))
        session.expect("text", b"early")
        session.finish()


# 20, the syntax of fields.
T.either("obs-fold", 20, "RFC 9112 §5.2", "A folded line is refused, or read as one line.", extra=["X-A: b", " c"])
T.either("obs-fold-upgrade", 20, "RFC 9112 §5.2", "A folded Upgrade is refused, or read as one line.",
         {"Upgrade": "\r\n websocket"}, statuses=BAD, strict=BAD)
T.refuses("fold-before-fields", 20, "RFC 9112 §2.2", "Space before the first field is refused.",
          first="GET {target} HTTP/1.1\r\n X-A: b", silent=True, needs=["strict"])
for name, line in {
    "no-colon": "X-A", "empty-name": ": b", "space-before-colon": "X-A : b", "tab-before-colon": "X-A\t: b",
    "name-with-space": "X A: b", "name-with-paren": "X(A: b", "name-with-nul": "X\0A: b", "name-with-slash": "X/A: b",
    "name-non-ascii": "X\xe9: b", "name-with-cr": "X\rA: b", "name-with-quote": 'X"A: b', "name-with-control": "X\1A: b",
}.items():
    T.refuses(f"field-{name}", 20, "RFC 9112 §5.1", f"The line {line!r} is no field.", extra=[line], silent=True)
for name, line in {
    "nul": "X-A: b\0c", "bare-cr": "X-A: b\rc", "bare-lf": "X-A: b\nX-C: d",
}.items():
    T.either(f"value-with-{name}", 20, "RFC 9110 §5.5", "CR, LF or NUL in a value is refused, or made harmless.",
             extra=[line], silent=True, strict=None if name == "bare-lf" else BAD)
T.refuses("space-before-colon-of-host", 20, "RFC 9112 §5.1", "Space before a colon is refused with 400.",
          lambda lab: {"Host": None, "Host ": lab.host}, (400,), silent=True)
T.either("empty-line-before", 20, "RFC 9112 §2.2", "An empty line before the request should be passed over.",
         before=b"\r\n", strict=ACCEPT)
T.either("empty-lines-before", 20, "RFC 9112 §2.2", "Many empty lines before the request are answered.",
         before=b"\r\n" * 50, silent=True)
T.refuses("nul-before", 20, "RFC 9112 §3", "A NUL before the request is refused.", before=b"\0", silent=True)
T.refuses("space-before", 20, "RFC 9112 §3", "A space before the request is refused.", before=b" ", silent=True)
T.refuses("soh-before", 20, "RFC 9112 §3", "A control character before the request is refused.", before=b"\1",
          silent=True)


@CHAPTER.case("bare-lf-lines", 20, "RFC 9112 §2.2", "Lines that end with LF alone are refused, or read as lines.")
def bare_lf(lab):
    key = fresh_key()
    ask(lab, lab.request(key=key).replace(b"\r\n", b"\n"), key, refuse=BAD, silent=True)


@CHAPTER.case("bare-cr-lines", 20, "RFC 9112 §2.2", "Lines that end with CR alone are no lines.")
def bare_cr(lab):
    lab.sent = data = lab.request().replace(b"\r\n", b"\r")
    wire = lab.connect()
    wire.send(data)
    wire.shutdown()
    response = lab.response(wire)
    if response is not None and response.status not in BAD:
        raise Wrong(f"expected a refusal; saw {response.first!r}")
