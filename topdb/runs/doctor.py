"""A results folder looked over: what is damaged, missing, mixed up, leaking or there twice."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from topdb.config import Ranking
from topdb.datasets.index import Index, Pixels, read_index
from topdb.datasets.leaks import find_leaks
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.crossings import FOLDER, stored_crossing
from topdb.results.examples import read_example_images
from topdb.results.records import TRAINED
from topdb.results.runs import Run
from topdb.results.seals import read_sealed_table, require_stated
from topdb.results.stored import StoredRun, evaluations, require_together, stored_run

_RANKINGS: tuple[Ranking, ...] = ("plain", "rk")
_SEED = re.compile(r"seed-(\d+)")
_AGAIN = "make it again."


def look_over(results: Path) -> tuple[list[str], int]:
    """Return what is wrong in a results folder, a sentence each, and how many runs there are.

    Nothing is asked of `params.yaml`: the files alone say what belongs together.

    Raises
    ------
    UserError
        There is no such folder, or it holds no run.
    """
    runs = [
        Run(path.parts[-3], path.parts[-2], int(seed[1]))
        for path in sorted(results.glob("*/*/seed-*"))
        if (seed := _SEED.fullmatch(path.name))
    ]
    if not runs:
        raise UserError(f"{results} holds no run: name a profile's folder of results.")
    found: list[str] = []
    stored: list[StoredRun] = []
    for run in runs:
        found += _said(_add, stored, run, results)
    for each in stored:
        found += _files(each)
    across: list[StoredRun] = []
    for each in stored:
        for folder in sorted((each.files.folder / FOLDER).glob("*")):
            found += _said(_add_crossed, across, each, folder)
    for each in across:
        found += _features(each)
        found += _rankings(each)
    found += _said(require_together, across)
    found += _said(evaluations, [*stored, *across], _RANKINGS)
    found += _together(stored)
    found += _lacking(runs)
    for path in sorted(results.glob("*/index.parquet")):
        seen = [each for each in (*stored, *across) if each.record.dataset == path.parent.name]
        found += _images(path, seen)
    found += _starts(results, stored)
    for path in sorted(results.glob("comparisons/**/*.parquet")):
        found += _said(read_sealed_table, path, "run `topdb judge` again.")
    if (results / "examples.parquet").is_file():
        found += _said(read_example_images, results / "examples.parquet")
    return list(dict.fromkeys(found)), len(runs)


def _said(check: Callable[..., object], *arguments: Any) -> Iterator[str]:
    """Yield what a check complains of."""
    try:
        check(*arguments)
    except UserError as error:
        yield str(error)
    except (OSError, ValueError) as error:
        yield f"{arguments[0]} cannot be read ({str(error).splitlines()[0]})."


def _add(stored: list[StoredRun], run: Run, results: Path) -> None:
    """Read a run's record, and add it to those that are whole."""
    found = stored_run(run, results)
    if found is None:
        folder = run.folder(results)
        raise UserError(f"{folder} has no run.json, so that its other files count for nothing.")
    stored.append(found)


def _files(stored: StoredRun) -> Iterator[str]:
    """Look at a run's own files."""
    files, record = stored.files, stored.record
    for path, stated in (
        (files.weights, record.weights_digest),
        (files.history, record.history_digest),
        (files.snapshots, record.snapshots_digest),
    ):
        yield from _stated(path, stated)
    yield from _features(stored)
    yield from _said(stored.history)
    yield from _said(stored.snapshots)
    yield from _rankings(stored)


def _features(stored: StoredRun) -> Iterator[str]:
    return _stated(stored.files.features, stored.record.features_digest)


def _stated(path: Path, expected: str | None) -> Iterator[str]:
    """Hold a file to the digest that run.json states, if it states one."""
    if path.is_file():
        yield from _said(require_stated, path, digest(path), expected, "run.json", _AGAIN)
    elif expected is not None:
        yield f"{path} is missing, and run.json states its digest."


def _rankings(stored: StoredRun) -> Iterator[str]:
    """Look at what a run's features were scored to."""
    for ranking in _RANKINGS:
        pair = (stored.files.queries(ranking), stored.files.metrics(ranking))
        there = [path.name for path in pair if path.is_file()]
        if len(there) == 1:
            yield f"{pair[0].parent} holds {there[0]} alone, so that it counts for nothing."
        yield from _said(_evaluation, stored, ranking)


def _add_crossed(across: list[StoredRun], run: StoredRun, folder: Path) -> None:
    """Read the record of a run's test on another data set, and add it to those that are whole."""
    found = stored_crossing(run, folder.name)
    if found is None:
        raise UserError(f"{folder} has no run.json, so that its other files count for nothing.")
    across.append(found)


def _evaluation(stored: StoredRun, ranking: Ranking) -> None:
    summary = stored.summary(ranking)
    if summary:
        stored.queries(ranking, summary)
        if stored.files.top(ranking).is_file() or summary.top_digest:
            stored.top(ranking, summary)


def _together(stored: Sequence[StoredRun]) -> Iterator[str]:
    """Say which runs do not belong together, and which state another's weights or features."""
    cells: dict[tuple[str, str], list[StoredRun]] = {}
    for each in stored:
        cells.setdefault((each.run.dataset, each.run.method), []).append(each)
    for cell in cells.values():
        yield from _said(require_together, cell)
        yield from _said(evaluations, cell, _RANKINGS)
    yield from _said(require_together, stored)
    yield from _said(evaluations, stored, _RANKINGS)
    for what in ("weights", "features"):
        known: dict[str, str] = {}
        for each in stored:
            stated = getattr(each.record, f"{what}_digest")
            first = known.setdefault(stated, each.name)
            if stated and first != each.name and each.record.origin == TRAINED:
                yield f"{each.name} has the {what} of {first}: make one of the two again."


def _lacking(runs: Sequence[Run]) -> Iterator[str]:
    """Name the seeds that a method has on one data set and another method or data set has not."""
    seeds, there = sorted({run.seed for run in runs}), set(runs)
    for dataset, method in dict.fromkeys((run.dataset, run.method) for run in runs):
        gone = [f"seed-{seed}" for seed in seeds if Run(dataset, method, seed) not in there]
        if gone:
            yield f"{dataset}/{method} lacks {', '.join(gone)}, which others have."


def _images(path: Path, stored: Sequence[StoredRun]) -> Iterator[str]:
    """Look at a data set's index and decoded images, and at the runs' account of them."""
    read: list[Index] = []
    yield from _said(lambda path: read.append(read_index(path)), path)
    for index in read:
        for each in stored:
            if each.record.index_digest not in (None, index.digest):
                yield f"{each.files.record} is of other images than {path}: make the run again."
        for leak in find_leaks(index):
            yield f"{path}: {leak.sentence}."
        pixels = path.parent / "pixels.npy"
        if pixels.is_file():
            yield from _said(_decoded, pixels, index)


def _decoded(path: Path, index: Index) -> None:
    pixels = Pixels.open(path, index)
    for row in range(len(pixels)):
        pixels[row]


def _starts(results: Path, stored: Sequence[StoredRun]) -> Iterator[str]:
    """Hold the runs to the pretrained backbones that lie beside them."""
    there = {path.parent.name: path for path in results.glob("pretraining/*/backbone.safetensors")}
    digests = {name: digest(path) for name, path in there.items()}
    for each in stored:
        name = each.record.backbone
        own = each.record.content.get("start_digest")
        if own and name in digests and own != digests[name]:
            yield f"{each.files.record} started from other weights than {there[name]}: {_AGAIN}"
