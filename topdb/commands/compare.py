"""`topdb compare`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen


def compare(
    out: Annotated[Path, typer.Option("--out", help="The comparisons.parquet to write.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Compare every method with the reference method, cell by cell."""
    from topdb.reporting.comparisons import write_comparisons

    write_comparisons(*chosen(params, profile, results), out)
