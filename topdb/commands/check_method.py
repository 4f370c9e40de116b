"""`topdb check-method`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.config import method_files
from topdb.errors import UserError
from topdb.methods import find
from topdb.runs.conformance import check, sides
from topdb.runs.environment import prepare


def check_method(
    file: Annotated[Path, typer.Argument(help="The file of a method, such as my_method.py.")],
) -> None:
    """Hold a method's file to the contract: losses, groups, batches, bits, resuming."""
    if not file.is_file():
        raise UserError(f"{file} does not exist: name the file of a method.")

    prepare("cpu", 1)
    name = file.stem.replace("_", "-")
    method = find(name, [file.parent])
    if not method_files([file.parent])[name].samefile(file):
        raise UserError(f"{file}: topdb has a method '{name}' of its own: rename the file.")
    for subject in sides(method, name, file):
        for kept in check(subject):
            typer.echo(f"{name}, {subject.side}: {kept}")
    typer.echo(f"{name} keeps the contract.")
