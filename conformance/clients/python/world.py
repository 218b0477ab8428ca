"""What a case has: clients of one encoding, names of its own, the rig, tokens."""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
import unittest
import uuid

from centrifuge import Client, ClientEventHandler, ReplyError, SubscriptionEventHandler

SECRET = b"secret of the clients' tests"
# How long anything may take, in seconds. Nothing that works takes as long.
PATIENCE = 15


def signed(claims, secret=SECRET):
    """A token: HS256 over the claims."""
    def encoded(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    said = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (said + b"." + encoded(hmac.digest(secret, said, hashlib.sha256))).decode()


def in_seconds(seconds):
    """The time in so many seconds, as tokens tell it."""
    return int(time.time()) + seconds


class Inbox:
    """Events of a kind, in their order."""

    def __init__(self):
        self.came = []
        self.taken = 0
        self.more = asyncio.Event()

    def put(self, event):
        self.came.append(event)
        self.more.set()

    async def take(self, count):
        """The next `count`, when they have come."""
        enough = self.taken + count
        deadline = time.monotonic() + PATIENCE
        while len(self.came) < enough:
            self.more.clear()
            try:
                await asyncio.wait_for(self.more.wait(), deadline - time.monotonic())
            except (TimeoutError, asyncio.TimeoutError):
                raise AssertionError(f"{count} should have come, and there are {self.came[self.taken:][-20:]}") from None
        self.taken = enough
        return self.came[enough - count:enough]

    async def one(self, fits=lambda _: True):
        """The next, or the next that fits."""
        while not fits(event := (await self.take(1))[0]):
            pass
        return event

    def rest(self):
        """What has come and was not taken."""
        rest, self.taken = self.came[self.taken:], len(self.came)
        return rest


def ears(kind):
    """A handler of a client or a subscription whose every event goes to the inbox of its name, without `on_`."""
    class Ears(kind):
        def __init__(self):
            for name in dir(kind):
                if name.startswith("on_"):
                    setattr(self, name, self.listener(name[3:]))

        def listener(self, name):
            inbox = Inbox()
            setattr(self, name, inbox)

            async def listen(event):
                inbox.put(event)

            return listen

    return Ears()


class Case(unittest.IsolatedAsyncioTestCase):
    """A case in one encoding. `rig` is given before it runs."""

    maxDiff = 2000
    protobuf = False
    rig = None
    # Whether the run takes its time.
    is_long = False

    def setUp(self):
        self.line = uuid.uuid4().hex[:12]
        self.channels = 0
        self.clients = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.disconnect()

    async def ask(self, act, **fields):
        """Asks the rig."""
        return await asyncio.to_thread(self.rig.ask, act, **fields)

    async def api(self, method, **request):
        """Asks the server's API."""
        answer = await self.ask("api", method=method, request=request)
        self.assertNotIn("error", answer, f"{method} {request}")
        return answer["result"]

    def channel(self, namespace):
        """A channel that no other case has."""
        self.channels += 1
        return f"{namespace}:{self.line}-{self.channels}"

    def own(self, name):
        """A name that no other case has."""
        return f"{name}-{self.line}"

    def pack(self, data):
        """Data as the client takes it."""
        return json.dumps(data).encode() if self.protobuf else data

    def unpack(self, data):
        """Data as the client gives it."""
        return json.loads(data) if isinstance(data, bytes) else data

    def unpacked(self, events):
        """The data of publications, or of events of them."""
        return [self.unpack(getattr(event, "pub", event).data) for event in events]

    async def client(self, user="ann", claims=(), server="main", config=None, line=None, protobuf=None, **options):
        """A client of `user` (None is nobody, without a token), not connected yet. `options` are centrifuge-python's."""
        endpoint = (await self.ask("server", name=server, config=config or server))["endpoint"]
        if user is not None:
            options["token"] = signed({"sub": user, **dict(claims)})
        client = Client(
            f"{endpoint}?line={line or self.line}",
            events=ears(ClientEventHandler),
            use_protobuf=self.protobuf if protobuf is None else protobuf,
            min_reconnect_delay=0.02, max_reconnect_delay=0.2, proxy=None, **options,
        )
        client.heard = client.events
        self.clients.append(client)
        return client

    async def connect(self, client):
        """Connects, and gives the event."""
        await client.connect()
        return await client.heard.connected.one()

    async def connected(self, user="ann", **options):
        client = await self.client(user, **options)
        return client, await self.connect(client)

    def subscription(self, client, channel, **options):
        sub = client.new_subscription(
            channel, events=ears(SubscriptionEventHandler),
            min_resubscribe_delay=0.02, max_resubscribe_delay=0.2, **options,
        )
        sub.heard = sub.events
        return sub

    async def subscribed(self, client, channel, **options):
        """Subscribes, and gives the subscription and its event."""
        sub = self.subscription(client, channel, **options)
        await sub.subscribe()
        return sub, await sub.heard.subscribed.one()

    async def unsubscribed(self, client, channel, **options):
        """Subscribes in vain, and gives the event."""
        sub = self.subscription(client, channel, **options)
        await sub.subscribe()
        return await sub.heard.unsubscribed.one()

    async def assert_refused(self, asked, code):
        """What is asked is refused with this code. Gives the error."""
        with self.assertRaises(ReplyError) as caught:
            await asked
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception

    async def until(self, look):
        """Waits until `look`, a coroutine function, gives something."""
        deadline = time.monotonic() + PATIENCE
        while not (found := await look()):
            self.assertLess(time.monotonic(), deadline, "it takes too long")
            await asyncio.sleep(0.02)
        return found

    def assert_has(self, event, **fields):
        """The event has these fields, and may have others."""
        self.assertEqual({name: getattr(event, name) for name in fields}, fields)


def in_both(case):
    """Makes two of a class of cases: one for each encoding."""
    for protobuf in (False, True):
        name = f"{case.__name__}In{'Protobuf' if protobuf else 'Json'}"
        made = type(name, (case,), {"protobuf": protobuf, "__module__": case.__module__, "__qualname__": name})
        sys.modules[case.__module__].__dict__[name] = made
    # The class itself has no encoding, and is not run.
    return None
