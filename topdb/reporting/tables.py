"""Table 1 and Table 2 of the paper with measured rows, as documents of no format yet."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from topdb.config import Profile, Ranking, StatisticsSettings
from topdb.reporting.answer import answer
from topdb.reporting.comparisons import CellComparison, Comparisons
from topdb.reporting.documents import (
    Block,
    ClaimLine,
    Column,
    DifferenceLine,
    Document,
    Entry,
    Line,
    Strong,
    Text,
)
from topdb.reporting.pairs import to_reference
from topdb.reporting.provenance import notes
from topdb.reporting.published import PublishedRow, place_of, places
from topdb.reporting.scores import QUANTITIES
from topdb.reporting.titles import Titles
from topdb.reporting.wording import dataset_title

WARNING: Text = (
    Strong("Rendered data."),
    " The measured rows are of pedestrians drawn by this project, with a small network: they "
    "cannot be compared with the published rows.",
)


@dataclass(frozen=True)
class Frame:
    """What a table is made of, besides what the paper prints."""

    name: str
    """`table1` or `table2`."""
    profile_name: str
    profile: Profile
    """With just the methods that the table measures."""
    settings: StatisticsSettings
    results: Path
    comparisons: Comparisons
    titles: Titles


def table1(frame: Frame, published: list[PublishedRow], remarks: list[str]) -> Document:
    """Return the paper's Table 1, influence of the streams.

    It is of the plain ranking. A profile without that shows the ranking that it has.
    """
    profile = frame.profile
    rankings: tuple[Ranking, ...] = ("plain",) if "plain" in profile.rankings else profile.rankings
    blocks = [
        Block("Published (Quispe & Pedrini, ICPR 2020)", False, "plain", _rows(profile, published))
    ]
    blocks += [_measured(frame, ranking, None) for ranking in rankings]
    told: list[Text] = [(remark,) for remark in remarks]
    if "plain" not in rankings:
        told.append(("The profile has no plain ranking: its re-ranked rows stand here instead.",))
    return _document(frame, "Table 1. Influence of the streams", rankings, blocks, told)


def table2(frame: Frame, published: list[PublishedRow], remarks: list[str]) -> Document:
    """Return the paper's Table 2, comparison with other methods."""
    profile = frame.profile
    plain = [row for row in published if not row.reranked]
    reranked = [row for row in published if row.reranked]
    blocks = [
        Block("Published", False, "plain", _rows(profile, plain, with_places=True)),
        Block("Published, re-ranked (RK)", False, "rk", _rows(profile, reranked, with_places=True)),
    ]
    misprints = [note for block in blocks for note in _misprints(profile, block)]
    for ranking in profile.rankings:
        peers = reranked if ranking == "rk" else plain
        blocks.append(_measured(frame, ranking, None if profile.rendered else peers))
    places_note = (
        "Sub-indices: place within the block of published rows, recomputed from the printed "
        "values; equal values share a place."
    )
    if not profile.rendered:
        places_note += (
            " A measured row has the place that its mean, rounded as it is shown, takes among the "
            "published rows of its block."
        )
    told: list[Text] = [(places_note,), *misprints, *((remark,) for remark in remarks)]
    title = "Table 2. Comparison with other methods"
    return _document(frame, title, profile.rankings, blocks, told)


def _document(
    frame: Frame,
    title: str,
    rankings: tuple[Ranking, ...],
    blocks: list[Block],
    remarks: list[Text],
) -> Document:
    profile, settings = frame.profile, frame.settings
    rendered = profile.rendered
    differences = tuple(_differences(frame, rankings))
    return Document(
        name=frame.name,
        title=title,
        warning=WARNING if rendered else (),
        answer=(Strong(answer(frame.comparisons)),),
        legend=_legend(settings, profile),
        columns=tuple(_columns(profile)),
        blocks=tuple(blocks),
        claims_title="Claims on rendered data" if rendered else "Claims",
        claims_legend=(
            (
                "What the paper claims of its data sets, asked of the rendered ones: no verdict "
                "here is about the paper. "
                if rendered
                else ""
            )
            + "A claim holds if its interval lies above 0 on every data set and its p, the "
            "largest of its data sets' one-sided p, adjusted by Holm's method over its family, is "
            f"at most {settings.alpha:g}. It fails if an interval lies below 0.",
        ),
        claims=tuple(_claims(frame)),
        differences_title=f"Difference to {frame.titles.of(settings.reference_method)}",
        differences_legend=(
            "Percentage points. Interval: pigeonhole bootstrap over people and seeds, its spread "
            f"calibrated for few seeds. p: {_tests(differences)}. Holm over all comparisons of "
            "the same ranking.",
        ),
        differences=differences,
        differences_floor=tuple(_floors(frame, rankings)),
        confidence=settings.confidence,
        power=settings.power,
        notes=(*remarks, *notes(profile, frame.profile_name, frame.results)),
    )


