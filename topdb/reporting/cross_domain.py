"""The cross-domain table: runs of one data set on another, beside those that were trained there."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from topdb.config import Crossing, Params, Profile, StatisticsSettings
from topdb.config.paper import Paper
from topdb.errors import UserError
from topdb.evidence.comparing import statistics_of
from topdb.evidence.crossing import CrossedCell, CrossedGrid, Level, cross
from topdb.evidence.grounds import find_grounds
from topdb.reporting.documents import (
    Block,
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
from topdb.results.crossings import read_crossed

NAME = "cross_domain"
"""Of the report, and of its files."""
_WARNING: Text = (
    Strong("Rendered data."),
    " These are pedestrians drawn by this project, seen by a small network: the numbers say "
    "nothing of real data sets.",
)
_ANSWER: Text = (
    Strong("No published number stands here, and no verdict is given."),
    " Whoever publishes such numbers trains by a recipe of their own.",
)


@dataclass(frozen=True)
class _Frame:
    """What the table is made of."""

    profile: Profile
    settings: StatisticsSettings
    metrics: tuple[str, ...]
    titles: Titles
    grid: CrossedGrid

    def title(self, crossing: Crossing) -> str:
        return f"{self.profile.title(crossing.source)} → {self.profile.title(crossing.target)}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(crossing.name, self.title(crossing), metric)
            for crossing in self.profile.crossings
            for metric in self.metrics
        )


def cross_domain_document(
    params: Params, profile_name: str, results: Path, papers: Sequence[Paper], paper: Paper
) -> Document:
    """Return the table of what a profile's runs reach on other data sets, in a paper's words.

    By ranking it has a block of these runs, one of those that were trained where they are tested,
    and one of what the first lack.

    Raises
    ------
    UserError
        The profile tests no run on another data set, or a run's file is broken.
    """
    profile = params.selected(profile_name)
    if not profile.crossings:
        raise UserError(
            f"profile {profile_name} tests no run on another data set: add `test_on: all` to it in "
            "params.yaml."
        )
    read = read_crossed(profile, results, params.metrics)
    settings = statistics_of(params, profile_name, paper)
    frame = _Frame(
        profile,
        settings,
        params.metrics,
        titles_of(params, profile_name, papers, paper),
        cross(profile, settings, params.metrics, read.scores),
    )
    reference = frame.titles.of(settings.reference_method)
    rendered = find_grounds(profile, results, params.method_folders).rendered
    floors, blocks = tuple(_floors(frame)), tuple(_blocks(frame))
    return Document(
        name=NAME,
        title="Trained on one data set, tested on another",
        warning=_WARNING if rendered else (),
        answer=_ANSWER,
        legend=(_legend(frame, blocks),),
        columns=frame.columns,
        blocks=blocks,
        claims_title="",
        claims_legend=(),
        claims=(),
        differences_title=f"Difference to {reference}, tested on another data set",
        differences_legend=(legend(frame.grid.differences, floors),),
        differences=tuple(_differences(frame)),
        differences_floor=floors,
        confidence=settings.confidence,
        notes=(
            *_missing(profile, read.runs),
            *notes(profile, profile_name, results, read.evaluated),
        ),
    )


def _missing(profile: Profile, there: int) -> Iterator[Text]:
    planned = len(profile.crossings) * len(profile.methods) * len(profile.seeds)
    if there < planned:
        said = f": {planned - there} of {planned} tests on other data sets are missing."
        yield (Strong("Incomplete"), said)


def _legend(frame: _Frame, blocks: Sequence[Block]) -> str:
    *first, last = frame.metrics
    listed = f"{', '.join(first)} and {last}" if first else last
    return (
        f"{listed} in percent, of the queries and gallery of the data set behind the arrow: "
        f"{spread_told(blocks)}. First come runs that were trained on "
        "the data set before the arrow and never saw the other; then the same methods trained on "
        "the one behind it, as in the other tables; then what the first lose, in percentage "
        f"points, with the {100 * frame.settings.confidence:g} % interval over people and seeds."
    )


def _blocks(frame: _Frame) -> Iterator[Block]:
    kinds: tuple[tuple[str, Callable[[CrossedCell], Entry | None]], ...] = (
        ("Trained on another data set", lambda cell: _level(cell.across)),
        ("Trained on the same data set", lambda cell: _level(cell.own)),
        ("Lost", _lost),
    )
    for ranking in frame.profile.rankings:
        for title, entry in kinds:
            lines = tuple(
                Line(
                    frame.titles.cited(method, ranking),
                    method,
                    tuple(
                        entry(frame.grid.cell(each.dataset, method, ranking, each.quantity))
                        for each in frame.columns
                    ),
                )
                for method in frame.profile.methods
            )
            whole = title if ranking == "plain" else f"{title}, re-ranked (RK)"
            yield Block(whole, True, ranking, lines)


def _level(found: Level) -> Entry | None:
    """Return the entry of some runs; a collapsed one leaves no mean, and says so."""
    if not found.seeds:
        return None
    sd = None if math.isnan(found.sd) else found.sd
    return Entry(found.mean, sd=sd, seeds=found.seeds, unstable=found.unstable)


def _lost(cell: CrossedCell) -> Entry | None:
    """Return what a method loses; without two runs of each side there is no interval."""
    drop = cell.drop
    if math.isnan(drop.estimate):
        return None
    return Entry(drop.estimate, low=drop.low, high=drop.high)


def _floors(frame: _Frame) -> Iterator[Text]:
    others = {*frame.profile.methods} - {frame.settings.reference_method}
    for ranking in frame.profile.rankings:
        family = [each for each in frame.grid.differences if each.ranking == ranking]
        yield from floor(family, len(frame.columns) * len(others), frame.settings.alpha)


def _differences(frame: _Frame) -> Iterator[DifferenceLine]:
    titles = {each.name: frame.title(each) for each in frame.profile.crossings}
    shown = groupby(
        frame.grid.differences, key=lambda each: (each.dataset, each.method, each.ranking)
    )
    for (name, method, ranking), group in shown:
        yield DifferenceLine(titles[name], frame.titles.of(method, ranking), tuple(group))
