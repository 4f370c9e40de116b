"""`topdb bundle`."""

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
from topdb.config.papers import read_papers
from topdb.files import digest
from topdb.results.bundle import write_bundle


def bundle(
    out: Annotated[Path, typer.Option("--out", help="The archive to write, a .tar.gz.")],
    papers: PapersFolder = PAPERS,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Pack what a verdict rests on into one archive, with digests."""
    settings, name, folder = chosen(params, profile, results)
    packed = read_papers(settings, papers)
    finished, planned = write_bundle(params, settings, name, folder, packed, out)
    typer.echo(f"{finished} of {planned} runs of profile {name}; sha256 {digest(out)}  {out}")
