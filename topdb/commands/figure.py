"""`topdb figure`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PAPERS,
    PARAMS,
    PapersFolder,
    ParamsFile,
    ProfileName,
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
        list[Path] | None,
        typer.Option(
            "--comparisons",
            help="Of `topdb judge`, once or more; for differences, published, variance.",
        ),
    ] = None,
    papers: PapersFolder = PAPERS,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Draw a figure from the files of finished runs."""
    write_figure(name, *chosen(params, profile, results), comparisons or (), out, papers)
