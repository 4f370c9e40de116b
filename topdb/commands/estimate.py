"""`topdb estimate`."""

from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    DeviceName,
    ParamsFile,
    ProfileName,
    ResultsFolder,
    chosen,
    device_named,
)
from topdb.runs.environment import device_name, has_gpu, prepare
from topdb.runs.estimate import estimate as measure
from topdb.runs.estimate import lines


def estimate(
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Timed steps of each method; default: 1 on a CPU, 10 on a GPU."
        ),
    ] = None,
    device: DeviceName = None,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Time a few steps of each method here, and say what the whole grid will take."""
    settings, name, folder = chosen(params, profile, results)
    wanted = settings.selected(name)
    named = device_named(device)

    here = named or ("cuda" if wanted.hardware.device == "cuda" and has_gpu() else "cpu")
    threads = wanted.hardware.threads
    prepare(here, threads)
    if here != wanted.hardware.device:
        typer.echo(
            f"The profile trains on {wanted.hardware.device}; these are the seconds of {here}.\n"
        )
    found = measure(wanted, here, steps, folder, settings.method_folders)
    machine = device_name(here)
    where = machine if here == "cuda" else f"{machine}, {threads} thread(s)"
    for line in lines(found, wanted, name, where, here):
        typer.echo(line)
