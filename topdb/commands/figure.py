"""`topdb figure`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen


def figure(
    name: Annotated[str, typer.Argument(help="figure2, figure3, differences, seeds, cmc, ...")],
    out: Annotated[
        list[Path],
        typer.Option("--out", help="A .png, .svg or .pdf to write; several may be named."),
    ],
    comparisons: Annotated[
        Path | None,
        typer.Option("--comparisons", help="Of `topdb compare`; for differences and shares."),
    ] = None,
    published: Annotated[
        Path, typer.Option("--published", help="Folder of the paper's numbers.")
    ] = Path("reports/published"),
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Draw a figure from the files of finished runs."""
    from topdb.reporting.figures import write_figure

    write_figure(name, *chosen(params, profile, results), comparisons, published, out)
