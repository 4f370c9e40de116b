"""Whether git holds the very files that ran: a commit is told where it does, and nowhere else."""

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
_ELSEWHERE = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
}
"""Variables by which git would look at another repository, as in a hook."""
_NAMED = 5
"""How many files are named that differ."""


def checkouts(own: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Return what git says of the package's files that this process runs, and of further ones.

    Each file's content is held against what HEAD has of it. Neither the index nor the working tree
    is asked, so that no setting of the repository decides on the answer, or runs anything.

    Returns
    -------
    One entry a repository, first the package's: `of` (topdb, or own files), `state` (committed,
    changed, untracked, refused, none, unknown), `commit` (where committed: of HEAD), `repository`
    (topdb or another, where there is one), `files` (the first that are changed) and `reason` (of
    an unknown state).
    """
    wanted = [(_PACKAGE, _running()), *((each.parent, [each]) for each in own)]
    groups: dict[str, tuple[Path | dict[str, Any], list[Path]]] = {}
    for folder, files in wanted:
        top = _said(_top, folder)
        groups.setdefault(str(top), (top, []))[1].extend(files)
    found: list[dict[str, Any]] = []
    for top, files in groups.values():
        told = top if isinstance(top, dict) else _said(_compared, top, files)
        found.append({"of": "own files" if found else "topdb", **told})
    return found


def _running() -> list[Path]:
    """Return the files of the package that this process has imported."""
    modules = [
        module for name, module in sys.modules.items() if name.partition(".")[0] == _PACKAGE.name
    ]
    return sorted({Path(each.__file__) for each in modules if each.__file__})


def _said(ask: Callable[..., Any], *of: Any) -> Any:
    try:
        return ask(*of)
    except FileNotFoundError:
        return {"state": "unknown", "reason": "git is not installed"}
    except (OSError, subprocess.SubprocessError) as error:
        return {"state": "unknown", "reason": f"git failed: {type(error).__name__}"}


def _top(folder: Path) -> Path | dict[str, Any]:
    """Return the folder of the repository around another, or what is said in its place."""
    done = _git(folder, "rev-parse", "--show-toplevel")
    if done.returncode == 0:
        return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
    said = done.stderr.decode(errors="replace")
    if "dubious ownership" in said or "owned by someone else" in said:
        return {"state": "refused"}
    if "not a git repository" in said:
        return {"state": "none"}
    return {"state": "unknown", "reason": f"git failed: {said.strip().partition(chr(10))[0][:100]}"}


def _compared(top: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Hold files against the commit that a repository is at."""
    names = {os.path.relpath(file.resolve(), top.resolve()): file for file in files}
    whose = {"repository": "topdb" if _is_topdbs(top) else "another"}
    head = _git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    tree = _git(top, "ls-tree", "-r", "-z", "--full-tree", "HEAD", "--", *names)
    held = {}
    for line in tree.stdout.split(b"\0")[:-1]:
        described, _, name = line.partition(b"\t")
        held[os.fsdecode(name)] = described.split()[2].decode()
    if head.returncode or tree.returncode or not held:
        return {"state": "untracked", **whose}
    changed = [name for name, file in names.items() if not _is_blob(file, held.get(name, ""))]
    if changed:
        more = {"more_files": len(changed) - _NAMED} if len(changed) > _NAMED else {}
        return {"state": "changed", **whose, "files": sorted(changed)[:_NAMED], **more}
    return {"state": "committed", "commit": head.stdout.decode().strip(), **whose}


def _is_blob(file: Path, wanted: str) -> bool:
    """Whether a file has the content that git keeps under a digest of 40 or 64 digits."""
    content = file.read_bytes()
    algorithm = hashlib.sha256 if len(wanted) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest() == wanted


def _is_topdbs(top: Path) -> bool:
    """Whether a repository is the project's own, and not one that a copy was put into."""
    if top.resolve() != _PACKAGE.parent.resolve():
        return False
    try:
        project = tomllib.loads((top / "pyproject.toml").read_text(encoding="utf-8"))
        return bool(project["project"]["name"] == _PACKAGE.name)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _git(folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    own = {key: value for key, value in os.environ.items() if key not in _ELSEWHERE}
    return subprocess.run(
        ["git", "--no-replace-objects", "-C", str(folder), *command],
        capture_output=True,
        check=False,
        timeout=30,
        env=own | {"LC_ALL": "C"},
    )
