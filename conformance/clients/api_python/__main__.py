"""Centrifugo's API client for Python (`cent`) against a server that runs for it.

    target/conformance/api_python/venv/bin/python conformance/clients/api_python [BINARY] [--only NAME]

BINARY defaults to $ANTIPHON_BIN, else target/debug/antiphon. What it needs is installed by setup.sh. The last line is
`N passed, N failed, N skipped`; exit status 1 if anything failed.
"""

import argparse
import asyncio
import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cent
from cases import CASES
from description import the_description_is_true, the_page_is_true
from rig import KEY, Server

BINARY = os.environ.get("ANTIPHON_BIN", str(Path(__file__).resolve().parents[3] / "target/debug/antiphon"))
LIMIT = 60


def main():
    parser = argparse.ArgumentParser(
        "conformance/clients/api_python", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary", nargs="?", default=BINARY)
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    cases = [case for case in [*CASES, the_description_is_true, the_page_is_true] if options.only in case.__name__]
    failed = 0
    server = Server(options.binary)
    try:
        for case in cases:
            api = cent.Client(server.api, KEY)
            try:
                asyncio.run(asyncio.wait_for(case(server, api), LIMIT))
            except Exception:
                failed += 1
                print(f"FAILED {case.__name__}\n{traceback.format_exc()}")
    finally:
        server.stop()
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
