"""`topdb compare`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import (
    PARAMS,
    PUBLISHED,
    ParamsFile,
    ProfileName,
    PublishedFolder,
    ResultsFolder,
    chosen,
)
from topdb.reporting.comparing import compare as compared
from topdb.reporting.comparisons import write_comparisons


def compare(
    out: Annotated[Path, typer.Option("--out", help="The .parquet file to write.")],
    table: Annotated[
        str,
        typer.Option("--table", help="Whose methods: table1, or table2, which has all of them."),
    ] = "table2",
    published: PublishedFolder = PUBLISHED,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Compare cells with the paper and with each other, and judge the paper's claims."""
    write_comparisons(compared(*chosen(params, profile, results), published, table), out)
