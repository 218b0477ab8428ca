"""What Centrifugo's client promises of the API, and what the server's own description says of itself."""

import asyncio
import time

import cent
from rig import KEY, connected

CASES = []


def case(function):
    CASES.append(function)
    return function


def code_of(call, *arguments):
    """The code of the error that a call ends with."""
    try:
        call(*arguments)
    except cent.CentApiResponseError as error:
        return error.code
    return None


@case
async def a_publication_reaches_subscribers(server, api):
    async with connected(server, "ann", "kept:pub") as ann:
        first = api.publish(cent.PublishRequest(channel="kept:pub", data={"n": 1}, tags={"a": "b"}))
        assert (first.offset, bool(first.epoch)) == (1, True)
        push = await ann.push("pub")
        assert (push["channel"], push["data"], push["offset"], push["tags"]) == ("kept:pub", {"n": 1}, 1, {"a": "b"})
        skipped = api.publish(cent.PublishRequest(channel="kept:pub", data="text", skip_history=True))
        assert skipped.offset == 0
        assert (await ann.push("pub"))["data"] == "text"
        api.publish(cent.PublishRequest(channel="kept:pub", data=None, b64data="AP8="))
        assert (await ann.push("pub"))["data"] == "AP8="


@case
async def a_repeated_publication_is_dropped(server, api):
    async with connected(server, "ann", "kept:once") as ann:
        request = cent.PublishRequest(channel="kept:once", data=1, idempotency_key="k")
        assert api.publish(request) == api.publish(request)
        await ann.push("pub")
        versioned = {"channel": "kept:once", "data": 2, "version": 5}
        first, again = (server.post("/publish", versioned).json()["result"] for _ in range(2))
        assert first["offset"] == again["offset"] == 2
        await ann.push("pub")
        await ann.silence()


@case
async def a_broadcast_answers_for_each_channel(server, api):
    async with connected(server, "ann", "kept:one", "two") as ann:
        result = api.broadcast(cent.BroadcastRequest(channels=["kept:one", "two", "none:x"], data={}))
        one, two, none = result.responses
        assert (one.result.offset, two.result.offset, none.error.code) == (1, 0, 102)
        assert {(await ann.push("pub"))["channel"] for _ in range(2)} == {"kept:one", "two"}


@case
async def a_broadcast_by_pattern_reaches_what_matches(server, api):
    async with connected(server, "ann", "kept:pat:a", "kept:pat:b", "pat") as ann:
        result = server.post("/broadcast", {"pattern": "kept:pat:*", "data": 1}).json()["result"]
        assert sorted(response["channel"] for response in result["responses"]) == ["kept:pat:a", "kept:pat:b"]
        assert all(response["result"]["offset"] == 1 for response in result["responses"])
        assert {(await ann.push("pub"))["channel"] for _ in range(2)} == {"kept:pat:a", "kept:pat:b"}
        await ann.silence()


@case
async def presence_says_who_is_there(server, api):
    async with connected(server, "ann", "kept:who", info={"name": "Ann"}) as ann, connected(server, "ann", "kept:who"):
        presence = api.presence(cent.PresenceRequest(channel="kept:who")).presence
        assert len(presence) == 2
        assert (presence[ann.id].user, presence[ann.id].client, presence[ann.id].conn_info) == ("ann", ann.id, {"name": "Ann"})
        stats = api.presence_stats(cent.PresenceStatsRequest(channel="kept:who"))
        assert (stats.num_clients, stats.num_users) == (2, 1)
    assert code_of(api.presence, cent.PresenceRequest(channel="plain")) == 108


