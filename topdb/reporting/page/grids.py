"""The page's tables: measured numbers with what a paper prints beneath, and the table as printed.

What is the same in all cells stands in the caption, and what says nothing is left out: rows and
columns without a value, and p values that no result of so few seeds could make small.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from topdb.metrics import metric
from topdb.reporting.documents import (
    Block,
    Column,
    DifferenceLine,
    Document,
    Entry,
    Line,
    Text,
    usual_seeds,
)
from topdb.reporting.rendering import seeds_told
from topdb.results.comparisons import Comparisons


@dataclass(frozen=True)
class Grid:
    """The rows and columns of a table that have a value."""

    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    """Each has a line, and each line an entry a column."""

    @property
    def datasets(self) -> tuple[tuple[str, str, int], ...]:
        """Names, titles, and how many columns each has."""
        counted = Counter((each.dataset, each.title) for each in self.columns)
        return tuple((*names, count) for names, count in counted.items())

    @property
    def lines(self) -> int:
        """Number of rows."""
        return sum(len(block.lines) for block in self.blocks)


@dataclass(frozen=True)
class Table:
    """One table of a paper, or of one's own results."""

    name: str
    title: str
    caption: tuple[str, ...]
    measured: Grid
    printed: Grid
    seeds: int | None
    """Of all cells but those that say otherwise."""
    differences: tuple[DifferenceLine, ...]
    differences_title: str
    differences_caption: Text
    differences_floor: tuple[Text, ...]
    adjusted: bool
    """Whether an adjusted p can say anything."""
    difference_seeds: str
    """Where it is the same in all rows, else empty."""
    notes: tuple[Text, ...]


def page_tables(documents: Sequence[Document], comparisons: Comparisons) -> tuple[Table, ...]:
    """Return the tables that say something of the profile's data sets.

    Where a paper prints nothing of them, its tables are one, of the results alone.
    """
    tables = [_table(each, comparisons) for each in documents]
    told = [each for each in tables if each.printed.blocks]
    if told:
        return tuple(told)
    widest = sorted(tables, key=lambda each: -each.measured.lines)[:1]
    return tuple(_own(each) for each in widest if each.measured.blocks)


def _own(table: Table) -> Table:
    return Table(**{**vars(table), "title": "Results"})


def _table(document: Document, comparisons: Comparisons) -> Table:
    measured = grid(document.columns, [each for each in document.blocks if each.measured])
    printed = grid(document.columns, [each for each in document.blocks if not each.measured])
    seeds = usual_seeds(measured.blocks)
    families = {each.differences[0].ranking for each in document.differences}
    return Table(
        name=document.name,
        title=document.title,
        caption=tuple(_caption(document, comparisons, measured, seeds)),
        measured=measured,
        printed=printed,
        seeds=seeds,
        differences=document.differences,
        differences_title=document.differences_title,
        differences_caption=document.differences_legend,
        differences_floor=document.differences_floor,
        adjusted=len(document.differences_floor) < len(families),
        difference_seeds=seeds_told(document),
        notes=document.notes,
    )


def grid(columns: Sequence[Column], blocks: Iterable[Block]) -> Grid:
    """Return blocks without the rows and the data sets that have no value and no verdict."""
    blocks = list(blocks)
    told = {
        column.dataset
        for block in blocks
        for line in block.lines
        for column, entry in zip(columns, line.entries, strict=True)
        if _says(entry)
    }
    kept = [number for number, column in enumerate(columns) if column.dataset in told]
    slim = [
        Block(
            block.title,
            block.measured,
            block.ranking,
            tuple(
                Line(line.name, line.method, tuple(line.entries[number] for number in kept))
                for line in block.lines
                if any(map(_says, line.entries))
            ),
        )
        for block in blocks
    ]
    return Grid(
        columns=tuple(columns[number] for number in kept),
        blocks=tuple(block for block in slim if block.lines),
    )


def _says(entry: Entry | None) -> bool:
    return entry is not None and (not math.isnan(entry.value) or bool(entry.verdict))


def _caption(
    document: Document, comparisons: Comparisons, measured: Grid, seeds: int | None
) -> Iterable[str]:
    """Yield what has to be known of every cell, so that no cell says it."""
    entries = [
        entry
        for block in measured.blocks
        for line in block.lines
        for entry in line.entries
        if entry is not None
    ]
    names = [
        re.sub(r"^R(\d+)$", r"rank-\1 (R\1)", metric(name).title)
        for name in dict.fromkeys(column.quantity for column in document.columns)
    ]
    *most, last = names
    listed = f"{', '.join(most)} and {last}" if most else last
    spread = ""
    if seeds == 1:
        spread = " of one seed"
    elif seeds:
        spread = f": mean ± standard deviation between {seeds} seeds"
    other = any(entry.seeds not in (seeds, None, 0) for entry in entries)
    yield f"{listed} in percent{spread}{'; other numbers of seeds in brackets' if other else ''}."
    judged = [each for each in comparisons.cells if each.verdict]
    if any(entry.published is not None for entry in entries):
        yield "Small, beneath: what the paper prints."
    if judged and any(entry.verdict for entry in entries):
        margins = sorted({each.delta for each in judged})
        levels = sorted({each.confidence for each in judged})
        within = " or ".join(f"±{each:g}" for each in margins)
        shown = " or ".join(f"{100 * each:.3g}" for each in levels)
        yield (
            f"✓ reproduces: the {shown} % interval of the difference lies within {within} points. "
            "▲ higher, ▼ lower, ? undecided."
        )
    if any(entry.unstable for entry in entries):
        yield "! marks a cell with a run that is unlike the others."
    gone = _missing(document, measured)
    if gone:
        yield f"No run yet: {', '.join(gone)}."


def _missing(document: Document, measured: Grid) -> list[str]:
    """Return the methods and data sets of which nothing is measured."""
    there = {line.method for block in measured.blocks for line in block.lines}
    shown = {column.dataset for column in measured.columns}
    methods = {
        line.method: line.name
        for block in document.blocks
        if block.measured
        for line in block.lines
        if line.method not in there
    }
    titles = {c.dataset: c.title for c in document.columns if c.dataset not in shown}
    return [*methods.values(), *titles.values()]
