"""What a case is given: ways to open connections to the peer under test, in its role."""

import socket
import subprocess
import tempfile
from dataclasses import dataclass
from urllib.parse import urlsplit

import deflate
import head
from case import Skip, Wrong
from session import ANY_STATUS, CLEAN, UNCLEAN, Session
from wire import Silence, Wire


@dataclass(frozen=True)
class Options:
    """What the command line says about the peer."""

    timeout: float = 5.0
    strict: bool = False
    slow: bool = False
    deflate: bool | None = None  # None: not known; the probe tells
    origin: bool = False
    max_message: int | None = None
    max_fragments: int | None = None

    def lacks(self, need):
        """Why a case with this need does not run, or None."""
        if getattr(self, need):
            return None
        return {
            "strict": "asks for more than the RFC: --strict",
            "slow": "takes longer than a few seconds: --slow",
            "deflate": "the peer does not negotiate permessage-deflate",
            "origin": "the server's Origin policy is not known: --check-origin",
            "max_message": "the limit is not known: --max-message",
            "max_fragments": "the limit is not known: --max-fragments",
        }[need]


class ServerLab:
    """The server under test."""

    role = "server"

    def __init__(self, url, options):
        parts = urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise SystemExit(f"matrix: {url!r} is not a ws:// URL")
        self.address = (parts.hostname, parts.port or 80)
        self.host = parts.netloc
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.options = options
        self.wires = []

    def connect(self):
        """A TCP connection to the server."""
        sock = socket.create_connection(self.address, timeout=self.options.timeout)
        self.wires.append(Wire(sock, self.options.timeout))
        return self.wires[-1]

    def request(self, changes=None, first=None, extra=(), key=None):
        """A request for a handshake with `changes` to its fields."""
        fields = {
            "Host": self.host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key or head.fresh_key(),
            "Sec-WebSocket-Version": "13",
        }
        return head.lines(first or f"GET {self.target} HTTP/1.1", fields, changes, extra)

    def response(self, wire):
        """The head of the response; None where the connection ended without one."""
        try:
            data = wire.read_until(b"\r\n\r\n")
        except Silence as silence:
            raise Wrong(f"no response: {silence}") from None
        if data is None:
            if wire.buffer:
                raise Wrong(f"the response is no HTTP: {bytes(wire.buffer[:60])!r}")
            return None
        response = head.Head.parse(data)
        if response is None or response.status is None:
            raise Wrong(f"the response is no HTTP: {data[:60]!r}")
        return response

    def open(self, offer=None):
        """A session; `offer` is the value of Sec-WebSocket-Extensions. Skips where it was declined."""
        wire = self.connect()
        key = head.fresh_key()
        wire.send(self.request({"Sec-WebSocket-Extensions": offer}, key=key))
        return self.session(wire, self.accepted(wire), offer)

    def accepted(self, wire):
        """The response on the wire, which must be 101."""
        response = self.response(wire)
        if response is None or response.status != 101:
            raise Wrong(f"expected 101; saw {response.first if response else f'a connection that ended: {wire.ended}'}")
        return response

    def session(self, wire, response, offer=None):
        """A session on a wire whose handshake is done."""
        inflater = deflater = None
        for value in response.all("sec-websocket-extensions"):
            agreed = deflate.agreement(deflate.elements(value)[0][1])
            inflater = deflate.Inflater(agreed.server_bits, agreed.server_takeover)
            deflater = deflate.Deflater(agreed.client_bits, agreed.client_takeover)
        if offer and inflater is None:
            raise Skip(f"the server declined {offer}")
        return Session(wire, "server", self.options.strict, inflater, deflater)

    def open_deflate(self, mine_takeover=True, theirs_takeover=True, mine_bits=None, theirs_bits=None):
        """A session with compression: `mine` is the suite's sending side, `theirs` the peer's."""
        offer = deflate.NAME
        offer += "" if mine_takeover else "; client_no_context_takeover"
        offer += "" if theirs_takeover else "; server_no_context_takeover"
        offer += f"; client_max_window_bits={mine_bits}" if mine_bits else ""
        offer += f"; server_max_window_bits={theirs_bits}" if theirs_bits else ""
        session = self.open(offer)
        if not mine_takeover:
            session.deflater.takeover = False
        if mine_bits:
            session.deflater = deflate.Deflater(min(mine_bits, session.deflater.bits), session.deflater.takeover)
        return session

    def finish(self, session_ok):
        """Nothing is left to judge when a case has ended."""
        del session_ok
        for wire in self.wires:
            wire.close()

    probe_error = "the server does not answer a plain handshake"

    def probe(self):
        """Whether the server negotiates permessage-deflate."""
        try:
            self.open(deflate.NAME).finish()
        except Skip:
            return False
        finally:
            self.finish(True)
        return True


