"""centrifuge-python against Antiphon.

    python3 conformance/clients/python [PATTERN]...

Runs the cases, eight at a time, or those whose name has one of the patterns in it. Prints an entry for each failure;
the last line is `N passed, N failed`. Exit status 1 if anything failed.
"""

import logging
import os
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from rig import Rig
from world import Case


def cases(suite):
    """Every case of a suite of suites."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from cases(part)
        else:
            yield part


def run(case):
    result = unittest.TestResult()
    case.run(result)
    return case, [text for _, text in result.errors + result.failures]


def main():
    logging.disable(logging.CRITICAL)
    found = unittest.TestLoader().discover(str(HERE), top_level_dir=str(HERE))
    chosen = [case for case in cases(found) if not sys.argv[1:] or any(word in case.id() for word in sys.argv[1:])]
    Case.is_long = os.environ.get("CLIENTS_LONG") == "1"
    Case.rig = Rig()
    passed = failed = 0
    try:
        # Those that wait for time to pass come first.
        chosen.sort(key=lambda case: "Lasting" not in case.id())
        with ThreadPoolExecutor(8) as pool:
            for case, wrong in pool.map(run, chosen):
                passed, failed = passed + (not wrong), failed + bool(wrong)
                for text in wrong:
                    print(f"FAILED python, {case.id()}\n{text}", flush=True)
    finally:
        Case.rig.end()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
