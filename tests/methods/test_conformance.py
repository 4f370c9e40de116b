"""What every method has to keep, in each side and variant of its recipe.

Methods are those of the package, those of the folders that TOPDB_METHOD_FOLDERS names, the one
in `own`, and the template that docs/methods.md gives its reader.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
import torch

from topdb.config import method_files
from topdb.methods import find
from topdb.runs.conformance import CHECKS, SCALE, Subject, sides

TEMPLATE = tiny.ROOT / "docs/two_halves.py"
OWN = Path(__file__).parent / "own"


def folder_of_the_template() -> Path:
    """The template of docs/methods.md, as its reader copies it."""
    folder = Path(tempfile.mkdtemp(prefix="topdb-template-"))
    shutil.copy(TEMPLATE, folder)
    return folder


def subjects() -> Iterator[Subject]:
    named = os.environ.get("TOPDB_METHOD_FOLDERS", "")
    own = [Path(each) for each in named.split(os.pathsep) if each]
    folders = [*own, OWN, folder_of_the_template()]
    for name, file in method_files(folders).items():
        yield from sides(find(name, folders), name, file)


SUBJECTS = list(subjects())
RESUMES = "an interrupted training goes on bit for bit"


def test_methods_of_the_package_and_of_a_users_own_are_looked_at():
    names = {subject.name for subject in SUBJECTS}
    assert names >= {*method_files(), "one-stream", "two-halves"}
    assert all(subject.scale == SCALE for subject in SUBJECTS)
    mini = tiny.load(tiny.ROOT / "params.yaml").selected("mini")
    # What is looked at is what the mini profile trains; there a small network stands in for cells.
    backbones = {**SCALE.backbones, "auto-reid": "small"}
    assert mini.scale == SCALE.model_copy(update={"backbones": backbones})


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: f"{each.name}-{each.side}")
@pytest.mark.parametrize("what", CHECKS)
def test_a_method_keeps_the_contract(what, subject, request):
    # Seconds each: variants beside two sides differ from them in sizes and rates.
    beside = list(subject.method.recipes)[2:]
    if what == RESUMES and subject.side in beside and not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`")
    with torch.random.fork_rng([]):
        CHECKS[what](subject)
