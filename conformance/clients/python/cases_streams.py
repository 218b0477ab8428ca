"""Streams: the history of a channel, recovery, differences, filters."""

from centrifuge import DeltaType, Filter, StreamPosition
from world import equal, in_seconds, refused


async def filled(world, count, namespace="chat"):
    """A subscription to a channel with so many publications."""
    client, _, _ = await world.connected()
    subscription, _, _ = await world.subscribed(client, world.channel(namespace))
    for n in range(1, count + 1):
        await subscription.publish(world.pack(n))
    return subscription


def numbers(world, history):
    return [world.unpack(publication.data) for publication in history.publications]


async def history_all(world):
    """all come, or the first, or the last"""
    subscription = await filled(world, 10)
    for limit, reverse, expected in [
        (0, False, []),
        (-1, False, list(range(1, 11))),
        (3, False, [1, 2, 3]),
        (3, True, [10, 9, 8]),
        (-1, True, list(range(10, 0, -1))),
        (100, False, list(range(1, 11))),
    ]:
        history = await subscription.history(limit=limit, reverse=reverse)
        equal(numbers(world, history), expected, f"{limit}, {reverse}")
        equal(history.offset, 10, "the offset")
        assert history.epoch, "there is no epoch"


async def history_pages(world):
    """pages go forward and back"""
    subscription = await filled(world, 10)
    epoch = (await subscription.history()).epoch
    for reverse, offset, expected in [
        (False, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10], []]),
        (True, 11, [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1], []]),
    ]:
        for page in expected:
            history = await subscription.history(limit=3, reverse=reverse, since=StreamPosition(offset, epoch))
            equal(numbers(world, history), page, f"the page from {offset}")
            offset = history.publications[-1].offset if history.publications else offset
    await refused(subscription.history(limit=1, since=StreamPosition(1, "another")), 112)


async def history_short(world):
    """the oldest go"""
    subscription = await filled(world, 5, "smallhistory")
    history = await subscription.history(limit=-1)
    equal((numbers(world, history), history.offset), ([4, 5], 5))
    equal([publication.info.user for publication in history.publications], ["ann", "ann"])


async def history_refused(world):
    """who may not ask for a history is told so"""
    client, _, _ = await world.connected()
    subscription, _, _ = await world.subscribed(client, world.channel("readonly"))
    await refused(subscription.history(limit=1), 103)
    await refused(client.history(world.channel("nowhere")), 102)
    without, _, _ = await world.subscribed(client, world.channel("lobby"))
    await refused(without.history(), 108)


class Pair:
    """A reader on the case's line, and a writer on another."""

    @classmethod
    async def of(cls, world, namespace, **options):
        self = cls()
        self.world, self.channel = world, world.channel(namespace)
        self.client, self.client_events, _ = await world.connected(user="reader")
        self.writer, _, _ = await world.connected(user="writer", line=f"{world.line}-writer")
        self.subscription, self.events, self.first = await world.subscribed(self.client, self.channel, **options)
        return self

    async def publish(self, *values):
        for value in values:
            await self.writer.publish(self.channel, self.world.pack(value))

    async def values(self, count):
        return await self.world.values(self.events, count)

    async def missing(self, *values):
        """Whether it was recovered after it missed what is published."""
        back = await self.world.missing(self.client_events, self.events, lambda: self.publish(*values))
        return back.was_recovering, back.recovered


async def recovered(world):
    """what was missed comes, in its order"""
    it = await Pair.of(world, "recovery")
    first = it.first
    equal((first.was_recovering, first.recovered, first.recoverable, first.positioned), (False, False, True, True))
    await it.publish(1, 2)
    equal(await it.values(2), [1, 2])
    equal(await it.missing(3, 4, 5), (True, True))
    await it.publish(6)
    equal(await it.values(4), [3, 4, 5, 6])
    equal(await it.missing(), (True, True))
    await it.publish(7)
    equal(await it.values(1), [7])


