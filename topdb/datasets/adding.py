"""A data set put in its place, under DVC."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from topdb.datasets.archives import unpack
from topdb.datasets.control import require_no_control
from topdb.datasets.dvc import dvc_add, find_dvc, forget, require_repository
from topdb.datasets.reading import Source, Verification, verify
from topdb.errors import UserError
from topdb.litter import is_litter

Told = Callable[[Verification], None]


def add(
    name: str, layout: str, given: Path, data: Path, told: Told, allow_partial: bool = False
) -> Path:
    """Put a folder or an archive under DVC as `data/<name>`; return `data/<name>.dvc`.

    It is copied or unpacked beside its place, verified, renamed into place, and added by the
    `dvc` program. A folder that already lies in its place stays there. Whatever fails, nothing is
    left behind and what was there before is as it was. `told` gets the counts before they are
    judged.

    Raises
    ------
    UserError
        There is no `dvc` program or no DVC repository, something has the data set's name already,
        its place lies inside of what is given, the archive is unsafe or broken, a file controls a
        tool, the data set does not verify, or DVC fails or leaves files out.
    """
    target = data / name
    record = data / f"{name}.dvc"
    program = find_dvc()
    require_repository(program, target)
    if not given.exists():
        raise UserError(f"{given} does not exist: name the folder or archive of the data set.")
    _remove_stale(target)
    source = Source(layout, target)
    if target.exists() and given.resolve() == target.resolve():
        require_no_control(target, given)
        _verify(name, source, told, allow_partial)
        before = record.read_bytes() if record.exists() else None
        try:
            dvc_add(program, target)
        except UserError:
            forget(program, record, before)
            raise
        return record
    _require_free(target, record, name)
    if target.resolve().is_relative_to(given.resolve()):
        raise UserError(
            f"{given} holds {target}, where its copy would go: name the folder of the data set "
            "alone, or move it out of the way."
        )
    with _folder_made(data), _staged(target) as staging:
        root = _brought(given, staging / "content")
        with _named(root, given):
            _verify(name, Source(layout, root), told, allow_partial)
        try:
            root.rename(target)
        except OSError:
            _require_free(target, record, name)
            raise
        try:
            dvc_add(program, target)
        except BaseException:
            forget(program, record, None)
            target.rename(staging / "undone")
            raise
    return record


def _verify(name: str, source: Source, told: Told, allow_partial: bool) -> None:
    verification = verify(name, source)
    told(verification)
    verification.require(allow_partial)


def _brought(given: Path, content: Path) -> Path:
    """Copy or unpack; return the data set's folder, without the folder around it."""
    if given.is_dir():
        require_no_control(given, given)
        _copy(given, content)
    else:
        unpack(given, content)
        require_no_control(content, given)
    inside = [entry for entry in content.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else content


def _copy(given: Path, content: Path) -> None:
    for folder, folders, files in os.walk(given):
        folders[:] = [name for name in folders if not is_litter(name)]
        files = [name for name in files if not is_litter(name)]
        for name in [*folders, *files]:
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UserError(
                    f"{path} is a link or device where only files and folders belong: replace it "
                    "by what it stands for."
                )
        copy = content / Path(folder).relative_to(given)
        copy.mkdir(parents=True)
        for name in files:
            shutil.copyfile(Path(folder, name), copy / name)


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target that is removed at the end."""
    staging = target.with_name(f".{target.name}.{os.getpid()}.adding.partial")
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    """Remove what killed processes left."""
    for stale in target.parent.glob(f".{target.name}.*.adding.partial"):
        if not _alive(int(stale.name.split(".")[-3])):
            shutil.rmtree(stale, ignore_errors=True)


@contextmanager
def _folder_made(data: Path) -> Iterator[None]:
    """Make the data folder; where what follows fails, it goes as it came."""
    existed = data.exists()
    data.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not existed and not any(data.iterdir()):
            data.rmdir()


@contextmanager
def _named(staged: Path, given: Path) -> Iterator[None]:
    """Let messages name what the user gave, and not where it was staged."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(staged), str(given))) from None


def _require_free(target: Path, record: Path, name: str) -> None:
    if target.exists() or target.is_symlink():
        raise UserError(
            f"{target} is there already: move it away to add another one, or add it where it is "
            f"with `topdb add {name} {target}`."
        )
    if record.exists():
        raise UserError(
            f"{record} is there already: `dvc pull {record}` brings its images; remove it to add "
            "others."
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
