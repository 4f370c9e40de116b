"""Before the runs: the chance of each verdict for so many seeds and people, by simulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from topdb.statistics.checks import at_least, not_negative, open_share
from topdb.statistics.multiplicity import hommel_rows
from topdb.statistics.permutation import label_choices, sign_choices
from topdb.statistics.pigeonhole import parts_of_difference, sides_of_difference
from topdb.statistics.verdict import CellVerdict, ClaimVerdict

NO_DIFFERENCE = "no difference"
PUBLISHED = "the published difference"
ONE_RUN = "the paper printed one run of the same method"
MOST_LABELLINGS = 1_024


@dataclass(frozen=True)
class Spread:
    """Standard deviations of one comparison, in the caller's unit.

    seed_a, seed_b: between the runs of either method, as a table prints it; where the two are the
    same networks, that of a run's difference in both
    people: of a person's true difference between the methods
    interaction: of what one training does to one person; where the two are the same networks, to
    the person's difference
    """

    seed_a: float
    seed_b: float
    people: float
    interaction: float


@dataclass(frozen=True)
class PartPlan:
    """A data set's part in a claim that is to be tested.

    dataset, measure, better, worse: what shares its luck with other parts: the runs of `better` on
    the same data set and measure are the same runs in every claim
    published: the printed difference, better minus worse; NaN where none is printed
    people: persons in the query set
    paired: whether both are the same networks
    """

    dataset: str
    measure: str
    better: str
    worse: str
    published: float
    people: int
    spread: Spread
    paired: bool = False


@dataclass(frozen=True)
class ClaimPlan:
    """A claim that is to be tested, with a part for each data set that it needs."""

    name: str
    family: str
    parts: tuple[PartPlan, ...]


@dataclass(frozen=True)
class CellPlan:
    """A cell that is to be held against a printed number.

    sd: deviation between seeds
    delta: margin of equivalence
    """

    name: str
    sd: float
    delta: float


@dataclass(frozen=True)
class DesignRow:
    """The chance of each verdict of one claim or cell under one assumption.

    kind: `claim` or `cell`
    truth: the assumption, in words
    chances: by verdict; they add up to 1
    """

    kind: str
    name: str
    truth: str
    seeds: int
    chances: Mapping[str, float]


@dataclass(frozen=True)
class Design:
    """What so many seeds can show.

    seeds: of each method
    rows: claims, then cells, truth by truth
    simulations: studies that each chance was counted in
    error: largest standard error of a chance
    """

    seeds: int
    rows: tuple[DesignRow, ...]
    simulations: int
    error: float

    def chance(self, name: str, truth: str, verdict: str) -> float:
        """The chance of a verdict. Raises KeyError where there is no such row."""
        for row in self.rows:
            if (row.name, row.truth) == (name, truth):
                return row.chances[verdict]
        raise KeyError(f"{name} under {truth!r}")

    def table(self) -> list[tuple[str, ...]]:
        """Rows of words, header first: kind, name, truth, and a chance for each verdict it has."""
        never = (ClaimVerdict.EXPLORATORY, CellVerdict.INCOMPLETE)
        verdicts = [each for each in (*ClaimVerdict, *CellVerdict) if each not in never]
        header = ("kind", "name", "truth", *(verdict.value for verdict in verdicts))
        return [
            header,
            *(
                (
                    row.kind,
                    row.name,
                    row.truth,
                    *(
                        f"{100 * row.chances[verdict]:.0f} %" if verdict in row.chances else ""
                        for verdict in verdicts
                    ),
                )
                for row in self.rows
            ),
        ]


def measured_spread(
    ap_a: ArrayLike, ap_b: ArrayLike, people: ArrayLike, *, paired_seeds: bool = False
) -> Spread:
    """The spreads of a comparison whose runs are there, for the design of the next study.

    ap_a, ap_b, people, paired_seeds: as `difference_interval` takes them

    Persons with more queries count more, and the people's deviation is that of equally weighted
    people who would give the same error. Five seeds know their deviation within 0.6 to 2.9 times.
    Raises ValueError as `difference_interval` does.
    """
    sides, _ = sides_of_difference(ap_a, ap_b, people, paired_seeds)
    parts = parts_of_difference(sides, smallest=0.0)
    seeds = [float((side.sums.sum(axis=1) / side.counts.sum()).std(ddof=1)) for side in sides]
    persons = len(sides[0].counts)
    trainings = sum(1 / len(side.sums) for side in sides)
    return Spread(
        seed_a=seeds[0],
        seed_b=seeds[-1],
        people=float(np.sqrt(parts.people * persons)),
        interaction=float(np.sqrt(parts.interaction * persons / trainings)),
    )


def design(
    claims: Sequence[ClaimPlan],
    cells: Sequence[CellPlan],
    *,
    seeds: int,
    stated: Sequence[float] = (),
    alpha: float = 0.05,
    smallest_advantage: float = 0.0,
    confidence: float = 0.95,
    rounding: float = 0.05,
    adjust: str = "hommel",
    studies: int = 4_000,
    rng: np.random.Generator,
) -> Design:
    """Count the verdicts of simulated studies of so many seeds and people.

    claims, cells: what is to be judged, with assumed or measured spreads
    seeds: of each method, at least 2
    stated: true differences to try beside no difference and the published ones, same unit; a
    claim has it on each of its data sets, a cell's true mean lies by so much above the printed
    number (below is its mirror image, BELOW for EXCEEDS)
    alpha, smallest_advantage, confidence, rounding, adjust: those of the verdicts
    studies: how many are simulated
    rng: their source

    A claim's studies follow the model of docs/statistics.md: runs with normal luck, people with a
    normal preference for a method, both shared by all claims about the same method, data set and
    measure; estimated variances are chi-square with their degrees of freedom. The verdicts are
    those of `judge_family`, the permutation test exact up to 1,024 labellings and taken as the
    pooled t test above. Measures are independent, which matters to the adjustment alone. Under the
    published differences a claim without one on some data set has no row.

    A cell's people are the paper's own, so that only seeds count. Beside the printed number taken
    as the true mean there is a row where it is one run of the same method.

    Raises ValueError for fewer than two seeds or people, a negative spread, and an unknown
    adjustment.
    """
    at_least("seeds", seeds, 2)
    at_least("studies", studies, 100)
    open_share("alpha", alpha)
    if adjust not in ("holm", "hommel"):
        raise ValueError(f"adjust is {adjust!r}: give one of holm, hommel.")
    lucks = {part: None for claim in claims for part in claim.parts}
    draws = _Draws(seeds, studies, rng)
    rows = []
    simulated = {part: draws.of(part) for part in lucks}
    truths: list[tuple[str, float | None]] = [(NO_DIFFERENCE, 0.0), (PUBLISHED, None)]
    truths += [(f"{value:+g}", value) for value in stated]
    for truth, value in truths:
        judged = [
            claim
            for claim in claims
            if value is not None or not any(np.isnan(part.published) for part in claim.parts)
        ]
        p_for: dict[str, NDArray[np.float64]] = {}
        p_against: dict[str, NDArray[np.float64]] = {}
        above: dict[str, NDArray[np.bool_]] = {}
        for claim in judged:
            found = [
                simulated[part].tested(
                    part.published if value is None else value, smallest_advantage
                )
                for part in claim.parts
            ]
            p_for[claim.name] = np.max([np.maximum(own.exact, own.above) for own in found], axis=0)
            least = np.min([own.below for own in found], axis=0)
            p_against[claim.name] = np.minimum(len(found) * least, 1.0)
            above[claim.name] = np.all([own.above < (1 - confidence) / 2 for own in found], axis=0)
        for family in dict.fromkeys(claim.family for claim in claims):
            names = [claim.name for claim in claims if claim.family == family]
            ones = np.ones(studies)
            for_it = _adjusted([p_for.get(name, ones) for name in names], adjust)
            against = _adjusted([p_against.get(name, ones) for name in names], adjust)
            for place, name in enumerate(names):
                if name not in p_for:
                    continue
                fails = against[:, place] <= alpha
                holds = ~fails & above[name] & (for_it[:, place] <= alpha)
                rows.append(
                    DesignRow(
                        "claim",
                        name,
                        truth,
                        seeds,
                        {
                            ClaimVerdict.HOLDS: float(holds.mean()),
                            ClaimVerdict.FAILS: float(fails.mean()),
                            ClaimVerdict.OPEN: float(1 - holds.mean() - fails.mean()),
                        },
                    )
                )
    known: dict[tuple[float, float, float, bool], Mapping[str, float]] = {}
    for truth, shift, one_run in (
        (NO_DIFFERENCE, 0.0, False),
        (ONE_RUN, 0.0, True),
        *((f"{value:+g}", value, False) for value in stated),
    ):
        for cell in cells:
            key = (not_negative("sd", cell.sd), cell.delta, shift, one_run)
            if key not in known:
                known[key] = draws.cell(cell, shift, one_run, alpha, rounding)
            rows.append(DesignRow("cell", cell.name, truth, seeds, known[key]))
    return Design(seeds, tuple(rows), studies, float(np.sqrt(0.25 / studies)))


def _adjusted(p: Sequence[NDArray[np.float64]], adjust: str) -> NDArray[np.float64]:
    """Adjust (claims) p values of each study; returns (studies, claims)."""
    rows = np.stack(p, axis=1)
    if adjust == "hommel":
        return hommel_rows(rows)
    order = np.argsort(rows, axis=1, kind="stable")
    steps = np.arange(rows.shape[1], 0, -1) * np.take_along_axis(rows, order, axis=1)
    adjusted = np.empty_like(rows)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=1), 1.0), 1)
    return adjusted


@dataclass(frozen=True)
class _Tested:
    """(studies,) p values of one part: over seeds; for and against it over seeds and people."""

    exact: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]


@dataclass(frozen=True)
class _Luck:
    """What chance does to one part in each study, before any true difference.

    runs: (studies, seeds) of a, or of the difference where paired; others: of b, or None
    people: (studies,) what the people add to the estimate
    error, freedom: (studies,) two-way standard error and its degrees of freedom
    """

    runs: NDArray[np.float64]
    others: NDArray[np.float64] | None
    people: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: NDArray[np.float64]

    def tested(self, difference: float, smallest_advantage: float) -> _Tested:
        """The part's p values if the true difference is this."""
        shifted = self.runs + (difference + self.people)[:, np.newaxis]
        estimate = shifted.mean(axis=1)
        if self.others is not None:
            estimate = estimate - self.others.mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            above = np.where(
                self.error > 0, stdtr(self.freedom, -estimate / self.error), estimate <= 0
            )
            excess = estimate - smallest_advantage
            below = np.where(self.error > 0, stdtr(self.freedom, excess / self.error), excess >= 0)
        return _Tested(_over_seeds(shifted, self.others), above, below)


