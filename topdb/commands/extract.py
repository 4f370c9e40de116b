"""`topdb extract`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import DeviceName, IndexFile, PixelsFile, device_named, imported


def extract(
    run: Annotated[Path, typer.Argument(help="Folder of a run, trained or imported.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; default: features.npz of the run itself."),
    ] = None,
    device: DeviceName = None,
) -> None:
    """Extract the test features of a run's query and gallery images."""
    wanted = device_named(device)
    from topdb.datasets.index import read_index
    from topdb.datasets.pixels import Pixels
    from topdb.training.extraction import extract_run

    imported()
    read = read_index(index)
    done = extract_run(run, read, Pixels.open(pixels, read), out, wanted)
    typer.echo(f"{done.path}: {done.images} images, {done.images / done.seconds:.1f} a second.")
