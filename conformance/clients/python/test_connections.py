"""Who may connect, for how long, and what the client is told."""

import asyncio

from world import Case, in_both, in_seconds, signed


@in_both
class Connecting(Case):
    async def turned_away(self, client):
        await client.connect()
        return await client.heard.disconnected.one()

    async def test_who_shows_no_token_connects_where_that_is_allowed(self):
        client, event = await self.connected(None)
        self.assertRegex(event.client, "^[0-9a-f-]{36}$")
        await client.disconnect()
        self.assertEqual((await client.heard.disconnected.one()).code, 0)
        self.assertNotEqual((await self.connect(client)).client, event.client)

    async def test_a_token_says_who_the_client_is(self):
        client, event = await self.connected("ann", claims={"info": {"name": "Ann"}, "exp": in_seconds(60)})
        sub, _ = await self.subscribed(client, self.channel("chat"))
        clients = (await sub.presence()).clients
        self.assertEqual(list(clients), [event.client])
        self.assert_has(clients[event.client], client=event.client, user="ann")
        self.assertEqual(self.unpack(clients[event.client].conn_info), {"name": "Ann"})

    async def test_a_token_that_has_expired_is_asked_for_anew(self):
        asked = []

        async def get_token():
            asked.append(1)
            return signed({"sub": "ann"})

        client = await self.client("ann", claims={"exp": in_seconds(-60)}, get_token=get_token)
        await self.connect(client)
        self.assertEqual(len(asked), 1)
        self.assertEqual([event.error.code for event in client.heard.error.rest()], [109])

    async def test_a_bad_token_ends_the_connection_for_good(self):
        for token in ("x", "a.b.c", signed({"sub": "ann"}, b"another"), signed([1])):
            with self.subTest(token=token):
                event = await self.turned_away(await self.client(None, token=token))
                self.assert_has(event, code=3500, reason="invalid token")

    async def test_the_backend_says_who_connects(self):
        user, channel = self.own("eve"), self.channel("chat")
        reply = {"result": {"user": user, "data": {"welcome": "é"}, "channels": [channel]}}
        client = await self.client(None, server="hooks", data=self.pack({"backend": {"reply": reply}}), version="7")
        event = await self.connect(client)
        self.assertEqual(self.unpack(event.data), {"welcome": "é"})
        self.assertEqual((await client.heard.subscribed.one()).channel, channel)
        [question] = await self.ask("asked", like={"hook": "connect", "client": event.client})
        self.assertEqual((question["name"], question["version"]), ("python", "7"))
        self.assertEqual(question["protocol"], "protobuf" if self.protobuf else "json")

    async def test_the_backend_refuses_with_a_code_of_its_own(self):
        for reply, code, reason in (
            ({"error": {"code": 1000, "message": "closed today"}}, 1000, "closed today"),
            ({"disconnect": {"code": 4501, "reason": "banned"}}, 4501, "banned"),
        ):
            with self.subTest(code=code):
                client = await self.client(None, server="hooks", data=self.pack({"backend": {"reply": reply}}))
                self.assert_has(await self.turned_away(client), code=code, reason=reason)


@in_both
class Lasting(Case):
    async def test_a_connection_is_refreshed_and_goes_on(self):
        asked = []

        async def get_token():
            asked.append(1)
            return signed({"sub": "ann", "exp": in_seconds(2 if len(asked) < 3 else 600)})

        client = await self.client(None, get_token=get_token)
        await self.connect(client)
        await self.until(lambda: asyncio.sleep(0, len(asked) == 3))
        self.assertEqual(self.unpack((await client.rpc("echo", self.pack("still here"))).data), "still here")
        self.assertEqual([event.code for event in client.heard.connecting.rest()], [0])

    async def test_a_connection_that_is_not_refreshed_ends(self):
        asked = []

        async def get_token():
            asked.append(1)
            if len(asked) == 2:
                await asyncio.sleep(3600)
            return signed({"sub": "ann", "exp": in_seconds(2 if len(asked) == 1 else 600)})

        client = await self.client(None, get_token=get_token)
        await self.connect(client)
        event = await client.heard.connecting.one(lambda event: event.code != 0)
        self.assert_has(event, code=3005, reason="connection expired")

    async def test_a_subscription_is_refreshed_and_goes_on(self):
        client, _ = await self.connected("ann")
        asked = []

        async def get_token(channel):
            asked.append(1)
            return signed({"sub": "ann", "channel": channel, "exp": in_seconds(2 if len(asked) < 3 else 600)})

        sub, _ = await self.subscribed(client, self.own("outside"), get_token=get_token)
        await self.until(lambda: asyncio.sleep(0, len(asked) == 3))
        await client.rpc("echo", self.pack(1))
        self.assertEqual([event.code for event in sub.heard.subscribing.rest()], [0])

    async def test_a_subscription_that_is_not_refreshed_ends(self):
        client, _ = await self.connected("ann")
        asked = []

        async def get_token(channel):
            asked.append(1)
            if len(asked) == 2:
                await asyncio.sleep(3600)
            return signed({"sub": "ann", "channel": channel, "exp": in_seconds(2 if len(asked) == 1 else 600)})

        sub, _ = await self.subscribed(client, self.own("outside"), get_token=get_token)
        event = await sub.heard.subscribing.one(lambda event: event.code != 0)
        self.assert_has(event, code=2501, reason="subscription expired")

    async def test_pings_are_answered(self):
        client, event = await self.connected("ann", server="brisk")
        sub, _ = await self.subscribed(client, self.channel("chat"))
        for _ in range(8):
            await asyncio.sleep(0.4)
            self.assertIn(event.client, (await sub.presence()).clients)
        self.assertEqual([event.code for event in client.heard.connecting.rest()], [0])

    async def test_a_server_that_has_gone_silent_is_left_and_a_client_too(self):
        line, channel = self.own("frozen"), self.channel("chat")
        client, event = await self.connected("ann", server="brisk", line=line, max_server_ping_delay=0.3)
        watcher, _ = await self.connected("bob", server="brisk")
        sub, _ = await self.subscribed(client, channel)
        await self.ask("freeze", name="brisk", line=line, on=True)
        self.assertEqual((await client.heard.connecting.one(lambda event: event.code != 0)).code, 2)

        async def is_gone():
            return (await watcher.presence_stats(channel)).num_clients == 0

        await self.until(is_gone)
        await self.ask("freeze", name="brisk", line=line, on=False)
        await sub.heard.subscribed.one()
        clients = (await sub.presence()).clients
        self.assertEqual((len(clients), event.client in clients), (1, False))

    async def test_clients_come_back_after_the_end_of_a_server(self):
        for signal, code in (("SIGTERM", 3001), ("SIGKILL", 1)):
            with self.subTest(signal=signal):
                name = self.own(signal)
                client, _ = await self.connected("ann", server=name, config="main")
                sub, _ = await self.subscribed(client, self.channel("recovery"))
                await sub.publish(self.pack("before"))
                await sub.heard.publication.one()
                await self.ask("restart", name=name, signal=signal)
                event = await sub.heard.subscribed.one()
                self.assert_has(event, was_recovering=True, recovered=False)
                self.assertEqual((await client.heard.connecting.one(lambda event: event.code != 0)).code, code)
                await sub.publish(self.pack("after"))
                self.assertEqual(self.unpacked([await sub.heard.publication.one()]), ["after"])
