"""An echo client on the `websockets` package: python echo_client.py URL [--deflate]

Echoes until the peer closes. Exit status 0 after a clean close, 1 otherwise.
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


async def main():
    compression = "deflate" if "--deflate" in sys.argv else None
    try:
        async with connect(sys.argv[1], compression=compression, max_size=16 << 20, close_timeout=5) as connection:
            async for message in connection:
                await connection.send(message)
    except (WebSocketException, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


sys.exit(asyncio.run(main()))
