"""`topdb track`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen


def track(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The receipt; default: tracked.json there."),
    ] = None,
) -> None:
    """Tell MLflow about every finished run that it does not know yet."""
    from topdb.tracking import track_finished

    settings, name, folder = chosen(params, profile, results)
    typer.echo(track_finished(settings, name, folder, out or folder / "tracked.json"))