@case
async def history_is_read_both_ways_and_removed(server, api):
    for n in range(1, 6):
        top = api.publish(cent.PublishRequest(channel="kept:hist", data=n))

    def offsets(**query):
        result = api.history(cent.HistoryRequest(channel="kept:hist", **query))
        assert (result.offset, result.epoch) == (5, top.epoch)
        return [(publication.offset, publication.data) for publication in result.publications]

    assert offsets() == []
    assert offsets(limit=-1) == [(n, n) for n in range(1, 6)]
    assert offsets(limit=2, since=cent.StreamPosition(offset=2, epoch=top.epoch)) == [(3, 3), (4, 4)]
    assert offsets(limit=2, reverse=True) == [(5, 5), (4, 4)]
    wrong = cent.HistoryRequest(channel="kept:hist", since=cent.StreamPosition(offset=2, epoch="other"))
    assert code_of(api.history, wrong) == 112
    api.history_remove(cent.HistoryRemoveRequest(channel="kept:hist"))
    assert offsets(limit=-1) == []
    assert code_of(api.history, cent.HistoryRequest(channel="plain")) == 108


@case
async def the_server_subscribes_and_unsubscribes(server, api):
    missed = api.publish(cent.PublishRequest(channel="kept:sub", data="missed"))
    async with connected(server, "sue") as sue, connected(server, "sue") as other:
        api.subscribe(cent.SubscribeRequest(
            user="sue", channel="kept:sub", client=sue.id, data={"welcome": 1}, info={"seat": 2},
            recover_since=cent.StreamPosition(offset=0, epoch=missed.epoch),
            override=cent.ChannelOptionsOverride(force_recovery=cent.BoolValue(value=True)),
        ))
        push = await sue.push("subscribe")
        assert (push["channel"], push["data"], push["recoverable"]) == ("kept:sub", {"welcome": 1}, True)
        assert (await sue.push("pub"))["data"] == "missed"
        presence = api.presence(cent.PresenceRequest(channel="kept:sub")).presence
        assert {name: info.chan_info for name, info in presence.items()} == {sue.id: {"seat": 2}}
        api.unsubscribe(cent.UnsubscribeRequest(user="sue", channel="kept:sub"))
        push = await sue.push("unsubscribe")
        assert (push["channel"], push["code"]) == ("kept:sub", 2000)
        await other.silence()
    assert code_of(api.subscribe, cent.SubscribeRequest(user="sue", channel="none:x")) == 102


@case
async def the_server_disconnects(server, api):
    async with connected(server, "dan") as kept, connected(server, "dan") as gone:
        api.disconnect(cent.DisconnectRequest(user="dan", whitelist=[kept.id]))
        assert await gone.end() == (3503, "force disconnect")
        await kept.silence()
        own = cent.Disconnect(code=4042, reason="enough")
        api.disconnect(cent.DisconnectRequest(user="dan", client=kept.id, disconnect=own))
        assert await kept.end() == (4042, "enough")


@case
async def the_server_refreshes(server, api):
    async with connected(server, "ray") as ray:
        api.refresh(cent.RefreshRequest(user="ray", expire_at=int(time.time()) + 100))
        push = await ray.push("refresh")
        assert push["expires"] and 90 <= push["ttl"] <= 100, push
        api.refresh(cent.RefreshRequest(user="ray", client=ray.id, expired=True))
        assert await ray.end() == (3005, "connection expired")


@case
async def channels_and_nodes_are_listed(server, api):
    async with connected(server, "ann", "kept:list:a"), connected(server, "bob", "kept:list:a", "kept:list:b"):
        channels = api.channels(cent.ChannelsRequest(pattern="kept:list:*")).channels
        assert {name: info.num_clients for name, info in channels.items()} == {"kept:list:a": 2, "kept:list:b": 1}
        assert set(channels) <= set(api.channels(cent.ChannelsRequest()).channels)
        for _ in range(50):
            (node,) = api.info(cent.InfoRequest()).nodes
            # Those of the cases before may still be going.
            if node.num_clients == 2:
                break
            await asyncio.sleep(0.1)
        assert (node.num_clients, node.num_users, node.num_subs, node.num_channels) == (2, 2, 3, 2)
        assert node.uid and node.name and node.version


