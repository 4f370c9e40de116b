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
from topdb.runs.pretraining import take_kept


def pretrain(
    backbone: Annotated[str, typer.Argument(help="Which backbone, by its name.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone.safetensors.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Train it, also where the profile keeps one.")
    ] = False,
) -> None:
    """Take the backbone that a profile keeps for its runs to start from, or train it."""
    known = dropped_in("methods/backbones")
    if backbone not in known:
        raise UserError(
            f"there is no backbone '{backbone}'{nearest(backbone, known)}: name one of "
            f"{', '.join(known)}."
        )
    settings = load(params).selected(profile)
    settings.require_pretraining()
    read = read_index(index)
    if not anew:
        lacking = take_kept(read, settings, backbone, out)
        if lacking is None:
            return
        typer.echo(f"{lacking} It is trained.")
    prepare(settings.hardware.device, settings.hardware.threads)
    train_backbone(read, Pixels.open(pixels, read), settings, backbone, out)
