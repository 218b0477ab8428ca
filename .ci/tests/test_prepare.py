"""Whether the tests find the browser that they are to run in."""

import os
import subprocess
import unittest
from pathlib import Path

PREPARE = Path(__file__).resolve().parents[1] / "prepare"


class Browser(unittest.TestCase):
    def test_prints_the_path_of_a_program(self):
        for named in ({}, {"CHROMIUM": ""}):
            environment = {name: value for name, value in os.environ.items() if name != "CHROMIUM"} | named
            printed = subprocess.run([PREPARE], env=environment, capture_output=True, text=True, check=True).stdout
            self.assertTrue(os.access(printed.strip(), os.X_OK), f"{printed!r} is no program")

    def test_takes_the_one_that_is_named(self):
        printed = subprocess.run([PREPARE], env=os.environ | {"CHROMIUM": "true"}, capture_output=True, text=True, check=True).stdout
        self.assertEqual(Path(printed.strip()).name, "true")


if __name__ == "__main__":
    unittest.main()
