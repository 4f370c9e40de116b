"""Any table of any paper with measured rows, as a document of no format yet."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from topdb.config import Params, Profile, Ranking, StatisticsSettings, rebuilt_methods
from topdb.config.paper import DEFAULT, Paper, PrintedRow, PrintedTable
from topdb.config.papers import measured
from topdb.evidence.answer import answer, if_best_of, notice
from topdb.evidence.cells import REBUILT
from topdb.evidence.comparing import statistics_of
from topdb.evidence.looks import look
from topdb.evidence.pairs import to_reference
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
    spread_told,
)
from topdb.reporting.families import floor, legend
from topdb.reporting.notes import notes
from topdb.reporting.titles import Titles, titles_of
from topdb.results.comparisons import Comparisons
from topdb.statistics import ClaimVerdict

WARNING: Text = (
    Strong("Rendered data."),
    " The measured rows are of pedestrians drawn by this project, with a small network: they "
    "cannot be compared with the published rows.",
)
RANKED = {"plain": "plain", "rk": "re-ranked"}
_PLACES = (
    "Sub-indices: place within the block of published rows, recomputed from the printed values; "
    "equal values share a place."
)
_MEASURED_PLACES = (
    " A measured row has the place that its mean, rounded as it is shown, takes among the "
    "published rows of its block."
)


@dataclass(frozen=True)
class _Frame:
    """What a table is made of."""

    paper: Paper
    name: str
    profile: Profile
    """With just the methods that the table measures."""
    rankings: tuple[Ranking, ...]
    """Of the measured rows."""
    metrics: tuple[str, ...]
    settings: StatisticsSettings
    comparisons: Comparisons
    titles: Titles

    @property
    def printed(self) -> PrintedTable:
        return self.paper.tables[self.name]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(dataset, self.profile.title(dataset), metric)
            for dataset in self.profile.datasets
            for metric in self.metrics
        )

    def rows(self, ranking: Ranking) -> list[PrintedRow]:
        return [row for row in self.paper.rows[self.name] if row.ranking == ranking]


def table_document(
    params: Params,
    profile_name: str,
    results: Path,
    papers: Sequence[Paper],
    paper: Paper,
    table: str,
    comparisons: Comparisons,
) -> Document:
    """Return a table of a paper: its printed rows, then ours, with verdicts, claims and notes.

    The measured rows are of the table's rankings; a profile with none of those shows its own.

    Raises
    ------
    UserError
        The paper has no such table, or a run's file is broken.
    """
    profile = measured(params.selected(profile_name), papers, paper, table)
    printed = paper.table(table)
    shown = tuple(each for each in profile.rankings if each in printed.rankings)
    frame = _Frame(
        paper=paper,
        name=table,
        profile=profile,
        rankings=shown or profile.rankings,
        metrics=params.metrics,
        settings=statistics_of(params, profile_name, paper),
        comparisons=comparisons,
        titles=titles_of(params, profile_name, papers, paper),
    )
    rendered, settings = comparisons.rendered, frame.settings
    blocks = tuple(_blocks(frame))
    differences = tuple(_differences(frame))
    floors = tuple(_floors(frame))
    published = any(not block.measured for block in blocks)
    told: list[Text] = []
    if printed.places and published:
        told.append((_PLACES + ("" if rendered else _MEASURED_PLACES),))
        told += [note for block in blocks for note in _misprints(frame.columns, block)]
    told += [(remark,) for remark in paper.remarks_on(table, profile.datasets)]
    for method, known in rebuilt_methods(profile.methods, params.method_folders).items():
        told.append((Strong(frame.titles.of(method)), f": {REBUILT} {known}"))
    if not shown:
        wanted, had = (", ".join(RANKED[e] for e in r) for r in (printed.rankings, frame.rankings))
        told.append((f"The profile has no {wanted} ranking: its {had} rows stand here instead.",))
    return Document(
        name=table,
        title=printed.title if published else f"Results of profile {profile_name}",
        warning=warning(comparisons),
        answer=(Strong(answer(comparisons)),),
        legend=(_legend(frame, blocks),),
        columns=frame.columns,
        blocks=blocks,
        claims_title="Claims on rendered data" if rendered else "Claims",
        claims_legend=(_claims_legend(comparisons),),
        claims=tuple(
            line
            for line in claim_lines(profile, comparisons, printed.rankings)
            if published or not all(math.isnan(part.estimate) for part in line.parts)
        ),
        differences_title=f"Difference to {frame.titles.of(settings.reference_method)}",
        differences_legend=(
            legend([each for line in differences for each in line.differences], floors),
        ),
        differences=differences,
        differences_floor=floors,
        confidence=settings.confidence,
        notes=(
            *told,
            *_unmeasured(frame, blocks),
            *_sensitivity(comparisons),
            *_planned(comparisons, profile),
            *notes(profile, profile_name, results),
        ),
    )


def claim_lines(
    profile: Profile, comparisons: Comparisons, rankings: Sequence[Ranking] = ("plain", "rk")
) -> tuple[ClaimLine, ...]:
    """Return the claims that are about some rankings alone, with their parts.

    Of the gathered comparisons of a paper's tables these are all of the paper's claims.
    """
    return tuple(
        ClaimLine(claim, parts, tuple(profile.title(part.dataset) for part in parts))
        for claim in comparisons.claims
        if {claim.ranking, claim.reference_ranking} <= {*rankings}
        for parts in [comparisons.parts(claim.id)]
    )


def places(values: Sequence[float]) -> list[int]:
    """Return each value's place, the highest first; equal values share one, none is skipped."""
    order = sorted(set(values), reverse=True)
    return [order.index(value) + 1 for value in values]


