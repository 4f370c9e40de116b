"""The first screen: what the comparisons say of the paper, in sentences and as a mosaic."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from topdb.config import Params
from topdb.evidence.answer import by_chance, judged_cells, notice
from topdb.metrics import metric
from topdb.reporting.evidence import RANKINGS, Evidence
from topdb.reporting.page.cells import cell_id
from topdb.results.comparisons import CellComparison, ClaimComparison, Comparisons
from topdb.results.runs import runs
from topdb.statistics import CellVerdict, ClaimVerdict

WORDS = {
    CellVerdict.REPRODUCED: "reproduce",
    CellVerdict.EXCEEDS: "higher",
    CellVerdict.BELOW: "lower",
    CellVerdict.INCONCLUSIVE: "undecided",
    CellVerdict.INCOMPLETE: "incomplete",
}
"""The one word that the page's sentences have for each verdict."""


@dataclass(frozen=True)
class Headline:
    """What a reader of two minutes takes home."""

    title: str
    """The question, or what the profile is called."""
    sentences: tuple[str, ...]
    """The answer."""
    details: tuple[str, ...]
    """What has to be known about it, a sentence or two each."""


@dataclass(frozen=True)
class Square:
    """One printed number: what became of it."""

    cell: str
    """The name of the cell's details."""
    label: str
    verdict: str
    """Empty where the number may not be judged."""


@dataclass(frozen=True)
class MosaicRow:
    """A method's squares, one a column; None where the paper prints nothing."""

    title: str
    squares: tuple[Square | None, ...]


@dataclass(frozen=True)
class Mosaic:
    """The squares of one ranking."""

    title: str
    datasets: tuple[tuple[str, str, int], ...]
    """Names, titles, and how many columns each has."""
    quantities: tuple[str, ...]
    """Of each column."""
    rows: tuple[MosaicRow, ...]


def headline(evidence: Evidence) -> Headline:
    """Return the answer: of drawn data that there is none, of the paper's, or of one's own."""
    comparisons = evidence.comparisons
    if comparisons.rendered:
        return _of_drawn(evidence)
    return _of_paper(evidence) if is_printed(comparisons) else _of_own(evidence)


def is_printed(comparisons: Comparisons) -> bool:
    """Whether the paper prints a number of any cell."""
    return any(each.owner or each.withheld for each in comparisons.cells)


def told_claims(comparisons: Comparisons) -> tuple[ClaimComparison, ...]:
    """Return the claims; of results that no paper prints, those alone that there are runs for."""
    if comparisons.rendered or is_printed(comparisons):
        return comparisons.claims
    return tuple(
        each
        for each in comparisons.claims
        if any(math.isfinite(part.estimate) for part in comparisons.parts(each.id))
    )


def question(evidence: Evidence) -> str:
    """Return what the profile is called, or else what is asked of the main paper."""
    name = evidence.papers[0].file.title.partition(":")[0]
    return evidence.profile.heading or f"Do the results of {name} hold?"


def claims_sentence(claims: Sequence[ClaimComparison]) -> str:
    """Return how many declared claims hold, and how many are refuted; empty without any."""
    found = Counter(each.verdict for each in claims)
    count = len(claims) - found[ClaimVerdict.EXPLORATORY]
    if not count:
        return ""
    holds, fails = found[ClaimVerdict.HOLDS], found[ClaimVerdict.FAILS]
    verb = "holds" if holds == 1 else "hold"
    return (
        f"{holds} of {_counted(count, 'claim')} {verb}; "
        f"{fails or 'none'} {'is' if fails < 2 else 'are'} refuted."
    )


def mosaics(evidence: Evidence) -> tuple[Mosaic, ...]:
    """Return a mosaic a ranking, of the cells that the paper prints; none of drawn data."""
    if evidence.comparisons.rendered:
        return ()
    return tuple(
        mosaic for ranking in evidence.profile.rankings for mosaic in _mosaic(evidence, ranking)
    )


def _mosaic(evidence: Evidence, ranking: str) -> Iterator[Mosaic]:
    printed = {
        (each.dataset, each.quantity, each.method): each
        for each in evidence.comparisons.cells
        if each.ranking == ranking and (each.verdict or each.withheld)
    }
    columns = [
        (dataset, quantity)
        for dataset in evidence.profile.datasets
        for quantity in evidence.params.metrics
        if any(key[:2] == (dataset, quantity) for key in printed)
    ]
    # The paper's own methods come first.
    methods = sorted(
        dict.fromkeys(each.method for each in printed.values()),
        key=lambda name: (
            not any(each.owner == "paper" for each in printed.values() if each.method == name)
        ),
    )
    if not columns:
        return
    yield Mosaic(
        title=RANKINGS[ranking].capitalize(),
        datasets=tuple(
            (name, evidence.title(name), count)
            for name, count in Counter(dataset for dataset, _ in columns).items()
        ),
        quantities=tuple(metric(quantity).title for _, quantity in columns),
        rows=tuple(
            MosaicRow(
                evidence.titles.of(method),
                tuple(_square(evidence, printed.get((*each, method))) for each in columns),
            )
            for method in methods
        ),
    )


