"""Heads of HTTP/1.1 messages: building them right and wrong, and reading what comes back."""

import base64
import hashlib
import os
from dataclasses import dataclass

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def fresh_key():
    """A Sec-WebSocket-Key (§4.1)."""
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key):
    """The Sec-WebSocket-Accept that answers a key (§4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def lines(first, fields, changes=None, extra=()):
    """A head: the first line, then `fields` with `changes` (None drops one, a list repeats it), then `extra`."""
    changes = changes or {}
    out = [first]
    for name, value in {**fields, **changes}.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                out.append(f"{name}: {one}")
    return "\r\n".join([*out, *extra, "", ""]).encode("latin-1")


@dataclass
class Head:
    """A head that has come: its first line, and its fields in order."""

    first: str
    fields: list[tuple[str, str]]

    @classmethod
    def parse(cls, data):
        """None where the bytes are no HTTP head."""
        first, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = []
        for line in rest:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return None
            fields.append((name.lower(), value.strip(" \t")))
        return cls(first, fields)

    def all(self, name):
        """The values of a field, one for each line."""
        return [value for field, value in self.fields if field == name.lower()]

    def tokens(self, name):
        """The members of a list field, lower case, across its lines."""
        members = (member.strip(" \t").lower() for value in self.all(name) for member in value.split(","))
        return [member for member in members if member]

    @property
    def status(self):
        """The status code of a response; None where the line is malformed."""
        words = self.first.split(" ", 2)
        well = len(words) >= 2 and words[0] in ("HTTP/1.1", "HTTP/1.0") and len(words[1]) == 3
        return int(words[1]) if well and words[1].isdigit() else None
