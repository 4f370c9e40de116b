"""`examples.parquet`: chosen queries, their lists, and every image that these need."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.examples.choosing import Choice, choices
from topdb.examples.lists import ScoredRuns, read_runs
from topdb.examples.pictures import Album
from topdb.files import replacing
from topdb.grid import Cell
from topdb.params import ExamplesSettings, Params, Profile, Ranking

SHOWN = "top-db-net"
"""The method whose queries are shown unless another is named."""
COLUMNS = {
    "dataset": "string",
    "kind": "string",
    "place": "int64",
    "query": "string",
    "matches": "int64",
    "method": "string",
    "ranking": "string",
    "seed": "int64",
    "seeds": "int64",
    "ap": "double",
    "mean_ap": "double",
    "rank": "int64",
    "path": "string",
    "right": "bool",
    "width": "int64",
    "height": "int64",
    "image": "binary",
}
"""Of `examples.parquet`, with their Arrow types; docs/architecture.md says what they hold."""


def write_examples(params: Params, profile_name: str, results: Path, path: Path) -> None:
    """Choose queries of every data set that has runs, and write `examples.parquet`.

    Raises
    ------
    UserError
        The method to show is not in the profile, or a file of a run or data set is missing or
        broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    profile = params.selected(profile_name)
    reference = params.statistics_of(profile_name).reference_method
    rows = list(_rows(params, profile, reference, results))
    schema = pa.schema([(name, pa.type_for_alias(alias)) for name, alias in COLUMNS.items()])
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema), partial, compression="zstd")


def _rows(
    params: Params, profile: Profile, reference: str, results: Path
) -> Iterator[dict[str, Any]]:
    settings = params.examples
    method = settings.method or (SHOWN if SHOWN in profile.methods else profile.methods[-1])
    if method not in profile.methods:
        raise UserError(
            f"examples.method is {method}, which the profile does not run: name one of "
            f"{', '.join(profile.methods)}."
        )
    ranking: Ranking = "plain" if "plain" in profile.rankings else "rk"
    for dataset in profile.datasets:
        own = Cell(dataset, method, ranking)
        runs = read_runs(profile, results, own)
        if runs is None:
            continue
        others: list[ScoredRuns | None] = [None, None]
        if reference in profile.methods and reference != method:
            others[0] = _same_queries(runs, profile, results, replace(own, method=reference))
        if {*profile.rankings} == {"plain", "rk"}:
            others[1] = _same_queries(runs, profile, results, replace(own, ranking="rk"))
        album = Album.open(results / dataset, settings)
        place: dict[str, int] = {}
        for choice in choices(runs, others[0], others[1], settings.queries):
            place[choice.kind] = place.get(choice.kind, 0) + 1
            yield from _images(choice, place[choice.kind], album, settings)


def _same_queries(
    runs: ScoredRuns, profile: Profile, results: Path, cell: Cell
) -> ScoredRuns | None:
    """Return another cell's runs, whose queries must be the same."""
    found = read_runs(profile, results, cell)
    if found is not None and found.paths != runs.paths:
        raise UserError(
            f"{found.top.parent} and {runs.top.parent} were scored on different queries: run "
            "`topdb evaluate` on features of the same data set."
        )
    return found


def _images(
    choice: Choice, place: int, album: Album, settings: ExamplesSettings
) -> Iterator[dict[str, Any]]:
    """Yield a row an image: of each list the query, at rank 0, and its nearest."""
    for runs in choice.lists:
        query = runs.paths[choice.row]
        shown = [(query, None), *runs.nearest[query][: settings.shown]]
        for rank, (path, right) in enumerate(shown):
            picture = album.picture(path)
            yield {
                "dataset": runs.cell.dataset,
                "kind": choice.kind,
                "place": place,
                "query": query,
                "matches": int(runs.matches[choice.row]),
                "method": runs.cell.method,
                "ranking": runs.cell.ranking,
                "seed": runs.seeds[0],
                "seeds": len(runs.seeds),
                "ap": float(runs.ap[0, choice.row]),
                "mean_ap": float(runs.mean_ap[choice.row]),
                "rank": rank,
                "path": path,
                "right": right,
                "width": picture.width,
                "height": picture.height,
                "image": picture.content,
            }
