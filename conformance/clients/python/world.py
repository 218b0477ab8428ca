"""What a case has: clients of one encoding, names of its own, the rig, tokens."""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
import uuid

from centrifuge import CentrifugeError, Client, ReplyError

SECRET = "secret of the clients' tests"
PATIENCE = 20


def token(user, secret=SECRET, header=None, **claims):
    """A token: HS256 over the claims, or with another header and secret."""

    def part(value):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = f'{part(header or {"alg": "HS256", "typ": "JWT"})}.{part({"sub": user, **claims})}'
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def in_seconds(seconds):
    """The time in so many seconds, as tokens tell it."""
    return int(time.time()) + seconds


class Events:
    """What a client or a subscription told: each kind in its order, kept until somebody looks at it."""

    def __init__(self):
        self.queues = collections.defaultdict(asyncio.Queue)

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)

        async def keep(event):
            self.queues[name.removeprefix("on_")].put_nowait(event)

        return keep

    async def next(self, kind):
        """The next event of a kind."""
        try:
            return await asyncio.wait_for(self.queues[kind].get(), PATIENCE)
        except asyncio.TimeoutError:
            told = {name: list(queue._queue) for name, queue in self.queues.items()}
            raise AssertionError(f"no {kind} in {PATIENCE} s; there are {told}") from None

    async def take(self, kind, count):
        """The next ones of a kind."""
        return [await self.next(kind) for _ in range(count)]

    def rest(self, kind):
        """Those that have come and that nobody has looked at."""
        queue = self.queues[kind]
        return [queue.get_nowait() for _ in range(queue.qsize())]


class World:
    """What one case has to itself. `encoding` is `json` or `protobuf`."""

    def __init__(self, rig, encoding):
        self.url, self.encoding = rig, encoding
        self.line = uuid.uuid4().hex[:12]
        self.clients, self.channels = [], 0

    async def rig(self, act, **fields):
        """Asks the rig; see rig/main.mjs."""
        body = json.dumps({"do": act, "name": "main", **fields}).encode()

        def ask():
            try:
                with urllib.request.urlopen(f"{self.url}/rig", data=body, timeout=PATIENCE) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                raise AssertionError(f"the rig: {error.read().decode()}") from None

        return await asyncio.to_thread(ask)

    async def api(self, method, **request):
        """The result of a call of the server's API."""
        answer = await self.rig("api", method=method, request=request)
        assert "error" not in answer, f"the API refuses {method}: {answer}"
        return answer["result"]

    def own(self, name):
        """A name that no other case has."""
        return f"{name}-{self.line}"

    def channel(self, namespace):
        """A channel that no other case has."""
        self.channels += 1
        return f"{namespace}:{self.line}-{self.channels}"

    def pack(self, data):
        """Data as the client takes it."""
        return json.dumps(data).encode() if self.encoding == "protobuf" else data

    def unpack(self, data):
        """Data as the client gives it: bytes over Protobuf, and nothing else."""
        if data is not None:
            assert isinstance(data, bytes) == (self.encoding == "protobuf"), f"the data is {data!r}"
        return json.loads(data) if isinstance(data, bytes) else data

    async def client(self, user="ann", claims=None, line=None, server="main", config=None, **options):
        """A client of a user (None is nobody, without a token), not connected yet, with its events."""
        place = await self.rig("server", name=server, config=config or server)
        if user is not None:
            options.setdefault("token", token(user, **(claims or {})))
        events = Events()
        client = Client(
            f"{place['endpoint']}?line={line or self.line}",
            events=events,
            use_protobuf=self.encoding == "protobuf",
            min_reconnect_delay=0.02,
            max_reconnect_delay=0.2,
            timeout=PATIENCE,
            proxy=None,
            **{"max_server_ping_delay": 40, **options},
        )
        self.clients.append(client)
        return client, events

    async def connected(self, *arguments, **options):
        """The same, connected: the client, its events, and its id."""
        client, events = await self.client(*arguments, **options)
        await client.connect()
        return client, events, (await events.next("connected")).client

    async def turned_away(self, **options):
        """How a client that cannot connect ends."""
        client, events = await self.client(**options)
        await client.connect()
        return await events.next("disconnected")

    async def subscribing(self, client, channel, **options):
        """A subscription that has been asked for, with its events."""
        events = Events()
        options = {"min_resubscribe_delay": 0.02, "max_resubscribe_delay": 0.2, **options}
        subscription = client.new_subscription(channel, events=events, **options)
        await subscription.subscribe()
        return subscription, events

    async def subscribed(self, client, channel, **options):
        """A subscription, its events, and what it was told at first."""
        subscription, events = await self.subscribing(client, channel, **options)
        return subscription, events, await events.next("subscribed")

    async def unsubscribed(self, client, channel, **options):
        """How a subscription in vain ends."""
        _, events = await self.subscribing(client, channel, **options)
        return await events.next("unsubscribed")

    async def values(self, events, count):
        """The data of the next publications."""
        return [self.unpack(event.pub.data) for event in await events.take("publication", count)]

    async def missing(self, client_events, events, meanwhile):
        """Breaks the connection, does something while it is gone, and gives what the subscription is told on its return."""
        client_events.rest("connecting")
        await self.rig("block", line=self.line, on=True)
        await client_events.next("connecting")
        await meanwhile()
        await self.rig("block", line=self.line, on=False)
        return await events.next("subscribed")

    async def end(self):
        """Disconnects every client."""
        for client in self.clients:
            await client.disconnect()


def equal(seen, expected, what=""):
    """Fails unless both are the same."""
    assert seen == expected, f"{what or 'it'} is {seen!r}, not {expected!r}"


async def refused(call, code):
    """The error of a call that fails with a code."""
    try:
        result = await call
    except ReplyError as error:
        equal(error.code, code, f"the code of {error}")
        return error
    except CentrifugeError as error:
        raise AssertionError(f"it fails with {error!r}, not with {code}") from error
    raise AssertionError(f"it succeeds with {result!r}, not with the error {code}")