def _over_seeds(
    runs: NDArray[np.float64], others: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """One-sided p over seeds in each study: exact, or by t where the labellings are many."""
    seeds = runs.shape[1]
    if others is None:
        values = runs
        labels = sign_choices(seeds) if 2**seeds <= MOST_LABELLINGS else None
    else:
        values = np.concatenate([runs, others], axis=1)
        values = values - values.mean(axis=1, keepdims=True)
        labels = label_choices(seeds, MOST_LABELLINGS)
    if labels is None:
        variance = runs.var(axis=1, ddof=1) / seeds
        mean, freedom = runs.mean(axis=1), seeds - 1
        if others is not None:
            variance = variance + others.var(axis=1, ddof=1) / seeds
            mean, freedom = mean - others.mean(axis=1), 2 * freedom
        with np.errstate(divide="ignore", invalid="ignore"):
            by_t = stdtr(freedom, -mean / np.sqrt(variance))
        return np.asarray(np.where(variance > 0, by_t, mean <= 0), dtype=np.float64)
    sums = values @ labels.T
    observed = values[:, :seeds].sum(axis=1, keepdims=True)
    tie = 1e-9 * np.abs(values).sum(axis=1, keepdims=True)
    return np.asarray((sums >= observed - tie).mean(axis=1))


class _Draws:
    """Runs and people drawn once for each method, data set and measure."""

    def __init__(self, seeds: int, studies: int, rng: np.random.Generator) -> None:
        self.seeds, self.studies, self.rng = seeds, studies, rng
        self.known: dict[tuple[str, ...], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def of(self, part: PartPlan) -> _Luck:
        """The luck of one part; standard normal parts are shared, deviations are its own."""
        spread, persons = part.spread, at_least("people", part.people, 2)
        for name, value in vars(spread).items():
            not_negative(name, value)
        seeds, sizes = self.seeds, (self.studies,)
        first, taste = self._standard(part.dataset, part.measure, part.better)
        both = 1.0 if part.paired else 2.0
        if part.paired:
            first, taste = self._standard(part.dataset, part.measure, part.better, part.worse)
            runs, others = spread.seed_a * first, None
            people = spread.people / np.sqrt(persons) * taste
            between = [runs.var(axis=1, ddof=1) / seeds]
        else:
            second, other_taste = self._standard(part.dataset, part.measure, part.worse)
            runs, others = spread.seed_a * first, spread.seed_b * second
            people = spread.people / np.sqrt(2 * persons) * (taste - other_taste)
            between = [runs.var(axis=1, ddof=1) / seeds, others.var(axis=1, ddof=1) / seeds]
        interaction = both * spread.interaction**2 / (persons * seeds)
        crossed = (seeds - 1) * (persons - 1)
        of_both = interaction * self.rng.chisquare(both * crossed, sizes) / (both * crossed)
        person = spread.people**2 / persons + interaction
        of_people = person * self.rng.chisquare(persons - 1, sizes) / (persons - 1)
        of_seeds: NDArray[np.float64] = np.sum(between, axis=0)
        shared = np.minimum(of_both, np.maximum(of_seeds, of_people))
        total = np.maximum(of_seeds - shared, 0) + np.maximum(of_people - shared, 0) + shared
        terms = np.sum(np.square(between), axis=0) / (seeds - 1)
        terms = terms + of_people**2 / (persons - 1) + of_both**2 / (both * crossed)
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.where(terms > 0, total**2 / terms, np.inf)
        return _Luck(runs, others, people, np.sqrt(total), freedom)

    def _standard(self, *names: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standard normal runs and taste of people of one method, data set and measure."""
        if names not in self.known:
            self.known[names] = (
                self.rng.standard_normal((self.studies, self.seeds)),
                self.rng.standard_normal(self.studies),
            )
        return self.known[names]

    def cell(
        self, cell: CellPlan, shift: float, one_run: bool, alpha: float, rounding: float
    ) -> Mapping[str, float]:
        """Chances of a cell's verdicts, by the decision table of `cell_verdict`."""
        if not cell.delta > 0:
            raise ValueError(f"delta of {cell.name} is {cell.delta}: give a margin above 0.")
        freedom, n = self.seeds - 1, self.seeds
        difference = shift + cell.sd / np.sqrt(n) * self.rng.standard_normal(self.studies)
        if one_run:
            difference = difference - cell.sd * self.rng.standard_normal(self.studies)
        sd = cell.sd * np.sqrt(self.rng.chisquare(freedom, self.studies) / freedom)
        reach = stdtrit(freedom, 1 - alpha) * sd / np.sqrt(n)
        same = np.abs(difference) + reach < cell.delta
        beyond = np.abs(difference) - reach > cell.delta
        possible = stdtrit(freedom, 0.975) * sd * np.sqrt(1 + 1 / n) + rounding
        settled = beyond & (np.abs(difference) > possible)
        chances: dict[str, float] = {
            CellVerdict.REPRODUCED: float(same.mean()),
            CellVerdict.EXCEEDS: float((settled & (difference > 0)).mean()),
            CellVerdict.BELOW: float((settled & (difference < 0)).mean()),
        }
        chances[CellVerdict.INCONCLUSIVE] = 1 - sum(chances.values())
        return chances
