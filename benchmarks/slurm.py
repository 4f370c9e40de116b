"""Time the main job through SLURM against the same job without it; writes `benchmarks/slurm.md`.

Both work on a clone in a temporary folder. The cluster is that of `tests/system/slurm`: one node,
this machine. It needs root, and Debian's packages slurm-wlm and munge.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system" / "slurm"))

import cluster  # noqa: E402
import workflow  # noqa: E402

# Snakemake's jobs train five seeds each (`hardware.runs_per_job`); one of SLURM's has two of them.
LOCAL = ["snakemake", "reports/table2.md"]
SLURM = [
    *LOCAL,
    *("--workflow-profile", "slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--latency-wait", "10", "--groups", "render=data", "index=data", "train=trainings"),
    *("evaluate=scores", "compare=report", "table=report"),
    *("--group-components", "data=4", "trainings=2", "scores=20", "report=4"),
]


def main() -> None:
    """Measure, and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        local, through = Path(folder, "local"), Path(folder, "slurm")
        for clone in (local, through):
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        alone = workflow.seconds(LOCAL, local)
        cluster.start()
        try:
            submitted = workflow.seconds(SLURM, through)
        finally:
            cluster.stop()
        found = [weights(clone) for clone in (local, through)]
        if found[0] != found[1]:
            sys.exit("the weights through SLURM are others than without it")
    lines = [
        "# The main job through SLURM",
        "",
        f"Mini profile, {len(found[0])} trainings, one node of {len(os.sched_getaffinity(0))} "
        "cores, the two runs one after the other; ten trainings to a job (docs/cluster.md). The "
        "weights of all trainings are equal, bit for bit.",
        "",
        "| `snakemake reports/table2.md`, cold | wall seconds |",
        "|:--|--:|",
        f"| on this machine | {alone:.0f} |",
        f"| `--workflow-profile slurm` | {submitted:.0f} |",
        f"| ratio (to reach: 2) | {submitted / alone:.2f} |",
        "",
    ]
    (ROOT / "benchmarks" / "slurm.md").write_text("\n".join(lines))
    print("\n".join(lines))


def weights(folder: Path) -> dict[str, str]:
    """Return the digest of each training's weights, by run."""
    records = folder.glob("results/mini/*/*/*/run.json")
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["weights_digest"]
        for path in records
    }


if __name__ == "__main__":
    main()
