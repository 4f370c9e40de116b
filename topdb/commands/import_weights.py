"""`topdb import-weights`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, DeviceName, ParamsFile, device_named
from topdb.config import load
from topdb.datasets.index import Pixels, read_index
from topdb.errors import UserError
from topdb.runs.importing import import_run


def import_weights(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint that the authors' code saved (.pth.tar).")
    ],
    method: Annotated[str, typer.Option("--method", help="Which method it is of.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run's files.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="What it was trained on; default: told by its number of people."
        ),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="The data set's index.parquet, to check with.")
    ] = None,
    pixels: Annotated[
        Path | None,
        typer.Option("--pixels", help="The data set's decoded images, to extract features of."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Number under which the run goes.")] = 0,
    device: DeviceName = None,
    params: ParamsFile = PARAMS,
    profile: Annotated[
        str,
        typer.Option("--profile", envvar="TOPDB_PROFILE", help="Whose network it is."),
    ] = "paper",
) -> None:
    """Make a run of the authors' released weights: checked entry by entry, no code is run."""
    wanted = device_named(device)
    parameters = load(params)
    settings = parameters.selected(profile)
    settings.require_method(method)
    if pixels and not index:
        raise UserError("--pixels needs --index: the index.parquet that was written with them.")

    read = read_index(index) if index else None
    opened = Pixels.open(pixels, read) if pixels and read else None
    record = import_run(
        profile,
        settings,
        dataset,
        method,
        seed,
        checkpoint,
        read,
        opened,
        out,
        wanted,
        parameters.method_folders,
    )
    epoch = record["checkpoint"]["epoch"]
    told = f"{method} for {record['dataset'] or 'a data set untold'}, {record['identities']} people"
    told += f" after epoch {epoch}" if epoch else ""
    told += f", is in {out}"
    typer.echo(told + ("." if opened else ": `topdb extract` makes its features."))
