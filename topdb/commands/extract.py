"""`topdb extract`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topdb.commands.options import IndexFile, PixelsFile, imported
from topdb.errors import UserError

if TYPE_CHECKING:
    from typing import Literal


def extract(
    run: Annotated[Path, typer.Argument(help="Folder of a run, trained or imported.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; default: features.npz of the run itself."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu or cuda; default: the run's own.")
    ] = None,
) -> None:
    """Extract the test features of a run's query and gallery images."""
    from topdb.datasets.index import read_index
    from topdb.datasets.pixels import Pixels
    from topdb.training.extraction import extract_run

    wanted: dict[str, Literal["cpu", "cuda"]] = {"cpu": "cpu", "cuda": "cuda"}
    if device is not None and device not in wanted:
        raise UserError(f"--device is '{device}': name cpu or cuda.")
    imported()
    read = read_index(index)
    opened = Pixels.open(pixels, read)
    done = extract_run(run, read, opened, out, wanted[device] if device else None)
    typer.echo(f"{done.path}: {done.images} images, {done.images / done.seconds:.1f} a second.")
