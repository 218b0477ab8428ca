"""Runs cases side by side and says how each ended."""

import fnmatch
import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from case import Skip, Wrong
from wire import Silence


@dataclass(frozen=True)
class Result:
    """How a case ended: passed, failed or skipped, and what was seen or why."""

    case: object
    outcome: str
    detail: str
    seconds: float


def exclusions(path):
    """Lines `PATTERN reason`; empty lines and lines with # are passed over."""
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(" ")
        if not reason.strip():
            raise SystemExit(f"{path}:{number}: an exclusion needs a reason: `PATTERN reason`")
        found.append((pattern, reason.strip()))
    return found


def _run(case, make_lab, options):
    for need in case.needs:
        if reason := options.lacks(need):
            return "skipped", reason
    lab = make_lab()
    finished = False
    try:
        case.run(lab)
        finished = True
        lab.finish(True)
    except Wrong as wrong:
        return "failed", str(wrong)
    except Skip as skip:
        return "skipped", str(skip)
    except Silence as silence:
        return "failed", str(silence)
    except OSError as error:
        return "failed", f"{type(error).__name__}: {error}"
    except Exception:  # a fault of the suite's own ends one case, not the run
        return "failed", "the suite failed: " + traceback.format_exc().replace("\n", "\n       ")
    finally:
        if not finished:
            lab.finish(False)
    return "passed", ""


def run_all(cases, make_lab, options, excluded, jobs):
    """The results in the order of the cases; failures are printed as they come."""

    def one(case):
        started = time.monotonic()
        for pattern, reason in excluded:
            if fnmatch.fnmatchcase(case.id, pattern):
                return Result(case, "skipped", f"excluded: {reason}", 0)
        outcome, detail = _run(case, make_lab, options)
        return Result(case, outcome, detail, time.monotonic() - started)

    results = []
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(one, cases):
            results.append(result)
            if result.outcome == "failed":
                print(f"FAILED {result.case.id} ({result.case.section}) {result.case.rule}\n       {result.detail}")
                sys.stdout.flush()
    return results


def conclude(results, seconds, report):
    """Prints why cases were skipped and the counts; returns the exit status."""
    reasons = {}
    for result in results:
        if result.outcome == "skipped":
            reasons.setdefault(result.detail, []).append(result.case.id)
    for reason, ids in reasons.items():
        shown = " ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
        print(f"skipped: {reason}: {shown}")
    counts = {word: sum(result.outcome == word for result in results) for word in ("passed", "failed", "skipped")}
    if report:
        rows = [
            {
                "id": result.case.id, "item": result.case.item, "section": result.case.section,
                "rule": result.case.rule, "outcome": result.outcome, "detail": result.detail,
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ]
        report.write_text(json.dumps({"counts": counts, "cases": rows}, indent=1) + "\n")
    print(f"{len(results)} cases in {seconds:.1f} s")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0