def place_of(value: float, others: Sequence[float]) -> int:
    """Return the place that a value takes among others, as `places` counts."""
    return 1 + len({other for other in others if other > value})


def _legend(frame: _Frame, blocks: Sequence[Block]) -> str:
    *first, last = [re.sub(r"^R(\d+)$", r"rank-\1 (R\1)", name) for name in frame.metrics]
    listed = f"{', '.join(first)} and {last}" if first else last
    text = f"{listed} in percent. Measured cells: {spread_told(blocks)}."
    lines = [line for block in blocks if block.measured for line in block.lines]
    entries = [each for line in lines for each in line.entries if each]
    if any(each.published is not None for each in entries):
        text += " In small figures stands the published value."
    if not any(each.verdict for each in entries):
        return text
    usual = frame.paper.margin(DEFAULT)
    intervals = {each.confidence for each in frame.comparisons.cells}
    shown = ", ".join(f"{100 * each:.3g}" for each in sorted(intervals))
    others = "".join(
        f", {value:g} on {frame.profile.title(name)}"
        for name in frame.profile.datasets
        if (value := frame.paper.margin(name)) != usual
    )
    return (
        f"{text} REPRODUCED: the {shown} % interval of the difference to it lies within ±{usual:g} "
        f"points{others}. INCONCLUSIVE: so many seeds of a new grid would settle it. ± is the "
        "smallest margin that would give REPRODUCED. docs/verdicts.md explains them all."
    )


def warning(comparisons: Comparisons) -> Text:
    """Return what must be read before a table: that data are drawn, or which cells are not judged.

    Empty where every printed cell has a verdict.
    """
    told = notice(comparisons)
    return WARNING if comparisons.rendered else (Strong(told),) if told else ()


def _claims_legend(comparisons: Comparisons) -> str:
    alpha = max((each.alpha for each in comparisons.claims), default=math.nan)
    text = (
        "A claim holds if its interval lies above 0 on every data set and its p, the largest of "
        "its data sets' one-sided p over seeds and over people, adjusted by Hommel's method over "
        f"its family, is at most {alpha:.2g}. It fails if the p against it, adjusted too, is at "
        "most that. The mean over its data sets decides nothing."
    )
    if any(each.verdict == ClaimVerdict.EXPLORATORY for each in comparisons.claims):
        text += " A claim that no family declares is exploratory: its numbers decide nothing."
    if not comparisons.rendered:
        return text
    return (
        "What the paper claims of its data sets, asked of the rendered ones: no verdict here is "
        f"about the paper. {text}"
    )


def _blocks(frame: _Frame) -> Iterator[Block]:
    printed = {row.name: row for row in frame.paper.rows[frame.name]}
    for block in frame.printed.blocks:
        lines = _printed_lines(frame, [printed[name] for name in block.rows])
        if lines:
            yield Block(block.title, False, block.ranking, lines)
    title = "Measured on rendered data" if frame.comparisons.rendered else "Measured"
    for ranking in frame.rankings:
        compares = frame.printed.places and not frame.comparisons.rendered
        peers = frame.rows(ranking) if compares else []
        lines = tuple(
            Line(
                frame.titles.cited(method, ranking),
                method,
                tuple(_measured(frame, method, ranking, each, peers) for each in frame.columns),
            )
            for method in frame.profile.methods
        )
        told = tuple(line for line in lines if any(line.entries))
        if told:
            yield Block(
                title + ("" if ranking == "plain" else ", re-ranked (RK)"), True, ranking, told
            )


