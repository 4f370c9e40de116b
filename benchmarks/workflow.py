"""Time the main job as a person meets it: cold, with nothing to do, and the command line's start.

Works on two clones in a temporary folder, one for the whole grid and one for the four methods of
Table 1 alone, with the environment that runs this script, and writes `benchmarks/workflow.md`.
OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset for all it starts.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALL = ["snakemake", "--cores", "all"]
FOUR = [*ALL, "reports/table1.md"]
COLD = [*FOUR, "reports/table2.md"]
SLOWED_BY = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "workflow.md")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        clone, four = Path(folder, "topdb"), Path(folder, "four")
        for each in (clone, four):
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(each)], check=True)
        rows = [(f"`{' '.join(COLD)}`, cold", seconds(COLD, clone), 480.0)]
        records = read_records(clone)
        rows.append((f"`{' '.join(FOUR)}` in another clone, cold", seconds(FOUR, four), 210.0))
        alone = len(read_records(four))
        rows.append(
            (f"the rest of `{' '.join(ALL)}`: page, metrics, plots", seconds(ALL, clone), None)
        )
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        rows.append(("both tables again, nothing to do", median(COLD, clone), 4.0))
        rows.append(("`topdb --help`", median(["topdb", "--help"], clone), 0.3))
    lines = [
        "# The main job, timed",
        "",
        f"Mini profile, {len(records)} trainings, {alone} for Table 1 alone; "
        f"{len(os.sched_getaffinity(0))} cores "
        f"({records[0]['environment']['device']}), environment installed. OPENBLAS_CORETYPE and "
        "OPENBLAS_L2_SIZE were unset.",
        "",
        "| what | wall seconds | to reach |",
        "|:--|--:|--:|",
        *(
            f"| {what} | {took:.2f} | {f'{limit:g}' if limit else ''} |"
            for what, took, limit in rows
        ),
        "",
        f"Largest memory of any process: {peak:.0f} MB (to reach: under 1,000 MB). In the mean a "
        f"training took {mean(records, 'train'):.1f} s, its features "
        f"{mean(records, 'extract'):.1f} s.",
        "",
    ]
    out.write_text("\n".join(lines))
    print("\n".join(lines))


def seconds(command: list[str], folder: Path) -> float:
    """Return the wall seconds of one run of a command, which has to succeed."""
    kept = {key: value for key, value in os.environ.items() if key not in SLOWED_BY}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start


def median(command: list[str], folder: Path) -> float:
    """Return the median wall seconds of five runs after one that is not counted."""
    return statistics.median([seconds(command, folder) for _ in range(6)][1:])


def read_records(clone: Path) -> list[dict]:
    """Return the records of all runs."""
    return [json.loads(file.read_text()) for file in clone.glob("results/mini/*/*/*/run.json")]


def mean(records: list[dict], phase: str) -> float:
    """Return the mean seconds of a phase over all runs."""
    return statistics.mean(record["seconds"][phase] for record in records)


if __name__ == "__main__":
    main()
