"""`topdb report`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PAPERS,
    PARAMS,
    PaperName,
    PapersFolder,
    ParamsFile,
    ProfileName,
    ResultsFolder,
    chosen,
)
from topdb.reporting.reports import write_report


def report(
    what: Annotated[
        str,
        typer.Argument(
            help="A table of the paper, as table2, or verdict, metrics, plots, page, cross_domain."
        ),
    ],
    out: Annotated[
        list[Path],
        typer.Option(
            "--out",
            help="File to write: of a table .md, .csv or .tex, once or more; of metrics and "
            "plots a folder.",
        ),
    ],
    comparisons: Annotated[
        list[Path] | None,
        typer.Option(
            "--comparisons",
            help="Of `topdb judge`; for verdict and page of each table.",
        ),
    ] = None,
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Of `topdb examples`; for the page.")
    ] = None,
    figure: Annotated[
        list[Path] | None, typer.Option("--figure", help="An image for the page, once or more.")
    ] = None,
    paper: PaperName = None,
    papers: PapersFolder = PAPERS,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Render a table, the verdicts, the page, metrics or the plots' data from finished runs."""
    settings = chosen(params, profile, results)
    write_report(what, *settings, comparisons or (), out, examples, figure or (), papers, paper)
