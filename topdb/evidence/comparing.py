"""From the runs' scores to their comparisons: with a paper, with each other, and its claims."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from topdb.config import Params, Profile, StatisticsSettings, rebuilt_methods
from topdb.config.paper import Claim, Paper
from topdb.config.papers import measured
from topdb.errors import UserError
from topdb.evidence.cells import Printed, judge_cells, printed_difference, printed_values
from topdb.evidence.claims import claimed, judge_claims, parts_of_claims
from topdb.evidence.grounds import find_grounds
from topdb.evidence.instability import unstable_cells
from topdb.evidence.looks import look
from topdb.evidence.pairs import (
    Interval,
    Pair,
    generator,
    interval,
    test,
    to_reference,
)
from topdb.metrics import metric
from topdb.results.comparisons import (
    Comparisons,
    Difference,
    OneSeedPart,
    gathered,
    read_comparisons,
)
from topdb.results.planned import read_planned
from topdb.results.scores import Scores, read_scores
from topdb.statistics import holm, sign_flip


def statistics_of(params: Params, profile_name: str, paper: Paper) -> StatisticsSettings:
    """Return how a profile's cells are compared in a paper's tables.

    The reference method is the paper's, where it names one that the profile runs.
    """
    settings = params.statistics_of(profile_name)
    own = paper.file.reference_method
    if own not in params.selected(profile_name).methods:
        return settings
    return settings.model_copy(update={"reference_method": own})


def compare(
    params: Params,
    profile_name: str,
    results: Path,
    papers: Sequence[Paper],
    paper: Paper,
    table: str,
    planned: Sequence[int] | None = None,
) -> Comparisons:
    """Compare every cell of a table whose runs are there, and judge the claims about its methods.

    `planned` are the seeds that the grid was first planned with; default: as recorded beside its
    runs. Where there are grounds against a cell's verdict (`find_grounds`), the paper's number for
    it is not looked at. A claim about a method that the profile runs for another table is left to
    that one, and keeps its place in its family.

    Raises
    ------
    UserError
        There is no such table, the reference method is not in the profile, all queries of a data
        set are of one person, or a file is broken.
    """
    whole = params.selected(profile_name)
    settings = statistics_of(params, profile_name, paper)
    alone = len(whole.methods) == 1  # a single method is compared with nothing
    if settings.reference_method not in whole.methods and not alone:
        raise UserError(
            f"statistics.reference_method is {settings.reference_method}, which profile "
            f"{profile_name} does not run: name one of {', '.join(whole.methods)}."
        )
    profile = measured(whole, papers, paper, table)
    elsewhere = {*whole.methods} - {*profile.methods}
    claims = [
        claim
        for claim in paper.claims
        if not elsewhere & {*claim.methods} and claim.quantity in params.metrics
    ]
    for name in params.metrics:
        if metric(name).better == "lower":
            raise UserError(
                f"metrics lists {name}, of which less is better: tables and verdicts are about "
                "metrics of which more is better, so leave it out of params.yaml."
            )
    family = paper.families()
    grounds = find_grounds(profile, results, params.method_folders)
    printed = {key: x for key, x in printed_values(paper).items() if grounds.allow(key[0])}
    scores = read_scores(profile, results, params.metrics)
    compared = [
        pair
        for ranking in profile.rankings
        for pair in to_reference(profile, settings, ranking, params.metrics)
    ]
    wanted = [*compared, *claimed(profile, claims)]
    intervals = {pair: interval(settings, pair, scores) for pair in dict.fromkeys(wanted)}
    rebuilt = rebuilt_methods(profile.methods, params.method_folders)
    seen = look(read_planned(results) if planned is None else planned, whole.seeds)
    marks = unstable_cells(scores, params.metrics)
    parts = parts_of_claims(profile, settings, scores, intervals, printed, claims, marks)
    # Data sets whose query people have the same numbers count as of the same people (CUHK03's two
    # do): at the worst a mean over data sets has too wide an interval.
    people = {c.dataset: str(sorted({*own.people.tolist()})) for c, own in scores.items() if own}
    return Comparisons(
        profile=profile_name,
        rendered=grounds.rendered,
        paper=paper.name,
        tables=(table,),
        planned=seen.planned if seen.recorded else (),
        cells=tuple(
            judge_cells(
                *(profile, settings, scores, paper, params.metrics),
                *(grounds, seen, marks, rebuilt),
            )
        ),
        differences=tuple(
            _differences(profile, settings, scores, intervals, printed, params.metrics)
        ),
        claims=tuple(judge_claims(profile, settings, claims, family, parts, grounds, seen, people)),
        claim_parts=tuple(parts),
        one_seed_parts=tuple(_one_seed_parts(profile, settings, scores, claims)),
    )


def read_compared(paths: Sequence[Path], profile_name: str) -> list[Comparisons]:
    """Read the files of `topdb judge` that are named.

    Raises
    ------
    UserError
        A file is missing or broken, or of another profile.
    """
    return [read_comparisons(path, profile_name) for path in paths]


def of_table(
    found: Sequence[Comparisons],
    params: Params,
    profile_name: str,
    papers: Sequence[Paper],
    paper: Paper,
    table: str,
) -> Comparisons:
    """Return a table's comparisons, or those of another table that measures the same methods.

    Raises
    ------
    UserError
        None of them is of the table.
    """
    profile = params.selected(profile_name)
    methods = measured(profile, papers, paper, table).methods
    own = [each for each in found if each.paper == paper.name]
    for each in sorted(own, key=lambda each: each.tables != (table,)):
        if table in each.tables or any(
            measured(profile, papers, paper, other).methods == methods for other in each.tables
        ):
            return replace(each, tables=(table,))
    raise UserError(
        f"--comparisons names no comparisons of {table} of {paper.name}: name the file of `topdb "
        f"judge --paper {paper.name} --table {table}`."
    )


def of_paper(found: Sequence[Comparisons], paper: Paper) -> Comparisons:
    """Return the comparisons of all tables of a paper as one: each cell and claim once.

    Raises
    ------
    UserError
        There are none of the paper, or its tables' cells are not all there.
    """
    own = [each for each in found if each.paper == paper.name]
    given = {name for each in own for name in each.tables}
    whole = {name for name, table in paper.tables.items() if table.measures == "all"}
    if not whole & given and not paper.tables.keys() <= given:
        raise UserError(
            f"--comparisons names no comparisons of all tables of {paper.name}: name each file of "
            f"`topdb judge --paper {paper.name}`, or that of a table that measures all methods."
        )
    return gathered(own)


def _differences(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    intervals: Mapping[Pair, Interval],
    printed: Printed,
    metrics: Sequence[str],
) -> Iterator[Difference]:
    """Every method minus the reference method, ranking by ranking, where both have runs."""
    for ranking in profile.rankings:
        pairs = list(to_reference(profile, settings, ranking, metrics))
        yield from family_of_differences(settings, pairs, scores, intervals, printed)


def family_of_differences(
    settings: StatisticsSettings,
    pairs: Sequence[Pair],
    scores: Scores,
    intervals: Mapping[Pair, Interval],
    printed: Printed,
) -> Iterator[Difference]:
    """Yield the pairs of which both have runs; p is adjusted over all of them by Holm's method."""
    tests = {pair: test(settings, pair, scores, "two-sided") for pair in pairs}
    adjusted = holm([result.p if result else math.nan for _, result in tests.values()])
    for (pair, (name, result)), p in zip(tests.items(), adjusted, strict=True):
        if result is None:
            continue
        side = "higher" if result.statistic > 0 else "lower"
        published = printed_difference(printed, pair.cell, pair.reference, pair.quantity)
        yield Difference(
            **pair.names,
            **vars(intervals[pair]),
            test=name,
            p=result.p,
            smallest_possible_p=result.smallest_possible_p,
            adjusted_p=float(p),
            verdict=side if p <= settings.alpha else "undecided",
            published=published,
        )


def _one_seed_parts(
    profile: Profile, settings: StatisticsSettings, scores: Scores, claims: Sequence[Claim]
) -> Iterator[OneSeedPart]:
    """The claims' pairs of checkpoints, where a profile has one seed and thus no more to say."""
    if len(profile.seeds) > 1:
        return
    for claim in claims:
        for pair in claimed(profile, [claim]):
            own, reference = scores.get(pair.cell), scores.get(pair.reference)
            if own is None or reference is None:
                continue
            own.require_people(pair.cell.dataset)
            found = sign_flip(
                own.by_query[pair.quantity][0],
                reference.by_query[pair.quantity][0],
                own.people,
                alternative="greater",
                draws=settings.draws,
                rng=generator(settings, pair),
            )
            yield OneSeedPart(
                id=claim.id,
                **pair.names,
                seed=own.seeds[0],
                reference_seed=reference.seeds[0],
                estimate=found.statistic,
                test="sign flips over people, one-sided",
                p=found.p,
                people=found.people,
                scope=found.scope,
            )
