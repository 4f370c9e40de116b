"""`topdb bundle`."""

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
from topdb.files import digest
from topdb.reporting.bundles import write_bundle


def bundle(
    out: Annotated[Path, typer.Option("--out", help="The archive to write, a .tar.gz.")],
    published: PublishedFolder = PUBLISHED,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Pack what a verdict rests on into one archive, with digests."""
    settings, name, folder = chosen(params, profile, results)
    finished, planned = write_bundle(
        params,
        settings.selected(name),
        name,
        folder,
        published,
        out,
        settings.method_folders,
    )
    typer.echo(f"{finished} of {planned} runs of profile {name}; sha256 {digest(out)}  {out}")
