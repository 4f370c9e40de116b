"""The recipe and the environment, from the parameters and from the runs' own files."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.files import read_json
from topdb.results.records import inner, number
from topdb.results.runs import runs

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ELSEWHERE: dict[str, Any] = {
    **dict.fromkeys(("recipe", "methods", "seeds", "rankings"), True),
    **dict.fromkeys(("datasets", "weights", "snapshots", "resources"), True),
    "start": {"dataset"},
}
"""What a profile holds that is not among the parameters of the recipe, or is told on its own."""
Facts = tuple[tuple[str, str], ...]
"""Names with their values, as a reader sees both."""


@dataclass(frozen=True)
class RunFacts:
    """What the runs were made with."""

    recipe: Facts
    environment: Facts
    commit: str | None
    """None outside a git checkout, where runs differ, or where it is no digest: it is a word of a
    command that readers copy."""


def run_facts(profile: Profile, results: Path) -> RunFacts:
    """Read every finished run's record.

    Raises
    ------
    UserError
        A record is no JSON.
    """
    paths = [run.folder(results) / "run.json" for run in runs(profile)]
    records = [read_json(path) for path in paths if path.is_file()]
    commits = {str(_git(record).get("commit")) for record in records}
    commit = commits.pop() if len(commits) == 1 else ""
    return RunFacts(
        recipe=tuple(_recipe(profile)),
        environment=tuple(_environment(records, len(paths))),
        commit=commit if _COMMIT.fullmatch(commit) else None,
    )


def _recipe(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "recipe", profile.recipe
    yield "methods", ", ".join(profile.methods)
    yield "seeds", ", ".join(map(str, profile.seeds))
    yield "rankings", ", ".join(profile.rankings)
    content = profile.model_dump(mode="json", exclude=_ELSEWHERE, exclude_none=True)
    for name, value in content.items():
        yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)


def _environment(records: list[dict[str, Any]], planned: int) -> Iterator[tuple[str, str]]:
    yield "runs", f"{len(records)} of {planned}"
    for title, values in (
        ("device", [inner(record, "environment").get("device") for record in records]),
        ("threads of a run", [inner(record, "environment").get("threads") for record in records]),
        ("commit", [_commit(record) for record in records]),
    ):
        known = sorted({str(value) for value in values if value is not None})
        if known:
            yield title, ", ".join(known)
    seconds = [
        math.fsum(each for each in map(number, inner(record, "seconds").values()) if each == each)
        for record in records
        if inner(record, "seconds")
    ]
    if seconds:
        yield "seconds of a run, mean", f"{math.fsum(seconds) / len(seconds):.1f}"
    for title, key in (
        ("peak memory of a run", "peak_memory_mib"),
        ("peak memory of a run's GPU", "peak_gpu_memory_mib"),
    ):
        memory = [each for record in records if (each := number(record.get(key))) > 0]
        if memory:
            yield title, f"{max(memory):.0f} MiB"
    versions: dict[str, set[str]] = {}
    for record in records:
        for library, version in inner(inner(record, "environment"), "versions").items():
            versions.setdefault(library, set()).add(str(version))
    for library, found in versions.items():
        yield library, ", ".join(sorted(found))


def _commit(record: dict[str, Any]) -> str | None:
    git = _git(record)
    if not git:
        return None
    return f"{git.get('commit')}{' with uncommitted changes' if git.get('dirty') else ''}"


def _git(record: dict[str, Any]) -> dict[str, Any]:
    return inner(inner(record, "environment"), "git")
