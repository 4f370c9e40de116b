"""`topdb train`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    DatasetName,
    IndexFile,
    ParamsFile,
    PixelsFile,
    ProfileName,
    imported,
)


def train(
    dataset: DatasetName,
    method: Annotated[str, typer.Argument(help="A method of the profile.")],
    seed: Annotated[int, typer.Argument(min=0, help="Decides every random choice.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run's files.")],
    backbone: Annotated[
        Path | None, typer.Option("--backbone", help="The pretrained backbone's weights.")
    ] = None,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train one method on one data set with one seed, and extract its test features."""
    from topdb.params import load

    settings = load(params)
    chosen = settings.selected(profile)
    chosen.dataset(dataset)
    chosen.require_method(method)
    chosen.require_backbone(backbone)
    from topdb.training.command import train_and_track

    imported()
    train_and_track(
        settings, profile or settings.profile, dataset, method, seed, index, pixels, backbone, out
    )
