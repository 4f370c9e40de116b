"""`topdb train`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    DatasetName,
    IndexFile,
    ParamsFile,
    PixelsFile,
    ProfileName,
)
from topdb.config import load
from topdb.errors import UserError
from topdb.results.planned import record_planned
from topdb.runs.train import train_runs


def train(
    dataset: DatasetName,
    method: Annotated[str, typer.Argument(help="A method of the profile.")],
    seed: Annotated[
        list[int], typer.Argument(min=0, help="Decides every random choice; one or more.")
    ],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[
        list[Path], typer.Option("--out", help="Folder of a run's files; one for each seed.")
    ],
    backbone: Annotated[
        Path | None, typer.Option("--backbone", help="The pretrained backbone's weights.")
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option("--log", help="File for what a run says; one for each seed, or none."),
    ] = None,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train one method on one data set, a run a seed, and extract the test features of each."""
    for option, given in (("--out", out), ("--log", log or out)):
        if len(given) != len(seed):
            raise UserError(
                f"{option} is given {len(given)} times for {len(seed)} seeds: give each seed one."
            )
    settings = load(params)
    chosen = settings.selected(profile)
    chosen.dataset(dataset)
    chosen.require_method(method)
    chosen.require_backbone(backbone)
    for number, folder in zip(seed, out, strict=True):
        if folder.parts[-3:] == (dataset, method, f"seed-{number}"):  # where the grid's runs lie
            record_planned(folder.parents[2], chosen.seeds)

    train_runs(
        settings,
        profile or settings.profile,
        dataset,
        method,
        seed,
        index,
        pixels,
        backbone,
        out,
        log or (),
    )
