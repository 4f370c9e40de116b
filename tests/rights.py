"""Commands of a user whom permissions bind, and who may have no name and no home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

_OVERRIDES = "-dac_override,-dac_read_search"


def python(
    folder: Path, code: str, *arguments: str, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a folder, without root's right to write where nobody may.

    `variables` are set, or unset where they are None.
    """
    bound = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("permissions do not bind root here")
        bound = ["setpriv", f"--bounding-set={_OVERRIDES}", f"--inh-caps={_OVERRIDES}"]
    given = {**os.environ, "PYTHONPATH": str(tiny.ROOT), **variables}
    return subprocess.run(
        [*bound, sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={name: value for name, value in given.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def topdb(
    folder: Path, *arguments: str, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """The same for the command line."""
    return python(folder, "from topdb.cli import main; main()", *arguments, **variables)
