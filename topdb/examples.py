"""Queries worth a look, with their ranked lists and the images as bytes: `examples.parquet`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from topdb.config import ExamplesSettings, Params, Profile, Ranking
from topdb.datasets.index import Pixels, read_index
from topdb.errors import UserError
from topdb.results.evaluation import Summary
from topdb.results.examples import ExampleImage, write_example_images
from topdb.results.runs import Cell
from topdb.results.stored import Evaluation, StoredRun, evaluations, stored_runs

_AGAIN = "run `topdb evaluate` on the run again."


@dataclass(frozen=True, eq=False)
class ScoredRuns:
    """A cell's finished runs: the AP of each, and one run's ranked lists."""

    cell: Cell
    seeds: tuple[int, ...]
    paths: tuple[str, ...]
    """Q query images, relative to the data set."""
    people: NDArray[np.int64]
    """(Q,)"""
    matches: NDArray[np.int64]
    """(Q,) right images in the gallery."""
    ap: NDArray[np.float64]
    """(seeds, Q) fractions; NaN without a match."""
    first: tuple[StoredRun, Summary]
    """The run of the first seed, whose ranked lists are shown."""

    @property
    def mean_ap(self) -> NDArray[np.float64]:
        """AP of each query, mean over the seeds, (Q,)."""
        return np.asarray(self.ap.mean(axis=0))

    @cached_property
    def nearest(self) -> dict[str, list[tuple[str, bool]]]:
        """Path and rightness of each query's nearest valid images, in the first seed's run.

        Raises
        ------
        UserError
            The run's ranked lists are missing or broken.
        """
        stored, summary = self.first
        top = stored.top(self.cell.ranking, summary)
        return {path: [] for path in self.paths} | top.by_query()


def read_runs(evaluated: Sequence[Evaluation], cell: Cell) -> ScoredRuns | None:
    """Read the scores of a cell's finished runs; None where there is none.

    Raises
    ------
    UserError
        A file is broken, or the runs were not scored on the same queries.
    """
    own = [
        (stored, summary)
        for stored, ranking, summary in evaluated
        if Cell(stored.run.dataset, stored.run.method, ranking) == cell
    ]
    if not own:
        return None
    found = [stored.queries(cell.ranking, summary) for stored, summary in own]
    first = found[0]
    if any(each.paths != first.paths for each in found):
        raise UserError(
            f"{cell.dataset}/{cell.method}/{cell.ranking} was scored on different queries: run "
            "`topdb evaluate` on all its runs again."
        )
    return ScoredRuns(
        cell=cell,
        seeds=tuple(stored.run.seed for stored, _ in own),
        paths=first.paths,
        people=first.pids,
        matches=first.matches,
        ap=np.array([each.columns["ap"] for each in found]),
        first=own[0],
    )


@dataclass(frozen=True)
class Choice:
    """A query, why it is shown, and whose lists are shown for it, one above the other."""

    kind: str
    """`best`, `worst`, `gained`, `lost`, `rk-gained` or `rk-lost`."""
    row: int
    """Of the query, in the runs' order."""
    lists: tuple[ScoredRuns, ...]


def choices(
    method: ScoredRuns, reference: ScoredRuns | None, reranked: ScoredRuns | None, count: int
) -> Iterator[Choice]:
    """Yield up to `count` queries of each kind, all queries of a kind of different people.

    AP is the mean over the runs' seeds. Of equals those with more matches come first: a list of
    many that is right throughout says more than a list of one.
    """
    ap = method.mean_ap
    yield from _kind("best", ap, (method,), count)
    yield from _kind("worst", -ap, (method,), count)
    if reference is not None:
        gain = ap - reference.mean_ap
        yield from _kind("gained", _positive(gain), (reference, method), count)
        yield from _kind("lost", _positive(-gain), (reference, method), count)
    if reranked is not None:
        gain = reranked.mean_ap - ap
        yield from _kind("rk-gained", _positive(gain), (method, reranked), count)
        yield from _kind("rk-lost", _positive(-gain), (method, reranked), count)