class ClientLab:
    """The client command under test: each `start` runs it against a new listening socket."""

    role = "client"
    target = "/matrix?case=1&b=%20x"

    def __init__(self, command, options):
        self.command, self.options = command, options
        self.started = []  # [process, session or None, expected exit, its output]
        self.wires = []

    def listen(self):
        """A listening socket on a free port."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        listener.settimeout(15 if self.options.timeout > 2 else 5)
        return listener

    def words(self, url):
        """The command with {url} replaced, or the URL as its last argument."""
        words = [word.replace("{url}", url) for word in self.command]
        return words if words != self.command else [*words, url]

    def start(self, target=None):
        """Runs the command; returns the wire and the head of its request."""
        listener = self.listen()
        with listener:
            self.port = listener.getsockname()[1]
            url = f"ws://127.0.0.1:{self.port}{self.target if target is None else target}"
            output = tempfile.TemporaryFile()
            process = subprocess.Popen(self.words(url), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            self.started.append([process, None, ANY_STATUS, output])
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                raise Wrong("the command did not connect") from None
        wire = Wire(sock, self.options.timeout)
        self.wires.append(wire)
        try:
            data = wire.read_until(b"\r\n\r\n")
        except Silence:
            raise Wrong("the request's head did not end") from None
        request = head.Head.parse(data) if data else None
        if request is None:
            raise Wrong(f"the request is no HTTP: {data or bytes(wire.buffer[:60])!r}")
        return wire, request

    def expect_exit(self, how):
        """How the command that was started last is to end."""
        self.started[-1][2] = how

    def response(self, request, changes=None, first="HTTP/1.1 101 Switching Protocols", extra=()):
        """The response that completes a handshake, with `changes` to its fields."""
        keys = request.all("sec-websocket-key")
        fields = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": head.accept_of(keys[0] if keys else ""),
        }
        return head.lines(first, fields, changes, extra)

    def session(self, wire, agreed=None):
        """A session on a wire whose handshake is done."""
        inflater = deflater = None
        if agreed:
            inflater = deflate.Inflater(agreed.client_bits, agreed.client_takeover)
            deflater = deflate.Deflater(agreed.server_bits, agreed.server_takeover)
        session = Session(wire, "client", self.options.strict, inflater, deflater)
        self.started[-1][1] = session
        return session

    def offered(self, request):
        """The parameters of the first permessage-deflate offer; None where there is none."""
        for value in request.all("sec-websocket-extensions"):
            for name, parameters in deflate.elements(value) or []:
                if name == deflate.NAME:
                    return dict(parameters)
        return None

    def open(self):
        """A session without extensions."""
        wire, request = self.start()
        wire.send(self.response(request))
        return self.session(wire)

    def open_deflate(self, mine_takeover=True, theirs_takeover=True, mine_bits=None, theirs_bits=None):
        """A session with compression: `mine` is the suite's sending side, `theirs` the peer's."""
        wire, request = self.start()
        offer = self.offered(request)
        if offer is None:
            raise Skip("the client does not offer permessage-deflate")
        if theirs_bits and "client_max_window_bits" not in offer:
            raise Skip("the client does not offer client_max_window_bits")
        if theirs_bits and theirs_bits > int(offer["client_max_window_bits"] or 15):
            raise Skip(f"the client offers client_max_window_bits={offer['client_max_window_bits']}")
        most = int(offer.get("server_max_window_bits") or 15)
        bits = min(mine_bits or most, most)
        forced = "server_no_context_takeover" in offer
        answer = deflate.NAME
        answer += "" if mine_takeover and not forced else "; server_no_context_takeover"
        answer += "" if theirs_takeover else "; client_no_context_takeover"
        answer += f"; server_max_window_bits={bits}" if bits < 15 or mine_bits else ""
        answer += f"; client_max_window_bits={theirs_bits}" if theirs_bits else ""
        wire.send(self.response(request, {"Sec-WebSocket-Extensions": answer}))
        return self.session(wire, deflate.agreement(deflate.elements(answer)[0][1]))

    def finish(self, session_ok):
        """Waits for the commands; where the conversation went well, judges how they ended."""
        for wire in self.wires:
            wire.close()
        wrong = None
        for process, session, expected, output in self.started:
            try:
                status = process.wait(self.options.timeout if session_ok else 0.1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()[-1:]
            output.close()
            how = session.exit if session else expected
            if status is None:
                wrong = wrong or f"the command did not end within {self.options.timeout:g} s"
            elif how == CLEAN and status != 0 or how == UNCLEAN and status == 0:
                wanted = "0" if how == CLEAN else "other than 0"
                wrong = wrong or f"expected exit status {wanted}; saw {status} {said or ''}"
        if session_ok and wrong:
            raise Wrong(wrong)

    probe_error = "the command does not connect"

    def probe(self):
        """Whether the client offers permessage-deflate."""
        wire, request = self.start()
        wire.send(self.response(request))
        self.session(wire).finish()
        self.finish(True)
        return self.offered(request) is not None
