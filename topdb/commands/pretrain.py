"""`topdb pretrain`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, IndexFile, ParamsFile, PixelsFile, ProfileName, imported
from topdb.errors import UserError


def pretrain(
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone.safetensors.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train the backbone that every run of a profile starts from."""
    from topdb.datasets.index import read_index
    from topdb.datasets.pixels import Pixels
    from topdb.params import PretrainingSettings, load
    from topdb.training.environment import prepare
    from topdb.training.pretraining import pretrain as train_backbone

    imported()
    settings = load(params).selected(profile)
    if not isinstance(settings.start, PretrainingSettings):
        raise UserError("this profile does not pretrain: its start in params.yaml is another.")
    read = read_index(index)
    prepare(settings.training.device, settings.training.threads)
    train_backbone(
        read, Pixels.open(pixels, read), settings.network, settings.start, settings.training, out
    )
