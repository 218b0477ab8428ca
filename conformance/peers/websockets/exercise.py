"""Plays one plan on the `websockets` package with a peer that echoes.

    exercise.py client PLAN URL     connects to the URL
    exercise.py server PLAN         prints its URL, plays with the first client that connects

PLAN is JSON, see plans.py. Exit status 0 when all came back as it should; the last line says what did not.
"""

import asyncio
import json
import logging
import random
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

SIZES = (0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 65537, 1 << 20)
WORDS = ("alpha", "beta", "gamma", "delta", "κόσμε", "世界", "🌍", "the same words", " ", "\n")
LIMIT = 17 << 20


class Unequal(Exception):
    """What came back is not what was sent."""


async def send(connection, message, parts=1):
    if parts == 1 or len(message) < parts:
        await connection.send(message)
        return
    step = len(message) // parts
    cuts = [n * step for n in range(parts)] + [len(message)]
    await connection.send([message[a:b] for a, b in zip(cuts, cuts[1:])])


async def receive(connection, message):
    back = await asyncio.wait_for(connection.recv(), 60)
    if type(back) is not type(message) or back != message:
        raise Unequal(f"sent {type(message).__name__} of {len(message)}, got {type(back).__name__} of {len(back)}")


def random_message(source):
    size = source.choice((0, 1, source.randrange(126), source.randrange(126), source.randrange(2000)))
    if source.random() < 0.02:
        size = source.choice((65535, 65536, source.randrange(1 << 18)))
    kind = source.randrange(3)
    if kind == 0:
        return source.randbytes(size)
    text = "".join(source.choices(WORDS, k=size // 4 + 1))[:size]
    return text if kind == 1 else text.encode()


async def play(connection, plan):
    act = plan["act"]
    if act == "sizes":
        for size in SIZES:
            for message in ("a" * size, bytes(n % 251 for n in range(size)), "世" * (size // 3)):
                await send(connection, message)
                await receive(connection, message)
    elif act == "fragments":
        for parts in (2, 3, 100):
            for message in ("κόσμε 🌍 " * 1000, bytes(range(256)) * 1000):
                await send(connection, message, parts)
                await receive(connection, message)
    elif act == "pings":
        for payload in (b"", b"x", bytes(range(125))):
            await asyncio.wait_for(await connection.ping(payload), 10)
            await send(connection, "between")
            await receive(connection, "between")
    elif act == "random":
        source = random.Random(plan["seed"])
        waiting = []
        for _ in range(plan["messages"]):
            message = random_message(source)
            await send(connection, message, source.choice((1, 1, 1, 2, 5)))
            waiting.append(message)
            # At most 16 are under way, so that neither side has to keep much.
            while len(waiting) > source.randrange(16):
                await receive(connection, waiting.pop(0))
        for message in waiting:
            await receive(connection, message)
    if act == "close":
        await connection.close(plan["code"], plan["reason"])
        seen = connection.protocol.close_rcvd
        if seen is None or seen.code != plan["code"] or seen.reason not in ("", plan["reason"]):
            raise Unequal(f"closed with {plan['code']} {plan['reason']!r}, got {seen}")
    else:
        await connection.close(1000)
        seen = connection.protocol.close_rcvd
        if seen is None or seen.code != 1000:
            raise Unequal(f"closed with 1000, got {seen}")


def extensions(setting, factory):
    if setting is None:
        return None
    mine = "server" if factory is ServerPerMessageDeflateFactory else "client"
    given = {
        "server_no_context_takeover": setting["serverReset"], "client_no_context_takeover": setting["clientReset"],
        "server_max_window_bits": setting["serverBits"], "client_max_window_bits": setting["clientBits"],
    }
    if mine == "client" and given["client_max_window_bits"] is None:
        given["client_max_window_bits"] = True
    return [factory(**given, compress_settings={"memLevel": 5})]


async def as_client(plan, url):
    offered = extensions(plan["deflate"], ClientPerMessageDeflateFactory)
    async with connect(url, compression=None, extensions=offered, max_size=LIMIT, open_timeout=20) as connection:
        if offered and not connection.protocol.extensions:
            raise Unequal("the peer declined permessage-deflate")
        await play(connection, plan)


async def as_server(plan):
    done = asyncio.get_running_loop().create_future()

    async def handle(connection):
        try:
            if plan["deflate"] and not connection.protocol.extensions:
                raise Unequal("the peer did not negotiate permessage-deflate")
            await play(connection, plan)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
        if not done.done():
            done.set_result(None)

    offered = extensions(plan["deflate"], ServerPerMessageDeflateFactory)
    async with serve(handle, "127.0.0.1", 0, compression=None, extensions=offered, max_size=LIMIT) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await asyncio.wait_for(done, 600)


def main():
    logging.disable(logging.CRITICAL)
    role, plan = sys.argv[1], json.loads(sys.argv[2])
    try:
        asyncio.run(as_client(plan, sys.argv[3]) if role == "client" else as_server(plan))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 1
    return 0


sys.exit(main())
