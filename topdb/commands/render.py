"""`topdb render`."""

import typer

from topdb.commands.options import PARAMS, DatasetName, ParamsFile, ProfileName
from topdb.errors import UserError


def render(dataset: DatasetName, params: ParamsFile = PARAMS, profile: ProfileName = None) -> None:
    """Draw a data set of pedestrians in its published folder layout."""
    from topdb.datasets.render.rendering import render as draw
    from topdb.params import load

    settings = load(params).selected(profile).dataset(dataset)
    if settings.render is None:
        raise UserError(f"data set {dataset} is a real one: put its images into {settings.root}.")
    counts = draw(settings.render, settings.layout, settings.root)
    typer.echo(f"{settings.root}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))
