"""The rig as a process, and what is asked of it."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

MAIN = Path(__file__).resolve().parents[1] / "rig/main.mjs"


class Rig:
    """A rig that lives as long as this does."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ.get("NODE", "node"), str(MAIN)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the rig did not start")

    def ask(self, act, name="main", **fields):
        """Does one of the rig's acts, and gives its answer."""
        body = json.dumps({"do": act, "name": name, **fields}).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/rig", body, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the rig: {error.read().decode()}") from None

    def end(self):
        self.process.stdin.close()
        self.process.wait()
