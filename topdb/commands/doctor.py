"""`topdb doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, chosen
from topdb.runs.doctor import look_over


def doctor(
    results: Annotated[
        Path | None, typer.Argument(help="Folder of the runs; default: results/PROFILE.")
    ] = None,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Look a results folder over: exit with 1, a line each, where anything is wrong in it."""
    folder = results if results is not None else chosen(params, profile, None)[2]
    found, runs = look_over(folder)
    for sentence in found:
        typer.echo(sentence)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{folder}: nothing is wrong with {runs} runs.")