def _printed_lines(frame: _Frame, rows: Sequence[PrintedRow]) -> tuple[Line, ...]:
    """Printed lines with a value; each with its place among the others of its column if wanted."""
    entries: list[list[Entry | None]] = [[] for _ in rows]
    for column in frame.columns:
        values = [row.values.get((column.dataset, column.quantity)) for row in rows]
        remaining = iter(places([each.value for each in values if each]))
        for value, line in zip(values, entries, strict=True):
            if value is None:
                line.append(None)
                continue
            place = next(remaining)
            shown = (place, value.place) if frame.printed.places else (None, None)
            line.append(Entry(value.value, *shown))
    return tuple(
        Line(row.name, "", tuple(line))
        for row, line in zip(rows, entries, strict=True)
        if any(line)
    )


def _misprints(columns: Sequence[Column], block: Block) -> Iterator[Text]:
    for number, column in enumerate(columns):
        for line in block.lines:
            entry = line.entries[number]
            if entry and entry.misprinted:
                yield (
                    f"† {line.name}, {column.title} {column.quantity}: the paper prints place "
                    f"{entry.printed_place}; recomputed it is {entry.place}.",
                )


def _measured(
    frame: _Frame, method: str, ranking: Ranking, column: Column, peers: Sequence[PrintedRow]
) -> Entry | None:
    """Return a measured entry, with the place that it takes among its peers.

    Without a single run it has a verdict, if one is due, and no value.
    """
    cell = frame.comparisons.cell(column.dataset, method, ranking, column.quantity)
    if cell is None or not (cell.seeds or cell.verdict):
        return None
    key = column.dataset, column.quantity
    values = [row.values[key].value for row in peers if key in row.values]
    known = not math.isnan(cell.mean)  # no run, or one that collapsed
    return Entry(
        value=cell.mean,
        place=place_of(round(cell.mean, 1), values)
        if values and known and not cell.withheld
        else None,
        sd=_known(cell.sd) if cell.seeds else None,
        seeds=cell.seeds,
        verdict=cell.verdict,
        reason=cell.reason,
        published=_known(cell.published),
        delta=None if math.isnan(cell.published) else cell.delta,
        seeds_to_settle=cell.seeds_to_settle if cell.seeds else None,
        smallest_delta=_known(cell.smallest_delta),
        if_best_of_3=cell.if_best_of_3,
        if_best_of_5=cell.if_best_of_5,
        unstable=cell.unstable,
        extended=cell.extended if cell.verdict else "",
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _differences(frame: _Frame) -> Iterator[DifferenceLine]:
    shown = [each for each in frame.comparisons.differences if each.ranking in frame.rankings]
    by_cell = groupby(shown, key=lambda each: (each.dataset, each.method, each.ranking))
    for (dataset, method, ranking), group in by_cell:
        title = frame.profile.title(dataset)
        yield DifferenceLine(title, frame.titles.of(method, ranking), tuple(group))


def _unmeasured(frame: _Frame, blocks: Sequence[Block]) -> Iterator[Text]:
    """Name the methods of which a row would have no value."""
    shown = {line.method for block in blocks for line in block.lines}
    gone = [frame.titles.of(each) for each in frame.profile.methods if each not in shown]
    if gone:
        yield (f"No run yet, and no row: {', '.join(gone)}.",)


def _sensitivity(comparisons: Comparisons) -> Iterator[Text]:
    """Say what the verdicts would be if the paper had printed its best runs."""
    judged = [each for each in comparisons.cells if each.verdict]
    found = [f"of {runs} runs, {said}" for runs in (3, 5) if (said := if_best_of(judged, runs))]
    if found:
        yield (
            Strong("Sensitivity"),
            f": cells that reproduce if each printed number is the best {'; '.join(found)}.",
        )


def _planned(comparisons: Comparisons, profile: Profile) -> Iterator[Text]:
    """Say whether seeds were added to those that were first planned, or took their places."""
    seen = look(comparisons.planned or None, profile.seeds)
    if not seen.recorded:
        yield ("How many seeds were first planned was not recorded: these count as planned.",)
    elif seen.note:
        yield (Strong("Not as planned"), f": {seen.note}.")


def _floors(frame: _Frame) -> Iterator[Text]:
    for ranking in frame.rankings:
        family = [each for each in frame.comparisons.differences if each.ranking == ranking]
        pairs = to_reference(frame.profile, frame.settings, ranking, frame.metrics)
        yield from floor(family, sum(1 for _ in pairs), frame.settings.alpha)
