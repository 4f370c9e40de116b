"""`topdb report`."""

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


def report(
    what: Annotated[str, typer.Argument(help="table1, table2, verdict, metrics or plots.")],
    out: Annotated[
        list[Path],
        typer.Option(
            "--out",
            help="File to write: of a table .md, .csv or .tex, once or more (plots: a folder).",
        ),
    ],
    comparisons: Annotated[
        Path | None,
        typer.Option("--comparisons", help="Of `topdb compare`; for tables and verdict."),
    ] = None,
    published: PublishedFolder = PUBLISHED,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Render a table, the verdicts, the metrics file or the plots' data from finished runs."""
    from topdb.reporting.reports import write_report

    write_report(what, *chosen(params, profile, results), comparisons, published, out)
