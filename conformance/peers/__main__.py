"""Real peers, both ways: `ws` (npm), `websockets` (PyPI), Chromium.

    python3 conformance/peers server URL [--deflate] [--messages N] [--peer NAME]...
    python3 conformance/peers client [--deflate] [--messages N] [--peer NAME]... -- COMMAND [{url}]

Against a server every peer connects to the URL, which echoes. Against a client command every peer but Chromium
serves, and the command echoes what it is sent. Basics: sizes from 0 B to 1 MiB, fragments, pings, codes and
reasons of Close. Then random messages with every setting of compression, N for each peer, byte by byte the same.
--deflate says that the other end negotiates permessage-deflate. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import plans

HERE = Path(__file__).resolve().parent
INSTALLED = Path(os.environ.get("PEERS_DIR", HERE.parents[1] / "target/conformance/peers"))
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PEERS = {
    "ws": ["node", str(HERE / "ws/exercise.cjs")],
    "websockets": [str(INSTALLED / "venv/bin/python"), str(HERE / "websockets/exercise.py")],
    "chromium": ["node", str(HERE / "chromium/exercise.cjs")],
}
# A page may close with 1000 and with 3000 to 4999 only, and chooses neither fragments nor the offer.
IN_BROWSERS = {"sizes", "close", "random"}


def arguments(words):
    parser = argparse.ArgumentParser(
        "conformance/peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("url", nargs="?")
    parser.add_argument("--deflate", action="store_true", help="the other end negotiates permessage-deflate")
    parser.add_argument("--messages", type=int, default=2000, help="random messages for each peer (default 2000)")
    parser.add_argument("--seed", type=int, default=6455, help="of the random messages (default 6455)")
    parser.add_argument("--peer", action="append", choices=tuple(PEERS), help="one of the peers; repeatable")
    parser.add_argument("--jobs", type=int, default=4, help="connections at once (default 4)")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for each connection (default 600)")
    command = []
    if "--" in words:
        cut = words.index("--")
        words, command = words[:cut], words[cut + 1:]
    options = parser.parse_args(words)
    options.command = command
    if options.role == "server" and not options.url:
        parser.error("the server under test needs its URL")
    if options.role == "client" and not command:
        parser.error("a client run needs `-- COMMAND`")
    return options


def environment():
    return {**os.environ, "NODE_PATH": str(INSTALLED / "node_modules"), "CHROMIUM": CHROMIUM}


def against_server(peer, plan, options):
    """What went wrong when the peer connected, or an empty string."""
    command = [*PEERS[peer], "client", json.dumps(plan), options.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=options.timeout, check=False)
    return "" if done.returncode == 0 else last_line(done.stdout + done.stderr)


def against_client(peer, plan, options):
    """What went wrong when the peer served and the command connected, or an empty string."""
    command = [*PEERS[peer], "server", json.dumps(plan)]
    server = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        url = server.stdout.readline().strip()
        words = [word.replace("{url}", url) for word in options.command]
        words += [] if words != options.command else [url]
        client = subprocess.run(words, capture_output=True, text=True, timeout=options.timeout, check=False)
        said, _ = server.communicate(timeout=30)
    except subprocess.TimeoutExpired as late:
        return f"no end within {late.timeout:g} s"
    finally:
        server.kill()
        server.wait()
    if server.returncode != 0:
        return last_line(said)
    if client.returncode != 0 and plan.get("code", 1000) == 1000:
        return f"the command ended with {client.returncode}: {last_line(client.stderr)}"
    return ""


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def in_chromium(options):
    """All plans in one browser; yields (plan's name, what went wrong)."""
    played = [*plans.basics(options.deflate), *plans.differential(options.messages, options.seed, False)]
    played = [
        {**plan, "deflate": plan["deflate"] or options.deflate} for plan in played
        if plan["act"] in IN_BROWSERS and (plan.get("code", 1000) == 1000 or plan["code"] >= 3000)
        and bool(plan["deflate"]) == (options.deflate and plan["act"] != "random")
    ]
    command = [*PEERS["chromium"], "client", json.dumps(played), options.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=options.timeout, check=False)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    for plan in played:
        said = lines.get(plan["name"], last_line(done.stdout + done.stderr))
        yield plan["name"], "" if said == "ok" else said


def main():
    options = arguments(sys.argv[1:])
    if not (INSTALLED / ".stamp").exists():
        raise SystemExit(f"peers: nothing is installed in {INSTALLED}: run conformance/peers/setup.sh")
    chosen = options.peer or list(PEERS)
    passed = failed = skipped = 0
    started = time.monotonic()

    def conclude(peer, name, wrong):
        nonlocal passed, failed
        passed, failed = passed + (not wrong), failed + bool(wrong)
        if wrong:
            print(f"FAILED {peer} {name}: {wrong}", flush=True)

    played = [*plans.basics(options.deflate), *plans.differential(options.messages, options.seed, options.deflate)]
    run = against_server if options.role == "server" else against_client
    with ThreadPoolExecutor(options.jobs) as pool:
        for peer in chosen:
            if peer == "chromium":
                continue
            waiting = [(plan["name"], pool.submit(run, peer, plan, options)) for plan in played]
            for name, future in waiting:
                try:
                    conclude(peer, name, future.result())
                except subprocess.TimeoutExpired as late:
                    conclude(peer, name, f"no end within {late.timeout:g} s")
    if "chromium" in chosen and options.role == "server":
        if Path(CHROMIUM).exists():
            for name, wrong in in_chromium(options):
                conclude("chromium", name, wrong)
        else:
            skipped += 1
            print(f"skipped: chromium: there is no {CHROMIUM}")
    print(f"{options.messages} random messages for each peer; {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
