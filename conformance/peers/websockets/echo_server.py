"""An echo server on the `websockets` package: python echo_server.py [--deflate]

Prints its URL on the first line.
"""

import asyncio
import logging
import sys

from websockets.asyncio.server import serve


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    logging.disable(logging.CRITICAL)
    compression = "deflate" if "--deflate" in sys.argv else None
    async with serve(echo, "127.0.0.1", 0, compression=compression, max_size=16 << 20, close_timeout=5) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/echo", flush=True)
        await server.serve_forever()


asyncio.run(main())
