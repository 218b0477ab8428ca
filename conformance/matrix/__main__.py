"""The handshake, frame and close matrix: RFC 6455 and RFC 7692, rule by rule, over a raw socket.

    python3 conformance/matrix server ws://HOST:PORT/echo [OPTIONS]
    python3 conformance/matrix client [OPTIONS] -- COMMAND [{url}]
    python3 conformance/matrix list

A server under test echoes text and binary messages. A client command connects to the URL that it is given as
{url} (else as its last argument), echoes until the peer closes, and exits with 0 after a clean close, with
another status otherwise. Where the RFC leaves a choice, every choice passes; --strict asks for the one that
tells the peer most. The last line is `N passed, N failed, N skipped`; exit status 1 if anything failed.
"""

import argparse
import dataclasses
import fnmatch
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import runner
from case import Skip, Wrong
from chapters import CHAPTERS
from lab import ClientLab, Options, ServerLab
from wire import Silence


def arguments(words):
    parser = argparse.ArgumentParser(
        "conformance/matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", choices=("server", "client", "list"))
    parser.add_argument("url", nargs="?", help="of the server under test")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="ids to run, such as 'C4*'; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--jobs", type=int, default=8, help="cases at once (default 8)")
    parser.add_argument("--timeout", type=float, default=5, help="seconds to wait for each answer (default 5)")
    parser.add_argument("--exclude", type=Path, metavar="FILE", help="lines `PATTERN reason`")
    parser.add_argument("--expect-deflate", action="store_true", help="fail where permessage-deflate is not negotiated")
    parser.add_argument("--check-origin", action="store_true", help="a foreign Origin is to be refused with 403")
    parser.add_argument("--max-message", type=int, metavar="BYTES", help="the limit of a message, to be tested")
    parser.add_argument("--max-fragments", type=int, metavar="N", help="the limit of fragments in a message")
    parser.add_argument("--slow", action="store_true", help="also the cases that wait for the peer's timers")
    parser.add_argument("--strict", action="store_true", help="where the RFC leaves a choice, ask for the clearest")
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


def chosen(role, only):
    cases = [case for chapter in CHAPTERS for case in chapter.cases if role in case.on]
    return [case for case in cases if not only or any(fnmatch.fnmatchcase(case.id, pattern) for pattern in only)]


def print_table():
    for chapter in CHAPTERS:
        for case in chapter.cases:
            print(f"{case.id:<44} {'+'.join(case.on):<14} {case.section:<20} {case.rule}")


def main():
    words = arguments(sys.argv[1:])
    if words.role == "list":
        print_table()
        return 0
    options = Options(
        timeout=words.timeout, strict=words.strict, slow=words.slow, origin=words.check_origin,
        max_message=words.max_message, max_fragments=words.max_fragments,
    )

    def make_lab():
        if words.role == "server":
            return ServerLab(words.url, options)
        return ClientLab(words.command, options)

    excluded = runner.exclusions(words.exclude)
    cases = chosen(words.role, words.only)
    if not cases:
        raise SystemExit(f"matrix: no case of a {words.role} matches {' '.join(words.only)}")
    started = time.monotonic()
    lab = make_lab()
    try:
        deflate = lab.probe()
    except (Wrong, Skip, Silence, OSError) as error:
        print(f"matrix: {lab.probe_error}: {error}", file=sys.stderr)
        print(f"0 passed, {len(cases)} failed, 0 skipped")
        return 1
    if words.expect_deflate and not deflate:
        print("FAILED permessage-deflate was expected and is not negotiated", file=sys.stderr)
        print(f"0 passed, {len(cases)} failed, 0 skipped")
        return 1
    options = dataclasses.replace(options, deflate=deflate)
    results = runner.run_all(cases, make_lab, options, excluded, words.jobs)
    return runner.conclude(results, time.monotonic() - started, words.json)


sys.exit(main())
