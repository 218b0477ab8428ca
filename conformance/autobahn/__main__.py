"""Autobahn|Testsuite against a WebSocket server or client on this machine.

    python3 conformance/autobahn server URL [SET...]
    python3 conformance/autobahn client [SET...] -- COMMAND [{url}]

URL      ws://127.0.0.1:PORT/PATH of a server that echoes text and binary messages of up to 16 MiB in up
         to 65,536 fragments
COMMAND  an echo client: connects to the URL that it is given as {url} (else as its last argument) and
         echoes until the peer closes. It is run once per case
SET      quick, core, brief, full (default), an id (1.1.1) or a pattern (12.1.*)

NON-STRICT and UNIMPLEMENTED fail, as FAILED does; --lenient lets them pass. An exclusion needs a line
`PATTERN BEHAVIOUR reason` in a file given as --exclude. Exit status: 0 all well, 1 otherwise.
The last line is `N passed, N failed, N skipped`.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import report
import runs
import sets

PROJECT = Path(__file__).resolve().parents[2]
INSTALLED = Path(os.environ.get("AUTOBAHN_DIR", PROJECT / "target/conformance/autobahn"))


def arguments(words):
    parser = argparse.ArgumentParser(
        "conformance/autobahn", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", choices=("server", "client"), help="what is under test")
    parser.add_argument("rest", nargs="*", metavar="URL|SET")
    parser.add_argument("--agent", help="the name in the reports (default: the role)")
    parser.add_argument("--jobs", type=int, default=2, help="wstest processes at once (default 2)")
    parser.add_argument("--timeout", type=int, default=3000, help="seconds for the whole run against a server")
    parser.add_argument("--out", type=Path, help="folder for the reports, made anew")
    parser.add_argument("--exclude", type=Path, help="file of exclusions, each with its reason")
    parser.add_argument("--lenient", action="store_true", help="NON-STRICT passes, UNIMPLEMENTED is skipped")
    command = []
    if "--" in words:
        cut = words.index("--")
        words, command = words[:cut], words[cut + 1:]
    options = parser.parse_args(words)
    options.command = command
    options.url = options.rest.pop(0) if options.role == "server" and options.rest else None
    if options.role == "server" and not re.match(r"wss?://(127\.0\.0\.1|localhost)[:/]", options.url or ""):
        parser.error(f"{options.url!r} is not the URL of a server on this machine's loopback")
    if options.role == "client" and not command:
        parser.error("a client run needs `-- COMMAND`")
    return options


def exclusions(path):
    """Lines `PATTERN BEHAVIOUR reason`; empty lines and lines with # are passed over."""
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3 or fields[1] not in report.COLUMNS:
            raise SystemExit(f"{path}:{number}: wanted `PATTERN BEHAVIOUR reason`, found {line!r}")
        found.append(fields)
    return found


def main():
    options = arguments(sys.argv[1:])
    wstest = INSTALLED / "bin/wstest"
    if not wstest.exists():
        raise SystemExit(f"autobahn: nothing is installed in {INSTALLED}: run conformance/autobahn/setup.sh")
    allowed = exclusions(options.exclude)
    agent = options.agent or options.role
    out = options.out or INSTALLED / "reports" / options.role / agent
    cases = runs.case_ids(str(wstest), sets.patterns(options.rest or ["full"]))
    runs.fresh_folder(out)
    (out / "cases.txt").write_text("\n".join(cases) + "\n")

    started = time.monotonic()
    parts = sets.shares(cases, options.jobs)
    if options.role == "server":
        folders = runs.against_server(str(wstest), options.url, agent, parts, out, options.timeout)
    else:
        folders = runs.against_client(str(wstest), options.command, agent, parts, out)
    counts = report.summarise(report.load(folders), cases, allowed, options.lenient)
    print(f"{len(cases)} cases in {time.monotonic() - started:.0f} s; reports in {out}")
    print("%d passed, %d failed, %d skipped" % counts)
    return 1 if counts[1] else 0


sys.exit(main())
