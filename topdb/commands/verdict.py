"""`topdb verdict`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PAPERS,
    PARAMS,
    PapersFolder,
    ParamsFile,
    ProfileName,
    chosen,
)
from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.evidence.answer import answer
from topdb.reporting.figures import undrawable_names
from topdb.reporting.recomputing import recompute
from topdb.results.bundle import Bundle, checked_bundle, is_bundle, opened


def verdict(
    source: Annotated[
        Path | None,
        typer.Argument(help="Folder of the runs, or a bundle; default: results/PROFILE."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("verdict"),
    papers: PapersFolder = PAPERS,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Judge stored runs again: every table and verdict, without a network, a GPU or images.

    A bundle is judged by its own parameters and papers, once its digests match.
    """

    def of_bundle(bundle: Bundle) -> str:
        if profile not in (None, bundle.profile):
            raise UserError(
                f"{source} is of profile {bundle.profile}, not of {profile}: leave out --profile."
            )
        settings, printed = bundle.read()
        return answer(recompute(settings, bundle.profile, bundle.results, printed, out))

    if source is not None and source.is_file():
        with opened(source) as bundle:
            found = of_bundle(bundle)
    elif source is not None and is_bundle(source):
        found = of_bundle(checked_bundle(source, source))
    else:
        settings, name, folder = chosen(params, profile, None)
        found = answer(
            recompute(settings, name, source or folder, read_papers(settings, papers), out)
        )
    typer.echo(f"{found}\nTables and verdicts: {out}")
    if left_out := undrawable_names():
        typer.echo(
            f"  note: {' and '.join(left_out)} are not drawn, since matplotlib is not installed: "
            "pip install 'topdb[figures]'."
        )
