"""Channels: who may subscribe and publish, who is there, channels of the server's."""

import asyncio

from centrifuge import ClientDisconnectedError, ClientState, SubscriptionState
from world import equal, in_seconds, refused, token

# The largest message that the server takes.
LIMIT = 64 * 1024


async def not_allowed(world):
    """channels that are not for the client are refused"""
    client, _, _ = await world.connected()
    for channel, code in [
        (world.own("outside"), 103),
        (world.channel("nowhere"), 102),
        (f"chat:{'x' * 300}", 107),
        (f"{world.channel('users')}#bob", 103),
    ]:
        equal((await world.unsubscribed(client, channel)).code, code, channel)
    other, _, _ = await world.connected(user=None)
    equal((await world.unsubscribed(other, world.channel("chat"))).code, 103, "the code for nobody")
    await world.subscribed(other, world.channel("lobby"))
    equal(client.state, ClientState.CONNECTED)


async def opened_by_token(world):
    """a token opens a channel"""
    client, _, name = await world.connected(user="ann")
    channel = world.own("outside")
    subscription, _, _ = await world.subscribed(
        client, channel, token=token("ann", channel=channel, info={"role": "boss"})
    )
    await refused(subscription.publish(world.pack(1)), 103)
    equal((await world.api("presence", channel=channel))["presence"][name]["chan_info"], {"role": "boss"})
    private = f"${world.channel('chat')}"

    async def newer(asked):
        return token("ann", channel=asked)

    await world.subscribed(client, private, get_token=newer)


async def wrong_token(world):
    """a token with another signature opens nothing, one for another channel ends the connection"""
    channel = world.own("outside")
    client, _, _ = await world.connected(user="ann")
    equal((await world.unsubscribed(client, channel, token=token("ann", secret="no", channel=channel))).code, 103)
    other, events, _ = await world.connected(user="ann")
    await world.subscribing(other, channel, token=token("ann", channel=f"{channel}2"))
    equal((await events.next("disconnected")).code, 3500)


async def subscription_refreshed(world):
    """a subscription is refreshed in time and goes on"""
    asked, third = [], asyncio.Event()

    async def newer(channel):
        asked.append(1)
        if len(asked) == 3:
            third.set()
        return token("ann", channel=channel, exp=in_seconds(2 if len(asked) < 3 else 600))

    client, _, _ = await world.connected(user="ann")
    subscription, events, _ = await world.subscribed(client, world.own("outside"), get_token=newer)
    await asyncio.wait_for(third.wait(), 20)
    await client.rpc("echo", world.pack(1))
    equal(subscription.state, SubscriptionState.SUBSCRIBED)
    equal(len(events.rest("subscribing")), 1, "how often it subscribed")


async def unsubscribed(world):
    """after an unsubscription nothing comes, after another subscription it does"""
    client, _, _ = await world.connected()
    channel = world.channel("chat")
    subscription, events, _ = await world.subscribed(client, channel)
    await subscription.unsubscribe()
    equal((await events.next("unsubscribed")).code, 0)
    await client.publish(channel, world.pack("unheard"))
    equal((await client.presence_stats(channel)).num_clients, 0)
    await subscription.subscribe()
    await events.next("subscribed")
    await client.publish(channel, world.pack("heard"))
    equal(await world.values(events, 1), ["heard"])
    equal(events.rest("publication"), [])


async def published(world):
    """what a client publishes comes to all, and to itself"""
    ann, _, name = await world.connected(user="ann", claims={"info": {"name": "Ann"}})
    channel = world.channel("chat")
    own, events, _ = await world.subscribed(ann, channel)
    all_events = [events]
    for user in ["bob", "bob", "eve"]:
        client, _, _ = await world.connected(user=user)
        all_events.append((await world.subscribed(client, channel))[1])
    await own.publish(world.pack({"text": "hi 👋"}))
    for events in all_events:
        publication = (await events.next("publication")).pub
        equal(publication.offset, 1)
        equal((publication.info.user, publication.info.client), ("ann", name))
        equal(world.unpack(publication.info.conn_info), {"name": "Ann"})
        equal(world.unpack(publication.data), {"text": "hi 👋"})


async def in_order(world):
    """many publications come in their order"""
    client, _, _ = await world.connected()
    subscription, events, _ = await world.subscribed(client, world.channel("chat"))
    count = 300
    await asyncio.gather(*(subscription.publish(world.pack(n)) for n in range(count)))
    seen = [(world.unpack(event.pub.data), event.pub.offset) for event in await events.take("publication", count)]
    equal(seen, [(n, n + 1) for n in range(count)])


async def not_published(world):
    """who may not publish is told so"""
    client, _, _ = await world.connected()
    subscription, _, _ = await world.subscribed(client, world.channel("readonly"))
    await refused(subscription.publish(world.pack(1)), 103)
    await refused(client.publish(world.channel("nowhere"), world.pack(1)), 102)
    await refused(client.publish(world.channel("lobby"), world.pack(1)), 103)
    await client.publish(world.channel("chat"), world.pack(1))


async def values(world):
    """values of every kind come as they were"""
    client, _, _ = await world.connected()
    subscription, events, _ = await world.subscribed(client, world.channel("chat"))
    kinds = [0, -0.5, 1e300, False, True, "", "null", [], {}, [[[]]], {"a": None}, {"": 0}, 2**53 - 1]
    kinds += ["𝄞 \u0000 \u001f \u007f \u2028 \ufeff \"\\/", "👩‍👩‍👧‍👦🏳️‍🌈", {"ключ 🔑": "värde"}, "a\nb\r\n\tc"]
    for value in kinds:
        await subscription.publish(world.pack(value))
        (seen,) = await world.values(events, 1)
        equal((seen, type(seen)), (value, type(value)))


