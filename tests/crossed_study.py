"""Runs on two data sets of the same person numbers, each tested on the other, scored for real.

All features lie on a line (`tiny.write_features`). Where a run was trained, both people that have a
match find it first: mAP and R1 are 100. On the other data set a distractor comes before the second
person's match: its AP is 1/2, so that mAP is 75 and R1 50.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tiny

from topdb.config import Params, RankingSettings
from topdb.files import digest
from topdb.results.crossings import crossed_files, write_crossed
from topdb.results.records import read_record
from topdb.results.runs import RunFiles
from topdb.runs.evaluate import evaluate

METHODS = ("baseline", "top-db-net")
SEEDS = (1, 2)
TITLES = {"market1501": "Market-1501", "dukemtmc-reid": "DukeMTMC-reID"}
AT_HOME = np.array([[1.0], [0.5], [2.0], [40.0], [12.5], [20.0]], np.float32)
AWAY = np.array([[1.0], [0.5], [2.0], [11.0], [12.5], [20.0]], np.float32)
CHANGES = {
    "datasets": {
        name: {"title": title, "layout": name, "root": f"data/{name}"}
        for name, title in TITLES.items()
    },
    "rankings": ["plain"],
    "test_on": "all",
}


def write_study(folder: Path, **changes: Any) -> tuple[Params, Path]:
    """Write parameters and every run; return the parameters and the folder of the runs."""
    params = tiny.params(folder, {**CHANGES, **changes})
    results = folder / "results"
    for place, source in enumerate(TITLES):
        for number, method in enumerate(METHODS):
            for seed in SEEDS:
                # Other features in each file, and the same order of the gallery.
                nudge = (seed + 2 * number + 4 * place) / 64
                write_run(results, source, method, seed, AT_HOME + nudge)
                for target in TITLES:
                    if target != source:
                        write_test(results, source, target, method, seed, AWAY + nudge)
    return params, results


def write_run(results: Path, dataset: str, method: str, seed: int, gallery: np.ndarray) -> Path:
    folder = results / dataset / method / f"seed-{seed}"
    path = tiny.write_features(folder / "features.npz", gallery_features=gallery)
    weights = folder / "weights.safetensors"
    weights.write_bytes(f"weights of {method} {seed} on {dataset}".encode())
    stated = {"features_digest": digest(path), "weights_digest": digest(weights)}
    tiny.write_run(results, dataset, method, seed, **stated)
    evaluate(path, "plain", RankingSettings(), folder / "plain", 1)
    return folder


def write_test(
    results: Path,
    source: str,
    target: str,
    method: str,
    seed: int,
    gallery: np.ndarray,
    **arrays: np.ndarray,
) -> RunFiles:
    """Write what a run sees of another data set, and its scores."""
    run = RunFiles(results / source / method / f"seed-{seed}")
    files, known = crossed_files(run.folder, target), read_record(run.record).content
    path = tiny.write_features(files.features, gallery_features=gallery, **arrays)
    kept = ("method", "seed", "weights_digest", "index_digest", "environment")
    content = {**{key: known[key] for key in kept}, "features_digest": digest(path)}
    write_crossed(files.record, content, source, target)
    evaluate(path, "plain", RankingSettings(), files.folder / "plain", 1)
    return files
