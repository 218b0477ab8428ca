"""What wstest's reports say, as one verdict per case and a table per category."""

import fnmatch
import json
import re

from sets import order

COLUMNS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")
TITLES = {
    1: "framing", 2: "pings and pongs", 3: "reserved bits", 4: "opcodes", 5: "fragmentation",
    6: "UTF-8", 7: "close", 9: "limits, performance", 10: "misc",
    12: "permessage-deflate: payloads", 13: "permessage-deflate: parameters",
}
FOREVER = 10**9  # wstest's duration of a case that never ended


def load(folders):
    """The results by case id, each with the folder that its own report stands in."""
    results = {}
    for folder in folders:
        index = folder / "index.json"
        if not index.exists():
            continue
        for cases in json.loads(index.read_text()).values():
            for case, result in cases.items():
                results[case] = {**result, "folder": folder}
    return results


def verdict(result):
    """The worse half of a case, its behaviour or its close. Whatever wstest has no good word for FAILED."""
    halves = {result["behavior"], result["behaviorClose"]}
    if not halves <= set(COLUMNS[:4]):
        return "FAILED"
    return next((word for word in ("UNIMPLEMENTED", "NON-STRICT", "INFORMATIONAL") if word in halves), "OK")


def _detail(result):
    try:
        report = json.loads((result["folder"] / result["reportfile"]).read_text(errors="replace"))
    except (OSError, ValueError):
        return "no report of its own"
    says = []
    if result["behavior"] not in ("OK", "INFORMATIONAL"):
        says.append(report["result"])
    if result["behaviorClose"] not in ("OK", "INFORMATIONAL"):
        says.append(report["resultClose"])
    said = re.sub(r"\s+", " ", "; ".join(says))[:300]
    return f"{said} (peer closed with {result['remoteCloseCode'] or 'no code'})"


def _table(results):
    rows = {}
    for case, result in results.items():
        row = rows.setdefault(order(case)[0], dict.fromkeys((*COLUMNS, "ms"), 0))
        row[verdict(result)] += 1
        row["ms"] += result["duration"] if result["duration"] < FOREVER else 0
    total = {column: sum(row[column] for row in rows.values()) for column in (*COLUMNS, "ms")}
    yield "%-36s" % "category" + "".join(f" {column:>13}" for column in COLUMNS) + "   seconds"
    for name, row in [*((f"{n} {TITLES.get(n, '')}", rows[n]) for n in sorted(rows)), ("all", total)]:
        yield f"{name:<36}" + "".join(f" {row[c]:>13}" for c in COLUMNS) + f" {row['ms'] / 1000:9.1f}"


def _allowed(case, result, exclusions):
    for pattern, behaviour, reason in exclusions:
        if fnmatch.fnmatchcase(case, pattern) and behaviour in (
            result["behavior"], result["behaviorClose"], verdict(result)
        ):
            return reason
    return None


def summarise(results, expected, exclusions, lenient):
    """Prints the table and every case that is not well; returns (passed, failed, skipped).

    A case that should have run and did not has failed: wstest leaves out, without a word, every case
    after the one at which the peer stopped answering. NON-STRICT and UNIMPLEMENTED fail too, unless lenient.
    """
    passed = failed = skipped = 0
    for line in _table(results):
        print(line)
    for case in sorted(results, key=order):
        result = results[case]
        word = verdict(result)
        reason = _allowed(case, result, exclusions)
        if word in ("OK", "INFORMATIONAL"):
            passed += 1
        elif reason:
            skipped += 1
            print(f"{case:<8} {word}, excluded: {reason}")
        elif lenient and word != "FAILED":
            skipped += word == "UNIMPLEMENTED"
            passed += word == "NON-STRICT"
            print(f"{case:<8} {word}")
        else:
            failed += 1
            print(f"{case:<8} {result['behavior']}, close {result['behaviorClose']}: {_detail(result)}")
    missing = sorted(set(expected) - set(results), key=order)
    if missing:
        failed += len(missing)
        print(f"MISSING ({len(missing)}; the peer went away, or the run was cut short): {' '.join(missing)}")
    return passed, failed, skipped
