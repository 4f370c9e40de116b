"""Time and memory of retrieval beside the peers, on features of the data sets' sizes.

    python benchmarks/retrieval.py --peers FOLDER --out benchmarks/retrieval.md

FOLDER holds the peers: pip install --no-deps --target FOLDER torchreid pyppbox-torchreid. Where
one is missing, its rows are left out with a word. Each measurement is a process of its own; the
processes take turns (A B A B), and the best round of each counts.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
DIMENSIONS = 1536
PARTS, PART_DIMENSIONS = 8, 512
LABELS = ("query_pids", "gallery_pids", "query_camids", "gallery_camids")
PEERS = {
    "pyppbox-torchreid, Cython rank": "pyppbox_torchreid/metrics/rank_cylib/rank_cy*.so",
    "torchreid, Python rank": "torchreid/reid/metrics/rank.py",
    "torchreid re-ranking": "torchreid/reid/utils/rerank.py",
}


@dataclass(frozen=True)
class Size:
    """Queries, gallery images that show persons, persons, distractors, cameras, parts or none."""

    queries: int
    gallery: int
    persons: int
    distractors: int = 0
    cameras: int = 6
    parts: int | None = None

    def scaled(self, scale: float) -> "Size":
        """A share of this size, for a trial run."""
        gallery, distractors = round(scale * self.gallery), round(scale * self.distractors)
        persons = round(scale * self.persons)
        queries = round(scale * self.queries)
        return Size(queries, gallery, persons, distractors, self.cameras, self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a feature."""
        return (DIMENSIONS,) if self.parts is None else (self.parts, PART_DIMENSIONS)


SIZES = {
    "CUHK03": Size(1400, 5332, 700, cameras=2),
    "Market-1501": Size(3368, 13115, 750, 2798),
    "MSMT17": Size(11659, 82161, 3060, cameras=15),
    "Market-1501 + 500k": Size(3368, 13115, 750, 506617),
    f"Market-1501, {PARTS} parts of {PART_DIMENSIONS}": Size(3368, 13115, 750, 2798, parts=PARTS),
}
ROUNDS = 3
BARE = ["bare GEMM", "bare GEMM, all pairs", "bare GEMM of each part"]
COMPARED = [BARE[0], "topdb", *list(PEERS)[:2], BARE[1], "topdb re-ranking", list(PEERS)[2]]
PLAN = {
    "CUHK03": [name for name in COMPARED if name != "torchreid, Python rank"],
    "Market-1501": COMPARED,
    "MSMT17": ["topdb", "topdb re-ranking"],
    "Market-1501 + 500k": ["topdb"],
    f"Market-1501, {PARTS} parts of {PART_DIMENSIONS}": [BARE[2], "topdb, summed over parts"],
}
ONCE = {"torchreid, Python rank", "torchreid re-ranking"}
LARGE = {"MSMT17", "Market-1501 + 500k"}


def make_features(size: Size, folder: Path, seed: int = 20201012) -> None:
    """Gaussian clusters, one a person; each distractor stands alone."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((size.persons + 1, *size.shape), dtype=np.float32)
    gallery_pids = np.sort(random.integers(1, size.persons + 1, size.gallery))
    gallery_pids = np.concatenate([np.zeros(size.distractors, np.int64), gallery_pids])
    pids = {"query": random.integers(1, size.persons + 1, size.queries), "gallery": gallery_pids}
    for part, persons in pids.items():
        np.save(folder / f"{part}_pids.npy", persons)
        np.save(folder / f"{part}_camids.npy", random.integers(0, size.cameras, len(persons)))
        features = np.lib.format.open_memmap(
            folder / f"{part}_features.npy", "w+", np.float32, (len(persons), *size.shape)
        )
        for first in range(0, len(persons), 8192):
            chunk = persons[first : first + 8192]
            values = 5.0 * random.standard_normal((len(chunk), *size.shape), dtype=np.float32)
            values += centres[chunk] * (chunk > 0).reshape(-1, *(1 for _ in size.shape))
            features[first : first + 8192] = values


def load_file(folders: list[str], pattern: str) -> ModuleType | None:
    """A peer's module by its file: importing its package asks for much that no number needs."""
    for folder in folders:
        for path in Path(folder).glob(pattern):
            name = path.name.split(".")[0]
            spec = importlib.util.spec_from_file_location(name, path)
            if spec and spec.loader:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return None


