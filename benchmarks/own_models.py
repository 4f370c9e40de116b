"""Time and memory of the commands for models of one's own, beside the products they need.

    python benchmarks/own_models.py --out benchmarks/own_models.md

Two files of features of Market-1501's size. Each measurement is a process of its own, start-up
included; the processes take turns (A B A B), and the best round of each counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

QUERIES, GALLERY, DISTRACTORS, PEOPLE, CAMERAS, DIMENSIONS = 3368, 13115, 2798, 750, 6, 2048
ROUNDS = 3
GEMM = "the GEMMs of both files, one after the other"
COMPARE = "topdb compare a.npz b.npz"
QUIET, LOUD = "topdb evaluate a.npz, without intervals", "topdb evaluate a.npz"
SMALL = "topdb evaluate ok.npz"
PRODUCTS = """
import sys, time
import numpy as np
cpu = wall = 0.0
for path in sys.argv[1:]:
    with np.load(path) as arrays:
        query, gallery = arrays["query_features"], arrays["gallery_features"]
    started = time.perf_counter(), time.process_time()
    query @ gallery.T
    wall += time.perf_counter() - started[0]
    cpu += time.process_time() - started[1]
print(wall, cpu)
"""


def write_features(path: Path, seed: int, noise: float) -> None:
    """Gaussian clusters, one a person; each distractor stands alone."""
    shared, own = np.random.default_rng(1), np.random.default_rng(seed)
    centres = shared.standard_normal((PEOPLE + 1, DIMENSIONS), dtype=np.float32)
    people = {
        "query": np.sort(
            np.concatenate(
                [
                    np.arange(1, PEOPLE + 1),
                    shared.integers(1, PEOPLE + 1, QUERIES - PEOPLE),
                ]
            )
        ),
        "gallery": np.concatenate(
            [shared.integers(1, PEOPLE + 1, GALLERY), np.zeros(DISTRACTORS, np.int64)]
        ),
    }
    arrays = {}
    for side, pids in people.items():
        values = noise * own.standard_normal((len(pids), DIMENSIONS), dtype=np.float32)
        arrays[f"{side}_features"] = values + centres[pids] * (pids > 0)[:, np.newaxis]
        arrays[f"{side}_pids"] = pids
        arrays[f"{side}_camids"] = shared.integers(0, CAMERAS, len(pids))
        arrays[f"{side}_paths"] = np.array([f"{side}/{row:06d}.jpg" for row in range(len(pids))])
    np.savez(path, **arrays)


def measured(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command; return wall and CPU seconds, and the peak of its memory in MB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} ended with status {child.returncode}")
    wall = time.perf_counter() - started
    found = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    if command[1] == "-c" and len(said.split()) == 2:
        found["wall"], found["cpu"] = map(float, said.split())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--work", type=Path, help="folder for the features (320 MB)")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        for seed, (name, noise) in enumerate({"a": 3.2, "b": 3.1}.items()):
            write_features(options.make / f"{name}.npz", seed, noise)
        return
    python, topdb = sys.executable, [sys.executable, "-m", "topdb.cli"]
    ok = Path(__file__).parents[1].resolve() / "tests/cases/ok.npz"
    with tempfile.TemporaryDirectory(dir=options.work) as parent:
        folder = Path(parent)
        # Made by a process of its own: a child's peak of memory is at least its parent's.
        subprocess.run([python, __file__, "--make", parent], check=True)
        features = (folder / "a.npz").stat().st_size / 1e6
        tasks = {
            GEMM: [python, "-c", PRODUCTS, "a.npz", "b.npz"],
            COMPARE: [*topdb, "compare", "a.npz", "b.npz", "--out", "compared", "--quiet"],
            QUIET: [*topdb, "evaluate", "a.npz", "--out", "quiet", "--quiet"],
            LOUD: [*topdb, "evaluate", "a.npz", "--out", "loud"],
            SMALL: [*topdb, "evaluate", str(ok), "--out", "small"],
            "topdb --help": [*topdb, "--help"],
            "import topdb": [python, "-c", "import topdb"],
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in tasks}
        for turn in range(ROUNDS + 1):
            for name, command in tasks.items():
                found = measured(command, folder)
                print(f"{name}: {found}", flush=True)
                if turn:  # the first one compiles
                    rounds[name].append(found)
    best = {
        name: {key: min(each[key] for each in found) for key in found[0]}
        for name, found in rounds.items()
    }
    gemm, whole = best[GEMM], best[COMPARE]
    lines = [
        "# Models of one's own",
        "",
        f"Two files of {QUERIES} queries and {GALLERY + DISTRACTORS} images in {DIMENSIONS} "
        f"dimensions ({features:.0f} MB each), {len(os.sched_getaffinity(0))} cores, numpy "
        f"{np.__version__}. Each task is the best of {ROUNDS} rounds of processes that took turns, "
        "start-up included (of the GEMMs the products alone). Load average at the end: "
        f"{os.getloadavg()[0]:.0f}; where it is above the number of cores, wall seconds are of "
        "a machine that others use, and CPU seconds are what to read.",
        "",
        "| task | CPU s | wall s | peak memory, MB |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {each['cpu']:.2f} | {each['wall']:.2f} | {each['peak']:.0f} |"
            for name, each in best.items()
        ),
        "",
        f"- compare, beside its products: {whole['cpu'] / gemm['cpu']:.2f} times their CPU "
        f"seconds, {whole['cpu'] - 2 * gemm['cpu']:+.2f} CPU s beyond twice them.",
        f"- compare, memory beside one file of features: {whole['peak'] - features:.0f} MB.",
        f"- intervals over people: {best[LOUD]['cpu'] - best[QUIET]['cpu']:+.2f} CPU s.",
    ]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
