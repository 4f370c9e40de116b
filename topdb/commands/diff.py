"""`topdb diff`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.reporting.run_diff import diff_runs


def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="Folder of another run.")],
) -> None:
    """Say what differs between two runs: parameters, data, code, machine, then results."""
    for part in diff_runs(first, second):
        for line in part.lines():
            typer.echo(line)
