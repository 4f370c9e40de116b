"""What a file says of the code that wrote it: a digest, and a commit where git has just that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_SHOWN = 12
"""Digits of a commit that are shown."""
_ALLOW = (
    "git refused to look, since the checkout is another user's "
    "(`git config --global --add safe.directory FOLDER` allows it)"
)


@dataclass(frozen=True)
class Code:
    """The code that wrote a file, by the file's own account."""

    digest: str | None
    """Of what decides on the result; None in files of an older topdb that do not tell."""
    commit: str | None
    """To which `git checkout` leads in the project's own repository, if it holds all that ran."""
    checkouts: tuple[str, ...]
    """What git said of the files that ran, a phrase a repository."""

    @property
    def told(self) -> str:
        """All that git said, as a phrase."""
        return "; ".join(self.checkouts)


def read_code(digest: object, environment: Mapping[str, Any]) -> Code:
    """Return what a file says, whatever stands there.

    Older files have `git` in place of `checkouts`: a commit that nothing was compared with.
    """
    known = digest if isinstance(digest, str) and digest else None
    listed = environment.get("checkouts")
    if not isinstance(listed, list):
        return Code(known, None, (_older(environment.get("git")),))
    entries = [each for each in listed if isinstance(each, dict)]
    first = entries[0] if len(entries) == 1 else {}
    own = first.get("state") == "committed" and first.get("repository") == "topdb"
    return Code(known, str(first["commit"]) if own else None, tuple(map(_phrase, entries)))


def together(codes: Iterable[tuple[str, Code]]) -> tuple[str, str]:
    """Return one digest of the code of many runs, and what git said of them, each phrase once.

    Each code comes with the name of its method: every method has code of its own.
    """
    listed = list(codes)
    lines = sorted({f"{method} {code.digest}" for method, code in listed})
    told = "; ".join(sorted({code.told for _, code in listed}))
    return sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest(), told


def _older(git: object) -> str:
    if not isinstance(git, dict):
        return "no commit known"
    changed = " with uncommitted changes" if git.get("dirty") else ""
    return f"{str(git.get('commit'))[:_SHOWN]}{changed}, which was not compared with what ran"


def _phrase(entry: Mapping[str, Any]) -> str:
    whose = "" if entry.get("of") == "topdb" else f"{entry.get('of')}: "
    state = entry.get("state")
    if state == "committed":
        another = entry.get("repository") != "topdb" and not whose
        commit = f"commit {str(entry.get('commit'))[:_SHOWN]}"
        return f"{whose}{commit}{' of another repository' if another else ''}"
    if state == "changed":
        files = entry.get("files")
        names = list(map(str, files)) if isinstance(files, list) else []
        more = entry.get("more_files")
        also = f" and {more} more" if isinstance(more, int) else ""
        return f"{whose}no commit has it (changed: {', '.join(names)}{also})"
    if state == "untracked":
        another = entry.get("repository") != "topdb" and not whose
        return f"{whose}git does not track it{' in the repository around it' if another else ''}"
    if state == "refused":
        return f"{whose}{_ALLOW}"
    return f"{whose}{'no git checkout' if state == 'none' else entry.get('reason')}"
