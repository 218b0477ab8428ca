"""Channels: who may do what there, and what comes."""

import asyncio
import base64

from centrifuge import ClientDisconnectedError, Filter, StreamPosition

from world import Case, in_both, signed

# The largest message that the server takes.
LIMIT = 64 * 1024


@in_both
class Subscribing(Case):
    async def test_who_may_not_subscribe_is_told_so(self):
        client, _ = await self.connected("ann")
        for name, code in (
            (self.own("outside"), 103), (self.channel("nowhere"), 102), ("chat:" + "x" * 300, 107), ("chat:é", 107),
            (f"${self.channel('chat')}", 103),
        ):
            with self.subTest(name=name):
                self.assertEqual((await self.unsubscribed(client, name)).code, code)
        nobody, _ = await self.connected(None)
        self.assertEqual((await self.unsubscribed(nobody, self.channel("chat"))).code, 103)
        await self.subscribed(nobody, self.channel("lobby"))

    async def test_a_token_opens_a_channel(self):
        client, _ = await self.connected("ann")
        for name in (self.own("outside"), f"${self.channel('chat')}"):
            await self.subscribed(client, name, token=signed({"sub": "ann", "channel": name}))
        name = self.own("closed")
        event = await self.unsubscribed(client, name, token=signed({"sub": "ann", "channel": name}, b"another"))
        self.assertEqual(event.code, 103)

    async def test_a_token_for_something_or_somebody_else_ends_the_connection(self):
        name = self.own("outside")
        for claims in ({"sub": "ann", "channel": "x"}, {"sub": "bob", "channel": name}):
            with self.subTest(claims=claims):
                client, _ = await self.connected("ann")
                await self.subscription(client, name, token=signed(claims)).subscribe()
                self.assertEqual((await client.heard.disconnected.one()).code, 3500)

    async def test_a_channel_that_lists_users_is_for_them(self):
        channel = f"{self.channel('users')}#ann,bob"
        subs = [(await self.subscribed((await self.connected(user))[0], channel))[0] for user in ("ann", "bob")]
        eve, _ = await self.connected("eve")
        self.assertEqual((await self.unsubscribed(eve, channel)).code, 103)
        await subs[0].publish(self.pack("between us"))
        self.assertEqual((await subs[1].heard.publication.one()).pub.info.user, "ann")

    async def test_the_backend_says_who_subscribes(self):
        client, _ = await self.connected("ann")
        reply = {"result": {"data": {"topic": "ü"}}}
        sub, event = await self.subscribed(
            client, self.channel("hooked"), data=self.pack({"backend": {"reply": reply}})
        )
        self.assertEqual(self.unpack(event.data), {"topic": "ü"})
        reply = {"error": {"code": 1234, "message": "full"}}
        event = await self.unsubscribed(client, self.channel("hooked"), data=self.pack({"backend": {"reply": reply}}))
        self.assert_has(event, code=1234, reason="full")

    async def test_after_an_unsubscription_nothing_comes(self):
        client, _ = await self.connected("ann")
        channel = self.channel("chat")
        sub, _ = await self.subscribed(client, channel)
        await sub.unsubscribe()
        await client.publish(channel, self.pack("unheard"))
        await sub.subscribe()
        await sub.heard.subscribed.one()
        await client.publish(channel, self.pack("heard"))
        self.assertEqual(self.unpacked([await sub.heard.publication.one()]), ["heard"])


@in_both
class Publishing(Case):
    async def test_what_a_client_publishes_comes_to_all_and_to_itself(self):
        channel = self.channel("chat")
        ann, event = await self.connected("ann")
        own, _ = await self.subscribed(ann, channel)
        others = [(await self.subscribed((await self.connected(user))[0], channel))[0] for user in ("bob", "bob")]
        for number in range(100):
            await own.publish(self.pack({"n": number, "text": "hé 👋\u2028"}))
        for sub in (own, *others):
            events = await sub.heard.publication.take(100)
            self.assertEqual(self.unpacked(events), [{"n": n, "text": "hé 👋\u2028"} for n in range(100)])
            self.assertEqual([event.pub.offset for event in events], list(range(1, 101)))
            self.assertEqual({(event.pub.info.user, event.pub.info.client) for event in events}, {("ann", event.client)})

    async def test_who_may_not_publish_is_told_so(self):
        client, _ = await self.connected("ann")
        sub, _ = await self.subscribed(client, self.channel("readonly"))
        await self.assert_refused(sub.publish(self.pack(1)), 103)
        await self.assert_refused(client.publish(self.channel("nowhere"), self.pack(1)), 102)
        await self.assert_refused(sub.history(limit=1), 103)
        await self.assert_refused(sub.presence(), 103)
        await self.assert_refused(sub.presence_stats(), 103)

    async def test_large_messages_pass_up_to_the_limit(self):
        client, _ = await self.connected("ann")
        sub, _ = await self.subscribed(client, self.channel("chat"))
        text = "x" * (LIMIT - 300)
        await sub.publish(self.pack(text))
        self.assertEqual(self.unpacked([await sub.heard.publication.one()]), [text])
        late = asyncio.ensure_future(sub.publish(self.pack("x" * LIMIT)))
        # Unlike centrifuge-js, this client comes back.
        event = await client.heard.connecting.one(lambda event: event.code != 0)
        self.assert_has(event, code=3)
        with self.assertRaises(ClientDisconnectedError):
            await late
        await sub.heard.subscribed.one()

    async def test_the_backend_is_called(self):
        client, event = await self.connected("ann")
        value = {"text": "hé 👋", "list": [1, None, {"a": True}]}
        self.assertEqual(self.unpack((await client.rpc("echo", self.pack(value))).data), value)
        [question] = await self.ask("asked", like={"hook": "rpc", "client": event.client})
        self.assertEqual((question["method"], question["user"], question["data"]), ("echo", "ann", value))
        answers = await asyncio.gather(*(client.rpc("echo", self.pack(n)) for n in range(50)))
        self.assertEqual([self.unpack(answer.data) for answer in answers], list(range(50)))
        refused = {"backend": {"reply": {"error": {"code": 1400, "message": "wrong é"}}}}
        self.assertEqual((await self.assert_refused(client.rpc("x", self.pack(refused)), 1400)).message, "wrong é")
        for backend in ({"status": 500}, {"delay": 2000}):
            error = await self.assert_refused(client.rpc("x", self.pack({"backend": backend})), 100)
            self.assertTrue(error.temporary)
        await self.assert_refused(client.rpc("nowhere:x", self.pack(1)), 104)

    async def test_publications_are_chosen_by_their_tags(self):
        channel = self.channel("tagged")
        goals = Filter.all(Filter.eq("event", "goal"), Filter.gte("minute", "45"))
        filters = ((None, [1, 2, 3]), (goals, [3]), (Filter.negate(Filter.eq("event", "goal")), [2]))
        subs = [
            (await self.subscribed((await self.connected("ann"))[0], channel, tags_filter=it))[0] for it, _ in filters
        ]
        publisher, _ = await self.connected("bob")
        for number, event, minute in ((1, "goal", "9"), (2, "card", "50"), (3, "goal", "88")):
            await publisher.publish(channel, self.pack({"n": number, "tags": {"event": event, "minute": minute}}))
        await subs[0].heard.publication.take(3)
        for sub, (it, expected) in zip(subs, filters):
            events = sub.heard.publication.came if it is None else await sub.heard.publication.take(len(expected))
            self.assertEqual([data["n"] for data in self.unpacked(events)], expected, it)
        client, _ = await self.connected("ann")
        self.assertEqual((await self.unsubscribed(client, self.channel("chat"), tags_filter=goals)).code, 107)


