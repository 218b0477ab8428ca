"""The tally reads what each runner says, and nothing else."""

import importlib.util
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

TALLY = Path(__file__).resolve().parents[1] / "tally"


def load(path):
    loader = SourceFileLoader(path.name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(path.name, loader))
    loader.exec_module(module)
    return module


class Tally(unittest.TestCase):
    LINES = [
        ("     Summary [   3.210s] 120 tests run: 118 passed, 1 failed, 1 timed out, 2 skipped", (118, 2)),
        ("     Summary [   0.010s] 1 test run: 1 passed, 0 skipped", (1, 0)),
        ("test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s", (7, 2)),
        ("      Tests  1 failed | 46 passed (47)", (46, 1)),
        ("      Tests  47 passed (47)", (47, 0)),
        (" Test Files  3 passed (3)", None),
        ("# pass 9", (9, 0)),
        ("ℹ fail 2", (0, 2)),
        ("# tests 9", None),
        ("978 passed, 3 failed, 55 skipped", (978, 3)),
        ("Ran 12 tests in 0.004s", (12, 0)),
        ("FAILED (failures=1, errors=2)", (-3, 3)),
        ("test passed, 1 failed to be a summary", None),
    ]

    def test_each_runner_is_understood(self):
        count = load(TALLY).count
        for line, said in self.LINES:
            with self.subTest(line):
                self.assertEqual(count(line), said)


if __name__ == "__main__":
    unittest.main()
