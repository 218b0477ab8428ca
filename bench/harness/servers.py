"""Builds the servers under test, starts them one at a time, and sets the generator on them."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
LOAD = ["-p", "bench-load"]


class Unavailable(Exception):
    """A server that cannot be built or started, or a run that failed; the text says why."""


def target_folder(workspace: Path) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", workspace / "target")) / "release"


def build(arguments: list[str], workspace: Path) -> None:
    if not (workspace / "Cargo.toml").exists():
        raise Unavailable("the project has no Cargo.toml yet")
    command = ["cargo", "build", "--release", "--quiet", "--locked", *arguments]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
        raise Unavailable(f"`{' '.join(command)}` failed: {(errors or ['no message'])[0]}")


def build_server(server: dict) -> None:
    if "build" in server:
        build(server["build"], ROOT if server.get("ours") else BENCH)


def require_program(server: dict) -> None:
    program = words_of(server, server["command"][:1])[0]
    if shutil.which(program) is None:
        hint = "build it (without --no-build)" if "build" in server else server["what"]
        raise Unavailable(f"there is no {program}: {hint}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def words_of(server: dict, words: list[str], **values: str) -> list[str]:
    folders = {"peers": target_folder(BENCH), "ours": target_folder(ROOT), "bench": BENCH}
    return [word.format(**folders, **values) for word in words]


def command_of(server: dict, scenario: dict, addr: str) -> list[str]:
    words = server["command"] + (server["deflate"] if scenario.get("deflate") else [])
    return words_of(server, words, addr=addr, shape="broadcast" if scenario["mode"] == "fanout" else "echo")


def lacks(server: dict, scenario: dict) -> str | None:
    """Why `server` cannot take part in `scenario`, if so."""
    if scenario["shape"] not in server["path"] and not is_sized_floor(server, scenario):
        return f"has no {scenario['shape']} endpoint"
    if scenario.get("deflate") and "deflate" not in server:
        return "has no permessage-deflate"
    return None


def is_sized_floor(server: dict, scenario: dict) -> bool:
    return bool(server.get("raw")) and "floor_size" in scenario


@contextmanager
def running(command: list[str], addr: tuple[str, int], cpu: int):
    """The server on a processor of its own, from when it accepts connections until it is ended again."""
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=log, stderr=log)
        except OSError as error:
            raise Unavailable(f"cannot start {command[0]}: {error}") from error
        try:
            wait_until_listening(process, addr, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_listening(process: subprocess.Popen, addr: tuple[str, int], log) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
            raise Unavailable(f"ended at once with status {process.returncode}: {lines[-1]}")
        try:
            socket.create_connection(addr, timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Unavailable("did not listen within 10 s")


def measure(server: dict, scenario: dict, options, size: int | None = None) -> dict:
    """One run of `scenario` against a fresh `server`: the generator's figures. `size` replaces the scenario's."""
    host, port = "127.0.0.1", free_port()
    args = dict(scenario["args"], **({"size": size} if size else {}))
    if is_sized_floor(server, scenario):
        args.pop("protocol", None)
    with running(command_of(server, scenario, f"{host}:{port}"), (host, port), options.server_cpu) as pid:
        command = ["taskset", "-c", str(options.load_cpu), str(target_folder(BENCH) / "bench-load"), scenario["mode"]]
        command += ["--addr", f"{host}:{port}", "--pid", str(pid)]
        command += ["--path", server["path"].get(scenario["shape"], "/")]
        command += ["--raw"] * bool(server.get("raw")) + ["--deflate"] * bool(scenario.get("deflate"))
        if scenario["mode"] != "idle":
            command += ["--seconds", str(options.seconds), "--warm-up", str(min(0.5, options.seconds / 2))]
        for name, value in args.items():
            command += [f"--{name}", str(value)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 60)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"the generator did not end within {options.seconds + 60:.0f} s") from error
    if done.returncode:
        raise Unavailable(done.stderr.strip() or f"the generator ended with status {done.returncode}")
    return json.loads(done.stdout)