async def large(world):
    """a message close to the limit passes, a larger one ends the connection"""
    client, client_events, _ = await world.connected()
    channel = world.channel("chat")
    subscription, events, _ = await world.subscribed(client, channel)
    text = "x" * (LIMIT - 200)
    await subscription.publish(world.pack(text))
    assert (await world.values(events, 1)) == [text], "it came otherwise"
    await world.api("publish", channel=channel, data="海" * 200_000)
    assert (await world.values(events, 1)) == ["海" * 200_000], "the server's came otherwise"
    client_events.rest("connecting")
    sending = asyncio.ensure_future(subscription.publish(world.pack("x" * LIMIT)))
    # This client comes back after it, centrifuge-js does not.
    end = await client_events.next("connecting")
    (outcome,) = await asyncio.gather(sending, return_exceptions=True)
    equal((end.code, end.reason), (3, "message size limit"))
    assert isinstance(outcome, ClientDisconnectedError), f"the publication ends with {outcome!r}"
    await client_events.next("connected")


async def raw_bytes(world):
    """bytes come as they were"""
    client, _, _ = await world.connected()
    subscription, events, _ = await world.subscribed(client, world.channel("chat"))
    for data in [bytes(range(256)) * 2, "no JSON: é\n".encode()]:
        await subscription.publish(data)
        equal((await events.next("publication")).pub.data, data)


async def who_is_there(world):
    """presence tells who is there, and how many"""
    channel, names = world.channel("chat"), {}
    for user in ["ann", "ann", "bob"]:
        client, _, name = await world.connected(user=user)
        subscription, _, _ = await world.subscribed(client, channel)
        names[name] = user
    equal({name: info.user for name, info in (await subscription.presence()).clients.items()}, names)
    stats = await subscription.presence_stats()
    equal((stats.num_clients, stats.num_users), (3, 2))
    await subscription.unsubscribe()
    stats = await client.presence_stats(channel)
    equal((stats.num_clients, stats.num_users), (2, 1))
    await refused(client.presence(world.channel("recovery")), 108)


async def joins(world):
    """who comes and goes is told"""
    channel = world.channel("joins")
    client, _, own = await world.connected(user="ann")
    _, events, _ = await world.subscribed(client, channel)
    equal((await events.next("join")).info.client, own)
    other, _, name = await world.connected(user="bob", claims={"info": {"a": 1}})
    subscription, _, _ = await world.subscribed(other, channel)
    info = (await events.next("join")).info
    equal((info.client, info.user, world.unpack(info.conn_info)), (name, "bob", {"a": 1}))
    await subscription.unsubscribe()
    equal((await events.next("leave")).info.client, name)
    await subscription.subscribe()
    equal((await events.next("join")).info.client, name)
    await other.disconnect()
    equal((await events.next("leave")).info.client, name)


async def joins_asked_for(world):
    """who comes and goes is told to those who ask, where they may"""
    channel = world.channel("chat")
    client, _, own = await world.connected(user="ann")
    _, events, _ = await world.subscribed(client, channel, join_leave=True)
    without, _, name = await world.connected(user="bob")
    subscription, others, _ = await world.subscribed(without, channel)
    equal([event.info.client for event in await events.take("join", 2)], [own, name])
    await subscription.publish(world.pack(1))
    await others.next("publication")
    equal(others.rest("join"), [])


async def of_token(world):
    """a token's channels are subscribed to"""
    chat, plain, user = world.channel("chat"), world.own("outside"), world.own("ann")
    claims = {"subs": {plain: {}, chat: {"info": {"a": 1}, "data": {"hello": "é"}}}}
    client, events, name = await world.connected(user=user, claims=claims)
    told = {event.channel: event for event in await events.take("subscribed", 3)}
    equal(set(told), {chat, plain, f"personal:#{user}"})
    equal(world.unpack(told[chat].data), {"hello": "é"})
    await client.publish(chat, world.pack("x"))
    event = await events.next("publication")
    equal((event.channel, world.unpack(event.pub.data)), (chat, "x"))
    equal(world.unpack(event.pub.info.chan_info), {"a": 1})
    equal(list((await client.presence(chat)).clients), [name])


async def of_api(world):
    """the server subscribes a user, and unsubscribes it"""
    user, channel = world.own("ann"), world.channel("chat")
    client, events, name = await world.connected(user=user)
    await events.next("subscribed")
    await world.api("subscribe", user=user, channel=channel)
    equal((await events.next("subscribed")).channel, channel)
    await client.publish(channel, world.pack(1))
    event = await events.next("publication")
    equal((event.channel, world.unpack(event.pub.data)), (channel, 1))
    equal(list((await client.presence(channel)).clients), [name])
    await world.api("unsubscribe", user=user, channel=channel)
    equal((await events.next("unsubscribed")).channel, channel)


async def ended_by_api(world):
    """the server ends a subscription of the client's"""
    user, channel = world.own("ann"), world.channel("chat")
    client, _, _ = await world.connected(user=user)
    _, events, _ = await world.subscribed(client, channel)
    await world.api("unsubscribe", user=user, channel=channel)
    gone = await events.next("unsubscribed")
    equal((gone.code, gone.reason), (2000, "server unsubscribe"))
    equal(client.state, ClientState.CONNECTED)


CASES = [
    not_allowed,
    opened_by_token,
    wrong_token,
    subscription_refreshed,
    unsubscribed,
    published,
    in_order,
    not_published,
    values,
    large,
    who_is_there,
    joins,
    joins_asked_for,
    of_token,
    of_api,
    ended_by_api,
]
PROTOBUF_CASES = [raw_bytes]
