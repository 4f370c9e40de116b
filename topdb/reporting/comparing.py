"""From the runs' scores to their comparisons: with the paper, with each other, and its claims."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topdb.config import Params, Profile, StatisticsSettings
from topdb.errors import UserError
from topdb.reporting.cell_verdicts import judge_cells
from topdb.reporting.claim_verdicts import claimed, judge_claims, parts_of_claims
from topdb.reporting.claims import Claim, families, read_claims
from topdb.reporting.comparisons import Checkpoints, Comparisons, Difference
from topdb.reporting.pairs import (
    Interval,
    Pair,
    generator,
    interval,
    seeds_needed,
    test,
    to_reference,
)
from topdb.reporting.published import Published, published_difference, read_paper
from topdb.reporting.scores import Scores, read_scores
from topdb.results.runs import TABLES, WHOLE, of_table, read_rows
from topdb.statistics import holm, sign_flip


def compare(
    params: Params, profile_name: str, results: Path, published: Path, table: str = WHOLE
) -> Comparisons:
    """Compare every cell of a table whose runs are there, and judge the claims about its methods.

    `published` is the folder of `table1.csv`, `table2.csv`, `rows.csv` and `claims.csv`. Where any
    data set is rendered, the paper's numbers are not looked at. A claim about a method that the
    profile runs for another table is left to that one, and keeps its place in its family here.

    Raises
    ------
    UserError
        There is no such table, the reference method is not in the profile, a family names an
        unknown claim, all queries of a data set are of one person, or a file is broken.
    """
    if table not in TABLES:
        raise UserError(f"there is no table '{table}': name {' or '.join(TABLES)}.")
    whole = params.selected(profile_name)
    settings = params.statistics_of(profile_name)
    alone = len(whole.methods) == 1  # a single method is compared with nothing
    if settings.reference_method not in whole.methods and not alone:
        raise UserError(
            f"statistics.reference_method is {settings.reference_method}, which profile "
            f"{profile_name} does not run: name one of {', '.join(whole.methods)}."
        )
    profile = of_table(whole, table, read_rows(published, params.method_folders))
    elsewhere = {*whole.methods} - {*profile.methods}
    stated = read_claims(published / "claims.csv", params.method_folders)
    family = families(settings, stated)
    claims = [claim for claim in stated if not elsewhere & {*claim.methods}]
    paper: Published = {} if profile.rendered else read_paper(published, params.method_folders)
    scores = read_scores(profile, results)
    compared = [pair for each in profile.rankings for pair in to_reference(profile, settings, each)]
    wanted = [*compared, *claimed(profile, claims)]
    intervals = {pair: interval(settings, pair, scores) for pair in dict.fromkeys(wanted)}
    parts = parts_of_claims(profile, settings, scores, intervals, paper, claims, family)
    return Comparisons(
        profile=profile_name,
        rendered=profile.rendered,
        table=table,
        cells=tuple(judge_cells(profile, settings, scores, paper)),
        differences=tuple(_differences(profile, settings, scores, intervals, paper)),
        claims=tuple(judge_claims(profile, settings, claims, family, parts)),
        claim_parts=tuple(parts),
        checkpoints=tuple(_checkpoints(profile, settings, scores, claims)),
    )


def _differences(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    intervals: Mapping[Pair, Interval],
    paper: Published,
) -> Iterator[Difference]:
    """Every method minus the reference method, ranking by ranking, where both have runs."""
    for ranking in profile.rankings:
        pairs = to_reference(profile, settings, ranking)
        tests = {pair: test(settings, pair, scores, "two-sided") for pair in pairs}
        adjusted = holm([result.p if result else math.nan for _, result in tests.values()])
        for (pair, (name, result)), p in zip(tests.items(), adjusted, strict=True):
            if result is None:
                continue
            side = "higher" if result.statistic > 0 else "lower"
            published = published_difference(paper, pair.cell, pair.reference, pair.quantity)
            yield Difference(
                dataset=pair.cell.dataset,
                method=pair.cell.method,
                ranking=ranking,
                reference=pair.reference.method,
                reference_ranking=ranking,
                quantity=pair.quantity,
                **vars(intervals[pair]),
                test=name,
                p=result.p,
                smallest_possible_p=result.smallest_possible_p,
                adjusted_p=float(p),
                verdict=side if p <= settings.alpha else "open",
                published=published,
                seeds_to_see=seeds_needed(settings, pair, scores, published, "two-sided", 1),
            )


def _checkpoints(
    profile: Profile, settings: StatisticsSettings, scores: Scores, claims: Sequence[Claim]
) -> Iterator[Checkpoints]:
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
            yield Checkpoints(
                id=claim.id,
                dataset=pair.cell.dataset,
                method=pair.cell.method,
                ranking=pair.cell.ranking,
                seed=own.seeds[0],
                reference=pair.reference.method,
                reference_ranking=pair.reference.ranking,
                reference_seed=reference.seeds[0],
                quantity=pair.quantity,
                estimate=found.statistic,
                test="sign flips over people, one-sided",
                p=found.p,
                people=found.people,
                scope=found.scope,
            )