def _positive(change: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(change > 0, change, np.nan)


def _kind(
    kind: str, key: NDArray[np.float64], lists: tuple[ScoredRuns, ...], count: int
) -> Iterator[Choice]:
    """Yield the queries of the largest key; those without one are not eligible."""
    first = lists[0]
    order = np.lexsort((np.arange(len(key)), -first.matches, -key))
    people: set[int] = set()
    for row in order[: np.count_nonzero(~np.isnan(key))]:
        if len(people) == count:
            return
        if first.people[row] not in people:
            people.add(int(first.people[row]))
            yield Choice(kind, int(row), lists)


@dataclass(frozen=True)
class Picture:
    """An image's WebP, with its size in pixels."""

    content: bytes
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Album:
    """The images of a data set by path, from its cache of decoded pixels."""

    rows: Mapping[str, int]
    pixels: Pixels
    settings: ExamplesSettings

    @classmethod
    def open(cls, folder: Path, settings: ExamplesSettings) -> "Album":
        """Open the index and the cache of pixels of a data set's results.

        Raises
        ------
        UserError
            One of the two is missing or broken.
        """
        index = read_index(folder / "index.parquet")
        rows = {path: row for row, path in enumerate(index.paths)}
        return cls(rows, Pixels.open(folder / "pixels.npy", index), settings)

    def picture(self, path: str) -> Picture:
        """Return an image, made smaller where it is higher than the settings allow.

        Raises
        ------
        UserError
            The data set has no such image.
        """
        if path not in self.rows:
            raise UserError(
                f"{path} is ranked and is no image of {self.pixels.index.name}: run `topdb "
                "evaluate` on features of the data set as it is indexed now."
            )
        image = Image.fromarray(self.pixels[self.rows[path]])
        if image.height > self.settings.height:
            width = max(1, round(image.width * self.settings.height / image.height))
            image = image.resize((width, self.settings.height), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=self.settings.quality, method=6)
        return Picture(stream.getvalue(), image.width, image.height)


SHOWN = "top-db-net"
"""The method whose queries are shown unless another is named."""


def write_examples(params: Params, profile_name: str, results: Path, path: Path) -> None:
    """Choose queries of every data set that has runs, and write `examples.parquet`.

    Raises
    ------
    UserError
        The method to show is not in the profile, or a file of a run or data set is missing or
        broken.
    """
    profile = params.selected(profile_name)
    reference = params.statistics_of(profile_name).reference_method
    write_example_images(path, _rows(params, profile, reference, results))


def _rows(
    params: Params, profile: Profile, reference: str, results: Path
) -> Iterator[ExampleImage]:
    settings = params.examples
    method = settings.method or (SHOWN if SHOWN in profile.methods else profile.methods[-1])
    if method not in profile.methods:
        raise UserError(
            f"examples.method is {method}, which the profile does not run: name one of "
            f"{', '.join(profile.methods)}."
        )
    ranking: Ranking = "plain" if "plain" in profile.rankings else "rk"
    evaluated = evaluations(stored_runs(profile, results), profile.rankings)
    for dataset in profile.datasets:
        own = Cell(dataset, method, ranking)
        runs = read_runs(evaluated, own)
        if runs is None:
            continue
        others: list[ScoredRuns | None] = [None, None]
        if reference in profile.methods and reference != method:
            others[0] = _same_queries(runs, evaluated, replace(own, method=reference))
        if {*profile.rankings} == {"plain", "rk"}:
            others[1] = _same_queries(runs, evaluated, replace(own, ranking="rk"))
        album = Album.open(results / dataset, settings)
        place: dict[str, int] = {}
        for choice in choices(runs, others[0], others[1], settings.queries):
            place[choice.kind] = place.get(choice.kind, 0) + 1
            yield from _images(choice, place[choice.kind], album, settings)


def _same_queries(
    runs: ScoredRuns, evaluated: Sequence[Evaluation], cell: Cell
) -> ScoredRuns | None:
    """Return another cell's runs, whose queries must be the same."""
    found = read_runs(evaluated, cell)
    if found is not None and found.paths != runs.paths:
        one, other = (each.first[0].files.queries(each.cell.ranking) for each in (found, runs))
        raise UserError(
            f"{one} and {other} were scored on different queries: run `topdb evaluate` on features "
            "of the same data set."
        )
    return found


def _images(
    choice: Choice, place: int, album: Album, settings: ExamplesSettings
) -> Iterator[ExampleImage]:
    """Yield a row an image: of each list the query, at rank 0, and its nearest."""
    for runs in choice.lists:
        query = runs.paths[choice.row]
        shown = [(query, None), *runs.nearest[query][: settings.shown]]
        for rank, (path, right) in enumerate(shown):
            picture = album.picture(path)
            yield ExampleImage(
                dataset=runs.cell.dataset,
                kind=choice.kind,
                place=place,
                query=query,
                matches=int(runs.matches[choice.row]),
                method=runs.cell.method,
                ranking=runs.cell.ranking,
                seed=runs.seeds[0],
                seeds=len(runs.seeds),
                ap=float(runs.ap[0, choice.row]),
                mean_ap=float(runs.mean_ap[choice.row]),
                rank=rank,
                path=path,
                right=right,
                width=picture.width,
                height=picture.height,
                image=picture.content,
            )
