"""Small parameters, data sets and results, written as the real ones are."""

import copy
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from topdb import cli
from topdb.config import FULL, Params, Profile, declared, dropped_in, load, method_files
from topdb.config.papers import read_papers
from topdb.datasets.layouts import published
from topdb.evidence.comparing import compare
from topdb.results.comparisons import Comparisons

ROOT = Path(__file__).parents[1]
PAPERS = ROOT / "papers"

TINY: dict[str, Any] = {
    "profile": "tiny",
    "profiles": {
        "tiny": {
            "recipe": "released",
            "methods": ["baseline", "top-db-net"],
            "seeds": [1, 2],
            "datasets": {
                "market1501": {
                    "title": "Market-1501",
                    "layout": "market1501",
                    "root": "data/market1501",
                }
            },
            "scale": {
                "size": [48, 16],
                "epochs": 2,
                "people": 3,
                "width": 0.015625,
                "backbones": {"resnet50": "small", "resnet101": "small", "densenet201": "small"},
            },
            "changes": {
                method: {
                    "all": {
                        "epochs": 2,
                        "images": 2,
                        "rules": {"network": {"rate": 0.001}},
                        "schedule": {"kind": "cosine", "warmup": 1.0},
                    }
                }
                for method in ("baseline", "no-drop", "no-reg", "top-db-net")
            },
            "start": None,
        }
    },
    "papers": ["top_db_net"],
    "statistics": {"draws": 1000},
    "check": {"reference": "reference.json", "family_error": 0.01, "floor": 1.0},
    "tracking": {"mode": "after", "experiment": "tiny"},
}

RENDER = {
    "seed": 1,
    "train_people": 4,
    "test_people": 4,
    "cameras": 2,
    "train_images": 8,
    "query_images": 4,
    "gallery_images": 8,
}


_PROFILE_KEYS = set(Profile.model_fields)


def content(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """TINY with values replaced by dotted key; a profile's keys are those of `tiny`."""
    found = copy.deepcopy(TINY)
    for dotted, value in (changes or {}).items():
        *outer, last = dotted.split(".")
        in_profile = (outer or [last])[0] in _PROFILE_KEYS
        inside = found["profiles"]["tiny"] if in_profile else found
        for key in outer:
            inside = inside[key]
        inside[last] = value
    return found


def write_params(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content(changes), sort_keys=False), encoding="utf-8")
    return path


def params(folder: Path, changes: Mapping[str, Any] | None = None) -> Params:
    return load(write_params(folder, changes))


def papers_beside(results: Path) -> Path:
    """The papers that a test has written beside its runs, or else the shipped ones."""
    own = results.parent / "papers"
    return own if own.is_dir() else PAPERS


def compared(
    params: Params, results: Path, table: str = "table2", root: Path | None = None
) -> Comparisons:
    """Compare the runs with a table of the main paper."""
    papers = read_papers(params, root or papers_beside(results))
    return compare(params, "tiny", results, papers, papers[0], table)


def change_paper(folder: Path, change: Callable[[dict[str, Any]], Any] = dict) -> Path:
    """Copy the papers into a folder, let a function change the main one's file; return where."""
    root = folder / "papers"
    if not root.exists():
        shutil.copytree(PAPERS, root)
    path = root / "top_db_net/paper.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return root


def draw_market(root: Path, train_people: int = 4, test_people: int = 3) -> None:
    """Write noise with a colour a person: 4 training images each, a query and 2 gallery images."""
    rng = np.random.default_rng(7)

    def draw(folder: str, pid: int, camera: int, frame: int) -> None:
        path = root / folder / f"{pid:04d}_c{camera}s1_{frame:06d}_00.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = np.random.default_rng(pid).integers(40, 215, 3)
        noise = rng.integers(-40, 40, (32, 16, 3))
        Image.fromarray((colour + noise).astype(np.uint8)).save(path, quality=95)

    for pid in range(1, train_people + 1):
        for frame in range(4):
            draw("bounding_box_train", pid, 1 + frame % 2, frame)
    for pid in range(101, 101 + test_people):
        draw("query", pid, 1, 0)
        for frame in range(2):
            draw("bounding_box_test", pid, 2, frame)


