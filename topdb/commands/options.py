"""What several commands share: their options, and how these name a profile and its folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from topdb.config import Params, dropped_in, load, nearest
from topdb.config.paper import PAPERS as PAPERS
from topdb.errors import UserError

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
AllowPartial = Annotated[
    bool, typer.Option("--allow-partial", help="Let a subset of the published data set pass.")
]
PapersFolder = Annotated[Path, typer.Option("--papers", help="Folder of the papers' folders.")]
PaperName = Annotated[
    str | None, typer.Option("--paper", help="A paper of the parameter file; default: its first.")
]
DeviceName = Annotated[
    str | None, typer.Option("--device", help="cpu or cuda; default: as the parameters have it.")
]
PARAMS = Path("params.yaml")


def chosen(params: Path, profile: str | None, results: Path | None) -> tuple[Params, str, Path]:
    """Return the parameters, the name of the wanted profile, and the folder of its runs.

    Raises
    ------
    UserError
        The parameters are wrong, or a folder was named that does not exist.
    """
    if results is not None and not results.is_dir():
        raise UserError(f"{results} does not exist: name the folder of the runs with --results.")

    settings = load(params)
    name = profile or settings.profile
    return settings, name, results or Path("results") / name


def layout_of(name: str, params: Path, profile: str | None) -> str:
    """Return the layout of that name, or the layout of the profile's data set of that name."""
    layouts = dropped_in("datasets/layouts")
    if name in layouts:
        return name
    datasets = load(params).selected(profile).all_datasets() if params.exists() else {}
    if name in datasets:
        return datasets[name].layout
    known = sorted({*layouts, *datasets})
    raise UserError(
        f"there is no data set or layout '{name}'{nearest(name, known)}: name one of "
        f"{', '.join(known)}."
    )


def known_word(option: str, word: str, known: Iterable[str]) -> str:
    """Return a word that an option knows; another one is a user's mistake."""
    words = [*known]
    if word not in words:
        last = f" or {words[-1]}" if len(words) > 1 else words[0]
        listed = f"{', '.join(words[:-1])}{last}"
        raise UserError(f"{option} is '{word}'{nearest(word, words)}: name {listed}.")
    return word


def device_named(name: str | None) -> Literal["cpu", "cuda"] | None:
    """Return the device that `--device` names, if any; another name is a user's mistake."""
    known: dict[str | None, Literal["cpu", "cuda"] | None] = {
        None: None,
        "cpu": "cpu",
        "cuda": "cuda",
    }
    if name not in known:
        raise UserError(f"--device is '{name}': name cpu or cuda.")
    return known[name]
