"""Table 1 and Table 2 of the paper, with measured rows, as Markdown."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topdb.grid import Cell
from topdb.params import Params, Profile, Ranking
from topdb.reporting.comparisons import Difference
from topdb.reporting.markdown import p_value, plain, table
from topdb.reporting.provenance import notes
from topdb.reporting.published import PublishedRow, places
from topdb.reporting.scores import QUANTITIES, read_cell
from topdb.statistics import headline

WARNING = (
    "> **Rendered data.** The measured rows are of pedestrians drawn by this project, with a "
    "small network: they cannot be compared with the published rows."
)
MEASURED = {
    "baseline": "Baseline",
    "no-drop": "no-drop Top-DB-Net",
    "no-reg": "no-reg Top-DB-Net",
    "top-db-net": "Top-DB-Net",
}
"""How the paper calls its methods; others go by their own name."""


def table1(
    params: Params,
    profile_name: str,
    results: Path,
    published: list[PublishedRow],
    oddities: list[str],
    comparisons: list[Difference],
) -> str:
    """Return the paper's Table 1, influence of the streams, as a Markdown document."""
    profile = params.selected(profile_name)
    rows = [_section("Published (Quispe & Pedrini, ICPR 2020)", profile)]
    rows += [[plain(row.method), *_published_cells(profile, row)] for row in published]
    rows += [_section(_measured_title(profile), profile)]
    rows += list(_measured_rows(profile, results, "plain"))
    return _document(
        profile,
        "Table 1. Influence of the streams",
        table(_header(profile), rows),
        _differences(params, profile, comparisons, ("plain",)),
        oddities + list(notes(profile, profile_name, results)),
    )


def table2(
    params: Params,
    profile_name: str,
    results: Path,
    published: list[PublishedRow],
    oddities: list[str],
    comparisons: list[Difference],
) -> str:
    """Return the paper's Table 2, comparison with other methods, as a Markdown document."""
    profile = params.selected(profile_name)
    rows: list[list[str]] = []
    misprinted: list[str] = []
    for title, reranked in (("Published", False), ("Published, re-ranked (RK)", True)):
        block = [row for row in published if row.reranked == reranked]
        rows.append(_section(title, profile))
        rows += _with_places(profile, block, misprinted)
    for ranking in profile.rankings:
        rows.append(_section(_measured_title(profile, ranking), profile))
        rows += list(_measured_rows(profile, results, ranking))
    place_notes = [
        "Sub-indices: place within the block of published rows, recomputed from the printed "
        "values; equal values share a place.",
        *misprinted,
        *oddities,
    ]
    return _document(
        profile,
        "Table 2. Comparison with other methods",
        table(_header(profile), rows),
        _differences(params, profile, comparisons, profile.rankings),
        place_notes + list(notes(profile, profile_name, results)),
    )