class Bytes(Case):
    protobuf = True

    async def test_bytes_come_as_they_were_and_to_json_clients_in_base64(self):
        channel = self.channel("chat")
        client, _ = await self.connected("ann")
        sub, _ = await self.subscribed(client, channel)
        json_sub, _ = await self.subscribed((await self.connected("ann", protobuf=False))[0], channel)
        data = bytes(range(256))
        for value in (data, "no JSON: é\n".encode(), b'{"a": ["JSON"]}'):
            await sub.publish(value)
        await json_sub.publish({"from": "JSON"})
        expected = [data, "no JSON: é\n".encode(), b'{"a": ["JSON"]}', b'{"from": "JSON"}']
        self.assertEqual([event.pub.data for event in await sub.heard.publication.take(4)][:3], expected[:3])
        self.assertEqual(
            [event.pub.data for event in await json_sub.heard.publication.take(4)],
            [base64.b64encode(data).decode(), "no JSON: é\n", {"a": ["JSON"]}, {"from": "JSON"}],
        )


@in_both
class Asking(Case):
    async def test_tabs_of_one_user_are_clients_of_one_user(self):
        channel = self.channel("chat")
        tabs = []
        for user in ("ann", "ann", "bob"):
            client, event = await self.connected(user)
            tabs.append((client, event.client, (await self.subscribed(client, channel))[0]))
        first = tabs[0][2]
        clients = (await first.presence()).clients
        self.assertEqual(sorted(clients), sorted(client for _, client, _ in tabs))
        self.assert_has(await first.presence_stats(), num_clients=3, num_users=2)

        async def settled(clients, users):
            async def look():
                stats = await first.presence_stats()
                return (stats.num_clients, stats.num_users) == (clients, users)

            await self.until(look)

        await tabs[1][2].unsubscribe()
        await settled(2, 2)
        await tabs[2][0].disconnect()
        await settled(1, 1)

    async def test_joins_and_leaves_come_once_each(self):
        channel = self.channel("joins")
        watching, own = await self.connected("watcher")
        sub, _ = await self.subscribed(watching, channel)
        for number in range(3):
            line = self.own(f"ann{number}")
            client, event = await self.connected("ann", line=line)
            other, _ = await self.subscribed(client, channel)
            joined = await sub.heard.join.one(lambda join: join.info.client != own.client)
            self.assert_has(joined.info, client=event.client, user="ann")
            if number == 0:
                await other.unsubscribe()
            elif number == 1:
                await client.disconnect()
            else:
                await self.ask("block", line=line, on=True)
            self.assertEqual((await sub.heard.leave.one()).info.client, event.client)
        self.assertEqual(sub.heard.join.rest() + sub.heard.leave.rest(), [])

    async def test_history_comes_in_pages_forward_and_back(self):
        client, _ = await self.connected("ann")
        sub, _ = await self.subscribed(client, self.channel("chat"))
        for number in range(1, 8):
            await sub.publish(self.pack(number))
        nothing = await sub.history()
        self.assertEqual((nothing.publications, nothing.offset), ([], 7))
        epoch = nothing.epoch
        for options, expected in (
            ({"limit": -1}, [1, 2, 3, 4, 5, 6, 7]),
            ({"limit": 2}, [1, 2]),
            ({"limit": 2, "reverse": True}, [7, 6]),
            ({"limit": 3, "since": StreamPosition(2, epoch)}, [3, 4, 5]),
            ({"limit": 3, "since": StreamPosition(7, epoch)}, []),
            ({"limit": 3, "since": StreamPosition(3, epoch), "reverse": True}, [2, 1]),
        ):
            with self.subTest(**options):
                self.assertEqual(self.unpacked((await sub.history(**options)).publications), expected)
        await self.assert_refused(sub.history(limit=1, since=StreamPosition(1, "another")), 112)
