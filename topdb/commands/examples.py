"""`topdb examples`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen
from topdb.examples import write_examples


def examples(
    out: Annotated[Path, typer.Option("--out", help="The examples.parquet to write.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Keep the ranked lists of the best, worst and most changed queries as small images."""
    write_examples(*chosen(params, profile, results), out)
