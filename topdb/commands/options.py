"""What several commands share: their options, and how these name a profile and its folder."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from topdb.params import Params

ParamsFile = Annotated[Path, typer.Option("--params", envvar="TOPDB_PARAMS", help="Parameters.")]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="TOPDB_PROFILE",
        help="A profile of the parameter file; default: its own.",
    ),
]
DatasetName = Annotated[str, typer.Argument(help="A data set of the profile.")]
IndexFile = Annotated[Path, typer.Option("--index", help="The data set's index.parquet.")]
PixelsFile = Annotated[Path, typer.Option("--pixels", help="The data set's decoded images.")]
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="Folder of the runs; default: results/PROFILE.")
]
PublishedFolder = Annotated[
    Path, typer.Option("--published", help="Folder of the paper's numbers and claims.")
]
PARAMS = Path("params.yaml")
PUBLISHED = Path("reports/published")


def imported() -> None:
    """Collect garbage from here on; what was imported is not garbage, now or at exit."""
    gc.freeze()
    gc.enable()


def chosen(params: Path, profile: str | None, results: Path | None) -> tuple["Params", str, Path]:
    """Return the parameters, the name of the wanted profile, and the folder of its runs."""
    from topdb.params import load

    settings = load(params)
    name = profile or settings.profile
    return settings, name, results or Path("results") / name
