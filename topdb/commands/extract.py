"""`topdb extract`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    DeviceName,
    IndexFile,
    ParamsFile,
    PixelsFile,
    device_named,
)
from topdb.config import load
from topdb.datasets.index import Pixels, read_index
from topdb.runs.extraction import extract_run


def extract(
    run: Annotated[Path, typer.Argument(help="Folder of a run, trained or imported.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; default: features.npz of the run itself."),
    ] = None,
    device: DeviceName = None,
    params: ParamsFile = PARAMS,
) -> None:
    """Extract the test features of a run's query and gallery images."""
    wanted = device_named(device)

    read = read_index(index)
    # Without a parameter file there are no folders of methods of one's own.
    folders = load(params).method_folders if params.exists() else ()
    done = extract_run(run, read, Pixels.open(pixels, read), out, wanted, folders)
    typer.echo(f"{done.path}: {done.images} images, {done.images / done.seconds:.1f} a second.")
