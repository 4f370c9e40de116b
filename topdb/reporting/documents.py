"""What a report table says, before it is Markdown, LaTeX, HTML or CSV: one model for the four."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from topdb.config import Ranking
from topdb.results.comparisons import ClaimComparison, ClaimPart, Difference


@dataclass(frozen=True)
class Code:
    """A name or digest within a text, to be set in a typewriter's letters."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words within a text that must not be overlooked."""

    text: str


Text = tuple[str | Code | Strong, ...]
"""A line of running text. Its strings may be anything: each renderer escapes them its own way."""


@dataclass(frozen=True)
class Column:
    """A data set and metric of the main table."""

    dataset: str
    title: str
    quantity: str


@dataclass(frozen=True)
class Entry:
    """One value of the main table, in percent, published or measured."""

    value: float
    place: int | None = None
    """Sub-index: the place among the block's published values."""
    printed_place: int | None = None
    """The sub-index that the paper prints; published entries only."""
    sd: float | None = None
    """Of measured entries, as everything below; None with one run."""
    seeds: int | None = None
    low: float | None = None
    """Of a difference between entries alone: the ends of its interval, NaN where it has none."""
    high: float | None = None
    verdict: str = ""
    reason: str = ""
    published: float | None = None
    delta: float | None = None
    seeds_to_settle: int | None = None
    smallest_delta: float | None = None
    if_best_of_3: str = ""
    if_best_of_5: str = ""
    unstable: str = ""
    extended: str = ""

    @property
    def misprinted(self) -> bool:
        """Whether the paper prints another place than its values have."""
        return self.printed_place is not None and self.printed_place != self.place


@dataclass(frozen=True)
class Line:
    """A row of the main table; an entry is None where there is no value."""

    name: str
    method: str
    """The method's name here; empty for other authors' rows."""
    entries: tuple[Entry | None, ...]


@dataclass(frozen=True)
class Block:
    """Rows of the main table under a heading of their own."""

    title: str
    measured: bool
    ranking: Ranking
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class DifferenceLine:
    """A method minus the reference method on a data set, all metrics."""

    dataset: str
    method: str
    """Both as a reader calls them."""
    differences: tuple[Difference, ...]
    """In the order of the metrics."""


@dataclass(frozen=True)
class ClaimLine:
    """A claim with its parts, one a data set."""

    claim: ClaimComparison
    parts: tuple[ClaimPart, ...]
    datasets: tuple[str, ...]
    """Titles of the parts' data sets."""


@dataclass(frozen=True)
class Document:
    """Everything that one report table says."""

    name: str
    """Of the table, in its paper's file."""
    title: str
    warning: Text
    """What must be read first; empty where data are real."""
    answer: Text
    legend: Text
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    claims_title: str
    claims_legend: Text
    claims: tuple[ClaimLine, ...]
    differences_title: str
    differences_legend: Text
    differences: tuple[DifferenceLine, ...]
    differences_floor: tuple[Text, ...] = ()
    """What so few seeds cannot show."""
    confidence: float = 0.95
    """Of all intervals of differences."""
    notes: tuple[Text, ...] = field(default=())


def usual_seeds(blocks: Sequence[Block]) -> int | None:
    """Return how many seeds most measured entries have, which a caption says once."""
    found = Counter(each.seeds for each in _measured(blocks) if each.seeds)
    return max(found, key=lambda seeds: (found[seeds], seeds)) if found else None


def spread_told(blocks: Sequence[Block]) -> str:
    """Return what a caption says of every measured entry: its spread, and of how many seeds."""
    usual = usual_seeds(blocks)
    if usual is None:
        return "mean ± standard deviation between seeds"
    spread = f"mean ± standard deviation between {usual} seeds"
    others = any(each.seeds not in (usual, None, 0) for each in _measured(blocks))
    other = "; another number of seeds stands in brackets" if others else ""
    return f"{spread if usual > 1 else 'of a single seed'}{other}"


def _measured(blocks: Sequence[Block]) -> list[Entry]:
    lines = [line for block in blocks if block.measured for line in block.lines]
    return [each for line in lines for each in line.entries if each]