def _square(evidence: Evidence, cell: CellComparison | None) -> Square | None:
    if cell is None:
        return None
    told = f"{cell.mean:.1f}" if cell.mean == cell.mean else "no mean"
    against = f", published {cell.published:.1f}" if cell.published == cell.published else ""
    name = evidence.titles.of(cell.method, cell.ranking)
    where = f"{name} on {evidence.title(cell.dataset)}, {metric(cell.quantity).title}"
    return Square(
        cell=cell_id(cell.dataset, cell.method, cell.ranking),
        label=f"{where}: {cell.verdict or 'no verdict'} ({told}{against})",
        verdict=cell.verdict,
    )


def _of_drawn(evidence: Evidence) -> Headline:
    planned, finished = len(list(runs(evidence.profile))), len(evidence.stored)
    works = "The benchmark works."
    if finished < planned:
        works = f"The benchmark has made {finished} of {planned} runs."
    profile = evidence.profile
    made = (
        f"{_counted(finished, 'run')} of {_counted(len(profile.methods), 'method')} on "
        f"{_counted(len(profile.datasets), 'data set')} of drawn pedestrians, "
        f"{_counted(len(profile.seeds), 'seed')} each."
    )
    real = _real_profile(evidence.params)
    how = f" For an answer, run the real data sets: make all profile={real}." if real else ""
    own = " Data, methods and features of your own: README.md."
    sentences = (works, "It has no answer about the paper yet.")
    return Headline(question(evidence), sentences, (made + how + own,))


def _real_profile(params: Params) -> str:
    """Return the first profile that trains on data which are not drawn; else nothing."""
    profiles = params.profiles.items()
    return next((name for name, each in profiles if not (each.rendered or each.weights)), "")


def _of_paper(evidence: Evidence) -> Headline:
    comparisons = evidence.comparisons
    own, others = judged_cells(comparisons, "paper"), judged_cells(comparisons, "competitor")
    sentences = []
    if own:
        whose = " of the paper's own methods" if others else ""
        sentences.append(_numbers(own, whose))
    elif others:
        sentences.append(_numbers(others, " of the paper's competitors"))
    else:
        sentences.append("No number here may be compared with the paper.")
    of_paper = [each for each in comparisons.claims if not each.withheld]
    of_ours = [each for each in comparisons.claims if each.withheld]
    sentences += filter(None, [claims_sentence(of_paper)])
    details = []
    if own and others:
        details.append(_numbers(others, " of its competitors"))
    chance = by_chance([*own, *others])
    if chance:
        details.append(
            f"Chance alone would make {chance:.1f} of these {len(own) + len(others)} numbers "
            "higher or lower."
        )
    told = claims_sentence(of_ours)
    if told:
        details.append(f"Among methods that are not the paper's: {told}")
    details += filter(None, [notice(comparisons)])
    return Headline(question(evidence), tuple(sentences), tuple(details))


def _of_own(evidence: Evidence) -> Headline:
    """Say which method has the highest mean, data set by data set."""
    comparisons, profile = evidence.comparisons, evidence.profile
    quantity, ranking = evidence.params.metrics[0], profile.rankings[0]
    first: dict[str, list[str]] = {}
    for dataset in profile.datasets:
        means = {
            each.method: each.mean
            for each in comparisons.cells
            if (each.dataset, each.ranking, each.quantity) == (dataset, ranking, quantity)
            and each.mean == each.mean
        }
        if means:
            best = max(means, key=lambda name: means[name])
            first.setdefault(best, []).append(f"{evidence.title(dataset)} ({means[best]:.1f})")
    title = metric(quantity).title
    sentences = [
        f"{evidence.titles.of(method)} has the highest {title} on {_listed(where)}."
        for method, where in first.items()
    ]
    claims = claims_sentence(told_claims(comparisons))
    return Headline(
        title=profile.heading or f"Profile {evidence.profile_name}",
        sentences=(*(sentences or ["No run is finished."]), *filter(None, [claims])),
        details=("A higher mean alone is no evidence: the differences have intervals below.",)
        if len(profile.methods) > 1 and sentences
        else (),
    )


def _numbers(judged: Sequence[CellComparison], whose: str) -> str:
    """Say how many numbers reproduce, and what became of the others."""
    found: Counter[str] = Counter(each.verdict for each in judged)
    same = found[CellVerdict.REPRODUCED]
    rest = [
        f"{found[verdict]} {word}"
        for verdict, word in WORDS.items()
        if verdict != CellVerdict.REPRODUCED and found[verdict]
    ]
    verb = "reproduces" if same == 1 else "reproduce"
    if rest:
        first, _, word = rest[0].partition(" ")
        rest[0] = f"{first} {'is' if first == '1' else 'are'} {word}"
    detail = f"; {', '.join(rest)}" if rest else ""
    return f"{same} of {_counted(len(judged), 'number')}{whose} {verb}{detail}."


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counts(comparisons: Comparisons) -> tuple[tuple[str, str, int], ...]:
    """Return each verdict of the printed cells with its word and its number, and those without."""
    found = Counter(each.verdict for each in comparisons.cells if each.verdict)
    withheld = sum(bool(each.withheld) for each in comparisons.cells)
    told = [(str(each), word, found[each]) for each, word in WORDS.items() if found[each]]
    return (*told, *([("", "not judged", withheld)] if withheld else []))
