"""Files by which a tool is controlled from wherever they lie: none belongs into a data set.

A `.git` may name a program that the next `git status` runs, a `.dvcignore` hides images from DVC,
and `.envrc`, `.hg` or `.vscode` have readers of their own. So everything hidden is one, and so are
the files that DVC looks for in all folders, and a folder that git takes for a bare repository. What
acts only where somebody calls its tool on purpose, as a Makefile, is none.
"""

import os
from pathlib import Path

from topdb.errors import UserError
from topdb.litter import is_litter

_OF_DVC = ("dvc.yaml", "dvc.lock")
_OF_BARE_GIT = {"head", "objects", "refs"}


def is_control(name: str) -> bool:
    """Whether a file or folder of that name controls a tool."""
    # Some file systems pass over what is not printed, and over the case.
    plain = "".join(filter(str.isprintable, name)).strip().lower()
    hidden = plain.startswith(".") and not plain.endswith(".partial")  # `topdb` itself left it
    return hidden or plain in _OF_DVC or plain.endswith(".dvc")


def require_no_control(folder: Path, given: Path) -> None:
    """Raise a UserError that names the first control file below a folder, if there is one.

    `given` is what the folder was copied or unpacked from.
    """
    for place, folders, files in os.walk(folder):
        within = Path(place).relative_to(folder)
        folders[:] = [name for name in folders if not is_litter(name)]
        for name in sorted([*folders, *files]):
            if is_control(name) and not is_litter(name):
                raise control_error(given, (within / name).as_posix())
        if {name.lower() for name in [*folders, *files]} >= _OF_BARE_GIT:
            raise control_error(given, (within / "HEAD").as_posix())


def control_error(given: Path, name: str) -> UserError:
    """Return the error of a control file in what was given."""
    return UserError(
        f"{given} holds {name!r}, by which a tool such as git or DVC is controlled, where only "
        "images and lists belong: remove it, and add the rest."
    )
