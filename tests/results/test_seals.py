"""Every file that is read later notices a flipped byte; a run's files name each other."""

import csv
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from test_snapshots import one

from topdb.config import RankingSettings
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.comparisons import Comparisons, read_comparisons, write_comparisons
from topdb.results.examples import ExampleImage, read_example_images, write_example_images
from topdb.results.planned import read_planned, record_planned
from topdb.results.records import read_record, write_record
from topdb.results.runs import Run
from topdb.results.seals import read_sealed_json, write_sealed_json
from topdb.results.snapshots import write_snapshots
from topdb.results.stored import stored_run
from topdb.runs.evaluate import evaluate

FLIPS = 200
"""Of one byte each, in each kind of file."""
RUN = Run("market1501", "baseline", 1)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A run's files as topdb writes them, ranked for real."""
    folder = tmp_path_factory.mktemp("results")
    run = tiny.write_run(folder, *vars(RUN).values())
    write_snapshots(run / "snapshots.npz", one(1))
    features = tiny.write_features(run / "features.npz")
    stated = {
        f"{name}_digest": digest(run / file)
        for name, file in (
            ("features", "features.npz"),
            ("history", "history.csv"),
            ("snapshots", "snapshots.npz"),
        )
    }
    write_record(run / "run.json", {**read_record(run / "run.json").content, **stated})
    evaluate(features, "plain", RankingSettings(), run / "plain", 1)
    return folder


def read_all(results: Path) -> None:
    """Read what reports read of a run."""
    stored = stored_run(RUN, results)
    assert stored
    stored.history()
    stored.snapshots()
    summary = stored.summary("plain")
    assert summary
    stored.queries("plain", summary)
    stored.top("plain", summary)


def require_noticed(path: Path, read: Callable[[], object]) -> None:
    """Change single bytes of a file at random places, and its last and first."""
    whole = path.read_bytes()
    rng = random.Random(path.name)
    places = [0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(FLIPS))]
    read()
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= rng.randrange(1, 256)
        path.write_bytes(changed)
        with pytest.raises(UserError, match=path.name):
            read()
    path.write_bytes(whole)


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "history.csv",
        "snapshots.npz",
        "plain/metrics.json",
        "plain/queries.parquet",
        "plain/top.parquet",
    ],
)
def test_a_flipped_byte_of_a_run_is_noticed(results, name):
    path = RUN.folder(results) / name
    require_noticed(path, lambda: read_all(results))


def test_a_flipped_byte_of_comparisons_and_examples_is_noticed(tmp_path):
    compared = tmp_path / "comparisons.parquet"
    write_comparisons(Comparisons("tiny", False, "p", ("table1",)), compared)
    require_noticed(compared, lambda: read_comparisons(compared, "tiny"))
    shown = tmp_path / "examples.parquet"
    texts = {"dataset": "d", "kind": "best", "query": "q", "method": "m", "ranking": "plain"}
    image = ExampleImage(
        **texts,
        place=1,
        matches=1,
        seed=1,
        seeds=1,
        ap=0.5,
        mean_ap=0.5,
        rank=0,
        path="q",
        right=None,
        width=8,
        height=8,
        image=b"image",
    )
    write_example_images(shown, [image])
    require_noticed(shown, lambda: read_example_images(shown))


def test_a_flipped_byte_of_the_first_plan_is_noticed(tmp_path):
    record_planned(tmp_path, [1, 2, 3])
    require_noticed(tmp_path / "planned.json", lambda: read_planned(tmp_path))


def test_flipped_features_are_not_scored(results):
    path = RUN.folder(results) / "features.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\1")  # of the archive's comment, which no reader looks at
    with pytest.raises(UserError, match=r"features\.npz is (not the file|no readable)"):
        evaluate(path, "plain", RankingSettings(), path.parent / "again", 1)
    path.write_bytes(whole)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_history_that_was_cut_is_noticed(results, rows):
    path = RUN.folder(results) / "history.csv"
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[: 1 + rows]))
    with pytest.raises(UserError, match=r"history\.csv is not the file that run\.json states"):
        read_all(results)
    path.write_text(whole)
    assert len(list(csv.reader(whole.splitlines()))) == 3


def test_an_edited_score_is_noticed_even_where_its_digest_was_taken_out(results):
    path = RUN.folder(results) / "plain/metrics.json"
    whole = path.read_text()
    path.write_text(whole.replace('"mAP": 0.75', '"mAP": 0.99'))
    assert path.read_text() != whole
    with pytest.raises(UserError, match=r"metrics\.json was changed after it was written: run"):
        read_all(results)
    without = [line for line in path.read_text().splitlines() if "topdb-seal" not in line]
    path.write_text("\n".join(without).replace("},\n}", "}\n}"))
    with pytest.raises(UserError, match=r"metrics\.json"):
        read_all(results)
    path.write_text(whole)


def test_a_file_of_before_there_were_digests_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1, "digest": "of something else"}')
    assert read_sealed_json(path, "b", "again.") == {"a": 1}
    write_sealed_json(path, {"b": 1, "digest": "of another file", "a": "topdb-seal:"})
    assert read_sealed_json(path, "b", "again.") == {"b": 1, "a": "topdb-seal:"}
    path.write_text('{"b": 1}')
    with pytest.raises(UserError, match="lacks its digest"):
        read_sealed_json(path, "b", "again.")