async def recovered_later(world):
    """what came while it was not subscribed comes"""
    it = await Pair.of(world, "recovery")
    await it.publish(1)
    equal(await it.values(1), [1])
    await it.subscription.unsubscribe()
    await it.publish(2, 3)
    await it.subscription.subscribe()
    back = await it.events.next("subscribed")
    equal((back.was_recovering, back.recovered), (True, True))
    equal(await it.values(2), [2, 3])


async def recovery_asked_for(world):
    """clients may ask not to miss anything"""
    it = await Pair.of(world, "chat", recoverable=True, positioned=True)
    equal((it.first.recoverable, it.first.positioned), (True, True))
    equal(await it.missing(1), (True, True))
    equal(await it.values(1), [1])


async def recovery_not_asked_for(world):
    """who does not ask for it misses what came"""
    it = await Pair.of(world, "chat")
    equal((it.first.recoverable, it.first.positioned), (False, False))
    equal(await it.missing(1), (False, False))
    await it.publish(2)
    equal(await it.values(1), [2])


async def not_recovered(world):
    """where not all can be had nothing is"""
    it = await Pair.of(world, "smallhistory")
    await it.publish(1)
    equal(await it.values(1), [1])
    equal(await it.missing(2, 3, 4, 5), (True, False))
    await it.publish(6)
    equal(await it.values(1), [6])
    equal(await it.missing(7, 8), (True, True))
    equal(await it.values(2), [7, 8])


async def removed(world):
    """a history that was removed cannot be recovered"""
    it = await Pair.of(world, "recovery")
    await it.publish(1, 2)
    await it.values(2)
    await it.subscription.unsubscribe()
    await it.publish(3)
    await world.api("history_remove", channel=it.channel)
    await it.subscription.subscribe()
    back = await it.events.next("subscribed")
    equal((back.was_recovering, back.recovered), (True, False))


async def from_state(world):
    """a subscription goes on from the position of a state that was loaded"""
    it = await Pair.of(world, "recovery")
    await it.publish(1, 2, 3)
    epoch = (await it.subscription.history()).epoch
    asked = []

    async def state(channel):
        asked.append(channel)
        return StreamPosition(1, epoch)

    client, _, _ = await world.connected(user="other")
    _, events, first = await world.subscribed(client, it.channel, get_state=state)
    equal((first.was_recovering, first.recovered), (True, True))
    equal((await world.values(events, 2), asked), ([2, 3], [it.channel]))


async def server_side_recovered(world):
    """channels of the server's are recovered with the connection"""
    channel, user = world.channel("recovery"), world.own("ann")
    claims = {"subs": {channel: {}}, "exp": in_seconds(600)}
    _, events, _ = await world.connected(user=user, claims=claims)
    writer, _, _ = await world.connected(user="writer", line=f"{world.line}-writer")
    await events.take("subscribed", 2)
    events.rest("connecting")
    await writer.publish(channel, world.pack(1))
    equal(world.unpack((await events.next("publication")).pub.data), 1)
    await world.rig("block", line=world.line, on=True)
    await events.next("connecting")
    for value in [2, 3]:
        await writer.publish(channel, world.pack(value))
    await world.rig("block", line=world.line, on=False)
    back = {event.channel: event for event in await events.take("subscribed", 2)}
    equal((back[channel].was_recovering, back[channel].recovered), (True, True))
    await writer.publish(channel, world.pack(4))
    seen = [(event.channel, world.unpack(event.pub.data)) for event in await events.take("publication", 3)]
    equal(seen, [(channel, 2), (channel, 3), (channel, 4)])


