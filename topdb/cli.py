"""The command line: what a user's mistake looks like, and where commands come from."""

import gc
import getpass
import os
import sys
from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

import topdb
from topdb.commands import commands
from topdb.errors import StoppedError, UserError

EXTRAS = {
    "torch": "train",
    "torchvision": "train",
    "tqdm": "train",
    "numba": "rerank",
    "matplotlib": "figures",
    "mlflow": "workflow",
}
"""Packages that some commands need, and the extra of topdb that brings each."""
NO_HOME = "/nonexistent"
"""What systems call the home of users who have none."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"topdb {topdb.__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Does Top DropBlock reproduce? Train, rank, compare and report person re-identification."""


def app_with(wanted: Container[str]) -> typer.Typer:
    """Return the command line; commands that are not wanted are just listed."""
    app = typer.Typer(
        name="topdb",
        callback=_main,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for name, function in commands(wanted).items():
        app.command(name)(function)
    return app


def _provide_home() -> None:
    """Name a home and a user where the system knows none, as under a bare number in a container.

    Libraries ask for both, and do without a home that is not there.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    _provide_home()
    gc.disable()  # looking for garbage while torch is imported takes a third of that time
    try:
        app = app_with(sys.argv[1:])
        gc.freeze()  # what was imported is not garbage, now or at exit
        gc.enable()
        app()
    except UserError as error:
        print(f"topdb: {_printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in EXTRAS:
            raise
        print(
            f"topdb: this command needs {package}, which is not installed: pip install "
            f"'topdb[{EXTRAS[package]}]'.",
            file=sys.stderr,
        )
        sys.exit(2)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        reason = f"{named}{error.strerror or error}"
        advice = "mend it and run the same command again."
        print(f"topdb: {_printable(reason)}; {advice}", file=sys.stderr)
        sys.exit(2)
    except StoppedError as stopped:
        print(f"topdb: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.signal)
    except KeyboardInterrupt:
        print("topdb: stopped; finished files are kept.", file=sys.stderr)
        sys.exit(130)


def _printable(text: str) -> str:
    """Keep what a file's name may hold from being a terminal's commands."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


if __name__ == "__main__":
    main()
