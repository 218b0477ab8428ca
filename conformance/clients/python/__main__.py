"""Centrifugo's client for Python (`centrifuge-python`) against servers that run for it, over JSON and over Protobuf.

    target/conformance/clients/venv/bin/python conformance/clients/python [--only WORDS]

The binary is $ANTIPHON_BIN, else target/debug/antiphon. setup.sh installs what it needs; the rig needs Node. The last
line is `N passed, N failed, N skipped`; exit status 1 if anything failed.
"""

import argparse
import asyncio
import logging
import subprocess
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases_channels
import cases_connection
import cases_lasting
import cases_streams
from world import World

CASES = cases_lasting.CASES + cases_connection.CASES + cases_channels.CASES + cases_streams.CASES
ENCODINGS = {"json": CASES, "protobuf": CASES + cases_channels.PROTOBUF_CASES}
AT_ONCE = 8
LIMIT = 60


async def attempt(case, rig, encoding, turn):
    """Runs one case, and gives what went wrong."""
    async with turn:
        world = World(rig, encoding)
        try:
            await asyncio.wait_for(case(world), LIMIT)
        except Exception:
            return traceback.format_exc()
        finally:
            await world.end()
    return None


async def played(rig, only):
    """Runs the cases, and gives how many failed, of how many."""
    turn = asyncio.Semaphore(AT_ONCE)
    named = [(f"{encoding}: {case.__doc__}", case, encoding) for encoding, cases in ENCODINGS.items() for case in cases]
    chosen = [row for row in named if only in row[0] or only in row[1].__name__]
    wrong = await asyncio.gather(*(attempt(case, rig, encoding, turn) for _, case, encoding in chosen))
    for (name, *_), said in zip(chosen, wrong):
        if said:
            print(f"FAILED python, {name}\n{said}")
    return sum(said is not None for said in wrong), len(chosen)


def main():
    parser = argparse.ArgumentParser(
        "conformance/clients/python", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="cases with this in their name or sentence")
    options = parser.parse_args()
    logging.getLogger("centrifuge").setLevel(logging.CRITICAL)
    command = ["node", str(HERE.parent / "rig/main.mjs")]
    rig = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = rig.stdout.readline().strip()
        if not url:
            raise RuntimeError("the rig does not start")
        failed, count = asyncio.run(played(url, options.only))
    finally:
        rig.stdin.close()
        rig.wait(timeout=30)
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
