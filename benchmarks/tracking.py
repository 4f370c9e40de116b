"""Time what MLflow costs a run: side by side, interleaved, eight trainings at once.

Trains runs of the mini profile on its Market-1501, drawn and pretrained before, in a temporary
folder: without tracking, told afterwards, followed with a server, followed with an SQLite store;
then alone, followed with trackers that are out of order. Writes `benchmarks/tracking.md`.

    PYTHONPATH=tests python benchmarks/tracking.py
"""

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from system.services.postgresql import free_port
from system.services.tracker import mlflow_server, slow

ROOT = Path(__file__).parents[1]
SEEDS = range(1, 9)
PRETRAINED = "results/mini/pretraining/small"


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "tracking.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        with mlflow_server(f"sqlite:///{folder}/server.db", folder) as server:
            lines = [*eight_at_once(folder, options.rounds, server.address), ""]
            lines += out_of_order(folder, server.address)
    options.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def prepare(folder: Path) -> None:
    """Draw the data and pretrain the backbone."""
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for dataset in ("market1501", "pretraining"):
        run(folder, "render", dataset)
        run(folder, "index", dataset, *index(dataset))
    run(folder, "pretrain", "small", *index("pretraining"), "--out", PRETRAINED)


def index(dataset: str) -> list[str]:
    place = f"results/mini/{dataset}"
    return ["--index", f"{place}/index.parquet", "--pixels", f"{place}/pixels.npy"]


def run(folder: Path, *arguments: str, store: str | None = None) -> float:
    """Run one command; return its wall seconds."""
    began = time.perf_counter()
    process = started(folder, store, *arguments)
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"topdb {' '.join(arguments)} failed:\n{output[-2000:]}")
    return time.perf_counter() - began


def started(folder: Path, store: str | None, *arguments: str) -> subprocess.Popen:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    kept |= {"OMP_NUM_THREADS": "1"} | ({"MLFLOW_TRACKING_URI": store} if store else {})
    return subprocess.Popen(
        [sys.executable, "-m", "topdb.cli", *arguments],
        cwd=folder,
        env=kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def followed(folder: Path, mode: str, store: str | None) -> Iterator[None]:
    """Follow trainings meanwhile, as the workflow does where the mode is live."""
    follower = started(folder, store, "track", "--follow") if mode == "live" else None
    yield
    if follower:
        said, _ = follower.communicate()  # ends its input, and so the follower
        if "out of reach" in said:
            print(f"{store}: {said.strip()}", file=sys.stderr)


def tracked(folder: Path, mode: str) -> None:
    """Set tracking.mode; the profile is cut to the eight runs."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"market1501": mini["datasets"]["market1501"]}
    mini |= {"methods": ["baseline"], "seeds": list(SEEDS)}
    params["profiles"] = {"mini": mini}
    params["tracking"]["mode"] = mode
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def training(seed: int) -> list[str]:
    """Return the arguments of one training."""
    backbone = f"{PRETRAINED}/backbone.safetensors"
    out = f"results/mini/market1501/baseline/seed-{seed}"
    these = ["train", "market1501", "baseline", str(seed), *index("market1501")]
    return [*these, "--backbone", backbone, "--out", out]


def forget_runs(folder: Path) -> None:
    """Remove the runs: what is finished is not trained again."""
    shutil.rmtree(folder / "results/mini/market1501/baseline", ignore_errors=True)


def eight(folder: Path, mode: str, store: str | None) -> float:
    """Train eight runs at once; return the processor seconds of all."""
    forget_runs(folder)
    tracked(folder, mode)
    began = processor_seconds()
    with followed(folder, mode, store):
        processes = [started(folder, store, *training(seed)) for seed in SEEDS]
        for process in processes:
            output, _ = process.communicate()
            if process.returncode:
                sys.exit(f"a training failed:\n{output[-2000:]}")
    return processor_seconds() - began


def alone(folder: Path, mode: str, store: str | None) -> float:
    """Train one run; return its wall seconds."""
    forget_runs(folder)
    with followed(folder, mode, store):
        return run(folder, *training(1), store=store)


def processor_seconds() -> float:
    """Return what finished child processes used; other users of the machine do not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def eight_at_once(folder: Path, rounds: int, server: str) -> list[str]:
    """Return the table of what tracking adds."""
    tracked(folder, "after")
    (folder / "results/none").mkdir()
    run(folder, "track", "--results", "results/none", "--out", "none.json")  # makes the store
    ways = {
        "no tracking": ("off", None),
        "`live`, a server": ("live", server),
        "`live`, SQLite": ("live", None),
    }
    took: dict[str, list[float]] = {name: [] for name in [*ways, "after"]}
    for number in range(rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            took[name].append(eight(folder, *ways[name]))
            if name == "no tracking":
                # The runs of each round are new to the store: their experiment is.
                tracked(folder, "after")
                path = folder / "params.yaml"
                params = yaml.safe_load(path.read_text())
                params["tracking"]["experiment"] = f"after-{number}"
                path.write_text(yaml.safe_dump(params))
                before = processor_seconds()
                run(folder, "track")
                took["after"].append(processor_seconds() - before)
    plain = statistics.median(took["no tracking"])
    lines = [
        "# What MLflow costs a run",
        "",
        "Eight trainings of the mini profile at once, "
        f"{len(os.sched_getaffinity(0))} cores, median of {rounds} interleaved round(s): processor "
        "seconds of all eight and of what tells MLflow, without a server's own. One import is "
        "most of what each way adds, however many runs there are.",
        "",
        "| tracking | seconds | added |",
        "|:--|--:|--:|",
        f"| none | {plain:.1f} | |",
    ]
    after = statistics.median(took["after"])
    lines.append(
        f"| `after` (the default): `topdb track` once | {plain + after:.1f} | {after / plain:.1%} |"
    )
    for name in ("`live`, a server", "`live`, SQLite"):
        extra = statistics.median(
            one - other for one, other in zip(took[name], took["no tracking"], strict=True)
        )
        lines.append(f"| {name} | {plain + extra:.1f} | {extra / plain:.1%} |")
    return lines


def out_of_order(folder: Path, server: str) -> list[str]:
    """Return the table of what a tracker that is out of order costs one run."""
    tracked(folder, "off")
    plain = statistics.median(alone(folder, "off", None) for _ in range(3))
    tracked(folder, "live")
    lines = [
        f"One training alone takes {plain:.1f} s. What trackers that are out of order add to it, "
        "and how long `topdb track` takes to give up (to reach: under 30 s in all):",
        "",
        "| tracker | added to a training | `topdb track` |",
        "|:--|--:|--:|",
    ]
    with slow(server, 30.0) as sluggish:
        stores = {
            "server down": f"http://127.0.0.1:{free_port()}",
            "server that answers after 30 s": sluggish,
            "PostgreSQL down": f"postgresql://127.0.0.1:{free_port()}/none",
        }
        for name, store in stores.items():
            extra = alone(folder, "live", store) - plain
            later = run(folder, "track", store=store)
            lines.append(f"| {name} | {extra:.1f} s | {later:.1f} s |")
    return lines


if __name__ == "__main__":
    main()