def _legend(settings: StatisticsSettings, profile: Profile) -> Text:
    text = (
        "mAP and rank-1 (R1) in percent. Measured cells: mean ± standard deviation between seeds "
        "(number of seeds)"
    )
    if profile.rendered:
        return (f"{text}.",)
    margins = {name: settings.margin(name) for name in profile.datasets}
    usual = settings.margin("default")
    others = "".join(
        f", {value:g} on {dataset_title(profile, name)}"
        for name, value in margins.items()
        if value != usual
    )
    return (
        f"{text}, then the verdict: REPRODUCED if the {100 * (1 - 2 * settings.alpha):g} % "
        f"interval of the difference to the published value lies within ±{usual:g} points{others}; "
        "INCONCLUSIVE with the number of seeds that would settle it. docs/verdicts.md explains "
        "them all.",
    )


def _columns(profile: Profile) -> Iterator[Column]:
    for dataset in profile.datasets:
        for quantity in QUANTITIES:
            yield Column(dataset, dataset_title(profile, dataset), quantity)


def _rows(
    profile: Profile, published: list[PublishedRow], *, with_places: bool = False
) -> tuple[Line, ...]:
    """Published lines; each value with its place among the others of its column if wanted."""
    entries: list[list[Entry | None]] = [[] for _ in published]
    for column in _columns(profile):
        cells = [row.cells.get((column.dataset, column.quantity)) for row in published]
        found = places([cell.value for cell in cells if cell])
        remaining = iter(found)
        for cell, line in zip(cells, entries, strict=True):
            place = next(remaining) if cell else None
            line.append(
                Entry(cell.value, place if with_places else None, cell.printed_place)
                if cell
                else None
            )
    return tuple(
        Line(row.method, "", tuple(line)) for row, line in zip(published, entries, strict=True)
    )


def _misprints(profile: Profile, block: Block) -> Iterator[Text]:
    for number, column in enumerate(_columns(profile)):
        for line in block.lines:
            entry = line.entries[number]
            if entry and entry.misprinted:
                yield (
                    f"† {line.name}, {column.title} {column.quantity}: the paper prints place "
                    f"{entry.printed_place}; recomputed it is {entry.place}.",
                )


def _measured(frame: Frame, ranking: Ranking, peers: list[PublishedRow] | None) -> Block:
    """Measured lines; with the places that they take among their peers, if there are any."""
    profile = frame.profile
    title = "Measured on rendered data" if profile.rendered else "Measured"
    lines = []
    for method in profile.methods:
        entries = []
        for column in _columns(profile):
            cell = frame.comparisons.cell(column.dataset, method, ranking, column.quantity)
            printed = [
                row.cells[column.dataset, column.quantity].value
                for row in peers or ()
                if (column.dataset, column.quantity) in row.cells
            ]
            entries.append(_entry(cell, printed) if cell and cell.seeds else _missing(cell))
        lines.append(Line(frame.titles.cited(method, ranking), method, tuple(entries)))
    title += "" if ranking == "plain" else ", re-ranked (RK)"
    return Block(title, True, ranking, tuple(lines))


def _entry(cell: CellComparison, printed: list[float]) -> Entry:
    return Entry(
        value=cell.mean,
        place=place_of(round(cell.mean, 1), printed) if printed else None,
        sd=_known(cell.sd),
        seeds=cell.seeds,
        verdict=cell.verdict,
        reason=cell.reason,
        published=_known(cell.published),
        delta=None if math.isnan(cell.published) else cell.delta,
        seeds_to_settle=cell.seeds_to_settle,
    )


def _missing(cell: CellComparison | None) -> Entry | None:
    """An entry of a cell without a single run: a verdict, if one is due, and no value."""
    if cell is None or not cell.verdict:
        return None
    return Entry(
        value=math.nan,
        seeds=0,
        verdict=cell.verdict,
        reason=cell.reason,
        published=_known(cell.published),
        delta=cell.delta,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _differences(frame: Frame, rankings: tuple[Ranking, ...]) -> Iterator[DifferenceLine]:
    shown = [each for each in frame.comparisons.differences if each.ranking in rankings]
    by_cell = groupby(shown, key=lambda each: (each.dataset, each.method, each.ranking))
    for (dataset, method, ranking), group in by_cell:
        title = dataset_title(frame.profile, dataset)
        yield DifferenceLine(title, frame.titles.of(method, ranking), tuple(group))


def _tests(differences: tuple[DifferenceLine, ...]) -> str:
    return "; ".join(sorted({each.test for line in differences for each in line.differences}))


def _floors(frame: Frame, rankings: tuple[Ranking, ...]) -> Iterator[Text]:
    settings = frame.settings
    for ranking in rankings:
        family = [each for each in frame.comparisons.differences if each.ranking == ranking]
        if not family:
            continue
        size = sum(1 for _ in to_reference(frame.profile, settings, ranking))
        best = min(1.0, size * min(each.smallest_possible_p for each in family))
        if best > settings.alpha:
            yield (
                f"With so few seeds no p of the {size} comparisons ({ranking}) can fall "
                f"below {best:.2f} after Holm: an open comparison here is not evidence of "
                "equality.",
            )


def _claims(frame: Frame) -> Iterator[ClaimLine]:
    """The claims of Table 1 compare streams; Table 2 has those about re-ranking too."""
    for claim in frame.comparisons.claims:
        of_rankings = (claim.ranking, claim.reference_ranking) != ("plain", "plain")
        if of_rankings and frame.name == "table1":
            continue
        parts = frame.comparisons.parts(claim.id)
        titles = tuple(dataset_title(frame.profile, part.dataset) for part in parts)
        yield ClaimLine(claim, parts, titles)
