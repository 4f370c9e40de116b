"""`topdb plan`."""

import json
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
from topdb.config import load
from topdb.planning import plan as planned
from topdb.secrets import check_credential_files


def plan(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    power: Annotated[
        bool,
        typer.Option("--power", help="Print the chance of each verdict, before the runs."),
    ] = False,
    difference: Annotated[
        list[float] | None,
        typer.Option(
            "--difference",
            help="With --power: a true difference to try, in points, beside none and the printed.",
        ),
    ] = None,
    paper: PaperName = None,
    papers: PapersFolder = PAPERS,
    results: ResultsFolder = None,
) -> None:
    """Validate the parameters and print what a profile runs, as JSON, for the workflow."""
    if not power:
        check_credential_files(Path())
        typer.echo(json.dumps(planned(load(params), profile)))
        return
    from topdb.config.papers import chosen_paper, read_papers
    from topdb.evidence.chances import chances  # the workflow's plan need not wait for scipy

    settings, name, folder = chosen(params, profile, results)
    main = chosen_paper(read_papers(settings, papers), paper)
    header, *rows, said = chances(settings, name, folder, main, difference or ())
    for row in (header, (":--",) * 3 + ("--:",) * (len(header) - 3), *rows):
        typer.echo(f"| {' | '.join(row)} |")
    typer.echo(f"\n{said[0]}")
