"""How Snakemake's dry run and no-op run grow with the grid; writes `benchmarks/workflow_size.md`.

The mini profile has 11 methods on 4 data sets with 5 seeds, 220 trainings; 4 methods on 8 data sets
with 15 and 150 seeds make 480 and 4,800, five to a job as in that profile. None of them is run:
for the no-op run all outputs are empty files that Snakemake takes for its own (`--touch`), which
takes it half an hour for 4,800; `--largest-no-op 480` leaves that out.
"""

import argparse
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "workflows", "profiles", "papers")
SIZES = ((11, 4, 5), (4, 8, 15), (4, 8, 150))
"""Methods, data sets and seeds of each size."""
RUN = ["snakemake", "all", "--cores", "2", "--quiet", "all"]
MEMORY = Path("/dev/shm")
"""Where there is such a folder, Snakemake's many small files are no matter of the disk."""


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest-no-op", type=int, default=4_800)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "workflow_size.md")
    options = parser.parse_args()
    rows = []
    for methods, datasets, seeds in SIZES:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
            folder = Path(name)
            for each in COPIED:
                (folder / each).parent.mkdir(parents=True, exist_ok=True)
                copied = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
                copied(ROOT / each, folder / each)
            write_params(folder, methods, datasets, seeds)
            dry = measured([*RUN, "--dry-run"], folder)
            trainings = methods * datasets * seeds
            row = [*dry]
            if trainings <= options.largest_no_op:
                pretend_built(folder)
                row += measured(RUN, folder)
            digits = (1, 1, 0, 1, 1, 0)
            cells = [f"{figure:.{digit}f}" for figure, digit in zip(row, digits, strict=False)]
            rows.append(f"| {trainings:,} | {' | '.join(cells + [''] * (6 - len(cells)))} |")
            print(rows[-1], flush=True)
    lines = [
        "# How Snakemake's work grows with the grid",
        "",
        f"`{' '.join(RUN)}` with `--dry-run` and nothing built, and with all built and nothing to "
        f"do; {len(os.sched_getaffinity(0))} cores, files in memory. To reach for the dry run of "
        "4,800: 30 s and 600 MB; for the no-op run of 220: 4 s.",
        "",
        "| trainings | dry run: wall s | processor s | MB | no-op run: wall s | processor s | MB |",
        "|--:|--:|--:|--:|--:|--:|--:|",
        *rows,
        "",
    ]
    options.out.write_text("\n".join(lines))


def pretend_built(folder: Path) -> None:
    """Write every output of the workflow as an empty file, and Snakemake's records of them."""
    summary = subprocess.run(
        [*RUN, "--summary"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    for line in summary.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    measured([*RUN, "--touch", "--forceall"], folder)
    left = subprocess.run(
        [*RUN, "--dry-run"], cwd=folder, capture_output=True, text=True, check=True
    )
    if "Nothing to be done" not in left.stdout + left.stderr:
        sys.exit("the pretended results do not satisfy Snakemake")


def write_params(folder: Path, methods: int, datasets: int, seeds: int) -> None:
    """Write the mini profile: its first methods, more seeds, its data sets once or twice."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    mini = params["profiles"]["mini"]
    for name, dataset in list(mini["datasets"].items()):
        if datasets > len(mini["datasets"]):
            again = {**copy.deepcopy(dataset), "root": f"{dataset['root']}-again"}
            mini["datasets"][f"{name}-again"] = again
    mini["methods"] = mini["methods"][:methods]
    mini["seeds"] = list(range(1, seeds + 1))
    params["profiles"] = {"mini": mini}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Return wall seconds, processor seconds and peak MB of a command, which has to succeed."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.execvp(command[0], command)
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed in {folder}")
    wall = time.perf_counter() - start
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
