import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny

from topdb.config import RankingSettings
from topdb.datasets.building import build_index
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.records import read_record, write_record
from topdb.results.runs import RunFiles
from topdb.results.seals import write_sealed_table
from topdb.runs.doctor import look_over
from topdb.runs.evaluate import evaluate

GALLERY = np.array([[1.0], [0.5], [2.0], [11.0], [12.5], [20.0]], np.float32)


def _write(folder: Path, seed: int, index_digest: str) -> None:
    files = RunFiles(tiny.write_run(folder, "market1501", "baseline", seed))
    files.weights.write_bytes(b"weights of %d" % seed)
    features = tiny.write_features(files.features, gallery_features=GALLERY + seed / 8)
    own = {"weights": files.weights, "features": features, "history": files.history}
    stated = {f"{name}_digest": digest(path) for name, path in own.items()}
    told = {**read_record(files.record).content, **stated, "index_digest": index_digest}
    write_record(files.record, told)
    evaluate(features, "plain", RankingSettings(), files.folder / "plain", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    tiny.draw_market(folder / "data")
    results = folder / "results"
    data = results / "market1501"
    index = build_index(
        "market1501", "market1501", folder / "data", data / "index.parquet", data / "pixels.npy"
    )
    for seed in (1, 2):
        _write(results, seed, index.digest)
    return results


@pytest.fixture
def results(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "results"))


def seed(results: Path, number: int) -> Path:
    return results / f"market1501/baseline/seed-{number}"


def restate(results: Path, **changes) -> None:
    path = seed(results, 2) / "run.json"
    write_record(path, {**read_record(path).content, **changes})


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def copy(results: Path, name: str) -> None:
    shutil.copyfile(seed(results, 1) / name, seed(results, 2) / name)


def other_index(results: Path, folder: Path) -> None:
    """One person's query image is in the gallery under another camera, too."""
    tiny.draw_market(folder / "data", test_people=4)
    query = folder / "data/query/0101_c1s1_000000_00.jpg"
    shutil.copyfile(query, folder / "data/bounding_box_test/0101_c3s1_000009_00.jpg")
    data = results / "market1501"
    for path in (data / "index.parquet", data / "pixels.npy"):
        path.unlink()
    build_index(
        "market1501", "market1501", folder / "data", data / "index.parquet", data / "pixels.npy"
    )


STATED = "is not the file that run.json states the digest of"
FAULTS = {
    "weights": (
        lambda r: flip(seed(r, 1) / "weights.safetensors"),
        f"weights.safetensors {STATED}",
    ),
    "history": (lambda r: flip(seed(r, 1) / "history.csv"), f"history.csv {STATED}"),
    "record": (lambda r: flip(seed(r, 1) / "run.json"), "run.json was changed"),
    "scores": (lambda r: flip(seed(r, 1) / "plain/queries.parquet"), "queries.parquet was changed"),
    "lists": (lambda r: flip(seed(r, 1) / "plain/top.parquet"), "top.parquet was changed"),
    "pixels": (lambda r: flip(r / "market1501/pixels.npy"), "pixels.npy is damaged"),
    "index": (lambda r: (r / "market1501/index.parquet").write_bytes(b""), "index.parquet"),
    "copied": (lambda r: copy(r, "features.npz"), f"seed-2/features.npz {STATED}"),
    "swapped": (lambda r: copy(r, "run.json"), "is of seed 1, and lies where 2 belongs"),
    "no record": (lambda r: (seed(r, 1) / "run.json").unlink(), "seed-1 has no run.json"),
    "gap": (lambda r: (seed(r, 1) / "features.npz").unlink(), "features.npz is missing"),
    "half": (lambda r: (seed(r, 1) / "plain/metrics.json").unlink(), "queries.parquet alone"),
    "twice": (
        lambda r: restate(r, weights_digest=read_record(seed(r, 1) / "run.json").weights_digest),
        "states the weights of market1501/baseline/seed-1",
    ),
    "recipe": (lambda r: restate(r, scale={"epochs": 300}), "has scale.epochs"),
    "images": (lambda r: restate(r, index_digest="b" * 64), "is of other images than"),
    "lacking": (
        lambda r: tiny.write_run(r, "market1501", "bot", 3, index_digest=None),
        "market1501/baseline lacks seed-3, which others have",
    ),
}


def test_a_whole_folder_has_nothing_wrong_with_it(whole, monkeypatch, capfd):
    assert look_over(whole) == ([], 2)
    assert tiny.topdb(monkeypatch, "doctor", whole) == 0
    assert "nothing is wrong with 2 runs" in capfd.readouterr().out


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(results, fault):
    strike, sentence = FAULTS[fault]
    strike(results)
    found, _ = look_over(results)
    assert any(sentence in each for each in found), found


def test_leaks_are_named_a_line_each_and_end_with_1(results, tmp_path, monkeypatch, capfd):
    other_index(results, tmp_path)
    assert tiny.topdb(monkeypatch, "doctor", results) == 1
    said = capfd.readouterr().out.splitlines()
    assert sum("is of other images than" in line for line in said) == 2
    assert any("query images are in the gallery under another camera" in line for line in said)


def test_files_of_comparisons_are_looked_at(results):

    path = results / "comparisons/table1.parquet"
    write_sealed_table(path, pa.table({"a": [1.5] * 100}))
    assert look_over(results) == ([], 2)
    flip(path)
    assert look_over(results)[0][0].endswith(
        "was changed after it was written: run `topdb judge` again."
    )


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        look_over(tmp_path)
