"""`topdb cross`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    DeviceName,
    ParamsFile,
    PixelsFile,
    device_named,
)
from topdb.config import load
from topdb.datasets.index import Pixels, read_index
from topdb.errors import UserError
from topdb.runs.crossing import cross_run


def cross(
    run: Annotated[
        list[Path], typer.Argument(help="Folder of a run, trained or imported, once or more.")
    ],
    index: Annotated[Path, typer.Option("--index", help="Another data set's index.parquet.")],
    pixels: PixelsFile,
    out: Annotated[
        list[Path],
        typer.Option("--out", help="Folder to write into, as RUN/on/DATASET; one for each run."),
    ],
    trained_on: Annotated[
        Path | None,
        typer.Option(help="The runs' own index.parquet, none of whose training may be tested."),
    ] = None,
    device: DeviceName = None,
    params: ParamsFile = PARAMS,
) -> None:
    """Extract what finished runs see of another data set than the one they were trained on."""
    wanted = device_named(device)
    if len(out) != len(run):
        raise UserError(
            f"--out is given {len(out)} times for {len(run)} runs: give it once for each."
        )
    read, own = read_index(index), read_index(trained_on) if trained_on else None
    images = Pixels.open(pixels, read)
    folders = load(params).method_folders if params.exists() else ()
    for folder, into in zip(run, out, strict=True):
        done = cross_run(folder, read, images, into, wanted, folders, own)
        typer.echo(f"{done.path}: {done.images} images, {done.images / done.seconds:.1f} a second.")
