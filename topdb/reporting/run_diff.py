"""What differs between two runs: what went in first, then what came out."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.files import read_json

_ABSENT = "–"
_SCORES = ("mAP", "R1", "mINP")
_PARAMETERS = (
    "origin",
    "profile",
    "dataset",
    "method",
    "seed",
    "recipe",
    "changes",
    "scale",
    "identities",
    "backbone",
    "network",
    "start",
    "training",
    "hardware",
    "checkpoint",
)


_Mapping = Mapping[str, Any]
_Pair = tuple[_Mapping, _Mapping]


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two runs, as text."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Part:
    """One part of the comparison."""

    title: str
    differences: tuple[Difference, ...]
    same: str
    """What both have, where nothing differs."""

    def lines(self) -> Iterator[str]:
        """Yield the part as lines of text."""
        if not self.differences:
            yield f"{self.title}: {self.same}"
            return
        yield f"{self.title}:"
        width = max(len(each.name) for each in self.differences)
        for each in self.differences:
            yield f"  {each.name:{width}}  {each.first} -> {each.second}"


def diff_runs(first: Path, second: Path) -> list[Part]:
    """Compare two run folders by their files.

    Parameters
    ----------
    first, second : folders with a `run.json`; histories and metrics are compared where they are

    Returns
    -------
    Parameters, data, start, code, libraries, hardware, then weights, each ranking's metrics, and
    training.

    Raises
    ------
    UserError
        A folder holds no run, or a file is broken.
    """
    records = _record(first), _record(second)
    environments = _each(records, lambda record: record.get("environment") or {})
    versions = _each(environments, lambda environment: environment.get("versions") or {})
    machines = _each(environments, lambda each: {k: each.get(k) for k in ("device", "threads")})
    machine = ", ".join(f"{name} {value}" for name, value in machines[0].items())
    return [
        _part("parameters", _each(records, lambda r: {k: r[k] for k in _PARAMETERS if k in r})),
        _digest_part("data", "index_digest", records),
        _digest_part("start", "start_digest", records),
        _code(_each(environments, lambda environment: environment.get("git") or {})),
        _part("libraries", versions, f"same, {_versions(versions[0])}"),
        _part("hardware", machines, f"same, {machine}"),
        _digest_part("weights", "weights_digest", records),
        _digest_part("features", "features_digest", records),
        *_metrics(first, second),
        _history(first, second),
    ]


def _each(pair: tuple[_Mapping, _Mapping], view: Callable[[_Mapping], _Mapping]) -> _Pair:
    return view(pair[0]), view(pair[1])


def _record(folder: Path) -> dict[str, Any]:
    if not (folder / "run.json").is_file():
        raise UserError(f"{folder} is no run, since it has no run.json: name a run's folder.")
    return read_json(folder / "run.json")


def _part(title: str, pair: _Pair, same: str = "same") -> Part:
    one, other = map(_flat, pair)
    names = [*one, *(name for name in other if name not in one)]
    found = [
        Difference(name, one.get(name, _ABSENT), other.get(name, _ABSENT))
        for name in names
        if one.get(name, _ABSENT) != other.get(name, _ABSENT)
    ]
    return Part(title, tuple(found), same)


def _flat(content: _Mapping, prefix: str = "") -> dict[str, str]:
    """Return nested values by dotted name, as text."""
    found: dict[str, str] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = _ABSENT if value is None else str(value)
    return found


def _digest_part(title: str, key: str, records: _Pair) -> Part:
    digests = [str(record.get(key) or _ABSENT)[:16] for record in records]
    if records[0].get(key) == records[1].get(key):
        same = "none in either" if digests[0] == _ABSENT else f"same, digest {digests[0]}"
        return Part(title, (), same)
    return Part(title, (Difference("digest", *digests),), "")


def _code(gits: _Pair) -> Part:
    """Compare commits; the same commit with changes on top may still be other code."""
    one, other = (
        f"{git['commit'][:12]}{' with uncommitted changes' if git.get('dirty') else ''}"
        if git.get("commit")
        else "no git checkout"
        for git in gits
    )
    if one != other:
        return Part("code", (Difference("commit", one, other),), "")
    certain = gits[0].get("commit") and not gits[0].get("dirty")
    return Part("code", (), f"same, {one}" if certain else f"{one} in both, which may differ")


def _versions(versions: _Mapping) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in ("python", "torch") if name in versions)


def _metrics(first: Path, second: Path) -> Iterator[Part]:
    """Compare the scores under each ranking that either run has."""
    one, other = (
        {path.parent.name: path for path in run.glob("*/metrics.json")} for run in (first, second)
    )
    for ranking in sorted(one.keys() | other.keys()):
        title = f"metrics, {ranking}"
        if ranking not in one or ranking not in other:
            has = ("scored", "not scored") if ranking in one else ("not scored", "scored")
            yield Part(title, (Difference("metrics.json", *has),), "")
            continue
        read = read_json(one[ranking]), read_json(other[ranking])
        scores = [_scores(each) for each in read]
        found = tuple(
            Difference(name, f"{a:.2f}", f"{b:.2f} ({b - a:+.2f})")
            for name, a, b in zip(_SCORES, *scores, strict=True)
            if a != b
        )
        rules = _part(title, _each(read, lambda each: {"evaluator": each.get("evaluator")}))
        shown = ", ".join(f"{name} {a:.2f}" for name, a in zip(_SCORES, scores[0], strict=True))
        yield Part(title, found + rules.differences, f"same, {shown}")


def _scores(metrics: _Mapping) -> tuple[float, float, float]:
    """Return mAP, R1 and mINP in percent."""
    return 100 * metrics["mAP"], 100 * metrics["cmc"]["1"], 100 * metrics["mINP"]


def _history(first: Path, second: Path) -> Part:
    """Compare the number of epochs and the last epoch's learning rate and losses."""
    last = _last_epoch(first / "history.csv"), _last_epoch(second / "history.csv")
    loss = last[0].get("loss")
    same = f"same, loss {loss} after epoch {last[0].get('epoch')}" if loss else "none in either"
    return _part("last epoch", last, same)


def _last_epoch(path: Path) -> dict[str, str]:
    """Return the last row of a history without its times; empty where there is none."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    last = rows[-1] if rows else {}
    return {name: _short(value) for name, value in last.items() if name != "seconds"}


def _short(number: str) -> str:
    try:
        return f"{float(number):.5g}"
    except ValueError:
        return number