@case
async def a_batch_answers_in_order(server, api):
    for parallel in (False, True):
        name = f"kept:batch:{parallel}"
        requests = [cent.PublishRequest(channel=name, data=n) for n in range(3)]
        requests.append(cent.HistoryRequest(channel=name, limit=-1))
        replies = api.batch(cent.BatchRequest(requests=requests, parallel=parallel)).replies
        assert [reply.offset for reply in replies[:3]] == [1, 2, 3]
        assert [publication.data for publication in replies[3].publications] == [0, 1, 2]
    failing = {"commands": [{"publish": {"channel": "none:x", "data": 1}}, {"info": {}}]}
    first, second = server.post("/batch", failing).json()["replies"]
    assert first["error"]["code"] == 102 and second["info"]["nodes"]


@case
async def errors_have_codes(server, api):
    assert code_of(api.publish, cent.PublishRequest(channel="none:x", data=1)) == 102
    assert code_of(api.publish, cent.PublishRequest(channel="", data=1)) == 107
    assert code_of(api.publish, cent.PublishRequest(channel="object:a", data=[1])) == 107
    assert code_of(api.channels, cent.ChannelsRequest(pattern="[")) == 107
    mode = {"X-Centrifugo-Error-Mode": "transport"}
    refused = server.post("/publish", {"channel": "none:x", "data": 1}, **mode)
    assert (refused.status_code, refused.json()["code"]) == (404, 102)
    try:
        api.connections(cent.ConnectionsRequest(user="ann", expression=""))
    except cent.CentTransportError as error:
        assert error.status_code == 404
    else:
        raise AssertionError("a method that there is not was answered")


@case
async def only_who_has_the_key_is_let_in(server, api):
    for key in ("", "wrong"):
        try:
            cent.Client(server.api, key).info(cent.InfoRequest())
        except cent.CentUnauthorizedError:
            continue
        raise AssertionError(f"{key!r} was let in")
    assert server.post("/info", {}, key=None, Authorization=f"apikey {KEY}").status_code == 200
    assert server.post(f"/info?api_key={KEY}", {}, key=None).status_code == 200


@case
async def broken_requests_are_refused(server, api):
    for path, body, status, says in (
        ("/publish", '{"channel":', 400, "line 1 column 11"),
        ("/publish", {"channel": 5}, 400, "expected a string"),
        ("/publish", b"\xff", 400, "line 1 column 1"),
        ("/publish", "x" * (16 * 1024 * 1024 + 1), 413, "16777216"),
        ("/nothing", {}, 404, "there is no method"),
        ("", "", 400, "empty"),
    ):
        response = server.post(path, body)
        assert (response.status_code, says in response.text) == (status, True), (path, response.status_code, response.text)
    old = server.post("", '{"id":1,"method":"info"}\n{"id":2,"method":"publish","params":{"channel":"a","data":1}}')
    assert [line[:7] for line in old.text.splitlines()] == ['{"id":1', '{"id":2']


@case
async def a_revoked_token_ends_its_connections(server, api):
    until = int(time.time()) + 100
    async with connected(server, "tom", jti="t1") as revoked, connected(server, "tom", jti="t2") as other:
        api.revoke_token(cent.RevokeTokenRequest(uid="t1", expire_at=until))
        assert await revoked.end() == (3500, "invalid token")
        await other.silence()
        api.invalidate_user_tokens(cent.InvalidateUserTokensRequest(user="tom", expire_at=until))
        assert await other.end() == (3500, "invalid token")
    async with connected(server, "ann", jti="t3") as ann:
        await ann.silence()
    for claims in ({"jti": "t1"}, {"jti": "t2"}):
        try:
            async with connected(server, "tom", **claims):
                pass
        except Exception as refused:
            assert getattr(refused, "rcvd", None) and refused.rcvd.code == 3500, refused
        else:
            raise AssertionError(f"a token with {claims} was taken")


@case
async def the_async_client_works(server, api):
    async with cent.AsyncClient(server.api, KEY) as client:
        assert (await client.publish(cent.PublishRequest(channel="kept:async", data=1))).offset == 1
        history = await client.history(cent.HistoryRequest(channel="kept:async", limit=1))
        assert [publication.data for publication in history.publications] == [1]