def _document(
    profile: Profile, title: str, main: str, differences: str, footnotes: list[str]
) -> str:
    parts = [WARNING] if profile.rendered else []
    parts += [
        f"# {title}",
        "mAP and rank-1 (R1) in percent. Measured cells: mean ± standard deviation between "
        "seeds (number of seeds).",
        main,
        differences,
        "## Notes",
        "\n".join(f"- {note}" for note in footnotes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(profile: Profile) -> list[str]:
    titles = [plain(settings.title or name) for name, settings in profile.datasets.items()]
    return ["Method", *(f"{title} {quantity}" for title in titles for quantity in QUANTITIES)]


def _section(title: str, profile: Profile) -> list[str]:
    return [f"**{title}**", *[""] * (len(_header(profile)) - 1)]


def _measured_title(profile: Profile, ranking: Ranking = "plain") -> str:
    kind = "Measured on rendered data" if profile.rendered else "Measured"
    return kind if ranking == "plain" else f"{kind}, re-ranked (RK)"


def _measured_rows(profile: Profile, results: Path, ranking: Ranking) -> Iterator[list[str]]:
    for method in profile.methods:
        name = MEASURED.get(method, method) + ("+RK" if ranking == "rk" else "")
        row = [name]
        for dataset in profile.datasets:
            scores = read_cell(profile, results, Cell(dataset, method, ranking))
            for quantity in QUANTITIES:
                row.append("–" if scores is None else _summary(scores.by_seed(quantity)))
        yield row


def _summary(values: NDArray[np.float64]) -> str:
    found = headline(values)
    spread = "" if math.isnan(found.sd) else f" ± {found.sd:.1f}"
    return f"{found.mean:.1f}{spread} ({found.n})"


def _columns(profile: Profile) -> list[tuple[str, str]]:
    return [(dataset, quantity) for dataset in profile.datasets for quantity in QUANTITIES]


def _published_cells(profile: Profile, row: PublishedRow) -> list[str]:
    return [
        f"{row.cells[column].value:.1f}" if column in row.cells else "–"
        for column in _columns(profile)
    ]


def _with_places(
    profile: Profile, block: list[PublishedRow], misprinted: list[str]
) -> list[list[str]]:
    """Write a block's cells with recomputed places; note where the paper prints another."""
    written = [[plain(row.method)] for row in block]
    for dataset, quantity in _columns(profile):
        having = [row for row in block if (dataset, quantity) in row.cells]
        found = [row.cells[dataset, quantity] for row in having]
        recomputed = dict(
            zip((row.method for row in having), places([c.value for c in found]), strict=True)
        )
        for row, line in zip(block, written, strict=True):
            cell = row.cells.get((dataset, quantity))
            if cell is None:
                line.append("–")
                continue
            place = recomputed[row.method]
            differs = cell.printed_place is not None and cell.printed_place != place
            line.append(f"{cell.value:.1f}<sub>{place}</sub>{'†' if differs else ''}")
            if differs:
                misprinted.append(
                    f"† {row.method}, {dataset} {quantity}: the paper prints place "
                    f"{cell.printed_place}; recomputed it is {place}."
                )
    return written


def _differences(
    params: Params,
    profile: Profile,
    comparisons: list[Difference],
    rankings: tuple[Ranking, ...],
) -> str:
    shown = [each for each in comparisons if each.ranking in rankings]
    if not shown:
        return ""
    reference = params.statistics.reference_method
    percent = f"{100 * params.statistics.confidence:g} %"
    rows = []
    for first, second in zip(shown[::2], shown[1::2], strict=True):
        title = plain(profile.datasets[first.dataset].title or first.dataset)
        name = MEASURED.get(first.method, first.method) + ("+RK" if first.ranking == "rk" else "")
        rows.append(
            [
                title,
                name,
                *_difference(first),
                *_difference(second),
                f"{first.seeds}/{first.reference_seeds}",
            ]
        )
    header = ["Data set", "Method"]
    for quantity in QUANTITIES:
        header += [f"Δ {quantity} [{percent}]", "p", "p (Holm)"]
    lines = [
        f"## Difference to {MEASURED.get(reference, reference)}",
        "Percentage points. Interval: pigeonhole bootstrap over people and seeds, its spread "
        f"calibrated for few seeds. p: {'; '.join(sorted({each.test for each in shown}))}. Holm "
        "over all comparisons of the same ranking.",
        table([*header, "Seeds"], rows),
    ]
    for ranking in rankings:
        family = [each for each in shown if each.ranking == ranking]
        if not family:
            continue
        best = min(1.0, len(family) * min(each.smallest_possible_p for each in family))
        if best > 1.0 - params.statistics.confidence:
            lines.append(
                f"With so few seeds no p of the {len(family)} comparisons ({ranking}) can fall "
                f"below {best:.2f} after Holm: an open comparison here is not evidence of "
                "equality."
            )
    return "\n\n".join(lines)


def _difference(each: Difference) -> list[str]:
    interval = "" if math.isnan(each.low) else f" [{each.low:+.1f}, {each.high:+.1f}]"
    return [f"{each.estimate:+.1f}{interval}", p_value(each.p), p_value(each.adjusted_p)]
