"""`topdb plan`."""

import json
from pathlib import Path

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName
from topdb.config import load
from topdb.planning import plan as planned
from topdb.secrets import check_credential_files


def plan(params: ParamsFile = PARAMS, profile: ProfileName = None) -> None:
    """Validate the parameters and print what a profile runs, as JSON, for the workflow."""
    check_credential_files(Path())
    typer.echo(json.dumps(planned(load(params), profile)))