def write_queries(
    run_folder: Path,
    ap: Sequence[float | None],
    ranking: str = "plain",
    first: Sequence[int] | None = None,
    pids: Sequence[int] | None = None,
    paths: Sequence[str] | None = None,
) -> None:
    """Write queries.parquet and metrics.json of a run whose queries have these AP.

    They state no digests, as older files do. A run that has no record yet gets one.
    """
    name, _, seed = run_folder.name.partition("-")
    if name == "seed" and not (run_folder / "run.json").exists():
        write_run(run_folder.parents[2], *run_folder.parts[-3:-1], int(seed))
    count = len(ap)
    first = first if first is not None else [0 if value is None else 1 for value in ap]
    folder = run_folder / ranking
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "path": list(paths or [f"query/{number}.jpg" for number in range(count)]),
            "pid": list(pids or range(1, count + 1)),
            "camid": [0] * count,
            "ap": pa.array(list(ap), pa.float64()),
            "inp": pa.array(list(ap), pa.float64()),
            "first_match_rank": list(first),
            "matches": [0 if value is None else 1 for value in ap],
        }
    )
    pq.write_table(table, folder / "queries.parquet")
    known = [value for value in ap if value is not None]
    firsts = [rank for rank, value in zip(first, ap, strict=True) if value is not None]
    reranking = {"variant": "torchreid", "k1": 20, "k2": 6, "lambda": 0.3}
    metrics = {
        "mAP": float(np.mean(known)),
        "mINP": float(np.mean(known)),
        "cmc": {
            str(rank): float(np.mean([each <= rank for each in firsts])) for rank in (1, 5, 10, 20)
        },
        "queries": len(known),
        "queries_without_match": count - len(known),
        "gallery": count,
        "evaluator": {
            "distance": "squared Euclidean, float32",
            "ap_rule": "step",
            "reranking": reranking if ranking == "rk" else None,
        },
        "features_digest": f"features of {run_folder.parent.name} {run_folder.name}",
    }
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


CHECKOUT = {
    "of": "topdb",
    "state": "committed",
    "commit": "0123456789abcdef",
    "repository": "topdb",
}
"""What a run says of git that holds all that ran."""


def write_run(
    results: Path, dataset: str, method: str, seed: int, epochs: int = 2, **changes: Any
) -> Path:
    """Write the history.csv and run.json of a run, without its weights; return its folder."""
    folder = results / dataset / method / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["epoch,learning_rate,images,seconds,loss,global_triplet"]
    lines += [f"{n},0.001,12,0.5,{4.0 / n},{0.5 / n}" for n in range(1, epochs + 1)]
    (folder / "history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    record = {
        "dataset": dataset,
        "method": method,
        "seed": seed,
        **of_the_paper(dataset, method),
        "changes": [],
        "hardware": {"device": "cpu", "threads": 1},
        "code": "fedcba9876543210" * 4,
        "index_digest": "1234567890abcdef" * 4,
        "weights_digest": f"weights of {method} {seed}",
        "features_digest": f"features of {method} {folder.name}",
        "environment": {
            "checkouts": [CHECKOUT],
            "versions": {"topdb": "0.1.0", "torch": "2.14.1"},
            "device": "a processor",
            "threads": 1,
        },
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def of_the_paper(dataset: str, method: str) -> dict[str, Any]:
    """What a run's record says where it may be held against the paper's number."""
    stated = published(dataset) if dataset in dropped_in("datasets/layouts") else {}
    files = method_files()
    counts = {
        split: {"images": each.images, "people": each.people, "cameras": each.cameras}
        for split, each in stated.items()
    }
    return {
        "recipe": {"side": "released", "epochs": 2},
        "start": {"kind": "imagenet", "weights": {}},
        "scale": FULL.model_dump(mode="json"),
        "backbone": declared(files[method]).backbone if method in files else "resnet50",
        "rendered": False,
        "data": {"layout": dataset, "protocol": "single query", "counts": counts},
    }


def write_features(path: Path, **changes: Any) -> Path:
    """Write features on a line: queries of people 1, 2, 3 at 0, 10, 20; a gallery of six."""
    arrays: dict[str, Any] = {
        "query_features": np.array([[0.0], [10.0], [20.0]], np.float32),
        "query_pids": np.array([1, 2, 3]),
        "query_camids": np.array([0, 0, 0]),
        "query_paths": np.array(["query/1.jpg", "query/2.jpg", "query/3.jpg"]),
        "gallery_features": np.array([[1.0], [0.5], [2.0], [11.0], [12.5], [20.0]], np.float32),
        "gallery_pids": np.array([1, 1, 1, 0, 2, 3]),
        "gallery_camids": np.array([1, 0, 1, 1, 1, 0]),
        "gallery_paths": np.array([f"bounding_box_test/{n}.jpg" for n in range(6)]),
        **changes,
    }
    kept = {name: value for name, value in arrays.items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.savez(stream, **kept)
    return path


def topdb(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run the command line in this process; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["topdb", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def python(
    folder: Path, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python process in a folder, one thread."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a .tar.gz of ours; return the folder. Python 3.11.2 has no filters yet."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a folder, as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "topdb.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for its end; return its exit status and what it said on standard error."""
    _, said = process.communicate(timeout=100)
    return process.returncode, said
