"""`topdb judge`."""

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
from topdb.config.papers import chosen_paper, read_papers
from topdb.evidence.comparing import compare
from topdb.results.comparisons import write_comparisons


def judge(
    out: Annotated[Path, typer.Option("--out", help="The .parquet file to write.")],
    table: Annotated[
        str | None,
        typer.Option("--table", help="A table of the paper, whose methods; default: its last."),
    ] = None,
    paper: PaperName = None,
    papers: PapersFolder = PAPERS,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    planned_seed: Annotated[
        list[int] | None,
        typer.Option(
            "--planned-seed",
            help="A seed that the grid was first planned with; default: of RESULTS/planned.json.",
        ),
    ] = None,
) -> None:
    """Compare cells with the paper and with each other, and judge the paper's claims."""
    settings, name, folder = chosen(params, profile, results)
    known = read_papers(settings, papers)
    wanted = chosen_paper(known, paper)
    last = table or list(wanted.tables)[-1]
    found = compare(settings, name, folder, known, wanted, last, planned_seed or None)
    write_comparisons(found, out)
