"""`topdb verify`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, AllowPartial, ParamsFile, ProfileName, layout_of
from topdb.datasets.part_maps import verify_maps
from topdb.datasets.reading import Source, read_source
from topdb.datasets.reading import verify as verified


def verify(
    name: Annotated[str, typer.Argument(help="A layout, or a data set of the profile.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's folder.")],
    parts: Annotated[
        Path | None,
        typer.Option("--parts", help="The folder of the training images' part maps."),
    ] = None,
    allow_partial: AllowPartial = False,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Compare people, images and cameras of each split with the published counts.

    Part maps are compared with their images: their size and their numbers, and who has none.
    """
    source = Source(layout_of(name, params, profile), root)
    found = verified(name, source)
    typer.echo(found.table())
    if parts:
        typer.echo(verify_maps(parts, root, read_source(source).records).told())
    found.require(allow_partial)
