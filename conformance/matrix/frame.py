"""Frames as bytes (§5.2), right and wrong ones alike."""

import os
import struct
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
RSV1, RSV2, RSV3 = 4, 2, 1


def mask(data, key):
    """`data` masked with the four bytes of `key` (§5.3)."""
    stream = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(data), "little")


@dataclass(frozen=True)
class Frame:
    """A frame to send. What is None takes the value that the protocol asks for."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    masked: bool | None = None  # by the sender's role
    form: int | None = None  # bits of the length field: 7, 16 or 64
    length: int | None = None  # declared, whatever the payload
    cut: int | None = None  # send so many bytes of it only

    def encode(self, masking):
        """The bytes, masked where the sender's role asks for it."""
        masked = masking if self.masked is None else self.masked
        length = len(self.payload) if self.length is None else self.length
        form = self.form or (7 if length < 126 else 16 if length < 1 << 16 else 64)
        field = {7: length, 16: 126, 64: 127}[form]
        out = bytes([self.fin << 7 | self.rsv << 4 | self.opcode, masked << 7 | field])
        out += {7: b"", 16: struct.pack("!H", length & 0xFFFF), 64: struct.pack("!Q", length)}[form]
        if masked:
            key = os.urandom(4)
            out += key + mask(self.payload, key)
        else:
            out += self.payload
        return out[: self.cut]


def text(payload=b"", **fields):
    """A text frame."""
    return Frame(TEXT, payload.encode() if isinstance(payload, str) else payload, **fields)


def binary(payload=b"", **fields):
    """A binary frame."""
    return Frame(BINARY, payload, **fields)


def more(payload=b"", fin=False, **fields):
    """A continuation frame that is not the last."""
    return Frame(CONTINUATION, payload.encode() if isinstance(payload, str) else payload, fin=fin, **fields)


def last(payload=b"", **fields):
    """The final continuation frame."""
    return more(payload, fin=True, **fields)


def ping(payload=b"", **fields):
    """A ping."""
    return Frame(PING, payload, **fields)


def pong(payload=b"", **fields):
    """A pong."""
    return Frame(PONG, payload, **fields)


def close(code=None, reason=b"", **fields):
    """A Close frame; without a code its body is empty."""
    body = b"" if code is None else struct.pack("!H", code) + reason
    return Frame(CLOSE, body, **fields)


def sendable(code):
    """Whether an endpoint may put this code in a Close frame (§7.4, and the IANA registry)."""
    return code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code <= 4999
