"""Tries every fault, and writes what became of each into benchmarks/reliability.md."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "benchmarks/reliability.md"
HEAD = """\
# What became of each fault

Written by `make soak`; each fault is a test in `tests/system/faults/`
([reliability](../docs/reliability.md)).
"""


class Outcomes:
    """Collects how each test ended, and how long it took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, float]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if "fault" not in told or (report.when != "call" and report.passed):
            return
        self.rows.append((told["fault"], told["ends"], report.outcome, report.duration))


def page(rows: list[tuple[str, str, str, float]], seconds: float) -> str:
    """Return the page's text with a new table of outcomes."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    passed = sum(outcome == "passed" for _, _, outcome, _ in rows)
    lines = [
        HEAD,
        f"{datetime.now(UTC):%Y-%m-%d}, commit `{commit}`: {passed} of {len(rows)} ended as they "
        f"should, in {seconds / 60:.0f} minutes.",
        "",
        "| Fault | Ends in | Outcome | Seconds |",
        "|---|---|---|---|",
        *(f"| {name} | {ends} | {outcome} | {took:.0f} |" for name, ends, outcome, took in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    outcomes = Outcomes()
    started = time.monotonic()
    tests = (ROOT / "tests/system/faults", ROOT / "tests/system/slurm/test_slurm_faults.py")
    status = pytest.main(["--soak", "-q", *map(str, tests)], plugins=[outcomes])
    PAGE.write_text(page(outcomes.rows, time.monotonic() - started), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
