"""What the server does of its own accord."""

from world import Case, in_both


@in_both
class ServerSide(Case):
    async def test_a_tokens_channels_are_subscribed_to(self):
        chat, plain = self.channel("chat"), self.own("outside")
        client, _ = await self.connected("ann", claims={"subs": {plain: {}, chat: {"data": {"hello": "é"}}}})
        events = {event.channel: event for event in await client.heard.subscribed.take(3)}
        self.assertEqual(set(events), {plain, chat, "personal:#ann"})
        self.assertEqual(self.unpack(events[chat].data), {"hello": "é"})
        await client.publish(chat, self.pack("x"))
        event = await client.heard.publication.one()
        self.assertEqual((event.channel, self.unpack(event.pub.data)), (chat, "x"))

    async def test_each_user_has_a_channel(self):
        user = self.own("ann")
        clients = [(await self.connected(user))[0] for _ in range(2)]
        for client in clients:
            self.assert_has(await client.heard.subscribed.one(), channel=f"personal:#{user}", recoverable=True)
        await self.api("publish", channel=f"personal:#{user}", data={"for": "you"}, tags={"a": "1"})
        for client in clients:
            event = await client.heard.publication.one()
            self.assertEqual(self.unpack(event.pub.data), {"for": "you"})
            self.assertEqual(event.pub.tags, {"a": "1"})

    async def test_the_server_subscribes_a_user_and_unsubscribes_it(self):
        user, channel = self.own("ann"), self.channel("chat")
        client, event = await self.connected(user)
        await self.api("subscribe", user=user, channel=channel)
        await client.heard.subscribed.one(lambda event: event.channel == channel)
        self.assertEqual(list((await self.api("presence", channel=channel))["presence"]), [event.client])
        await client.publish(channel, self.pack(1))
        self.assertEqual((await client.heard.publication.one()).channel, channel)
        await self.api("unsubscribe", user=user, channel=channel)
        await client.heard.unsubscribed.one(lambda event: event.channel == channel)

    async def test_the_server_ends_a_subscription_of_the_clients(self):
        user, channel = self.own("ann"), self.channel("chat")
        client, _ = await self.connected(user)
        sub, _ = await self.subscribed(client, channel)
        await self.api("unsubscribe", user=user, channel=channel)
        self.assert_has(await sub.heard.unsubscribed.one(), code=2000, reason="server unsubscribe")

    async def test_the_server_disconnects_a_user_for_a_while_or_for_good(self):
        user = self.own("ann")
        client, _ = await self.connected(user)
        await self.api("disconnect", user=user, disconnect={"code": 4000, "reason": "come back"})
        event = await client.heard.connecting.one(lambda event: event.code != 0)
        self.assert_has(event, code=4000, reason="come back")
        await client.heard.connected.one()
        await self.api("disconnect", user=user)
        self.assert_has(await client.heard.disconnected.one(), code=3503, reason="force disconnect")
