"""`topdb add`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, AllowPartial, ParamsFile, ProfileName, layout_of
from topdb.datasets.adding import add as added


def add(
    name: Annotated[str, typer.Argument(help="A layout, or a data set of the profile.")],
    path: Annotated[Path, typer.Argument(help="Its folder, or a zip or tar archive.")],
    allow_partial: AllowPartial = False,
    data: Annotated[Path, typer.Option("--data", help="Folder of the data sets.")] = Path("data"),
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Unpack or copy a data set, verify it, and put it under DVC as data/NAME."""
    layout = layout_of(name, params, profile)
    record = added(name, layout, path, data, lambda found: typer.echo(found.table()), allow_partial)
    typer.echo(f"{data / name} is under DVC: commit {record}; `dvc push` shares the images.")