async def differences(world):
    """publications come as differences, also after a broken connection"""

    def document(n):
        return {"n": n, "title": "Une histoire très longue 長い物語", "text": "lorem ipsum " * 40, "tail": [n % 7, "ß"]}

    it = await Pair.of(world, "delta", delta=DeltaType.FOSSIL)
    plain, _, _ = await world.connected()
    _, whole, _ = await world.subscribed(plain, it.channel)
    await it.publish(*map(document, range(10)))
    publications = [event.pub for event in await it.events.take("publication", 10)]
    equal([world.unpack(publication.data) for publication in publications], [document(n) for n in range(10)])
    equal([publication.delta for publication in publications], [False] + [True] * 9, "which came as differences")
    publications = [event.pub for event in await whole.take("publication", 10)]
    equal([world.unpack(publication.data) for publication in publications], [document(n) for n in range(10)])
    assert not any(publication.delta for publication in publications), "differences came to who did not ask"
    equal(await it.missing(*map(document, range(10, 14))), (True, True))
    await it.publish(document(14), "short", document(15))
    equal(await it.values(7), [*map(document, range(10, 15)), "short", document(15)])


async def no_differences(world):
    """where differences are not allowed whole publications come"""
    it = await Pair.of(world, "recovery", delta=DeltaType.FOSSIL)
    await it.publish("a" * 500, "a" * 501)
    publications = [event.pub for event in await it.events.take("publication", 2)]
    equal([(world.unpack(pub.data), pub.delta) for pub in publications], [("a" * 500, False), ("a" * 501, False)])


GOALS = Filter.eq("event", "goal")


async def filters(world):
    """only what passes the filter comes"""
    channel = world.channel("tagged")
    writer, _, _ = await world.connected(user="writer")
    rows = []
    for tags_filter, expected in [
        (None, [1, 2, 3, 4, 5]),
        (GOALS, [1, 3]),
        (Filter.neq("event", "goal"), [2, 4, 5]),
        (Filter.is_in("event", ["card", "goal"]), [1, 2, 3]),
        (Filter.not_in("event", ["card", "goal"]), [4, 5]),
        (Filter.gte("minute", "45"), [3, 4]),
        (Filter.exists("minute"), [1, 2, 3, 4]),
        (Filter.not_exists("minute"), [5]),
        (Filter.starts_with("event", "g"), [1, 3]),
        (Filter.all(GOALS, Filter.negate(Filter.lt("minute", "45"))), [3]),
        (Filter.any(Filter.eq("event", "end"), Filter.contains("event", "ar")), [2, 4]),
    ]:
        client, _, _ = await world.connected()
        subscription, events, _ = await world.subscribed(client, channel, tags_filter=tags_filter)
        rows.append((tags_filter, expected, client, events))
    for n, event, minute in [(1, "goal", "9"), (2, "card", "30"), (3, "goal", "88"), (4, "end", "90"), (5, "", "")]:
        tags = {"event": event, "minute": minute} if event else {}
        await writer.publish(channel, world.pack({"n": n, "tags": tags}))
    for tags_filter, expected, client, events in rows:
        seen = [world.unpack(event.pub.data)["n"] for event in await events.take("publication", len(expected))]
        equal(seen, expected, tags_filter)
        await client.rpc("echo", world.pack(1))
        equal(events.rest("publication"), [], tags_filter)


async def filters_recover(world):
    """what was missed is chosen as well"""
    it = await Pair.of(world, "tagged", tags_filter=GOALS)

    def rows(*events):
        return [{"n": n, "tags": {"event": event}} for n, event in events]

    await it.publish(*rows((1, "goal"), (2, "card")))
    equal([value["n"] for value in await it.values(1)], [1])
    equal(await it.missing(*rows((3, "card"), (4, "goal"), (5, "card"))), (True, True))
    await it.publish(*rows((6, "goal")))
    equal([value["n"] for value in await it.values(2)], [4, 6])


async def filters_refused(world):
    """a filter where none is allowed is refused"""
    client, _, _ = await world.connected()
    equal((await world.unsubscribed(client, world.channel("chat"), tags_filter=GOALS)).code, 107)
    await world.subscribed(client, world.channel("tagged"), tags_filter=GOALS)


CASES = [
    history_all,
    history_pages,
    history_short,
    history_refused,
    recovered,
    recovered_later,
    recovery_asked_for,
    recovery_not_asked_for,
    not_recovered,
    removed,
    from_state,
    server_side_recovered,
    differences,
    no_differences,
    filters,
    filters_recover,
    filters_refused,
]
