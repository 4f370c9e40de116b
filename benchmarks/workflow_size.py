"""Time and memory of Snakemake's dry run as the grid grows; writes `benchmarks/workflow_size.md`.

4 methods on 8 data sets with 15 and 150 seeds make 480 and 4,800 trainings, none of them built.
"""

import copy
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "workflows", "profiles", "reports/published")
DRY_RUN = ["snakemake", "all", "-n", "--cores", "2", "--quiet", "all"]


def main() -> None:
    """Measure, and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in COPIED:
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            copied = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
            copied(ROOT / each, folder / each)
        for datasets, seeds in ((4, 5), (8, 15), (8, 150)):
            write_params(folder, datasets, seeds)
            wall, processor, megabytes = measured(DRY_RUN, folder)
            rows.append(
                f"| {4 * datasets * seeds:,} | {wall:.1f} | {processor:.1f} | {megabytes:.0f} |"
            )
    lines = [
        "# How the dry run grows with the grid",
        "",
        f"`{' '.join(DRY_RUN)}` with nothing built; {len(os.sched_getaffinity(0))} cores. To reach "
        "for 4,800: 30 s and 600 MB.",
        "",
        "| trainings | wall seconds | processor seconds | MB |",
        "|--:|--:|--:|--:|",
        *rows,
        "",
    ]
    (ROOT / "benchmarks" / "workflow_size.md").write_text("\n".join(lines))
    print("\n".join(lines))


def write_params(folder: Path, datasets: int, seeds: int) -> None:
    """Write the mini profile with more seeds, and its data sets once or twice."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    mini = params["profiles"]["mini"]
    for name, dataset in list(mini["datasets"].items()):
        if datasets > len(mini["datasets"]):
            again = {**copy.deepcopy(dataset), "root": f"{dataset['root']}-again"}
            mini["datasets"][f"{name}-again"] = again
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
