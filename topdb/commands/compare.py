"""`topdb compare`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import known_word
from topdb.config import DoubtSettings, Ranking, RankingSettings, checked
from topdb.errors import UserError
from topdb.metrics import metrics
from topdb.models import QUANTITIES
from topdb.models import compare as compared
from topdb.reporting.own_models import write_compared
from topdb.reporting.page.own_models import write_models_page
from topdb.runs.models import Scoring

RANKINGS: dict[str, Ranking] = {"plain": "plain", "rk": "rk"}


def compare(
    models: Annotated[
        list[Path],
        typer.Argument(help="Features files, or folders of them, one a seed, or of scores."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison.")],
    ranking: Annotated[str, typer.Option(help="plain, or rk.")] = "plain",
    metric: Annotated[str, typer.Option(help="Of features: euclidean or cosine.")] = "euclidean",
    ap_rule: Annotated[str, typer.Option(help="Of features: step or trapezoid.")] = "step",
    cameras: Annotated[str, typer.Option(help="Of features: required or ignore.")] = "required",
    num_query: Annotated[
        int | None, typer.Option(min=1, help="Queries of files with all images in one list.")
    ] = None,
    quantity: Annotated[
        list[str] | None,
        typer.Option(help="A metric; the first decides. Default: mAP, R1 and mINP."),
    ] = None,
    other_rules: Annotated[
        bool, typer.Option("--other-rules", help="Let models be scored by different rules.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option(help="Folder that paths are relative to, for the page.")
    ] = None,
    least_matched: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of queries that must have a match.")
    ] = 0.5,
    allow_same_paths: Annotated[
        bool, typer.Option("--allow-same-paths", help="Let query images be gallery images, too.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Say which of two models, or more, is better, and how sure that is."""
    if len(models) < 2:
        raise UserError(f"topdb compare is given {models[0]} alone: name two models or more.")
    wanted = tuple(quantity or QUANTITIES)
    known = {name: each for name, each in metrics().items() if each.better == "higher"}
    for name in wanted:
        known_word("--quantity", name, known)
    scoring = Scoring(
        ranking=RANKINGS[known_word("--ranking", ranking, RANKINGS)],
        settings=checked(RankingSettings, "compare", metric=metric, ap_rule=ap_rule),
        ignore_cameras=known_word("--cameras", cameras, ("required", "ignore")) == "ignore",
        num_query=num_query,
        allowed=DoubtSettings(least_matched=least_matched, allow_same_paths=allow_same_paths),
        quiet=quiet,
    )
    found = compared(models, quantities=wanted, scoring=scoring, other_rules=other_rules, seed=seed)
    write_compared(found, out)
    write_models_page(found, out / "index.html", images)
    typer.echo(found.sentence)
    for note in found.notes:
        typer.echo(f"  note: {note}")
