"""The program `dvc`: a folder added, and its refusals quoted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from topdb.datasets.records import CACHE_TAG
from topdb.errors import UserError

_NO_GIT = "is not a git repository"
_UNSET = "dvc config --local --unset core.no_scm"
_ERROR = re.compile(r"^ERROR: +(.+?)(?=\n\s*\n|\nERROR: |\Z)", re.MULTILINE | re.DOTALL)
"""What DVC says of an error, up to an empty line or the next one."""
_LONGEST = 400
"""Characters of a reason."""


def find_dvc() -> str:
    """Return the program `dvc`; a UserError says how to install it."""
    # An environment that is not activated has its programs beside its Python.
    beside = Path(sys.executable).with_name("dvc")
    program = shutil.which("dvc") or (str(beside) if beside.is_file() else None)
    if program is None:
        raise UserError(
            "the program dvc is not installed: pip install 'topdb[workflow]' (dvc-s3 for an S3 "
            "remote), and run the same command again."
        )
    return program


def require_repository(program: str, target: Path) -> None:
    """Raise a UserError where a folder is in no DVC repository, or below one that DVC has whole."""
    there = target.parent.absolute()
    while not there.is_dir():
        there = there.parent
    run = _run(program, "root", folder=there)
    if run.returncode:
        if any((folder / ".dvc").is_dir() for folder in (there, *there.parents)):
            _done(run, "root")
        raise UserError(
            f"{target.parent} lies in no DVC repository: run `dvc init` (`dvc init --no-scm` "
            "without git) in the project's folder first."
        )
    top = (there / run.stdout.strip()).resolve()
    for folder in (target.parent.resolve(), *target.parent.resolve().parents):
        record = folder.with_name(f"{folder.name}.dvc")
        if not folder.is_relative_to(top) or folder == top:
            break
        if record.is_file():
            raise UserError(
                f"{folder} is under DVC as a whole ({record.name}), and {target.name} would be "
                f"twice: `dvc remove {record.name}` there, and add each data set by itself."
            )


def dvc_add(program: str, target: Path) -> None:
    """Add a folder; without git DVC is told so, once, in the repository's local settings.

    Raises
    ------
    UserError
        DVC fails, for the reason that is quoted, or it leaves files out.
    """
    # Not --quiet, with which DVC gives no reason.
    run = _run(program, "add", target.name, folder=target.parent)
    if run.returncode and _NO_GIT in run.stderr:
        setting = ("config", "--local", "core.no_scm", "true")
        _done(_run(program, *setting, folder=target.parent), " ".join(setting))
        print(
            "topdb: there is no git here, so core.no_scm is set in .dvc/config.local, and DVC does "
            f"without; `{_UNSET}` once there is one.",
            file=sys.stderr,
        )
        run = _run(program, "add", target.name, folder=target.parent)
    _done(run, f"add {target}")
    _require_all_recorded(program, target)


def _done(run: subprocess.CompletedProcess[str], command: str) -> list[str]:
    """Return the lines that `dvc` printed; raise a UserError where it failed."""
    # A file that does not come into the cache, as on a full disk, leaves the exit status at 0.
    if run.returncode or _ERROR.search(run.stderr):
        raise UserError(f"`dvc {command}` failed ({_reason(run)}): mend that and add it again.")
    return run.stdout.splitlines()


def _reason(run: subprocess.CompletedProcess[str]) -> str:
    """Return what `dvc` says of its failure: its first error's first paragraph, in one line."""
    said = run.stderr.replace("\r", "\n").strip() or run.stdout.strip()
    found = _ERROR.search(said)
    if found is None:
        lines = said.splitlines()
        return (
            lines[-1].strip().rstrip(".") if lines else f"no reason, exit status {run.returncode}"
        )
    text = " ".join(found[1].split()).rstrip(".: ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _require_all_recorded(program: str, target: Path) -> None:
    """Raise a UserError where DVC left out files that a checkout would then lack."""
    there = _files(target)
    record = target.with_name(f"{target.name}.dvc")
    (out,) = yaml.safe_load(record.read_text(encoding="utf-8"))["outs"]
    if (out.get("nfiles"), out.get("size")) == (len(there), sum(there.values())):
        return  # listing takes long
    arguments = ("list", ".", target.name, "--recursive", "--dvc-only")
    listed = _done(_run(program, *arguments, folder=target.parent), f"list {target}")
    missing = sorted(set(there) - set(listed))
    if missing:
        raise UserError(
            f"DVC leaves out {len(missing):,} of the {len(there):,} files of {target} (first "
            f"{missing[0]}), and a checkout would lack them: `dvc check-ignore --details "
            f"{target / missing[0]}` names the pattern in a .dvcignore; mend it and add it again."
        )


def _files(root: Path) -> dict[str, int]:
    """Return each file's size by its path, without what follows from others or is unfinished."""
    found = {}
    for place, folders, files in os.walk(root):
        if CACHE_TAG in files and Path(place) != root:
            folders.clear()
            continue
        for name in files:
            path = Path(place, name)
            if not name.endswith(".partial"):
                found[path.relative_to(root).as_posix()] = path.stat().st_size
    return found


def forget(program: str, record: Path, before: bytes | None) -> None:
    """Undo what DVC recorded: back to what the record was before, if there was one."""
    if before is not None:
        record.write_bytes(before)
    elif record.exists():
        _run(program, "remove", "--quiet", record.name, folder=record.parent)
        record.unlink(missing_ok=True)


def _run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
