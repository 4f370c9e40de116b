"""`topdb page`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import known_word
from topdb.metrics import metrics
from topdb.models import QUANTITIES
from topdb.models import compare as compared
from topdb.reporting.page.own_models import write_models_page
from topdb.runs.models import Scoring

RANKING = ("plain", "rk")


def page(
    model: Annotated[
        Path, typer.Argument(help="A folder that `topdb evaluate` wrote, or a features file.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The .html file; default: index.html in MODEL.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder that paths are relative to; default: names alone.")
    ] = None,
    ranking: Annotated[str, typer.Option(help="plain, or rk.")] = "plain",
    quantity: Annotated[str, typer.Option(help="The metric that chooses the queries.")] = "mAP",
) -> None:
    """Write a page of ranked lists: the queries that a model finds best and worst."""
    known_word("--ranking", ranking, RANKING)
    known_word("--quantity", quantity, metrics())
    wanted = dict.fromkeys([quantity, *QUANTITIES])
    scoring = Scoring(ranking="rk" if ranking == "rk" else "plain")
    found = compared([model], quantities=[*wanted], scoring=scoring)
    target = out or (model if model.is_dir() else model.parent) / "index.html"
    write_models_page(found, target, images)
    typer.echo(f"{found.sentence} {target}")
