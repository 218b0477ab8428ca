"""A TCP connection that remembers how it ended."""

import select
import socket
import struct
import time

EOF = "end of file"
RESET = "connection reset"


class Silence(Exception):
    """Nothing more came before the deadline."""


class Wire:
    """A socket whose incoming bytes are kept while it sends, so that neither side can wait for the other.

    `ended` is None, EOF or RESET. Bytes that came before a reset can still be read.
    """

    def __init__(self, sock, timeout):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self.sock, self.timeout = sock, timeout
        self.buffer = bytearray()
        self.ended = None
        self.broken = False  # the peer takes no more of what we send

    def send(self, data):
        """Sends everything, or as much as the peer takes before it closes."""
        view = memoryview(data)
        deadline = time.monotonic() + max(self.timeout, 30 if len(data) > 1 << 16 else 0)
        while view and not self.broken:
            readers = [] if self.ended else [self.sock]
            readable, writable, _ = select.select(readers, [self.sock], [], max(0, deadline - time.monotonic()))
            if readable:
                self._receive()
            if writable:
                try:
                    view = view[self.sock.send(view[: 1 << 18]):]
                except BlockingIOError:
                    continue
                except OSError:
                    self.broken = True
            elif not readable:
                raise Silence("the peer took no more bytes")

    def send_parts(self, parts, pause=0.002):
        """Sends each part in a segment of its own."""
        for part in parts:
            self.send(part)
            time.sleep(pause)

    def _receive(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            self.ended = RESET
            return
        if not data:
            self.ended = EOF
        self.buffer += data

    def fill(self, timeout=None):
        """Waits for more bytes or the end. Raises Silence when neither comes."""
        if self.ended:
            return
        readable, _, _ = select.select([self.sock], [], [], self.timeout if timeout is None else timeout)
        if not readable:
            raise Silence(f"nothing came within {self.timeout if timeout is None else timeout:g} s")
        self._receive()

    def read_until(self, mark, limit=1 << 17):
        """The bytes up to and with `mark`; None where the connection ended before it."""
        while (at := self.buffer.find(mark)) < 0:
            if self.ended or len(self.buffer) > limit:
                return None
            self.fill()
        return self.take(at + len(mark))

    def read_exactly(self, count):
        """`count` bytes; None where the connection ended before them."""
        while len(self.buffer) < count:
            if self.ended:
                return None
            self.fill()
        return self.take(count)

    def take(self, count):
        """Removes `count` bytes from what has come."""
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_to_end(self, timeout=None):
        """Reads until the connection ends; returns what came."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.ended:
            self.fill(max(0, deadline - time.monotonic()))
        return self.take(len(self.buffer))

    def shutdown(self):
        """Ends our direction; the other stays open."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def reset(self):
        """Closes with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        """Closes both directions."""
        self.sock.close()
