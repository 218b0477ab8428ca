"""A, the fields of the request that a server reads (§4.2.1)."""

from case import Chapter, Wrong
from chapters.asks import ACCEPT, BAD, NOT_101, Table, ask
from head import fresh_key

CHAPTER = Chapter("A", on=("server",))
T = Table(CHAPTER)

# 4, Host.
T.refuses("no-host", 4, "RFC 9112 §3.2", "A request without Host is refused with 400.", {"Host": None}, (400,))
T.refuses("two-hosts", 4, "RFC 9112 §3.2", "A request with two Host fields is refused with 400.",
          lambda lab: {"Host": [lab.host, lab.host]}, (400,))
T.refuses("two-different-hosts", 4, "RFC 9112 §3.2", "Two Host fields that differ are refused with 400.",
          lambda lab: {"Host": [lab.host, "other.example"]}, (400,))
T.either("empty-host", 4, "RFC 9110 §7.2", "An empty Host is answered.", {"Host": ""}, strict=(400, 403))
for name, value in {
    "space": "a b", "slash": "a/b", "userinfo": "user@a", "two-ports": "a:1:2", "open-bracket": "[::1", "list": "a, b",
    "port-letters": "a:http", "question-mark": "a?b", "backslash": "a\\b", "quoted": '"a"',
}.items():
    T.refuses(f"host-with-{name}", 4, "RFC 9112 §3.2", "A Host that is no uri-host and port is refused with 400.",
              {"Host": value}, (400,), needs=["strict"])

# 5, Upgrade: a list in which one member is `websocket`.
for name, value in {
    "as-is": "websocket", "capitals": "WebSocket", "all-capitals": "WEBSOCKET", "ows": " \twebsocket\t ",
}.items():
    T.accepts(f"upgrade-{name}", 5, "§4.2.1", "Upgrade is read without regard to case.", {"Upgrade": value})
for name, value in {
    "last-of-two": "h2c, websocket", "first-of-two": "websocket, h2c", "tight-list": "h2c,websocket",
    "with-versions": "HTTP/2.0, websocket", "two-lines": ["h2c", "websocket"], "empty-member": ",websocket",
    "trailing-comma": "websocket,", "tab-in-list": "h2c,\twebsocket",
}.items():
    T.accepts(f"upgrade-{name}", 5, "RFC 9110 §7.8", "Upgrade is a list; `websocket` may be any member.",
              {"Upgrade": value})
for name, value in {
    "missing": None, "empty": "", "other": "h2c", "longer": "websocketx", "shorter": "websocke", "prefixed": "xwebsocket",
    "two-words": "web socket", "quoted": '"websocket"', "parameter": "websocket;v=13", "version": "websocket/13x",
    "space-list": "h2c websocket", "part-of-line": "notwebsocket, h2c",
}.items():
    T.refuses(f"upgrade-{name}", 5, "§4.2.1", "Without the member `websocket` this is no WebSocket handshake.",
              {"Upgrade": value}, NOT_101)

# 6, Connection: the token `upgrade` anywhere in the list.
for name, value in {
    "as-is": "Upgrade", "lower": "upgrade", "capitals": "UPGRADE", "keep-alive-first": "keep-alive, Upgrade",
    "keep-alive-last": "Upgrade, keep-alive", "tight-list": "keep-alive,Upgrade", "two-lines": ["keep-alive", "Upgrade"],
    "two-lines-turned": ["Upgrade", "keep-alive"], "empty-member": ", ,Upgrade", "trailing-comma": "Upgrade,",
    "tab": "keep-alive,\tUpgrade\t", "three": "a, b, Upgrade",
}.items():
    T.accepts(f"connection-{name}", 6, "§4.2.1", "Connection is a list; `upgrade` may be any member.",
              {"Connection": value})
for name, value in {
    "missing": None, "empty": "", "keep-alive": "keep-alive", "close": "close", "longer": "Upgradex",
    "shorter": "Upgrad", "quoted": '"Upgrade"', "space-list": "keep-alive Upgrade", "semicolon": "keep-alive;Upgrade",
    "prefixed": "x-upgrade", "equals": "Upgrade=1",
}.items():
    T.refuses(f"connection-{name}", 6, "§4.2.1", "Without the token `upgrade` this is no WebSocket handshake.",
              {"Connection": value}, NOT_101)

# 7, Sec-WebSocket-Key: exactly one, base64 of 16 bytes.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
for name, value in {
    "missing": None, "empty": "", "15-bytes": "dGhlIHNhbXBsZSBub25j", "17-bytes": "dGhlIHNhbXBsZSBub25jZTE=",
    "24-bytes": "dGhlIHNhbXBsZSBub25jZWFuZG1vcmVh", "no-padding": KEY.rstrip("="), "one-padding": KEY[:-1],
    "three-paddings": KEY + "=", "url-alphabet": "__79_Pv6-fj39vX08_Lx8A==", "inner-space": "dGhlIHNhbXBs ZSBub25jZQ==",
    "no-base64": "!!!!!!!!!!!!!!!!!!!!!!==", "comma-joined": f"{KEY}, {KEY}", "non-ascii": "dGhlIHNhbXBsZSBub25j\xe9Q==",
    "quoted": f'"{KEY}"', "padding-only": "=" * 24, "16-letters": "abcdefghijklmnop", "parameter": KEY + ";a",
}.items():
    T.refuses(f"key-{name}", 7, "§4.2.1", "A key that is not base64 of 16 bytes is refused.",
              {"Sec-WebSocket-Key": value})
