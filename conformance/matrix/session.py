"""An open WebSocket connection to the peer under test: what the suite sends, and what it judges.

Whatever a case is about, every frame of the peer is held to the sender's rules: masked by its role and with
a new key, minimal length, no reserved bit without a meaning, control frames whole and short, text in UTF-8, one
Close with a sendable code, nothing after it.
"""

import time
import zlib
from dataclasses import dataclass

from case import Wrong
from frame import BINARY, CLOSE, CONTINUATION, NAMES, PING, PONG, RSV1, TEXT, Frame, close, mask, pong, sendable
from wire import EOF, Silence

ANY_STATUS, CLEAN, UNCLEAN = "any", "clean", "unclean"


@dataclass(frozen=True)
class Event:
    """What came: a message, a pong, a Close, or the end of the connection."""

    kind: str  # text, binary, pong, close, or how the wire ended
    data: bytes = b""
    code: int | None = None

    def __str__(self):
        if self.kind == "close":
            reason = f" {self.data[2:].decode(errors='replace')!r}" if self.data[2:] else ""
            return f"Close {self.code or 'without a code'}{reason}"
        if self.kind in ("text", "binary", "pong"):
            shown = self.data[:24].hex(" ") + (" ..." if len(self.data) > 24 else "")
            return f"{self.kind} of {len(self.data)} bytes{': ' + shown if self.data else ''}"
        return self.kind


