"""What differs between two runs: what went in first, then what came out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.metrics import metrics
from topdb.results.evaluation import read_metrics
from topdb.results.provenance import Code, read_code
from topdb.results.records import ABSENT, flat, inner, read_history, read_record
from topdb.results.runs import RunFiles

_PARAMETERS = (
    *("origin", "profile", "dataset", "method", "seed", "recipe", "changes", "scale", "extraction"),
    *("identities", "backbone", "network", "start", "training", "hardware", "checkpoint"),
)

_MACHINE = ("device", "vectors", "variables", "threads")


@dataclass(frozen=True)
class Part:
    """One part of the comparison."""

    title: str
    differences: tuple[tuple[str, str, str], ...]
    """The name of each thing that is not the same, and what it is in both runs, as text."""
    same: str
    """What both have, where nothing differs."""

    def lines(self) -> Iterator[str]:
        """Yield the part as lines of text."""
        if not self.differences:
            yield f"{self.title}: {self.same}"
            return
        yield f"{self.title}:"
        width = max(len(name) for name, _, _ in self.differences)
        for name, first, second in self.differences:
            yield f"  {name:{width}}  {first} -> {second}"


def diff_runs(first: Path, second: Path) -> list[Part]:
    """Compare two run folders by their files.

    Parameters
    ----------
    first, second : folders with a `run.json`; histories and metrics are compared where they are

    Returns
    -------
    Parameters, data, pixels, start, code, libraries, hardware, then weights, each ranking's
    metrics, and training.

    Raises
    ------
    UserError
        A folder holds no run, or a file is broken.
    """
    records = [_record(first), _record(second)]
    environments = [inner(record, "environment") for record in records]
    versions = [inner(each, "versions") for each in environments]
    named = ", ".join(f"{n} {versions[0][n]}" for n in ("python", "torch") if n in versions[0])
    machines = [{key: each[key] for key in _MACHINE if key in each} for each in environments]
    machine = ", ".join(f"{name} {value}" for name, value in flat(machines[0]))
    parameters = [{key: each[key] for key in _PARAMETERS if key in each} for each in records]
    return [
        _part("parameters", parameters),
        _digest("data", records, "index_digest"),
        _digest("pixels", [inner(record, "data") for record in records], "content"),
        _digest("start", records, "start_digest"),
        _code([read_code(each.get("code"), inner(each, "environment")) for each in records]),
        _part("libraries", versions, f"same, {named}"),
        _part("hardware", machines, f"same, {machine}"),
        _digest("weights", records, "weights_digest"),
        _digest("features", records, "features_digest"),
        *_metrics(first, second),
        _history(first, second),
    ]


def _record(folder: Path) -> Mapping[str, Any]:
    path = RunFiles(folder).record
    if not path.is_file():
        raise UserError(f"{folder} is no run, since it has no run.json: name a run's folder.")
    return read_record(path).content


def _part(title: str, pair: Sequence[Mapping[str, Any]], same: str = "same") -> Part:
    one, other = (dict(flat(each)) for each in pair)
    found = [(name, one.get(name, ABSENT), other.get(name, ABSENT)) for name in one | other]
    return Part(title, tuple(each for each in found if each[1] != each[2]), same)


def _digest(title: str, records: Sequence[Mapping[str, Any]], key: str) -> Part:
    one, other = (str(record.get(key) or ABSENT) for record in records)
    if one != other:
        return Part(title, (("digest", one[:16], other[:16]),), "")
    return Part(title, (), "none in either" if one == ABSENT else f"same, digest {one[:16]}")


def _code(codes: Sequence[Code]) -> Part:
    """Compare digests of the code that ran, and what git said of it."""
    (one, told), (other, also_told) = ((each.digest, each.told) for each in codes)
    found = [("digest", (one or ABSENT)[:16], (other or ABSENT)[:16]), ("git", told, also_told)]
    differing = tuple(each for each in found if each[1] != each[2])
    if one is None:
        return Part("code", differing, f"{told} in both, which may differ")
    return Part("code", differing, f"same, digest {one[:16]}, {told}")


def _metrics(first: Path, second: Path) -> Iterator[Part]:
    """Compare the scores under each ranking that either run has."""
    rankings = {path.parent.name for run in (first, second) for path in run.glob("*/metrics.json")}
    for ranking in sorted(rankings):
        title, files = (
            f"metrics, {ranking}",
            [run / ranking / "metrics.json" for run in (first, second)],
        )
        if not all(file.is_file() for file in files):
            one, other = ("scored" if file.is_file() else "not scored" for file in files)
            yield Part(title, (("metrics.json", one, other),), "")
            continue
        read = [read_metrics(file) for file in files]
        names = [name for name in metrics() if all(name in each.metrics for each in read)]
        scores = [[100 * each.metrics[name] for name in names] for each in read]
        found = tuple(
            (name, f"{a:.2f}", f"{b:.2f} ({b - a:+.2f})")
            for name, a, b in zip(names, *scores, strict=True)
            if a != b
        )
        rules = _part(
            title,
            [
                {
                    "evaluator": each.evaluator,
                    "code": (each.code.digest or ABSENT)[:16],
                    "variables": each.made_by.get("variables", {}),
                }
                for each in read
            ],
        )
        shown = ", ".join(f"{name} {a:.2f}" for name, a in zip(names, scores[0], strict=True))
        yield Part(title, found + rules.differences, f"same, {shown}")


def _history(first: Path, second: Path) -> Part:
    """Compare the number of epochs and the last epoch's learning rate and losses."""
    last = [_last_epoch(RunFiles(run).history) for run in (first, second)]
    loss = last[0].get("loss")
    same = f"same, loss {loss} after epoch {last[0].get('epoch')}" if loss else "none in either"
    return _part("last epoch", last, same)


def _last_epoch(path: Path) -> dict[str, str]:
    """Return the last row of a history without its times; empty where there is none."""
    if not path.is_file():
        return {}
    rows = read_history(path, expected=read_record(RunFiles(path.parent).record).history_digest)
    last = rows[-1] if rows else {}
    return {name: f"{value:.5g}" for name, value in last.items() if name != "seconds"}
