"""Every method against the reference method, cell by cell: `comparisons.parquet`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from topdb.errors import UserError
from topdb.files import replacing
from topdb.grid import Cell, cells
from topdb.params import Params, Ranking, StatisticsSettings
from topdb.reporting.scores import QUANTITIES, CellScores, read_cell
from topdb.statistics import difference_interval, exact_label_permutation, holm

EXACT = "exact label permutation over unpaired seeds, two-sided"
SAMPLED = "label permutation over unpaired seeds, labellings sampled, two-sided"
"""Where there are too many labellings of many seeds to count them all."""


@dataclass(frozen=True)
class Comparison:
    """The difference of a method to the reference method in one cell, in percentage points."""

    dataset: str
    method: str
    reference: str
    ranking: Ranking
    quantity: str
    estimate: float
    low: float
    high: float
    confidence: float
    seed_share: float
    """Share of the estimate's variance that more seeds would lower."""
    people_share: float
    test: str
    p: float
    smallest_possible_p: float
    """What so few seeds can show at the best, before adjustment."""
    adjusted_p: float
    """Holm over all comparisons of the same ranking: the family is a table's block."""
    verdict: str
    """`higher` or `lower` where the adjusted p is below 1 - confidence, else `open`."""
    seeds: str
    """Seeds of the method, a stroke, seeds of the reference."""


def write_comparisons(params: Params, profile_name: str, results: Path, path: Path) -> None:
    """Compare all cells of a profile and write `comparisons.parquet`.

    Raises
    ------
    UserError
        The reference method is not in the profile, or a result file is broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [asdict(comparison) for comparison in compare(params, profile_name, results)]
    columns = {
        name: pa.array(
            [row[name] for row in rows],
            pa.float64() if kind is float else pa.string(),
            from_pandas=True,
        )
        for name, kind in Comparison.__annotations__.items()
    }
    with replacing(path) as partial:
        pq.write_table(pa.table(columns), partial)


def read_comparisons(path: Path) -> list[Comparison]:
    """Read `comparisons.parquet`; a missing number is NaN.

    Raises
    ------
    UserError
        The file is missing or broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}): run `topdb compare` first.") from None
    for row in rows:
        row.update({name: np.nan for name, value in row.items() if value is None})
    return [Comparison(**row) for row in rows]


def compare(params: Params, profile_name: str, results: Path) -> list[Comparison]:
    """Return the comparisons of every method and cell whose runs are there.

    A single method is compared with nothing, whatever the reference method.
    """
    profile = params.selected(profile_name)
    settings = params.statistics
    if len(profile.methods) == 1:
        return []
    if settings.reference_method not in profile.methods:
        raise UserError(
            f"statistics.reference_method is {settings.reference_method}, which profile "
            f"{profile_name} does not run: name one of {', '.join(profile.methods)}."
        )
    scores = {cell: read_cell(profile, results, cell) for cell in cells(profile)}
    found = list(_unadjusted(settings, scores))
    for ranking in profile.rankings:
        family = [i for i, comparison in enumerate(found) if comparison.ranking == ranking]
        adjusted = holm([found[i].p for i in family]).tolist() if family else []
        for i, p in zip(family, adjusted, strict=True):
            verdict = "open"
            if p < 1.0 - settings.confidence:
                verdict = "higher" if found[i].estimate > 0 else "lower"
            found[i] = replace(found[i], adjusted_p=float(p), verdict=verdict)
    return found


def _unadjusted(
    settings: StatisticsSettings, scores: dict[Cell, CellScores | None]
) -> Iterator[Comparison]:
    for number, (cell, own) in enumerate(scores.items()):
        reference = scores[replace(cell, method=settings.reference_method)]
        if cell.method == settings.reference_method or own is None or reference is None:
            continue
        for quantity in QUANTITIES:
            test = exact_label_permutation(
                own.by_seed(quantity),
                reference.by_seed(quantity),
                rng=np.random.default_rng([settings.seed, number]),
            )
            low = high = seed_share = people_share = np.nan
            if min(len(own.seeds), len(reference.seeds)) >= 2:
                interval = difference_interval(
                    own.by_query[quantity],
                    reference.by_query[quantity],
                    own.people,
                    confidence=settings.confidence,
                    draws=settings.draws,
                    rng=np.random.default_rng([settings.seed, number]),
                )
                low, high = interval.low, interval.high
                seed_share, people_share = interval.seed_share, interval.people_share
            yield Comparison(
                dataset=cell.dataset,
                method=cell.method,
                reference=settings.reference_method,
                ranking=cell.ranking,
                quantity=quantity,
                estimate=test.statistic,
                low=low,
                high=high,
                confidence=settings.confidence,
                seed_share=seed_share,
                people_share=people_share,
                test=EXACT if test.exact else SAMPLED,
                p=test.p,
                smallest_possible_p=test.smallest_possible_p,
                adjusted_p=np.nan,
                verdict="open",
                seeds=f"{len(own.seeds)}/{len(reference.seeds)}",
            )