def task(name: str, peers: list[str]) -> Callable[[list[np.ndarray]], Any]:
    """The function to time; what it imports is imported before."""
    if name == "bare GEMM":
        return lambda data: np.matmul(data[0], data[1].T)
    if name == "bare GEMM, all pairs":
        return lambda data: _all_pairs(np.concatenate(data[:2]))
    if name == "bare GEMM of each part":
        return lambda data: _each_part(*data[:2])
    if name.startswith("topdb"):
        import topdb.retrieval as retrieval

        random = np.random.default_rng(0)
        for shape in ((40, 8), (40, 2, 8)):  # compiles or loads every kernel
            few = random.standard_normal(shape, dtype=np.float32)
            persons, zeros = np.arange(1, 41), np.zeros(40, np.int64)
            retrieval.rank_reranked(few, few, persons, persons, zeros, zeros + 1)
        if "re-ranking" not in name:
            return lambda data: retrieval.rank(*data).ap
        return lambda data: retrieval.rank_reranked(*data).ap
    import torch

    module = load_file(peers, PEERS[name])
    assert module is not None

    def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        rows, columns = torch.from_numpy(left), torch.from_numpy(right)
        lengths = (rows**2).sum(1, keepdim=True) + (columns**2).sum(1)
        return np.asarray(lengths.addmm_(rows, columns.T, beta=1, alpha=-2))

    if name == "torchreid, Python rank":
        return lambda data: module.eval_market1501(distances(*data[:2]), *data[2:], 20)[1]
    if name == "pyppbox-torchreid, Cython rank":
        return lambda data: module.evaluate_cy(distances(*data[:2]), *data[2:], 20)[1]
    # A last bit decides which of two nearly equal neighbours a list holds, so that the lists of
    # two BLAS libraries differ here and there: both re-rankings are given numpy's products.
    from topdb.retrieval import squared_distances

    pairs = ((0, 1), (0, 0), (1, 1))
    return lambda data: module.re_ranking(*(squared_distances(data[a], data[b]) for a, b in pairs))


def _all_pairs(features: np.ndarray) -> None:
    out = np.zeros((len(features), len(features)), np.float32)
    started = cpu_seconds(), time.perf_counter()
    np.matmul(features, features.copy().T, out=out)
    OVERRIDE.update(cpu=cpu_seconds() - started[0], wall=time.perf_counter() - started[1])


def _each_part(query: np.ndarray, gallery: np.ndarray) -> None:
    out = np.empty((len(query), len(gallery)), np.float32)
    for part in range(query.shape[1]):
        np.matmul(query[:, part], gallery[:, part].T, out=out)


