"""`topdb track`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen
from topdb.errors import UserError
from topdb.secrets import check_credential_files
from topdb.tracking.follow import follow as follow_trainings
from topdb.tracking.track import track_finished


def track(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The receipt; default: tracked.json there."),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option("--reports", help="Folder of this profile's reports, to be kept with them."),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Tell of trainings that run, until standard input ends."),
    ] = False,
) -> None:
    """Tell MLflow about every finished run that it does not know yet."""
    if find_spec("mlflow") is None:  # a store that is out of reach is another thing
        raise ModuleNotFoundError("no module named mlflow", name="mlflow")
    settings, name, folder = chosen(params, profile, results)
    check_credential_files(Path())
    if follow:
        if out or reports:
            raise UserError("--follow goes without --out and --reports: leave them away.")
        follow_trainings(settings, name, folder)
        return
    receipt = out or folder / "tracked.json"
    typer.echo(track_finished(settings, name, folder, receipt, [params], reports))
