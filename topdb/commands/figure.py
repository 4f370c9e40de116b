"""`topdb figure`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    PUBLISHED,
    ParamsFile,
    ProfileName,
    PublishedFolder,
    ResultsFolder,
    chosen,
)
from topdb.reporting.figures import write_figure


def figure(
    name: Annotated[
        str,
        typer.Argument(
            help="figure2, figure3, differences, published, variance, seeds, cmc or training."
        ),
    ],
    out: Annotated[
        list[Path],
        typer.Option("--out", help="A .png, .svg or .pdf to write; several may be named."),
    ],
    comparisons: Annotated[
        Path | None,
        typer.Option(
            "--comparisons",
            help="Of `topdb compare`, of table2; for differences, published, variance.",
        ),
    ] = None,
    published: PublishedFolder = PUBLISHED,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Draw a figure from the files of finished runs."""
    write_figure(name, *chosen(params, profile, results), comparisons, published, out)