OVERRIDE: dict[str, float] = {}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory(field: str) -> float:
    """A field of the process's memory in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def measure(name: str, folder: Path, peers: list[str]) -> None:
    """Run one task and print its figures as JSON; leave its result beside the features."""
    features = [
        np.load(path, mmap_mode="r") if folder.name.endswith("500k") else np.load(path)
        for path in (folder / "query_features.npy", folder / "gallery_features.npy")
    ]
    data = features + [np.load(folder / f"{label}.npy") for label in LABELS]
    function = task(name, peers)
    np.matmul(np.ones((64, 64), np.float32), np.ones((64, 64), np.float32))
    before = memory("VmRSS") - memory("RssFile")
    Path("/proc/self/clear_refs").write_text("5")
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = function(data)
    figures = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
    # Pages of mapped features are the system's cache, and not growth.
    figures["growth"] = max(0.0, memory("VmHWM") - memory("RssFile") - before)
    if name != "bare GEMM":
        np.save(folder / f"{name}.npy", np.asarray(result if result is not None else 0.0))
    print(json.dumps(figures | OVERRIDE))


def run(name: str, folder: Path, peers: list[str]) -> dict[str, float]:
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    command = [sys.executable, __file__, "--measure", name, str(folder), "--peers"]
    done = subprocess.run(
        [*command, *peers], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"  {name}: ended with status {done.returncode} ({last})")
        return {}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def agreement(folder: Path) -> list[str]:
    """How far the results that were left in the folder are from each other."""
    from topdb.retrieval import feature_distances, rerank_distances

    lines = []
    data = [np.load(folder / f"{name}.npy") for name in ("query_features", "gallery_features")]
    query_pids, gallery_pids, query_camids, gallery_camids = (
        np.load(folder / f"{label}.npy") for label in LABELS
    )
    name = "topdb" if data[0].ndim == 2 else "topdb, summed over parts"
    ap = np.load(folder / f"{name}.npy")
    worst, distances = 0.0, feature_distances(*data)
    for query in range(0, len(ap), 10):
        order = np.argsort(distances[query], kind="stable")
        same = gallery_pids[order] == query_pids[query]
        junk = same & (gallery_camids[order] == query_camids[query])
        ranks = np.flatnonzero(same[~junk]) + 1
        if len(ranks):
            expected = np.mean(np.arange(1, len(ranks) + 1) / ranks)
            worst = max(worst, abs(ap[query] - expected))
    lines.append(f"AP of every tenth query from a stable argsort: {worst:.1e}")
    for name in list(PEERS)[:2]:
        path = folder / f"{name}.npy"
        if path.exists():
            lines.append(f"mAP from {name}: {abs(np.nanmean(ap) - np.load(path)):.1e}")
    path = folder / "torchreid re-ranking.npy"
    if path.exists():
        difference = rerank_distances(*data)
        difference -= np.load(path)
        worst = max(abs(float(difference.max())), abs(float(difference.min())))
        lines.append(f"re-ranked distances from torchreid's: {worst:.1e}")
    return lines


def report(results: dict[str, dict[str, list[dict[str, float]]]], words: list[str]) -> str:
    heading = "| size | task | CPU s | wall s | peak memory growth, MB | CPU s / bare GEMM |"
    lines = [
        "# Retrieval beside its peers",
        "",
        *words,
        "",
        heading,
        "|---|---|---:|---:|---:|---:|",
    ]
    for size, tasks in results.items():
        for name, rounds in tasks.items():
            best = {key: min(figures[key] for figures in rounds) for key in rounds[0]}
            bare = BARE[0]
            if "re-ranking" in name or "all" in name:
                bare = BARE[1]
            elif "part" in name:
                bare = BARE[2]
            ratio = "-"
            if bare in tasks:
                ratio = f"{best['cpu'] / min(figures['cpu'] for figures in tasks[bare]):.2f}"
            lines.append(
                f"| {size} | {name} | {best['cpu']:.2f} | {best['wall']:.2f} "
                f"| {best['growth']:.0f} | {ratio} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="*", default=[], help="folders that hold the peers")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of each size")
    parser.add_argument("--work", type=Path, help="folder for the features (up to 4 GB)")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]), options.peers)
        return
    found = {n for n, p in PEERS.items() if any(any(Path(f).glob(p)) for f in options.peers)}
    words = [
        f"{DIMENSIONS} dimensions where no parts are named, {len(os.sched_getaffinity(0))} cores, "
        f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}, numpy {np.__version__}. "
        "Each task is the best of its rounds; the processes took turns. Distances are included. "
        f"{' and '.join(UNSET)} were unset for all.",
    ]
    words += [f"Not measured, since it is not installed: {n}." for n in PEERS if n not in found]
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    agreements = ["", "Largest differences:", ""]
    for label in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.work) as parent:
            folder = Path(parent) / label
            folder.mkdir()
            make_features(SIZES[label].scaled(options.scale), folder)
            names = [n for n in PLAN[label] if n not in PEERS or n in found]
            tasks: dict[str, list[dict[str, float]]] = {}
            for turn in range(1 if label in LARGE else ROUNDS):
                for name in names:
                    if turn and name in ONCE:
                        continue
                    figures = run(name, folder, options.peers)
                    print(f"{label}, {name}, {figures}", flush=True)
                    if figures:
                        tasks.setdefault(name, []).append(figures)
            results[label] = tasks
            if label not in LARGE:
                agreements += [f"- {label}: {line}" for line in agreement(folder)]
    options.out.write_text(report(results, words) + "\n".join(agreements) + "\n")


if __name__ == "__main__":
    main()
