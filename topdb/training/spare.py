"""A whole run a second time, until it is evaluated.

Snakemake deletes what a job has written unless it saw the job end. One that is killed while its
jobs go on would train anew what they have finished meanwhile, from the first step. So the files of
a training that was long enough for checkpoints take these checkpoints' place: weights and features
by a second name of the same bytes, which takes no room, and the small rest as copies. Whoever
evaluates the run has seen its job end.
"""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from topdb.files import replacing
from topdb.training.run_files import CHECKPOINTS, RunFiles

SPARE = "-whole"
"""How the folder's name ends, after the identity's."""
_OURS = re.compile(rf"[0-9a-f]+{SPARE}")


def keep(files: RunFiles, spare: Path) -> None:
    """Put a whole run there too; nothing, where the file system has no second names."""
    try:
        spare.mkdir(parents=True, exist_ok=True)
        _put(files, RunFiles(spare))
    except OSError:
        shutil.rmtree(spare, ignore_errors=True)


def give_back(spare: Path, files: RunFiles) -> None:
    """Put the files of a spare run, which is whole, where they belong; they count as new."""
    _put(RunFiles(spare), files)
    for path in (files.weights, files.history, files.features, files.snapshots, files.record):
        if path.is_file():
            os.utime(path)


def forget(folder: Path) -> None:
    """Remove the spare of the run in a folder, if there is one."""
    below = folder / CHECKPOINTS
    for spare in below.glob(f"*{SPARE}"):
        if _OURS.fullmatch(spare.name) and RunFiles(spare).record.is_file():
            shutil.rmtree(spare, ignore_errors=True)
            with suppress(OSError):  # other things are there, or another process was faster
                below.rmdir()


def _put(source: RunFiles, target: RunFiles) -> None:
    """The record comes last: where it is, the run is whole."""
    for path in (source.weights, source.features):
        with replacing(target.folder / path.name) as partial:
            os.link(path, partial)
    for path in (source.history, source.snapshots, source.record):
        if path.is_file():
            with replacing(target.folder / path.name) as partial:
                shutil.copyfile(path, partial)
