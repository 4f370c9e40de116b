"""`topdb reference`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen
from topdb.evidence.drift import write_reference


def reference(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: check.reference.")
    ] = None,
) -> None:
    """Summarise a profile's finished runs as the reference that `topdb check` compares with."""
    settings, name, folder = chosen(params, profile, results)
    write_reference(settings, name, folder, out or settings.check.reference)
