"""Runs of wstest: its fuzzing client against a server, its fuzzing server against client commands."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CASE_SECONDS = 120  # for one client command; the longest case takes about 40 s on a slow machine


def fresh_folder(out):
    """Makes `out` anew; refuses to remove a folder that no earlier run made."""
    if out.exists() and any(out.iterdir()) and not (out / "cases.txt").exists():
        raise SystemExit(f"autobahn: {out} holds something that is no earlier run: choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)


def case_ids(wstest, patterns):
    """The ids that the patterns match, in wstest's order."""
    found = subprocess.run([wstest, "--cases", *patterns], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise SystemExit(f"autobahn: {(found.stderr or found.stdout).strip().splitlines()[-1]}")
    return found.stdout.split()


def _spec(folder, **fields):
    spec = {"outdir": str(folder), "exclude-cases": [], "exclude-agent-cases": {}, **fields}
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(spec))
    return str(path)


def _start(wstest, mode, spec, log):
    arguments = ["-u", "0"] if mode == "fuzzingserver" else []
    with log.open("w") as output:
        return subprocess.Popen([wstest, "-m", mode, *arguments, "-s", spec], stdout=output, stderr=output)


def against_server(wstest, url, agent, parts, out, seconds):
    """Each share of the cases in a wstest process of its own; returns the report folders."""
    running = []
    for index, cases in enumerate(parts):
        folder = out / str(index)
        spec = _spec(folder, servers=[{"agent": agent, "url": url}], cases=cases)
        log = out / f"wstest-{index}.log"
        running.append((folder, log, _start(wstest, "fuzzingclient", spec, log)))
    end = time.monotonic() + seconds
    for _, log, process in running:
        try:
            status = process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            status = f"killed after {seconds} s"
        if status != 0:
            print(f"autobahn: wstest ended with {status}, see {log}", file=sys.stderr)
    return [folder for folder, _, _ in running]


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _await_listening(process, port, log):
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    process.kill()
    tail = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise SystemExit("autobahn: the fuzzing server did not start: " + " / ".join(tail))


def with_url(command, url):
    """The command with {url} replaced, or the URL as its last argument."""
    if any("{url}" in word for word in command):
        return [word.replace("{url}", url) for word in command]
    return [*command, url]


def _drive_client(command, agent, port, count, log):
    base = f"ws://127.0.0.1:{port}"
    paths = [f"/runCase?case={n}&agent={agent}" for n in range(1, count + 1)]
    with log.open("w") as output:
        for path in [*paths, f"/updateReports?agent={agent}"]:
            # A case that breaks the protocol is to end in a failure of the client: the reports judge it.
            try:
                subprocess.run(
                    with_url(command, base + path), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    timeout=CASE_SECONDS, check=False,
                )
            except subprocess.TimeoutExpired:
                print(f"autobahn: {path} took over {CASE_SECONDS} s, killed", file=sys.stderr)


def _client_share(wstest, command, agent, cases, folder):
    port = _free_port()
    log = folder.with_name(f"wstest-{folder.name}.log")
    spec = _spec(folder, url=f"ws://127.0.0.1:{port}", cases=cases, webport=0)
    server = _start(wstest, "fuzzingserver", spec, log)
    try:
        _await_listening(server, port, log)
        _drive_client(command, agent, port, len(cases), folder.with_name(f"client-{folder.name}.log"))
        end = time.monotonic() + 15  # the report is written after /updateReports has closed
        while time.monotonic() < end and not (folder / "index.html").exists():
            time.sleep(0.1)
        time.sleep(0.2)
    finally:
        server.kill()
        server.wait()
    return folder


def against_client(wstest, command, agent, parts, out):
    """Each share with a fuzzing server of its own, the command run once per case; the report folders."""
    if not shutil.which(command[0]) and not os.access(command[0], os.X_OK):
        raise SystemExit(f"autobahn: there is no command {command[0]!r}")
    with ThreadPoolExecutor(len(parts)) as pool:
        started = [
            pool.submit(_client_share, wstest, command, agent, cases, out / str(index))
            for index, cases in enumerate(parts)
        ]
        return [share.result() for share in started]
