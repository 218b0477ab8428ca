"""A server under test, and clients of the client protocol in a few lines."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path

import requests
import websockets

HERE = Path(__file__).resolve().parent
KEY = "test-api-key"
PATIENCE = 10


class Server:
    """The binary on a free port, with the configuration beside this file."""

    def __init__(self, binary):
        config = str(HERE / "server.toml")
        command = [binary, "serve", "--config", config, "--listen", "127.0.0.1:0", "--workers", "2", "--log", "warn"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            self.stop()
            raise RuntimeError(f"the server said {line!r}")
        self.address = line.strip().removeprefix("listening on http://")
        self.api = f"http://{self.address}/api"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=40)

    def post(self, path, body, key=KEY, **headers):
        """A request without the help of `cent`; text is sent as it is."""
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {**({"X-API-Key": key} if key else {}), **headers}
        return requests.post(f"{self.api}{path}", data=data, headers=headers, timeout=PATIENCE)


def token(user, secret="secret", **claims):
    """A connection's token."""
    claims = {"sub": user, "iat": int(time.time()), **claims}

    def part(value):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = f'{part({"alg": "HS256", "typ": "JWT"})}.{part(claims)}'
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


class Client:
    """A connection that has been let in. What it is told is kept until somebody looks at it."""

    def __init__(self, socket):
        self.socket, self.id, self.last = socket, None, 0
        self.replies, self.pushes = {}, []

    async def command(self, **command):
        """The result of a command, with its error if there is one."""
        self.last += 1
        number = self.last
        await self.socket.send(json.dumps({"id": number, **command}))
        while number not in self.replies:
            await self.read()
        reply = self.replies.pop(number)
        return reply.get("error") or reply.get(next(iter(command)))

    async def push(self, kind):
        """The next push of a kind, with its channel. Those of other kinds before it are forgotten."""
        while True:
            while self.pushes:
                push = self.pushes.pop(0)
                if kind in push:
                    return {"channel": push.get("channel"), **push[kind]}
            await self.read()

    async def silence(self):
        """Nothing has come: what the server says next is the answer to this."""
        await self.command(presence_stats={"channel": "kept:nobody"})
        assert not self.pushes, self.pushes

    async def end(self):
        """The code and reason of the end."""
        try:
            while True:
                await self.read()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason

    async def read(self):
        message = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        for line in message.splitlines():
            reply = json.loads(line)
            if "push" in reply:
                self.pushes.append(reply["push"])
            elif "id" in reply:
                self.replies[reply["id"]] = reply
            else:
                await self.socket.send("{}")


@contextlib.asynccontextmanager
async def connected(server, user, *channels, **claims):
    """A client of a user, subscribed to channels."""
    async with websockets.connect(f"ws://{server.address}/connection/websocket") as socket:
        client = Client(socket)
        result = await client.command(connect={"token": token(user, **claims)})
        client.id = result["client"]
        for channel in channels:
            result = await client.command(subscribe={"channel": channel})
            assert "code" not in result, result
        yield client
