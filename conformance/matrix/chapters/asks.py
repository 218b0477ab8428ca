"""A request for a handshake and what the server may do with it."""

from case import Wrong
from deflate import NAME, elements
from frame import text
from head import accept_of
from wire import EOF, Silence

ACCEPT = "101"
BAD = tuple(range(400, 500)) + (501, 505)  # "an appropriate error code (such as 400 Bad Request)" (§4.2.1)
NOT_101 = tuple(range(200, 600))  # no request for a WebSocket: any answer of HTTP, such as a page


def check_accepted(lab, response, key, offered=(), extensions=False):
    """A response 101 must be whole (§4.2.2), and answer no more than was offered."""
    for name in ("upgrade", "connection", "sec-websocket-accept"):
        if len(response.all(name)) != 1:
            raise Wrong(f"the response has {len(response.all(name))} {name} fields (§4.2.2)")
    if not response.first.startswith("HTTP/1.1 "):
        raise Wrong(f"the response is {response.first!r} (§4.2.2)")
    if response.all("upgrade")[0].lower() != "websocket" or "upgrade" not in response.tokens("connection"):
        raise Wrong("the response does not say Upgrade: websocket, Connection: Upgrade (§4.2.2)")
    if key and response.all("sec-websocket-accept")[0] != accept_of(key):
        raise Wrong(f"Sec-WebSocket-Accept is {response.all('sec-websocket-accept')[0]!r} (§4.2.2)")
    for name in ("content-length", "transfer-encoding"):
        if response.all(name):
            raise Wrong(f"the response 101 has {name} (RFC 9110 §8.6, RFC 9112 §6.1)")
    chosen = response.all("sec-websocket-protocol")
    if len(chosen) > 1 or chosen and chosen[0] not in offered:
        raise Wrong(f"the subprotocol {chosen} was chosen from {list(offered)} (§4.2.2)")
    for value in response.all("sec-websocket-extensions"):
        found = elements(value)
        if not extensions or found is None or [name for name, _ in found] != [NAME]:
            raise Wrong(f"the extensions {value!r} were not offered (§4.2.2)")


def check_refused(lab, response, wire, statuses):
    """A refusal must be a response of HTTP with one of the statuses, and end the connection if it says so."""
    if response.status not in statuses:
        raise Wrong(f"expected a refusal ({_short(statuses)}); saw {response.first!r}")
    if response.status == 426 and not response.all("upgrade"):
        raise Wrong("a response 426 has no Upgrade (RFC 9110 §15.5.22)")
    closes = "close" in response.tokens("connection")
    # 404 is a router's answer, to a request that it may have taken for a plain one.
    if lab.options.strict and response.status >= 400 and response.status != 404 and not closes:
        raise Wrong(f"{response.first!r} does not say Connection: close")
    length = response.all("content-length")
    if not length and not response.all("transfer-encoding") and not closes:
        raise Wrong(f"{response.first!r} has neither a length nor an end (RFC 9112 §6.3)")
    if not closes:
        return
    try:
        body = wire.read_to_end()
    except Silence:
        raise Wrong(f"{response.first!r} says Connection: close and the connection stays open (RFC 9112 §9.6)") from None
    if length and len(body) != int(length[0]) and wire.ended == EOF and b"HEAD " not in lab.sent[:5]:
        raise Wrong(f"the body has {len(body)} bytes, Content-Length says {length[0]} (RFC 9112 §6.3)")


def _short(statuses):
    return "any status but 101" if 200 in statuses else "4xx" if 404 in statuses else " or ".join(map(str, statuses))


def ask(lab, request, key=None, offered=(), accept=True, refuse=(), silent=False, body_behind=b"", extensions=False):
    """Sends a request; the server must accept it (and echo) or refuse it, as allowed.

    `silent` allows an end without a response: what was sent was no HTTP.
    """
    lab.sent = request
    wire = lab.connect()
    wire.send(request + body_behind)
    response = lab.response(wire)
    if response is None:
        if silent:
            return None
        raise Wrong(f"the connection ended without a response ({wire.ended})")
    if response.status == 101:
        if not accept:
            raise Wrong(f"expected a refusal ({_short(refuse)}); saw {response.first!r}")
        check_accepted(lab, response, key, offered, extensions)
        session = lab.session(wire, response)
        session.echo(text("hello"))
        session.finish()
    elif not refuse:
        raise Wrong(f"expected 101; saw {response.first!r}")
    else:
        check_refused(lab, response, wire, refuse)
    return response


class Table:
    """Adds cases of one request each to a chapter."""

    def __init__(self, chapter):
        self.chapter = chapter

    def _add(self, name, item, section, rule, changes, options, needs, accept, refuse, strict):
        def run(lab):
            allowed, statuses = accept, refuse
            if strict is not None and lab.options.strict:
                allowed, statuses = (True, ()) if strict == ACCEPT else (False, strict)
            fields = (changes(lab) if callable(changes) else changes) or {}
            given = dict(options)
            line = given.pop("first", None)
            line = line.format(target=lab.target, host=lab.host) if line else None
            key = "dGhlIHNhbXBsZSBub25jZQ=="
            request = given.pop("before", b"") + lab.request(fields, line, given.pop("extra", ()), key)
            sent_key = None if "Sec-WebSocket-Key" in fields else key
            ask(lab, request, sent_key, accept=allowed, refuse=statuses, **given)

        self.chapter.add(name, item, section, rule, run, ("server",), needs)

    def accepts(self, name, item, section, rule, changes=None, needs=(), **options):
        """The server must accept the request."""
        self._add(name, item, section, rule, changes, options, needs, True, (), None)

    def refuses(self, name, item, section, rule, changes=None, statuses=BAD, strict=None, needs=(), **options):
        """The server must refuse the request with one of the statuses."""
        self._add(name, item, section, rule, changes, options, needs, False, statuses, strict)

    def either(self, name, item, section, rule, changes=None, statuses=BAD, strict=None, needs=(), **options):
        """The RFC leaves the choice; an answer must come, and be whole. `strict` is ACCEPT or the statuses."""
        self._add(name, item, section, rule, changes, options, needs, True, statuses, strict)
