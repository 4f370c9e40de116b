"""`topdb check`."""

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen
from topdb.evidence.drift import check_against_reference


def check(
    params: ParamsFile = PARAMS, profile: ProfileName = None, results: ResultsFolder = None
) -> None:
    """Exit with 1 where a cell, a method or everything drifted from the reference, naming which."""
    drifted, lines = check_against_reference(*chosen(params, profile, results))
    typer.echo("\n".join(lines))
    if drifted:
        raise typer.Exit(1)
