"""What a client is given of what it missed."""

import asyncio

from centrifuge import DeltaType, StreamPosition

from world import Case, in_both, in_seconds


class Pair(Case):
    async def pair(self, namespace, **options):
        """A subscriber whose connection can be cut, and a publisher whose cannot."""
        self.name = self.channel(namespace)
        self.reader, _ = await self.connected("reader")
        self.writer, _ = await self.connected("writer", line=self.own("writer"))
        self.sub, event = await self.subscribed(self.reader, self.name, **options)
        return event

    async def publish(self, *values):
        for value in values:
            await self.writer.publish(self.name, self.pack(value))

    async def taken(self, count):
        return self.unpacked(await self.sub.heard.publication.take(count))

    async def missing(self, *values):
        """Cuts the connection, publishes while it is gone, and gives the event of the subscription's return."""
        self.reader.heard.connecting.rest()
        await self.ask("block", line=self.line, on=True)
        await self.reader.heard.connecting.one()
        await self.publish(*values)
        await self.ask("block", line=self.line, on=False)
        return await self.sub.heard.subscribed.one()


@in_both
class Recovering(Pair):
    async def test_what_was_missed_comes_in_its_order(self):
        event = await self.pair("recovery")
        self.assert_has(event, recoverable=True, positioned=True, was_recovering=False, recovered=False)
        await self.publish(1, 2)
        self.assertEqual(await self.taken(2), [1, 2])
        self.assert_has(await self.missing(3, 4, 5), was_recovering=True, recovered=True)
        await self.publish(6)
        self.assertEqual(await self.taken(4), [3, 4, 5, 6])
        self.assert_has(await self.missing(), was_recovering=True, recovered=True)
        await self.publish(7)
        self.assertEqual(await self.taken(1), [7])

    async def test_what_came_while_it_was_not_subscribed_comes(self):
        await self.pair("recovery")
        await self.publish(1)
        await self.taken(1)
        await self.sub.unsubscribe()
        await self.publish(2, 3)
        await self.sub.subscribe()
        self.assert_has(await self.sub.heard.subscribed.one(), was_recovering=True, recovered=True)
        self.assertEqual(await self.taken(2), [2, 3])

    async def test_where_not_all_can_be_had_nothing_is(self):
        await self.pair("smallhistory")
        await self.publish(1)
        await self.taken(1)
        self.assert_has(await self.missing(2, 3, 4, 5), was_recovering=True, recovered=False)
        await self.publish(6)
        self.assertEqual(await self.taken(1), [6])

    async def test_clients_may_ask_not_to_miss_anything(self):
        event = await self.pair("chat", recoverable=True, positioned=True)
        self.assert_has(event, recoverable=True, positioned=True)
        self.assert_has(await self.missing(1), was_recovering=True, recovered=True)
        self.assertEqual(await self.taken(1), [1])

    async def test_a_cache_gives_the_newest(self):
        await self.pair("cache")
        await self.publish(1, 2)
        await self.taken(2)
        self.assert_has(await self.missing(3, 4), was_recovering=True, recovered=True)
        self.assertEqual(await self.taken(1), [4])

    async def test_differences_go_on_after_a_recovery(self):
        await self.pair("delta", delta=DeltaType.FOSSIL)
        documents = [{"n": n, "text": "lorem ipsum 長い " * 40, "tail": n % 7} for n in range(10)]
        await self.publish(*documents[:3])
        self.assertEqual(await self.taken(3), documents[:3])
        self.assert_has(await self.missing(*documents[3:6]), recovered=True)
        self.assertEqual(await self.taken(3), documents[3:6])
        await self.publish(*documents[6:])
        self.assertEqual(await self.taken(4), documents[6:])

    async def test_the_application_says_where_to_begin(self):
        await self.pair("smallhistory")
        await self.publish(1, 2, 3)
        await self.taken(3)
        epoch = (await self.sub.history()).epoch
        asked = []

        async def get_state(_):
            # The first is too old, and refused with 112.
            asked.append(1)
            return StreamPosition([0, 2][len(asked) - 1], epoch)

        client, _ = await self.connected("other")
        sub, event = await self.subscribed(client, self.name, get_state=get_state)
        self.assert_has(event, was_recovering=True, recovered=True)
        self.assertEqual(self.unpacked(await sub.heard.publication.take(1)), [3])
        self.assertEqual(len(asked), 2)

    async def test_channels_of_the_server_are_recovered_with_the_connection(self):
        self.name = self.channel("recovery")
        self.writer, _ = await self.connected("writer", line=self.own("writer"))
        client, _ = await self.connected("ann", claims={"subs": {self.name: {}}, "exp": in_seconds(600)})

        def is_own(event):
            return event.channel == self.name

        await client.heard.subscribed.one(is_own)
        await self.publish(1)
        await client.heard.publication.one(is_own)
        await self.ask("block", line=self.line, on=True)
        await self.publish(2, 3)
        await self.ask("block", line=self.line, on=False)
        self.assert_has(await client.heard.subscribed.one(is_own), was_recovering=True, recovered=True)
        await self.publish(4)
        self.assertEqual(self.unpacked(await client.heard.publication.take(3)), [2, 3, 4])

    async def test_nothing_is_lost_repeated_or_out_of_order_while_connections_break(self):
        await self.pair("recovery")
        count = 2000 if self.is_long else 300
        is_done = False

        async def cut():
            for pause in range(10_000):
                if is_done:
                    return
                await asyncio.sleep(pause * 7 % 40 / 1000)
                await self.ask("cut", line=self.line)

        cutting = asyncio.ensure_future(cut())
        for number in range(count):
            await self.publish(number)
        is_done = True
        await cutting
        self.assertEqual(await self.taken(count), list(range(count)))
        for event in self.sub.heard.subscribed.rest():
            self.assert_has(event, was_recovering=True, recovered=True)
        self.assertGreater(await self.ask("count", line=self.line), 3)
