"""`topdb verify`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, AllowPartial, ParamsFile, ProfileName, layout_of
from topdb.config import load
from topdb.datasets.index import read_index
from topdb.datasets.part_maps import verify_maps
from topdb.datasets.reading import Source, read_source
from topdb.datasets.reading import verify as verified
from topdb.datasets.since import changes, digests
from topdb.errors import UserError


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
        read = read_source(source)
        typer.echo(verify_maps(parts, read.files, read.records).told())
    _compare_with_index(name, source, params, profile)
    found.require(allow_partial)


def _compare_with_index(name: str, source: Source, params: Path, profile: str | None) -> None:
    """Compare each image with the index that the profile made of this folder, if it made one.

    Raises
    ------
    UserError
        An image is another one than it was, is gone or new.
    """
    try:
        settings = load(params)
        known = settings.selected(profile).all_datasets()[name]
    except (UserError, OSError, KeyError):  # none, broken, or of other data sets
        known = None
    path = Path()
    if known and known.root.resolve() == source.root.resolve():
        path = Path("results", profile or settings.profile, name, "index.parquet")
    if not known or not path.is_file():
        typer.echo("content: not compared, since the profile has no index of this folder")
        return
    whole = replace(source, distractors=known.distractors, split=known.split)
    told = changes(read_index(path), digests(read_source(whole)))
    if told:
        raise UserError(
            f"{source.root} is not what {path} was made of: {told}: restore the images, or run "
            "`topdb index` again."
        )
    typer.echo(f"content: each image is the one that {path} was made of")
