"""`topdb recipes`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName
from topdb.config import load
from topdb.files import write_json
from topdb.runs.recipes import recipes as read


def recipes(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: print.")
    ] = None,
) -> None:
    """Check and show the recipe of every method of a profile, as it will be trained."""
    settings = load(params)
    found = read(settings.selected(profile), settings.method_folders)
    if out is None:
        typer.echo(json.dumps(found, indent=2))
    else:
        write_json(out, found)
