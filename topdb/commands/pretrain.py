"""`topdb pretrain`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, IndexFile, ParamsFile, PixelsFile, ProfileName
from topdb.config import dropped_in, load, nearest
from topdb.datasets.index import Pixels, read_index
from topdb.errors import UserError
from topdb.runs.environment import prepare
from topdb.runs.pretraining import pretrain as train_backbone


def pretrain(
    backbone: Annotated[str, typer.Argument(help="Which backbone, by its name.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone.safetensors.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train a backbone that runs of a profile start from."""
    known = dropped_in("methods/backbones")
    if backbone not in known:
        raise UserError(
            f"there is no backbone '{backbone}'{nearest(backbone, known)}: name one of "
            f"{', '.join(known)}."
        )
    settings = load(params).selected(profile)
    settings.require_pretraining()
    read = read_index(index)
    prepare(settings.hardware.device, settings.hardware.threads)
    train_backbone(read, Pixels.open(pixels, read), settings, backbone, out)