T.refuses("two-keys", 7, "§11.3.1", "Two different keys are refused.",
          {"Sec-WebSocket-Key": [KEY, "AAAAAAAAAAAAAAAAAAAAAA=="]})
T.refuses("two-same-keys", 7, "§11.3.1", "The same key twice is refused.", {"Sec-WebSocket-Key": [KEY, KEY]})
T.either("key-with-loose-bits", 7, "RFC 4648 §3.5", "A key whose last digit holds bits beyond 16 bytes is answered.",
         {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZR=="})

# 11 and 12, the response.
for name, value in {
    "sample": KEY, "zeros": "AAAAAAAAAAAAAAAAAAAAAA==", "plus-and-slash": "++//++//++//++//++//+w==",
    "mixed-case": "aAbBcCdDeEfFgGhHiIjJkA==",
}.items():
    def accept_value(lab, value=value):
        ask(lab, lab.request(key=value), value)

    def padded_key(lab, value=value):
        ask(lab, lab.request({"Sec-WebSocket-Key": f"  {value}\t "}), value)

    CHAPTER.add(f"accept-{name}", 11, "§4.2.2", "Sec-WebSocket-Accept is made of the key byte by byte.", accept_value)
    CHAPTER.add(f"key-in-spaces-{name}", 7, "RFC 9110 §5.5", "Space around a key is no part of it.", padded_key)


@CHAPTER.case("fields-in-any-case", 12, "RFC 9110 §5.1", "Names of fields have no case.")
def any_case(lab):
    key = fresh_key()
    request = lab.request(key=key)
    first, rest = request.split(b"\r\n", 1)
    for change in (bytes.lower, bytes.upper):
        names = b"\r\n".join(
            change(line.split(b":")[0]) + line[line.find(b":"):] if b":" in line else line for line in rest.split(b"\r\n")
        )
        ask(lab, first + b"\r\n" + names, key)


@CHAPTER.case("fields-in-any-order", 12, "§4.2.1", "The order of fields means nothing.")
def any_order(lab):
    key = fresh_key()
    first, *fields = lab.request(key=key).decode().strip().split("\r\n")
    for turn in range(len(fields)):
        turned = fields[turn:] + fields[:turn]
        ask(lab, "\r\n".join([first, *turned, "", ""]).encode(), key)


@CHAPTER.case("no-space-after-colon", 12, "RFC 9112 §5", "Space after the colon may be missing.")
def no_space(lab):
    key = fresh_key()
    ask(lab, lab.request(key=key).replace(b": ", b":"), key)


# 8 and 9, Sec-WebSocket-Version: 13, else the version field says what is spoken.
for value in ("0", "1", "7", "8", "12", "14", "99", "255"):
    def other_version(lab, value=value):
        statuses = (426,) if lab.options.strict else BAD
        response = ask(lab, lab.request({"Sec-WebSocket-Version": value}), accept=False, refuse=statuses)
        spoken = response.tokens("sec-websocket-version")
        if "13" not in spoken:
            raise Wrong(f"Sec-WebSocket-Version of the response is {spoken}, 13 is not in it")

    CHAPTER.add(f"version-{value}", 8, "§4.4", "The refusal of another version names those that are spoken.",
                other_version)
for name, value in {
    "missing": None, "empty": "", "leading-zero": "013", "suffix": "13x", "fraction": "13.0", "negative": "-13",
    "plus": "+13", "list": "13, 8", "list-of-same": "13, 13", "256": "256", "huge": "9" * 40, "hex": "0xd",
    "quoted": '"13"', "word": "thirteen", "two-lines": ["13", "8"], "two-same-lines": ["13", "13"],
}.items():
    T.refuses(f"version-{name}", 8, "§4.2.1", "Sec-WebSocket-Version must be one 13.", {"Sec-WebSocket-Version": value})
T.accepts("version-in-spaces", 8, "RFC 9110 §5.5", "Space around the version is no part of it.",
          {"Sec-WebSocket-Version": " \t13\t "})

# 10, Origin.
T.accepts("origin-same", 10, "§10.2", "The server's own origin is welcome.", lambda lab: {"Origin": f"http://{lab.host}"})
for name, value in {
    "foreign": "http://evil.example", "null": "null", "prefixed": "http://evil-{host}", "suffixed": "http://{host}.evil.example",
    "userinfo": "http://{host}@evil.example", "path": "http://evil.example/{host}", "other-port": "http://{name}:1",
    "no-scheme": "{host}", "empty": "", "two-in-one": "http://{host} http://evil.example", "nonsense": "http://",
    "non-ascii": "http://\xe9vil.example", "ipv6": "http://[::1]:1", "bad-ipv6": "http://[::1",
    "wildcard": "*", "punycode": "http://xn--e1afmkfd.example",
}.items():
    T.refuses(f"origin-{name}", 10, "§10.2", "Another origin is refused with 403.",
              lambda lab, value=value: {"Origin": value.format(host=lab.host, name=lab.host.rpartition(":")[0])},
              (403, 400), needs=["origin"])
T.refuses("two-origins", 10, "RFC 6454 §7.3", "Two Origin fields, one of them foreign, are refused.",
          lambda lab: {"Origin": [f"http://{lab.host}", "http://evil.example"]}, (403, 400), needs=["origin"])

# 13 and 14, subprotocols.
for name, values in {
    "one": "chat", "two": "chat, superchat", "tight": "chat,superchat", "two-lines": ["chat", "superchat"],
    "odd-token": "!#$%&'*+-.^_`|~09azAZ", "many": ", ".join(f"p{n}" for n in range(200)),
}.items():
    def subprotocols(lab, values=values):
        offered = [word.strip() for line in ([values] if isinstance(values, str) else values) for word in line.split(",")]
        key = fresh_key()
        ask(lab, lab.request({"Sec-WebSocket-Protocol": values}, key=key), key, offered=offered)

    CHAPTER.add(f"protocol-{name}", 13, "§4.2.2", "At most one of the offered subprotocols is chosen.", subprotocols)
for name, value in {
    "space": "a b", "slash": "a/b", "quoted": '"chat"', "non-ascii": "caf\xe9", "equals": "a=b", "parens": "a(b)",
}.items():
    T.either(f"protocol-with-{name}", 14, "§4.1", "A subprotocol that is no token is refused, or passed over.",
             {"Sec-WebSocket-Protocol": value}, strict=BAD)
for name, value in {"empty": "", "commas-only": ", ,"}.items():
    # Clients that have none to offer send the field so, `websockets` among them.
    T.either(f"protocol-with-{name}", 14, "§4.1", "A list without a subprotocol is refused, or offers none.",
             {"Sec-WebSocket-Protocol": value}, strict=ACCEPT)
T.either("protocol-twice", 14, "§4.1", "A subprotocol that is offered twice is refused, or chosen once at most.",
         {"Sec-WebSocket-Protocol": "chat, chat"}, offered=["chat"], strict=BAD)
T.either("protocol-twice-in-lines", 14, "§4.1", "Lines are put together before duplicates are looked for.",
         {"Sec-WebSocket-Protocol": ["chat", "chat"]}, offered=["chat"], strict=BAD)

# 15, extensions. A server that knows none may pass the field over whatever is in it.
for name, value in {
    "unknown": "x-unknown", "unknown-parameters": 'x-unknown; a; b=1; c="d"', "two-unknown": "x-a, x-b; c=1",
    "two-lines": ["x-a", "x-b"], "webkit": "x-webkit-deflate-frame",
}.items():
    T.accepts(f"extension-{name}", 15, "§9.1", "Extensions that are not known are passed over.",
              {"Sec-WebSocket-Extensions": value})
for name, value in {
    "empty-parameter": "x-a;", "no-name": "; a", "value-for-name": "x-a=b", "empty-value": "x-a; b=",
    "open-quote": 'x-a; b="c', "quoted-name": '"x-a"', "two-words": "x-a x-b", "slash": "x/a", "empty": "",
    "constructor": "constructor; __proto__; hasOwnProperty=1", "non-ascii": "x-\xe9",
    "quoted-space": 'x-a; b="1 5"',
}.items():
    T.either(f"extension-with-{name}", 15, "§9.1", "A malformed list of extensions is refused, or passed over.",
             {"Sec-WebSocket-Extensions": value})
for name, value in {
    "commas": "," * 6000, "semicolons": "x-a" + ";" * 6000, "quotes": 'x-a; b="' + '"' * 6000,
    "backslashes": 'x-a; b="' + "\\" * 6000, "spaces": "x-a" + " " * 6000 + "b", "equals": "x-a; b" + "=" * 6000,
}.items():
    for field in ("Extensions", "Protocol"):
        T.either(f"{field.lower()}-of-{name}", 15, "§9.1", f"6,000 {name} in a list are answered without delay.",
                 {f"Sec-WebSocket-{field}": value})
for field in ("Host", "Origin", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
              "Sec-WebSocket-Extensions", "Sec-WebSocket-Version", "User-Agent"):
    def odd_bytes(lab, field=field):
        for byte in (*range(1, 9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x80, 0xA0, 0xC3, 0xFF):
            ask(lab, lab.request({field: f"a{chr(byte)}b"}), refuse=BAD)

    CHAPTER.add(f"odd-bytes-in-{field.lower()}", 20, "RFC 9110 §5.5", f"Each odd byte in {field} gets an answer.",
                odd_bytes)
