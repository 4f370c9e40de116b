"""`topdb verify`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, AllowPartial, ParamsFile, ProfileName, layout_of
from topdb.datasets.reading import Source
from topdb.datasets.reading import verify as verified


def verify(
    name: Annotated[str, typer.Argument(help="A layout, or a data set of the profile.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's folder.")],
    allow_partial: AllowPartial = False,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Compare people, images and cameras of each split with the published counts."""
    found = verified(name, Source(layout_of(name, params, profile), root))
    typer.echo(found.table())
    found.require(allow_partial)
