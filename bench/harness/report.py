"""Turns the figures of all runs into medians, ratios to the floor, and Markdown."""

from statistics import median

FLOOR = "raw"


def value_at(run: dict, path: str) -> float | None:
    for part in path.split("."):
        run = run.get(part) if run else None
    return run


class Results:
    """Runs by scenario and server, in the order of the rounds; a round without a result is `None`."""

    def __init__(self, scenarios: list[dict], servers: list[dict]):
        self.scenarios, self.servers = scenarios, servers
        self.runs: dict[str, dict[str, list[dict | None]]] = {s["name"]: {} for s in scenarios}

    def add(self, scenario: str, server: str, run: dict | None) -> None:
        self.runs[scenario].setdefault(server, []).append(run)

    def all_of(self, scenario: str, server: str, metric: str) -> list[float]:
        runs = self.runs[scenario].get(server, [])
        if metric == "ratio":
            floor = self.runs[scenario].get(FLOOR, [])
            pairs = [(run, base) for run, base in zip(runs, floor) if run and base and "cpu_s_per_million" in run]
            return [run["cpu_s_per_million"] / base["cpu_s_per_million"] for run, base in pairs]
        values = [value_at(run, metric) for run in runs if run]
        return [value for value in values if value is not None]

    def of(self, scenario: str, server: str, metric: str) -> float | None:
        """The median over the rounds."""
        values = self.all_of(scenario, server, metric)
        return median(values) if values else None

    def best_peer(self, scenario: str, metric: str) -> tuple[float, str] | None:
        peers = [s["name"] for s in self.servers if not s.get("ours") and not s.get("raw") and not s.get("on_request")]
        values = [(self.of(scenario, name, metric), name) for name in peers]
        return min((pair for pair in values if pair[0] is not None), default=None)

    def as_json(self) -> dict:
        return self.runs


def number(value: float | None, metric: str = "") -> str:
    if value is None:
        return "–"
    if metric == "ratio":
        return f"{value:.2f}"
    if metric == "server_busy":
        return f"{value:.0%}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


UNITS = {
    "ratio": "CPU ratio",
    "cpu_s_per_million": "CPU s/M",
    "bytes_per_connection": "B/connection",
    "cpu_us_per_handshake": "CPU µs/handshake",
}


def metrics_of(scenario: dict) -> list[str]:
    return list(scenario["bar"])


def summary(results: Results) -> list[str]:
    """One row for each bar: what Antiphon reached, and what it is measured against."""
    ours = [server["name"] for server in results.servers if server.get("ours")]
    rows = []
    for scenario in results.scenarios:
        name = scenario["name"]
        for metric in metrics_of(scenario):
            bar = scenario["bar"][metric]
            best = results.best_peer(name, metric)
            row = [f"`{name}` {UNITS[metric]}", f"≤ {number(bar, metric)}"]
            for server in ours:
                row.append(judged(results.of(name, server, metric), bar, best, metric))
            row.append(f"{number(best[0], metric)} ({best[1]})" if best else "–")
            row.append(number(results.of(name, "tungstenite", metric), metric))
            row.append(number(scenario.get("reference", {}).get(metric), metric))
            rows.append(row)
    return table(["scenario", "bar", *ours, "best peer here", "tungstenite", "uWebSockets (quoted)"], rows)


def judged(value: float | None, bar: float, best: tuple[float, str] | None, metric: str) -> str:
    if value is None:
        return "–"
    verdict = "met" if value <= bar else "**over**"
    if best and value > best[0]:
        verdict += ", **behind a peer**"
    return f"{number(value, metric)} ({verdict})"


def details(results: Results, scenario: dict) -> list[str]:
    traffic = ["messages_per_s", "latency_us.p50", "latency_us.p99", "latency_us.p999", "server_busy"]
    if scenario["mode"] == "idle":
        columns = ["bytes_per_connection", "cpu_us_per_handshake", "cpu_us_per_first_message", "handshakes_per_s"]
        head = ["server", "B/connection", "CPU µs/handshake", "CPU µs/first message", "handshakes/s"]
    else:
        columns = ["cpu_s_per_million", "ratio", *traffic]
        count = "deliveries/s" if scenario["mode"] == "fanout" else "messages/s"
        head = ["server", "CPU s/M", "ratio (spread)", count, "p50 µs", "p99 µs", "p99.9 µs", "busy"]
    if scenario.get("deflate") and scenario["mode"] == "echo":
        columns, head = columns + ["compression_ratio"], head + ["compression"]
    rows = []
    for server in results.servers:
        name = server["name"]
        if not any(results.runs[scenario["name"]].get(name, [])):
            continue
        row = [name]
        for metric in columns:
            cell = number(results.of(scenario["name"], name, metric), metric)
            spread = results.all_of(scenario["name"], name, "ratio") if metric == "ratio" else []
            if len(spread) > 1 and name != FLOOR:
                cell += f" ({min(spread):.2f} to {max(spread):.2f})"
            row.append(cell)
        rows.append(row)
    return [f"### `{scenario['name']}`: {scenario['what']}", "", *table(head, rows), ""] if rows else []


def markdown(results: Results, circumstances: list[str], notes: list[str]) -> str:
    lines = ["# Benchmark results", "", *circumstances, "", "## Against the bars", "", *summary(results), ""]
    if notes:
        lines += ["## Left out or failed", "", *(f"- {note}" for note in notes), ""]
    lines += ["## All figures", ""]
    for scenario in results.scenarios:
        lines += details(results, scenario)
    return "\n".join(lines).rstrip() + "\n"