class Session:
    """One connection after its opening handshake."""

    def __init__(self, wire, peer, strict, inflater=None, deflater=None):
        self.wire, self.peer, self.strict = wire, peer, strict
        self.inflater, self.deflater = inflater, deflater
        self.masking = peer == "server"  # the suite is the client
        self.exit = CLEAN  # how a client command is to end
        self.pings = []  # payloads sent, not yet answered
        self.keys = set()
        self.sent_close = self.received_close = False
        self.message = None  # the opened one: [opcode, compressed, pieces]

    def send(self, *parts):
        """Sends frames and raw bytes in one segment."""
        self.wire.send(self.encode(*parts))

    def encode(self, *parts):
        """The bytes of frames and raw bytes; remembers the pings among them."""
        out = []
        for part in parts:
            if isinstance(part, Frame):
                if part.opcode == PING and part.cut is None:
                    self.pings.append(part.payload)
                self.sent_close |= part.opcode == CLOSE and part.cut is None
                out.append(part.encode(self.masking))
            else:
                out.append(part)
        return b"".join(out)

    def _bytes(self, count):
        data = self.wire.read_exactly(count)
        if data is None:
            left = len(self.wire.buffer)
            raise Wrong(f"the connection ended ({self.wire.ended}) within a frame, after {left} of {count} bytes")
        return data

    def _frame(self):
        """The next frame as (fin, rsv, opcode, payload); None at the end."""
        if not self.wire.buffer and not self.wire.ended:
            self.wire.fill()
        if not self.wire.buffer and self.wire.ended:
            return None
        first, second = self._bytes(2)
        masked, length = second >> 7, second & 0x7F
        if masked != (self.peer == "client"):
            raise Wrong(f"{self.peer} sent {'a masked' if masked else 'an unmasked'} frame (§5.1)")
        if length > 125:
            wide = 2 if length == 126 else 8
            length = int.from_bytes(self._bytes(wide), "big")
            if length < 126 or wide == 8 and length < 1 << 16:
                raise Wrong(f"a length of {length} was sent in {wide} bytes (§5.2)")
            if length >= 1 << 63:
                raise Wrong(f"the length {length:#x} was sent (§5.2)")
        if masked:
            key = self._bytes(4)
            if key in self.keys:
                raise Wrong(f"the masking key {key.hex()} was used twice (§5.3)")
            self.keys.add(key)
        payload = self._bytes(length)
        return first >> 7, first >> 4 & 7, first & 15, mask(payload, key) if masked else payload

    def read(self):
        """The next event. Answers pings. Raises Wrong for a frame that no endpoint may send, or for silence."""
        while True:
            try:
                frame = self._frame()
            except Silence as silence:
                raise Wrong(str(silence)) from None
            if frame is None:
                return Event(self.wire.ended)
            event = self._judge(*frame)
            if event:
                return event

    def _judge(self, fin, rsv, opcode, payload):
        name = NAMES.get(opcode)
        if name is None:
            raise Wrong(f"a frame with the reserved opcode {opcode} came (§5.2)")
        if self.received_close:
            raise Wrong(f"a {name} frame came after the peer's Close (§5.5.1)")
        compressed = rsv == RSV1 and self.inflater is not None and opcode in (TEXT, BINARY)
        if rsv and not compressed:
            raise Wrong(f"a {name} frame came with the reserved bits {rsv:03b} (§5.2)")
        if opcode >= CLOSE:
            if not fin or len(payload) > 125:
                raise Wrong(f"a {name} frame came with FIN {fin} and {len(payload)} bytes (§5.5)")
            return self._control(opcode, payload)
        if (opcode == CONTINUATION) != (self.message is not None):
            raise Wrong(f"a {name} frame came {'inside' if self.message else 'outside'} a message (§5.4)")
        if opcode != CONTINUATION:
            self.message = [opcode, compressed, []]
        self.message[2].append(payload)
        if not fin:
            return None
        opcode, compressed, pieces = self.message
        self.message = None
        data = b"".join(pieces)
        if compressed:
            try:
                data = self.inflater.message(data)
            except zlib.error as error:
                raise Wrong(f"a compressed message cannot be inflated: {error} (RFC 7692 §7.2.1)") from None
        if opcode == TEXT:
            self._utf8(data, "a text message")
        return Event(NAMES[opcode], data)

    def _utf8(self, data, what):
        try:
            data.decode()
        except UnicodeDecodeError:
            raise Wrong(f"{what} came that is not UTF-8: {data[:40].hex(' ')} (§8.1)") from None

    def _control(self, opcode, payload):
        if opcode == PING:
            if not self.sent_close:
                self.send(pong(payload))
            return None
        if opcode == PONG:
            if payload in self.pings:
                del self.pings[: self.pings.index(payload) + 1]
            elif self.strict:
                raise Wrong(f"a pong came that answers no ping: {payload[:24].hex(' ')} (§5.5.3)")
            return Event("pong", payload)
        self.received_close = True
        if len(payload) == 1:
            raise Wrong("a Close with a body of one byte came (§5.5.1)")
        code = int.from_bytes(payload[:2], "big") if payload else None
        if code is not None and not sendable(code):
            raise Wrong(f"a Close with the code {code} came (§7.4)")
        self._utf8(payload[2:], "a Close reason")
        return Event("close", payload, code)

    def expect(self, kind, data):
        """The next message or pong must be this one; pongs that no one waits for are passed over."""
        while (event := self.read()).kind == "pong" != kind:
            pass
        if (event.kind, event.data) != (kind, data):
            raise Wrong(f"expected {Event(kind, data)}; saw {event}")

    def expect_all(self, messages, pongs=True):
        """All these messages must come, in order, and the last ping be answered."""
        waiting = list(messages)
        while waiting or pongs and self.pings:
            event = self.read()
            if event.kind == "pong":
                continue
            if not waiting or (event.kind, event.data) != waiting[0]:
                wanted = Event(*waiting[0]) if waiting else "a pong"
                raise Wrong(f"expected {wanted}; saw {event}")
            del waiting[0]

    def echo(self, frame):
        """Sends a whole message and waits for its echo."""
        self.send(frame)
        self.expect(NAMES[frame.opcode], frame.payload)

    def expect_close(self, codes, before=()):
        """The peer's Close must come with one of the codes; None among them allows an end without Close.

        Before it, only the messages of `before` may come, in order, and pongs.
        """
        waiting = list(before)
        while (event := self.read()).kind in ("text", "binary", "pong"):
            if event.kind != "pong":
                if not waiting or (event.kind, event.data) != waiting[0]:
                    raise Wrong(f"expected {_codes(codes)}; saw {event}")
                del waiting[0]
        if event.kind != "close":
            if None not in codes or event.kind != EOF:
                raise Wrong(f"expected {_codes(codes)}; saw {event}")
        elif event.code not in codes:
            raise Wrong(f"expected {_codes(codes)}; saw {event}")
        return event

    def expect_fail(self, codes=(1002,), before=(), lingering=False):
        """The peer must fail the connection (§7.1.7): a Close with one of these codes, then the end.

        With `lingering`, the end must be an orderly one: a reset may destroy the Close on its way.
        """
        self.exit = UNCLEAN
        event = self.expect_close(codes, before)
        if event.kind == "close" and not self.sent_close:
            self.send(close(event.code))
        self.end(lingering)

    def end(self, lingering=False):
        """Both Close frames are exchanged: the connection must end, the server first (§7.1.1)."""
        if self.peer == "client":
            self.wire.shutdown()
        wait = max(self.wire.timeout, 0.1)
        deadline = time.monotonic() + wait
        while not self.wire.ended:
            if time.monotonic() > deadline:
                raise Wrong(f"the {self.peer} did not end the connection within {wait:g} s")
            try:
                self.wire.fill(max(0.01, deadline - time.monotonic()))
            except Silence:
                continue
            if self.wire.buffer and self.received_close:
                raise Wrong(f"{bytes(self.wire.buffer[:16]).hex(' ')} came after the peer's Close (§5.5.1)")
        if lingering and self.wire.ended != EOF:
            raise Wrong("the connection was reset, which may destroy the Close on its way (§7.1.1)")

    def finish(self):
        """An orderly close from our side: the Close comes back, and the server ends the connection."""
        self.send(close(1000))
        self.expect_close((1000,) if self.strict else (1000, 1005, 1001))
        self.end()


def _codes(codes):
    named = [f"Close {code}" for code in codes if code]
    return " or ".join([*named, "an end"] if None in codes else named)
