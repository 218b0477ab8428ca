"""permessage-deflate (RFC 7692) on zlib: payloads, offers, agreements."""

import re
import zlib
from dataclasses import dataclass

TAIL = b"\x00\x00\xff\xff"
NAME = "permessage-deflate"
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_BITS = ("server_max_window_bits", "client_max_window_bits")
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")


class Deflater:
    """The sending half: compresses messages, with or without the context of the earlier ones."""

    def __init__(self, bits=15, takeover=True, level=6, strategy=zlib.Z_DEFAULT_STRATEGY):
        # zlib cannot make a raw stream with a window of 256 bytes; stored blocks refer to nothing.
        self.settings = (0 if bits == 8 else level, zlib.DEFLATED, -max(bits, 9), 8, strategy)
        self.bits, self.takeover = bits, takeover
        self.stream = zlib.compressobj(*self.settings)

    def message(self, data):
        """One message's payload (RFC 7692 §7.2.1)."""
        if not self.takeover:
            self.stream = zlib.compressobj(*self.settings)
        out = self.stream.compress(data) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        return out[:-4] or b"\x00"


class Inflater:
    """The receiving half: fails where a message refers back further than the window allows."""

    def __init__(self, bits=15, takeover=True):
        self.bits, self.takeover = bits, takeover
        self.stream = zlib.decompressobj(-bits)

    def message(self, payload):
        """One message's data (RFC 7692 §7.2.2); raises zlib.error."""
        if not self.takeover or self.stream.eof:
            self.stream = zlib.decompressobj(-self.bits)
        return self.stream.decompress(payload + TAIL)


def compress(data, **settings):
    """One message on its own."""
    return Deflater(**settings).message(data)


def final_block(data):
    """One message whose last block has BFINAL set, with the byte that RFC 7692 §7.2.3.4 adds."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush() + b"\x00"


def bomb(size):
    """A message of `size` zero bytes, made in pieces."""
    stream = zlib.compressobj(9, wbits=-15)
    piece = bytes(1 << 20)
    out = [stream.compress(piece) for _ in range(size >> 20)]
    out.append(stream.compress(bytes(size & 0xFFFFF)))
    out.append(stream.flush(zlib.Z_SYNC_FLUSH)[:-4])
    return b"".join(out)


def elements(value):
    """The extensions that a header value names: [(name, [(parameter, value or None)])]; None if malformed."""
    found = []
    for element in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', value):
        words = [word.strip() for word in re.findall(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+', element)]
        parameters = []
        if not re.fullmatch(_TOKEN, words[0]):
            return None
        for word in words[1:]:
            parts = re.fullmatch(rf'({_TOKEN})(?:\s*=\s*("?)({_TOKEN})\2)?', word)
            if not parts:
                return None
            parameters.append((parts[1], parts[3]))
        found.append((words[0], parameters))
    return found


@dataclass(frozen=True)
class Agreement:
    """What both sides hold to, after the response."""

    server_bits: int = 15
    client_bits: int = 15
    server_takeover: bool = True
    client_takeover: bool = True


def agreement(parameters):
    """The agreement that a response's parameters mean, or a sentence that says what is wrong with them."""
    seen = dict(parameters)
    if len(seen) != len(parameters):
        return "a parameter stands twice"
    for name, value in parameters:
        if name in _FLAGS and value is not None:
            return f"{name} has the value {value!r}"
        if name in _BITS and not re.fullmatch(r"[89]|1[0-5]", value or ""):
            return f"{name} is {value!r}, not 8 to 15"
        if name not in _FLAGS + _BITS:
            return f"unknown parameter {name}"
    return Agreement(
        int(seen.get("server_max_window_bits", 15)), int(seen.get("client_max_window_bits", 15)),
        "server_no_context_takeover" not in seen, "client_no_context_takeover" not in seen,
    )


def answers(offer, parameters):
    """What is wrong with a response to this offer's parameters (RFC 7692 §7.1), or None."""
    agreed = agreement(parameters)
    if isinstance(agreed, str):
        return agreed
    offered, answered = dict(offer), dict(parameters)
    if "client_max_window_bits" in answered and "client_max_window_bits" not in offered:
        return "client_max_window_bits was not offered"
    limit = offered.get("server_max_window_bits")
    if limit and agreed.server_bits > int(limit):
        return f"server_max_window_bits={limit} was asked for, {agreed.server_bits} holds"
    if "server_no_context_takeover" in offered and agreed.server_takeover:
        return "server_no_context_takeover was asked for and is not in the response"
    return None
