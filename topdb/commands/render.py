"""`topdb render`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, DatasetName, ParamsFile, ProfileName
from topdb.config import load
from topdb.datasets.records import MARKER
from topdb.drawn.rendering import render as draw
from topdb.errors import UserError
from topdb.files import replacing


def render(
    dataset: DatasetName,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A copy of what the data set's rendered.json says.")
    ] = None,
) -> None:
    """Draw a data set of pedestrians in its published folder layout."""
    settings = load(params).selected(profile).dataset(dataset)
    if settings.render is None:
        raise UserError(f"data set {dataset} is a real one: put its images into {settings.root}.")
    counts = draw(settings.render, settings.layout, settings.root, settings.parts)
    marker = settings.root / MARKER
    if out is not None and out.resolve() != marker.resolve():
        with replacing(out) as partial:
            partial.write_bytes(marker.read_bytes())
    typer.echo(f"{settings.root}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))
