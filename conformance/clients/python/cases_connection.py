"""Connections: who is let in, what lasts, calls to the backend."""

import asyncio

from centrifuge import ClientState, UnauthorizedError
from world import equal, in_seconds, refused, token


async def nobody(world):
    """who shows no token connects where that is allowed"""
    client, _, name = await world.connected(user=None)
    equal(client.state, ClientState.CONNECTED)
    equal(len(name), 36, "the length of the client's id")


async def again(world):
    """a connection can be ended and begun again"""
    client, events, first = await world.connected()
    await client.disconnect()
    equal((await events.next("disconnected")).code, 0)
    await client.connect()
    assert (await events.next("connected")).client != first, "each connection has an id of its own"


async def somebody(world):
    """a token says who the client is and what others see of it"""
    claims = {"info": {"name": "Änn"}, "exp": in_seconds(60)}
    client, _, name = await world.connected(user="ann", claims=claims)
    subscription, _, _ = await world.subscribed(client, world.channel("chat"))
    clients = (await subscription.presence()).clients
    equal(list(clients), [name])
    equal((clients[name].client, clients[name].user), (name, "ann"))
    equal(world.unpack(clients[name].conn_info), {"name": "Änn"})


async def expired(world):
    """a token that has expired is asked for anew"""
    asked = []

    async def newer():
        asked.append(1)
        return token("ann")

    _, events, _ = await world.connected(claims={"exp": in_seconds(-60)}, get_token=newer)
    equal(len(asked), 1, "how often it was asked")
    assert [event.code for event in events.rest("error")], "no error told of it"


async def expired_for_good(world):
    """who has no newer token is turned away"""
    equal((await world.turned_away(claims={"exp": in_seconds(-60)})).code, 1)


async def not_authorized(world):
    """who cannot get a token is turned away"""

    async def none():
        raise UnauthorizedError("no")

    equal((await world.turned_away(user=None, get_token=none)).code, 1)


async def bad(world):
    """a bad token ends the connection for good"""
    unsigned = token("ann", header={"alg": "none"}).rpartition(".")[0] + "."
    for wrong in [token("ann", secret="another"), unsigned, "x", "a.b.c", "🔑"]:
        end = await world.turned_away(user=None, token=wrong)
        equal((end.code, end.reason), (3500, "invalid token"), wrong)


async def refreshed(world):
    """a connection is refreshed in time and goes on"""
    asked, third = [], asyncio.Event()

    async def newer():
        asked.append(1)
        if len(asked) == 3:
            third.set()
        return token("ann", exp=in_seconds(2 if len(asked) < 3 else 600))

    client, events, _ = await world.connected(user=None, get_token=newer)
    await asyncio.wait_for(third.wait(), 20)
    equal(world.unpack((await client.rpc("echo", world.pack("still here"))).data), "still here")
    equal([event.code for event in events.rest("connecting")], [0], "how often it connected")


async def not_refreshed(world):
    """a connection whose token runs out, and that has no other, ends for good"""
    _, events, _ = await world.connected(claims={"exp": in_seconds(2)})
    equal((await events.next("disconnected")).code, 1)


async def lasting_token(world):
    """tokens last over broken connections"""
    asked = []

    async def newer():
        asked.append(1)
        return token("ann", exp=in_seconds(600))

    _, events, _ = await world.connected(user=None, get_token=newer)
    for _ in range(3):
        await world.rig("cut", line=world.line)
        await events.next("connected")
    equal(len(asked), 1, "how often a token was asked for")


async def from_backend(world):
    """the backend says who connects, and what it is told"""
    user, channel = world.own("eve"), world.channel("chat")
    reply = {"result": {"user": user, "info": {"from": "backend"}, "data": {"welcome": "é"}, "channels": [channel]}}
    data = world.pack({"backend": {"reply": reply}})
    client, events = await world.client(server="hooks", user=None, data=data, name="suite", version="7")
    await client.connect()
    connected = await events.next("connected")
    equal(world.unpack(connected.data), {"welcome": "é"})
    equal((await events.next("subscribed")).channel, channel)
    (question,) = await world.rig("asked", like={"hook": "connect", "client": connected.client})
    seen = {field: question[field] for field in ("name", "version", "transport", "protocol")}
    equal(seen, {"name": "suite", "version": "7", "transport": "websocket", "protocol": world.encoding})


async def backend_refuses(world):
    """the backend refuses with a code of its own"""
    for reply, code, reason in [
        ({"error": {"code": 1000, "message": "closed today"}}, 1000, "closed today"),
        ({"disconnect": {"code": 4501, "reason": "banned"}}, 4501, "banned"),
    ]:
        end = await world.turned_away(server="hooks", user=None, data=world.pack({"backend": {"reply": reply}}))
        equal((end.code, end.reason), (code, reason))


async def call(world):
    """a call is answered"""
    user = world.own("ann")
    client, _, name = await world.connected(user=user, claims={"meta": {"plan": "gold"}})
    value = {"text": "hé 👋", "list": [1, None, {"a": True}]}
    equal(world.unpack((await client.rpc("echo", world.pack(value))).data), value)
    (question,) = await world.rig("asked", like={"hook": "rpc", "client": name})
    seen = {field: question[field] for field in ("method", "user", "data", "meta")}
    equal(seen, {"method": "echo", "user": user, "data": value, "meta": {"plan": "gold"}})


async def calls_at_once(world):
    """calls at once are each given their own answer"""
    client, _, _ = await world.connected()
    answers = await asyncio.gather(*(client.rpc("echo", world.pack(n)) for n in range(50)))
    equal([world.unpack(answer.data) for answer in answers], list(range(50)))


async def calls_refused(world):
    """errors of the backend are the client's"""
    client, _, _ = await world.connected()

    def asked(backend):
        return client.rpc("x", world.pack({"backend": backend}))

    error = await refused(asked({"reply": {"error": {"code": 1400, "message": "wrong é"}}}), 1400)
    equal((error.message, error.temporary), ("wrong é", False))
    for backend in [{"status": 500}, {"delay": 4000}, {"reply": []}]:
        assert (await refused(asked(backend), 100)).temporary, f"{backend} is not temporary"
    await refused(client.rpc("nowhere:echo", world.pack(1)), 104)
    equal(world.unpack((await client.rpc("echo", world.pack(1))).data), 1)


async def disconnected_by_api(world):
    """the server disconnects a user, for a while or for good"""
    user = world.own("ann")
    _, events, _ = await world.connected(user=user)
    events.rest("connecting")
    await world.api("disconnect", user=user, disconnect={"code": 4000, "reason": "come back"})
    away = await events.next("connecting")
    equal((away.code, away.reason), (4000, "come back"))
    await events.next("connected")
    await world.api("disconnect", user=user)
    gone = await events.next("disconnected")
    equal((gone.code, gone.reason), (3503, "force disconnect"))


CASES = [
    nobody,
    again,
    somebody,
    expired,
    expired_for_good,
    not_authorized,
    bad,
    refreshed,
    not_refreshed,
    lasting_token,
    from_backend,
    backend_refuses,
    call,
    calls_at_once,
    calls_refused,
    disconnected_by_api,
]
