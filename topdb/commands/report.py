"""`topdb report`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import PARAMS, ParamsFile, ProfileName, ResultsFolder, chosen


def report(
    what: Annotated[str, typer.Argument(help="table1, table2, metrics or plots.")],
    out: Annotated[Path, typer.Option("--out", help="File to write (a folder for plots).")],
    comparisons: Annotated[
        Path | None, typer.Option("--comparisons", help="Of `topdb compare`; for the tables.")
    ] = None,
    published: Annotated[
        Path, typer.Option("--published", help="Folder of the paper's numbers.")
    ] = Path("reports/published"),
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Render a table, the metrics file or the plots' data from finished runs."""
    from topdb.reporting.reports import write_report

    write_report(what, *chosen(params, profile, results), comparisons, published, out)
