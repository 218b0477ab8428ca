"""What ends and what lasts: tokens that run out, silence, servers that end, storms of broken connections."""

import asyncio
import os

from centrifuge import StreamPosition
from world import equal, in_seconds, token

LONG = os.environ.get("CLIENTS_LONG") == "1"


async def ended(events, kind="connecting"):
    """The next such event that is not the beginning."""
    while (event := await events.next(kind)).code == 0:
        pass
    return event


def once(claims):
    """Tokens of which the first runs out at once, and the second never comes; then they last."""
    asked = []

    async def newer(channel=None):
        asked.append(1)
        if len(asked) == 2:
            await asyncio.sleep(3600)
        of_channel = {"channel": channel} if channel else {}
        return token("ann", exp=in_seconds(2 if len(asked) == 1 else 600), **of_channel, **claims)

    return newer


async def not_refreshed_in_time(world):
    """a connection that is not refreshed in time ends"""
    _, events, _ = await world.connected(user=None, get_token=once({}))
    end = await ended(events)
    equal((end.code, end.reason), (3005, "connection expired"))


async def subscription_not_refreshed(world):
    """a subscription that is not refreshed in time ends"""
    client, client_events, _ = await world.connected()
    _, events, _ = await world.subscribed(client, world.own("outside"), get_token=once({}))
    end = await ended(events, "subscribing")
    equal((end.code, end.reason), (2501, "subscription expired"))
    equal([event.code for event in client_events.rest("connecting")], [0], "how often it connected")


async def pinged(world):
    """pings are answered"""
    client, events, name = await world.connected(server="brisk")
    subscription, _, _ = await world.subscribed(client, world.channel("chat"))
    for _ in range(12):
        await asyncio.sleep(0.45)
        assert name in (await subscription.presence()).clients, "the client is gone"
    equal([event.code for event in events.rest("connecting")], [0], "how often it connected")


async def silent(world):
    """a server that has gone silent is left, a client too"""
    frozen = {"name": "brisk", "line": world.own("frozen")}
    channel = world.channel("chat")
    client, events, name = await world.connected(server="brisk", line=frozen["line"], max_server_ping_delay=0.5)
    watcher, _, _ = await world.connected(user="bob", server="brisk")
    subscription, sub_events, _ = await world.subscribed(client, channel)
    await world.rig("freeze", **frozen, on=True)
    equal((await ended(events)).code, 2)
    for _ in range(500):
        if (await watcher.presence_stats(channel)).num_clients == 0:
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("the silent client is still there")
    await world.rig("freeze", **frozen, on=False)
    await sub_events.next("subscribed")
    clients = (await subscription.presence()).clients
    equal((len(clients), name in clients), (1, False))


async def restarted(world):
    """clients come back after the end of a server"""
    for signal, code in [("SIGTERM", 3001), ("SIGKILL", 1)]:
        name = world.own(signal)
        client, events, _ = await world.connected(server=name, config="main")
        subscription, sub_events, _ = await world.subscribed(client, world.channel("recovery"))
        await subscription.publish(world.pack("before"))
        equal(await world.values(sub_events, 1), ["before"])
        await world.rig("restart", name=name, signal=signal)
        back = await sub_events.next("subscribed")
        equal((back.was_recovering, back.recovered), (True, False), signal)
        equal((await ended(events)).code, code, signal)
        await subscription.publish(world.pack("after"))
        equal(await world.values(sub_events, 1), ["after"])


async def storm(world):
    """nothing is lost, repeated or out of order while connections break"""
    channel = world.channel("recovery")
    reader, _, _ = await world.connected(user="reader")
    writer, _, _ = await world.connected(user="writer", line=world.own("writer"))
    _, events, _ = await world.subscribed(reader, channel)
    wanted, cuts, count = (100 if LONG else 10), 0, 0

    async def cut():
        nonlocal cuts
        while cuts < wanted:
            await reader.ready()
            await asyncio.sleep(cuts * 7 % 23 / 1000)
            await world.rig("cut", line=world.line)
            cuts += 1

    cutting = asyncio.ensure_future(cut())
    while cuts < wanted or count < 300:
        await writer.publish(channel, world.pack(count))
        count += 1
    await cutting
    equal(await world.values(events, count), list(range(count)))
    for back in events.rest("subscribed"):
        equal((back.was_recovering, back.recovered), (True, True))


async def cached(world):
    """a cache gives the newest"""
    channel = world.channel("cache")
    client, client_events, _ = await world.connected(user="reader")
    writer, _, _ = await world.connected(user="writer", line=world.own("writer"))
    _, events, _ = await world.subscribed(client, channel)

    async def publish(*values):
        for value in values:
            await writer.publish(channel, world.pack(value))

    await publish(1, 2)
    equal(await world.values(events, 2), [1, 2])
    back = await world.missing(client_events, events, lambda: publish(3, 4))
    equal((back.was_recovering, back.recovered), (True, True))
    equal(await world.values(events, 1), [4])


async def state_too_old(world):
    """a state that is too old to go on from is loaded again"""
    client, _, _ = await world.connected()
    channel = world.channel("smallhistory")
    subscription, _, _ = await world.subscribed(client, channel)
    for value in [1, 2, 3]:
        await subscription.publish(world.pack(value))
    epoch = (await subscription.history()).epoch
    offsets = [0, 2]

    async def state(_):
        return StreamPosition(offsets.pop(0), epoch)

    other, _, _ = await world.connected(user="other")
    _, events, first = await world.subscribed(other, channel, get_state=state)
    equal((first.was_recovering, first.recovered, offsets), (True, True, []))
    equal(await world.values(events, 1), [3])


async def listed(world):
    """a channel that lists users is for them"""
    channel = f"{world.channel('users')}#ann,bob"
    both = []
    for user in ["ann", "bob"]:
        client, _, _ = await world.connected(user=user)
        both.append(await world.subscribed(client, channel))
    eve, _, _ = await world.connected(user="eve")
    equal((await world.unsubscribed(eve, channel)).code, 103)
    await both[0][0].publish(world.pack("between us"))
    equal((await both[1][1].next("publication")).pub.info.user, "ann")


# Those that wait for time to pass come first: they run beside the others.
CASES = [
    not_refreshed_in_time,
    subscription_not_refreshed,
    pinged,
    silent,
    restarted,
    storm,
    cached,
    state_too_old,
    listed,
]
